"""What is kept of overwritten and deleted objects: looked through, read, and asked back."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import QuerySet

from syncapp.items import Item, Kind
from syncapp.items.elements import elements
from syncapp.jobs.sides import unpack
from syncapp.models import Enrollment, History, Pairing, Restoration
from syncapp.side import SideName


class NotPossible(Exception):
    """A version can't be asked back. The text says why, and what to do."""


def kept(enrollment: Enrollment) -> QuerySet[History]:
    """The versions that are kept of a person's objects, newest first."""
    return enrollment.history.exclude(content=b"").order_by("-at", "-pk")


def item_of(version: History) -> Item:
    """The item in a version. Raises ``Unreadable`` and ``crypto.WrongKey``."""
    return unpack(SideName(version.side), Kind(version.kind), version.packed)


def says(version: History, text: str) -> bool:
    """Whether a text stands anywhere in a version. Raises like ``item_of``."""
    wanted = text.casefold()
    found = (str(version.label), *(part.normal for part in elements(item_of(version)).values()))
    return any(wanted in each.casefold() for each in found)


@transaction.atomic
def ask_back(version: History, now: dt.datetime) -> Restoration:
    """Ask for a version; the person is due at once. One that is asked for already is not asked for twice.

    Raises ``NotPossible``.
    """
    person = Enrollment.objects.select_for_update().get(pk=version.enrollment_id)
    if person.state != Enrollment.State.ACTIVE:
        raise NotPossible(f"This user does not sync now: {Enrollment.State(person.state).label}.")
    paired = Pairing.objects.filter(enrollment=person, kind=version.kind, enabled=True)
    if not (paired.filter(pk=version.pairing_id) if version.pairing_id else paired).exists():
        raise NotPossible("The folder that it belongs to is not kept the same any more.")
    if not version.content:
        raise NotPossible("Nothing was kept of this version.")
    fields = {"enrollment": person, "key": version.key, "kind": version.kind, "side": version.side, "at": now}
    wish, _ = Restoration.objects.get_or_create(history=version, state=Restoration.State.WAITING, defaults=fields)
    Enrollment.objects.filter(pk=person.pk, due_at__gt=now).update(due_at=now)
    return wish
