"""Take back what we copied to one side, of somebody who has left: only what is ours and what nobody has changed since.

The person must be in a state in which nobody syncs them any more, then and ever after with these links: what is missing
afterwards would be taken for deletions of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q

from syncapp.engine.answers import of_more
from syncapp.engine.clock import SYSTEM_CLOCK, Clock
from syncapp.engine.journal import Journal
from syncapp.engine.keeping import Former, keep_history
from syncapp.engine.lease import Lease
from syncapp.engine.work import BATCH, Work
from syncapp.models import History, Installation, Link, Run
from syncapp.side import Deletion, Object, SideError, SideName, SidesOf, Written

_ALL_THE_TIME = timedelta(days=1)


@dataclass(frozen=True)
class TakenBack:
    """How many copies were put into the bin of their server, and how many were left because somebody changed them."""

    removed: int = 0
    left: int = 0

    def __add__(self, other: TakenBack) -> TakenBack:
        return TakenBack(self.removed + other.removed, self.left + other.left)


def ours(name: SideName) -> Q:
    """The links whose object on one side is a copy that we made of the other's."""
    known = {f"{each}_digest__isnull": False for each in SideName}
    return Q(**known, **{f"{name}_nonce__isnull": False})


def take_back(
    lease: Lease, run: Run, sides: Sequence[SidesOf], name: SideName, *, clock: Clock = SYSTEM_CLOCK
) -> TakenBack:
    """Put the copies on one side into the bin. Interrupted, it goes on where it was. Raises like ``run_slice``."""
    until = clock.now() + _ALL_THE_TIME
    journal, base_key = Journal(run, clock), Installation.get().base_key
    taken = TakenBack()
    for pair in sides:
        pairings = {each.pk: each for each in run.enrollment.pairings.filter(kind=pair.kind)}
        work = Work(lease, journal, clock, until, pair.kind, pair, pairings, base_key)
        last = 0
        while batch := list(work.links().filter(ours(name), pk__gt=last).order_by("pk")[:BATCH]):
            last = batch[-1].pk
            taken += _batch(work, name, batch)
    return taken


def _batch(work: Work, name: SideName, links: Sequence[Link]) -> TakenBack:
    side = work.side(name)
    read = side.read([link.side(name).id for link in links])
    jobs = [(link, found) for link in links if (found := _unchanged(work, name, link, read)) is not None]
    there = sum(isinstance(found, Object) and not found.in_bin for found in read.values())
    if not jobs:
        return TakenBack(left=there)
    with work.commit():
        keep_history(work, [Former(bytes(link.key), name, found, History.Reason.DELETED) for link, found in jobs])
    work.before_write(name, len(jobs))
    results = side.delete([Deletion(found.id, found.revision) for _, found in jobs])
    gone = [link for (link, _), result in zip(jobs, results, strict=True) if isinstance(result, Written)]
    with work.commit():
        for link in gone:
            work.journal.note("deleted", link, name, count="deleted")
        Link.objects.filter(pk__in=[link.pk for link in gone]).delete()
    if (error := of_more(results)) is not None:
        raise error
    return TakenBack(len(gone), there - len(gone))


def _unchanged(work: Work, name: SideName, link: Link, read: Mapping[str, Object | SideError]) -> Object | None:
    """The object of a link if it is alive and, as a whole, what it was when both sides agreed (rule 5)."""
    found = read.get(link.side(name).id)
    whole = link.side(name).whole
    if not isinstance(found, Object) or not work.lives(name, found) or whole is None:
        return None
    return found if bytes(whole) == work.whole(found) else None
