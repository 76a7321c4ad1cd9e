"""A worker's round: claim a due enrollment, sync one slice of it, say when it is due again; and so on until a deadline.

One that has started works on until its deadline, because schedules start things once a minute at best
(docs/server-behaviour.md, section 6.2).
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from syncapp.engine.lease import TAKEOVER_SECONDS, Lease, LeaseLost, claim
from syncapp.engine.slice import run_slice
from syncapp.jobs import accounts, owners, pairings, places, refresh, resting, runs, sides, stopping, troubles
from syncapp.jobs.task import task
from syncapp.models import Enrollment, Run, ServiceAccount
from syncapp.side import SideError, SidesOf

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 55.0
SLICE_SECONDS = 15.0
LEASE_SECONDS = 240.0
"""More than the longest request of either side."""
IDLE_SECONDS = 1.0
ROUND_SECONDS = 1.0
"""How often a worker sees to its place and to the list of people, however many it serves meanwhile."""
FULL_COMPARISON_EVERY = dt.timedelta(hours=6)
_SPREAD_SECONDS = 3600
_SLOT_SECONDS = 300.0
_CANDIDATES = 20
_PAUSE = dt.timedelta(seconds=5)

BuildSides = Callable[[Enrollment, ServiceAccount], list[SidesOf]]


# Draining ----------------------------------------------------------------------------------------------------------


@task
def drain(number: int) -> None:
    """Work at place ``number`` until the deadline, then hand the place to a successor in the queue."""
    owner = owners.new_owner()
    if not places.take(number, owner, timezone.now()):
        return
    stop = stopping.Stopping()
    begun = next_round = time.monotonic()
    try:
        while (now := time.monotonic()) < begun + DRAIN_SECONDS and not stop.requested():
            if now >= next_round:
                next_round = now + ROUND_SECONDS
                if not places.keep(number, owner, timezone.now()):
                    break
                refresh.refresh_if_due()
            if not serve_one(owner):
                time.sleep(IDLE_SECONDS)
    finally:
        places.leave(number, owner)
    if not stop.requested():
        from syncapp.jobs.dispatch import start_drain  # dispatch names this task

        start_drain(number)


def due(now: dt.datetime) -> list[int]:
    """The enrollments to look at now, roughly those first that have waited longest.

    Roughly: workers that all began with the same row would stand in each other's way.
    """
    if resting.server_rests(resting.NEXTCLOUD, now):
        return []
    lapsed = now - dt.timedelta(seconds=TAKEOVER_SECONDS)
    unserved = Q(lease_owner="") | Q(lease_until=None) | Q(lease_until__lt=lapsed)
    trusted = Q(token_refused_at=None) | Q(token_refused_at__lte=now - troubles.CONFIRM_AFTER)
    waiting = Enrollment.objects.filter(unserved, trusted, state=Enrollment.State.ACTIVE, due_at__lte=now)
    found = list(waiting.order_by("due_at").values_list("pk", flat=True)[:_CANDIDATES])
    head = min(len(found), settings.WORKERS)
    return random.sample(found[:head], head) + found[head:]


def serve_one(owner: str, build: BuildSides | None = None) -> bool:
    """Sync one slice of one due enrollment. False when there is none, or no account free for it."""
    for enrollment_id in due(timezone.now()):
        enrollment = Enrollment.objects.get(pk=enrollment_id)
        with accounts.slot_for(enrollment, owner, timezone.now(), _SLOT_SECONDS) as account:
            if account is None:
                return False
            lease = claim(enrollment_id, owner, LEASE_SECONDS)
            if lease is not None:
                serve(lease, account, build=build)
                return True
    return False


# One slice ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """How a slice ended. ``more``: there is work left for the next one."""

    outcome: Run.Outcome
    due_at: dt.datetime
    run_id: int

    @property
    def more(self) -> bool:
        """Whether the next slice has something to do at once."""
        return self.outcome is Run.Outcome.MORE


def serve(
    lease: Lease, account: ServiceAccount, *, build: BuildSides | None = None, full: bool = False
) -> Served | None:
    """Sync one slice of the enrollment under ``lease`` and give it back. None when the lease was lost on the way."""
    try:
        put_off = _count_attempt(lease)
        enrollment = Enrollment.objects.get(pk=lease.enrollment_id)
        run = runs.begin(enrollment, timezone.now())
        outcome, due_at = _slice(lease, enrollment, account, run, build=build or sides.build, full=full)
        with transaction.atomic():
            lease.release(due_at, put_off=put_off)
            runs.finish(run, outcome, timezone.now())
    except LeaseLost:
        # Whoever has the lease now has closed this run as lost, or will.
        logger.warning("enrollment %s: lease lost", lease.enrollment_id)
        return None
    return Served(outcome, due_at, run.pk)


def _count_attempt(lease: Lease) -> dt.datetime:
    """Count before the work, and push the due time: an enrollment that kills its worker must not do so for ever.

    Returns the due time that stands there during the work.
    """
    lease.put(attempts=F("attempts") + 1)
    enrollment = Enrollment.objects.only("attempts").get(pk=lease.enrollment_id)
    put_off = troubles.retry_at(enrollment, timezone.now())
    lease.put(due_at=put_off)
    return put_off


def _slice(
    lease: Lease, enrollment: Enrollment, account: ServiceAccount, run: Run, *, build: BuildSides, full: bool
) -> tuple[Run.Outcome, dt.datetime]:
    full = full or _full_comparison_due(enrollment, timezone.now())
    built: list[SidesOf] = []
    try:
        built = build(enrollment, account)
        paired = pairings.ensure(enrollment, built)
        if not paired:
            runs.note(run, timezone.now(), "nothing-paired")
            return Run.Outcome.FAILED, troubles.retry_at(enrollment, timezone.now())
        result = run_slice(lease, run, paired, seconds=SLICE_SECONDS, full=full)
    except LeaseLost:
        raise
    except Exception as error:  # this person's trouble, whatever it is: everybody else goes on
        lease.hold()
        _log_failure(run, error)
        return Run.Outcome.FAILED, troubles.met(error, enrollment, account, timezone.now())
    finally:
        _close(built)
    _note_success(lease, enrollment, account, full=full, more=result.more)
    if result.more:
        return Run.Outcome.MORE, timezone.now()
    return Run.Outcome.DONE, _next_due(result.next_at, timezone.now())


def _log_failure(run: Run, error: Exception) -> None:
    side = error.side if isinstance(error, SideError) else None
    text = str(error) if isinstance(error, SideError) else type(error).__name__
    runs.note(run, timezone.now(), "failed", side.value if side else "", text)


def _close(built: Sequence[SidesOf]) -> None:
    for of in built:
        of.exchange.close()
        of.nextcloud.close()


def _full_comparison_due(enrollment: Enrollment, now: dt.datetime) -> bool:
    """Every six hours or so; the half hour around that is spread over the enrollments."""
    if enrollment.full_comparison_at is None:
        return False  # the first sync lists everything anyway
    spread = dt.timedelta(seconds=enrollment.pk * 7919 % _SPREAD_SECONDS - _SPREAD_SECONDS / 2)
    return enrollment.full_comparison_at + FULL_COMPARISON_EVERY + spread <= now


def _note_success(lease: Lease, enrollment: Enrollment, account: ServiceAccount, *, full: bool, more: bool) -> None:
    now = timezone.now()
    values: dict[str, object] = {"attempts": 0, "account": account}
    if full or enrollment.full_comparison_at is None:
        values["full_comparison_at"] = now
    if not more:
        values["last_success"] = now
        values["first_sync_done_at"] = enrollment.first_sync_done_at or now
    lease.put(**values)
    troubles.works(enrollment, account)


def _next_due(next_at: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """The usual interval with some jitter, or sooner when an item is to be tried again; but never at once."""
    usual = now + dt.timedelta(seconds=settings.SYNC_INTERVAL * random.uniform(0.9, 1.1))  # noqa: S311 - jitter
    return usual if next_at is None else min(usual, max(next_at, now + _PAUSE))
