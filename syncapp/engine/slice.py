"""One slice of a run: collect, match, decide, guard and apply, kind by kind, until done or out of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Min

from syncapp.engine.at_once import AtOnce, in_threads
from syncapp.engine.clock import SYSTEM_CLOCK, Clock
from syncapp.engine.collect import anything_gone, collect
from syncapp.engine.journal import Journal
from syncapp.engine.lease import Lease
from syncapp.engine.look import Looked
from syncapp.engine.match import match
from syncapp.engine.process import process
from syncapp.engine.restoration import fulfil
from syncapp.engine.work import Work
from syncapp.models import Hold, Installation, Link, Pairing, Restoration, Run
from syncapp.side import SidesOf


@dataclass
class SliceResult:
    """What a slice leaves: whether work is ``more`` to do at once, when the next retry is due, and what was done."""

    more: bool = False
    next_at: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)


def run_slice(
    lease: Lease,
    run: Run,
    sides: Sequence[SidesOf],
    *,
    clock: Clock = SYSTEM_CLOCK,
    seconds: float,
    full: bool = False,
    looked: Looked | None = None,
    at_once: AtOnce = in_threads,
    journal: Journal | None = None,
) -> SliceResult:
    """Keep the items of one enrollment the same for at most about ``seconds`` (one batch more than that).

    ``full`` compares complete listings whatever the tokens say. ``looked`` is what a look just before has seen of the
    folders. ``at_once`` is how requests to both sides are made at the same time. ``journal`` takes what is told of the
    run, where that is more than its log. Problems of items are stored and do not raise. Raises what concerns the whole
    enrollment, account or server (``LoginFailed``, ``NotAllowed``, ``Throttled``, ``Unreachable``, ``NoMailbox``), and
    ``LeaseLost``; what was committed until then stands.
    """
    journal = journal or Journal(run, clock)
    until = clock.now() + timedelta(seconds=seconds)
    base_key = Installation.get().base_key
    result = SliceResult(counts=journal.counts)
    looked = looked or Looked()
    wanted_back = set(
        Restoration.objects.filter(enrollment_id=lease.enrollment_id, state=Restoration.State.WAITING).values_list(
            "kind", flat=True
        )
    )
    pairings = list(Pairing.objects.filter(enrollment_id=lease.enrollment_id))
    for pair in sides:
        enabled = {each.pk: each for each in pairings if each.enabled and each.kind == pair.kind}
        disabled = frozenset(each.pk for each in pairings if not each.enabled and each.kind == pair.kind)
        work = Work(
            lease, journal, clock, until, pair.kind, pair, enabled, base_key, looked, at_once, disabled=disabled
        )
        if enabled:
            result.more |= pair.kind in wanted_back and fulfil(work)
            result.more |= _sync(work, full)
    _sum_up(lease, journal, result)
    return result


def _sync(work: Work, full: bool) -> bool:
    """One kind of items. Whether there is more to do at once."""
    collect(work, full=full)
    if not work.dirty().exists():
        return False
    if anything_gone(work):
        collect(work)
    work.has_holds = Hold.objects.filter(enrollment_id=work.enrollment_id).exists()
    done = match(work)
    if done and work.slipped_away:
        # What is new and went while it was looked at may have moved to where no pass has looked since (rule 1).
        collect(work)
        done = match(work)
    done = done and process(work)
    if done:
        _end_first_contact(work)
    if work.has_holds:
        with work.commit():
            Hold.objects.report(work.enrollment_id)
    # What waits for a folder that is missing can't be helped by trying again at once.
    return not done or (work.waiting and not (work.broken or work.vanished))


def _end_first_contact(work: Work) -> None:
    """Everything that the first listings found has been dealt with: from now on nothing is adopted by content."""
    new = [pairing for pairing in work.pairings.values() if pairing.first_contact and pairing.listed]
    if new and not work.dirty().filter(intent__isnull=True, has_problem=False).exists():
        with work.commit():
            for pairing in new:
                pairing.put(first_contact=False, new_epoch=False)


def _sum_up(lease: Lease, journal: Journal, result: SliceResult) -> None:
    dirty = Link.objects.filter(enrollment_id=lease.enrollment_id, dirty__gt=0)
    journal.pending(dirty.count())
    result.next_at = dirty.aggregate(at=Min("not_before"))["at"]
