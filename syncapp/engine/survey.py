"""Survey: how many objects the changes that nobody has looked at yet would overwrite, without writing anything."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from syncapp.engine.case import Case
from syncapp.engine.decide import View, Write, decide
from syncapp.engine.work import BATCH, Work
from syncapp.models import Hold, Link, Pairing
from syncapp.side import Object, SideName

_MOST = 500
"""So many items are looked at; what lies beyond them is estimated."""


Counts = Callable[[Link, Hold | None, SideName, Write], bool]
"""Whether an overwrite counts, given what is held of its item."""


def overwrites_ahead(work: Work, pairing: Pairing, on: SideName, counts: Counts) -> int:
    """How many objects of one side the dirty links that had no turn yet would overwrite, about.

    What was read is kept for the batches that will need it. Raises the sides' errors.
    """
    both = {f"{name}_digest__isnull": False for name in SideName} | {f"{name}_missing": None for name in SideName}
    waiting = work.dirty().filter(pairing=pairing, intent__isnull=True, **both).order_by("pk")
    ahead = [pk for pk in waiting.values_list("pk", flat=True) if not work.rounds[pk]]
    looked, found = ahead[:_MOST], 0
    for at in range(0, len(looked), BATCH):
        links = Link.objects.filter(pk__in=looked[at : at + BATCH]).select_related("hold")
        found += _overwrites(work, list(links), on, counts)
    return found * len(ahead) // len(looked) if looked else 0


def _overwrites(work: Work, batch: list[Link], on: SideName, counts: Counts) -> int:
    read: dict[SideName, dict[str, Object]] = {name: {} for name in SideName}
    work.at_once([partial(_read, work, name, [link.side(name).id for link in batch], read[name]) for name in SideName])
    for name in SideName:
        for each in read[name].values():
            work.keep(name, each)
    writes = [(link, _write(work, link, read, on)) for link in batch]
    return sum(write is not None and counts(link, getattr(link, "hold", None), on, write) for link, write in writes)


def _read(work: Work, name: SideName, ids: list[str], into: dict[str, Object]) -> None:
    """Runs in a thread of its own: no models here."""
    into.update({id: each for id, each in work.side(name).read(ids).items() if isinstance(each, Object)})


def _write(work: Work, link: Link, read: dict[SideName, dict[str, Object]], on: SideName) -> Write | None:
    case = Case(work, link)
    for name in SideName:
        found = read[name].get(link.side(name).id)
        if found is None or not work.lives(name, found):
            return None
        case.objects[name] = found
    views = {name: View(case.objects[name].item, case.base(name), work.side(name).project) for name in SideName}
    return decide(views, work.prints(case.key), winner=case.ruling.winner, source=case.source).writes.get(on)
