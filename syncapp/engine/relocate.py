"""Relocate: move an object into another folder, or take it out of the bin. One item at a time: both are rare."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from syncapp.engine import intents
from syncapp.engine.answers import DECIDE_AGAIN, OF_ONE_ITEM, not_written
from syncapp.engine.case import Case
from syncapp.engine.match import free_id
from syncapp.engine.work import Work
from syncapp.models import Link
from syncapp.side import SideName, WriteResult, Written
from syncapp.words import FOLDER

_MOVED, _RESTORED = "moved", "restored"


class Target(NamedTuple):
    """Which side's object has to move, and into the folder of which pairing.

    ``why`` is the reason of the ruling (``syncapp.engine.case.Ruling``) when both sides had moved it.
    """

    name: SideName
    pairing_id: int
    why: str


def move(work: Work, case: Case, target: Target) -> None:
    """Put an object into the folder of a pairing, where it stands across already."""
    name, pairing_id, why = target
    folder = work.pairings[pairing_id].folder(name)
    with work.commit():
        case.intent = intents.Move(name)
        Link.objects.put([case.link])
    side, found = work.side(name), case.objects[name]
    work.before_write(name)
    _relocate(work, name, case, pairing_id, lambda: side.move(found.id, found.revision, folder), _MOVED, why)


def restore(work: Work, name: SideName, case: Case, id: str, pairing_id: int) -> None:
    """Take an object out of the bin instead of creating it again; what stands across is then written over it."""
    folder = work.pairings[pairing_id].folder(name)
    with work.commit():
        case.intent = intents.Move(name)
        case.link.prefer = name.other.value
        Link.objects.put([case.link])
    side = work.side(name)
    work.before_write(name)
    _relocate(work, name, case, pairing_id, lambda: side.restore(id, folder), _RESTORED)


def _relocate(
    work: Work,
    name: SideName,
    case: Case,
    pairing_id: int,
    request: Callable[[], Written],
    code: str,
    why: str = "",
) -> None:
    try:
        result: WriteResult = request()
    except (*OF_ONE_ITEM, *DECIDE_AGAIN) as problem:
        result = problem
    with work.commit():
        case.intent = None
        if isinstance(result, Written):
            side = case.side(name)
            free_id(work, case.link, name, result.id)
            side.id, side.pairing_id, side.missing, side.lost = result.id, pairing_id, None, False
            if result.revision:
                side.take_revision(result.revision)
            case.link.pairing_id = pairing_id
            case.worked()
            work.journal.note(code, case.link, name, note=case.again, count="updated")
            if why:
                work.journal.note("conflict", case.link, name, [(FOLDER,)], note=f"{name.other} {why} {work.kind}")
        else:
            not_written(work, name, case, result)
            # Where it was there may be something else now: then it is created, with another UID (rule 12).
            case.link.fresh_uid = code == _RESTORED and isinstance(result, OF_ONE_ITEM)
        Link.objects.put([case.link])
