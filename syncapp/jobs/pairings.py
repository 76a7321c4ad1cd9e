"""The pairings that a person starts with: the mailbox's default folder with the collection that the consent app names.

A missing folder or collection is a problem of the person; it is not created.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import IntegrityError, transaction

from syncapp.items import Kind
from syncapp.models import Enrollment, Pairing, Problem
from syncapp.side import Folder, SidesOf

_NAMES = {Kind.EVENT: "calendar", Kind.CONTACT: "address book"}


def ensure(enrollment: Enrollment, sides: Sequence[SidesOf]) -> list[SidesOf]:
    """Make the pairings that are missing; the sides for which there is something to sync.

    Raises what ``Side.folders`` raises.
    """
    there = dict(enrollment.pairings.values_list("kind", "enabled"))
    for of in sides:
        if of.kind.value not in there and _make(enrollment, of):
            there[of.kind.value] = True
    return [of for of in sides if there.get(of.kind.value)]


def _make(enrollment: Enrollment, sides: SidesOf) -> bool:
    kind, what = sides.kind, _NAMES[sides.kind]
    exchange = next((folder for folder in sides.exchange.folders() if folder.default), None)
    wanted = enrollment.calendar if kind is Kind.EVENT else enrollment.address_book
    nextcloud = next((folder for folder in sides.nextcloud.folders() if folder.default), None)
    key = f"enrollment:{enrollment.pk}:folder:{kind.value}"
    if exchange is None:
        _report(key, enrollment, f"The mailbox has no default {what}.", "Check the mailbox in Exchange.")
    elif nextcloud is None:
        _report(key, enrollment, f"The {what} chosen for the sync does not exist in Nextcloud.",
                f"Create it in Nextcloud, or choose another {what} in the consent app's settings.", wanted)  # fmt: skip
    elif not nextcloud.writable:
        _report(key, enrollment, f"The {what} chosen for the sync can only be read in Nextcloud.",
                f"Choose another {what} in the consent app's settings.", wanted)  # fmt: skip
    elif not _save(enrollment, kind, exchange, nextcloud):
        _report(key, enrollment, f"The {what} is already synced for another user.",
                f"Choose a {what} that nobody else syncs; it would go round in a circle.", wanted)  # fmt: skip
    else:
        Problem.objects.clear(key)
        return True
    return False


def _save(enrollment: Enrollment, kind: Kind, exchange: Folder, nextcloud: Folder) -> bool:
    try:
        with transaction.atomic():
            Pairing.objects.create(
                enrollment=enrollment,
                kind=kind.value,
                exchange_folder=exchange.id,
                nextcloud_folder=nextcloud.id,
                days_back=settings.WINDOW_DAYS_BACK,
                days_ahead=settings.WINDOW_DAYS_AHEAD,
            )
    except IntegrityError:
        return False
    return True


def _report(key: str, enrollment: Enrollment, text: str, remedy: str, label: str = "") -> None:
    Problem.objects.report(
        key,
        level=Problem.Level.ENROLLMENT,
        code="folder-missing",
        text=text,
        remedy=remedy,
        actor=Problem.Actor.USER,
        enrollment=enrollment,
        label=label,
    )
