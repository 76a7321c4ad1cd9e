"""The pairings that a person starts with: the mailbox's default folder with the collection that the consent app names.

A missing folder or collection is a problem of the person; it is not created.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from django.conf import settings
from django.db import IntegrityError, transaction

from syncapp.items import Kind
from syncapp.models import Enrollment, Pairing, Problem
from syncapp.side import Folder, SidesOf

_NAMES = {Kind.EVENT: "calendar", Kind.CONTACT: "address book"}


def in_order(enrollment: Enrollment, sides: Sequence[SidesOf], known: Sequence[Pairing]) -> bool:
    """Whether ``ensure`` would find nothing to make and nothing to say."""
    there = {pairing.kind: pairing for pairing in known}
    return all(of.kind in there and _is_chosen(enrollment, of.kind, there[of.kind]) for of in sides)


def ensure(enrollment: Enrollment, sides: Sequence[SidesOf], known: Sequence[Pairing]) -> list[SidesOf]:
    """Make the pairings that are missing from those ``known``; the sides for which there is something to sync.

    Raises what ``Side.folders`` raises.
    """
    there = {pairing.kind: pairing for pairing in known}
    ready = []
    for of in sides:
        pairing = there.get(of.kind.value)
        if pairing is not None:
            _compare_choice(enrollment, of.kind, pairing)
        if _make(enrollment, of) if pairing is None else pairing.enabled:
            ready.append(of)
    return ready


def _compare_choice(enrollment: Enrollment, kind: Kind, pairing: Pairing) -> None:
    """Say so when the person has chosen another collection since: what is paired is not pointed elsewhere by itself."""
    key = f"enrollment:{enrollment.pk}:choice:{kind.value}"
    if _is_chosen(enrollment, kind, pairing):
        if Problem.objects.filter(key=key).exists():  # usually there is nothing to write
            Problem.objects.clear(key)
        return
    what = _NAMES[kind]
    Problem.objects.report(
        key,
        level=Problem.Level.ENROLLMENT,
        code="choice-changed",
        text=f"This user has chosen another {what} in the consent app. The sync goes on with the former one.",
        remedy=f"Choose the former {what} in the consent app's settings.",
        actor=Problem.Actor.USER,
        enrollment=enrollment,
        label=_chosen(enrollment, kind),
    )


def _is_chosen(enrollment: Enrollment, kind: Kind, pairing: Pairing) -> bool:
    return unquote(pairing.nextcloud_folder.rstrip("/").rpartition("/")[2]) == _chosen(enrollment, kind)


def _chosen(enrollment: Enrollment, kind: Kind) -> str:
    return enrollment.calendar if kind is Kind.EVENT else enrollment.address_book


def _make(enrollment: Enrollment, sides: SidesOf) -> bool:
    kind, what = sides.kind, _NAMES[sides.kind]
    exchange = next((folder for folder in sides.exchange.folders() if folder.default), None)
    wanted = _chosen(enrollment, kind)
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
    elif _is_anothers(enrollment, kind, exchange):
        _report(key, enrollment, f"The {what} of this mailbox is already synced for another user.",
                "Find out whose mailbox it is: two addresses, one of them an alias, lead to it.",
                enrollment.mailbox or "")  # fmt: skip
    elif not _save(enrollment, kind, exchange, nextcloud):
        _report(key, enrollment, f"The {what} is already synced for another user.",
                f"Choose a {what} that nobody else syncs; it would go round in a circle.", wanted)  # fmt: skip
    else:
        Problem.objects.clear(key)
        return True
    return False


def _is_anothers(enrollment: Enrollment, kind: Kind, exchange: Folder) -> bool:
    """Whether somebody else's mailbox has this very folder: then it is the same, by another of its addresses.

    Ids of folders in Exchange are made of those of the mailbox, so that no two mailboxes share one.
    """
    others = Pairing.objects.filter(kind=kind.value, exchange_folder=exchange.id)
    return others.exclude(enrollment=enrollment).exists()


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
