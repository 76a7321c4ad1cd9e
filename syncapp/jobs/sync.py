"""A worker's round: claim a due enrollment, sync one slice of it, say when it is due again; and so on until a deadline.

One that has started works on until its deadline, because schedules start things once a minute at best
(docs/server-behaviour.md, section 6.2).
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from syncapp.engine.lease import TAKEOVER_SECONDS, Lease, LeaseLost
from syncapp.engine.look import nothing_happened
from syncapp.engine.slice import SliceResult, run_slice
from syncapp.jobs import (
    accounts,
    backends,
    leases,
    looks,
    owners,
    pairings,
    places,
    preview,
    refresh,
    resting,
    runs,
    sides,
    stopping,
    troubles,
)
from syncapp.jobs.task import task
from syncapp.models import Enrollment, Run, ServiceAccount, statements
from syncapp.side import SideError, SideName

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 55.0
SLICE_SECONDS = 15.0
IDLE_SECONDS = 1.0
ROUND_SECONDS = 1.0
"""How often a worker sees to its place and to the list of people, however many it serves meanwhile."""
_SPREAD = 1 / 6
"""Of the time between two full comparisons: within as much of it they are spread over the enrollments."""
_SLOT_SECONDS = 300.0
_TRIES = 20
_PAUSE = dt.timedelta(seconds=5)

_NEXT_DUE = """
SELECT * FROM syncapp_enrollment WHERE id = (
    SELECT id FROM (
        SELECT id FROM syncapp_enrollment
        WHERE state IN ('active', 'unavailable') AND due_at <= %s
        AND (lease_owner = '' OR lease_until IS NULL OR lease_until < %s)
        AND (token_refused_at IS NULL OR token_refused_at <= %s)
        AND (first_sync_done_at IS NOT NULL OR %s)
        AND NOT EXISTS (SELECT 1 FROM syncapp_serverrest WHERE server = %s AND until > %s)
        AND (account_id IS NULL OR account_id NOT IN ({}))
        ORDER BY due_at LIMIT %s
    ) AS waiting ORDER BY random() LIMIT 1
)
"""


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
            if not serve_one(owner, first_syncs=_for_first_syncs(number)):
                sides.close_unused()
                time.sleep(IDLE_SECONDS)
    finally:
        places.leave(number, owner)
        sides.close_all()
    if not stop.requested():
        _hand_over(number)


def _hand_over(number: int) -> None:
    """Queue who works at a place next: whoever makes a preview if somebody waits for one, else another like us."""
    waiting = preview.next_waiting(timezone.now())
    if waiting is not None:
        preview.start(number, waiting)
        return
    from syncapp.jobs.dispatch import start_drain  # dispatch names this task

    start_drain(number)


def _for_first_syncs(number: int) -> bool:
    """Whether a place is one of those for first syncs; no two workers have one at the same time."""
    return not settings.FIRST_SYNCS or number <= settings.FIRST_SYNCS


def next_due(now: dt.datetime, unable: Sequence[int] = (), *, first_syncs: bool = True) -> Enrollment | None:
    """An enrollment to look at now, one of those that have waited longest and are not with an ``unable`` account.

    With ``first_syncs`` maybe a new one.

    One of them: workers that all began with the same row would stand in each other's way.
    """
    lapsed, trusted = now - dt.timedelta(seconds=TAKEOVER_SECONDS), now - troubles.CONFIRM_AFTER
    without = unable or (0,)  # no account has the key 0
    params = (now, lapsed, trusted, first_syncs, resting.NEXTCLOUD, now, *without, settings.WORKERS)
    found = statements.read(Enrollment, _NEXT_DUE.format(", ".join("%s" for _ in without)), params)
    return found[0] if found else None


def serve_one(owner: str, build: sides.Build | None = None, *, first_syncs: bool = True) -> bool:
    """Sync one slice of one due enrollment. False when there is none for which an account is free."""
    unable: Sequence[int] = ()
    for _ in range(_TRIES):
        enrollment = next_due(timezone.now(), unable, first_syncs=first_syncs)
        if enrollment is None:
            return False
        with accounts.slot_for(enrollment, owner, timezone.now(), _SLOT_SECONDS) as account:
            if account is None:
                found = accounts.unable(timezone.now())
                if found is None:
                    return False
                # People of another Exchange, whose accounts are free, must not wait behind this one.
                unable = found
                if enrollment.account_id not in unable:
                    _put_off(enrollment)
                continue
            lease = leases.take(enrollment, owner)
            if lease is not None:
                serve(lease, enrollment, account, build=build)
                return True
    return False


def _put_off(seen: Enrollment) -> None:
    """Let others go first, if nobody has served or wanted the enrollment since it was read."""
    unchanged = Enrollment.objects.filter(pk=seen.pk, fence=seen.fence, due_at=seen.due_at)
    unchanged.update(due_at=timezone.now() + _PAUSE)


# One slice ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """How a slice ended. ``more``: there is work left for the next one. A look that found nothing has no run."""

    outcome: Run.Outcome
    due_at: dt.datetime
    run_id: int | None

    @property
    def more(self) -> bool:
        """Whether the next slice has something to do at once."""
        return self.outcome is Run.Outcome.MORE


def serve(
    lease: Lease,
    enrollment: Enrollment,
    account: ServiceAccount,
    *,
    build: sides.Build | None = None,
    full: bool = False,
) -> Served | None:
    """Sync one slice of the enrollment under ``lease`` and give it back. None when the lease was lost on the way."""
    full = full or _full_comparison_due(enrollment, timezone.now())
    try:
        return _Visit(lease, enrollment, account, full).pay(build or sides.build)
    except LeaseLost:
        # Whoever has the lease now has closed an open run as lost, or will.
        logger.warning("enrollment %s: lease lost", lease.enrollment_id)
        return None


class _NothingPaired(Exception):
    """There is no pair of folders to keep the same; the problems of the person say why."""


@dataclass
class _Visit:
    """The time of one worker with one enrollment, which it holds under ``lease``."""

    lease: Lease
    enrollment: Enrollment
    account: ServiceAccount
    full: bool
    run: Run | None = None

    def pay(self, build: sides.Build) -> Served:
        """Look, and sync if something may have happened. Raises ``LeaseLost``."""
        try:
            result = self._with_sides(build)
        except LeaseLost:
            raise
        except _NothingPaired:
            runs.note(self._run(), timezone.now(), "nothing-paired")
            return self._end(Run.Outcome.FAILED, troubles.retry_at(self.enrollment, timezone.now()))
        except Exception as error:  # this person's trouble, whatever it is: everybody else goes on
            self.lease.hold()
            _log_failure(self._run(), error)
            if backends.found_elsewhere(error, self.lease, self.enrollment, self.account):
                runs.note(self._run(), timezone.now(), "mailbox-elsewhere", SideName.EXCHANGE.value)
                return self._end(Run.Outcome.FAILED, timezone.now())
            due_at = troubles.met(error, self.enrollment, self.account, timezone.now())
            return self._end(Run.Outcome.FAILED, due_at)
        if result is None:
            return self._nothing_happened()
        _note_success(self.lease, self.enrollment, self.account, full=self.full, more=result.more)
        if result.more:
            return self._end(Run.Outcome.MORE, timezone.now())
        return self._end(Run.Outcome.DONE, _next_due(result.next_at, timezone.now()))

    def _with_sides(self, build: sides.Build) -> SliceResult | None:
        """The slice; None when a look was enough."""
        backends.locate(self.lease, self.enrollment, self.account)
        built = build(self.enrollment, self.account)
        try:
            state = looks.standing(self.enrollment, self.account)
            looked = None if self.full else looks.quick(self.enrollment, state, built)
            if looked is not None and nothing_happened(looked, state.enabled):
                return None
            run = self._run()
            paired = pairings.ensure(self.enrollment, built, state.pairings)
            if not paired:
                raise _NothingPaired
            return run_slice(self.lease, run, paired, seconds=SLICE_SECONDS, full=self.full, looked=looked)
        finally:
            sides.close(built)

    def _run(self) -> Run:
        """The run that tells of this visit, opened when there is something to tell."""
        if self.run is None:
            self.run = runs.begin(self.enrollment, timezone.now())
        return self.run

    def _nothing_happened(self) -> Served:
        now = timezone.now()
        due_at = _next_due(None, now)
        self.lease.release(due_at, attempts=0, account_id=self.account.pk, last_success=now)
        return Served(Run.Outcome.DONE, due_at, None)

    def _end(self, outcome: Run.Outcome, due_at: dt.datetime) -> Served:
        run = self._run()
        with transaction.atomic():
            self.lease.release(due_at)
            runs.finish(run, outcome, timezone.now())
        return Served(outcome, due_at, run.pk)


def _log_failure(run: Run, error: Exception) -> None:
    side = error.side if isinstance(error, SideError) else None
    text = str(error) if isinstance(error, SideError) else type(error).__name__
    runs.note(run, timezone.now(), "failed", side.value if side else "", text)


def _full_comparison_due(enrollment: Enrollment, now: dt.datetime) -> bool:
    """Every FULL_COMPARISON_HOURS or so: everybody at a time of their own, which stays theirs."""
    if enrollment.full_comparison_at is None:
        return False  # the first sync lists everything anyway
    share = enrollment.pk * 7919 % 1000 / 1000 - 0.5
    every = dt.timedelta(hours=settings.FULL_COMPARISON_HOURS)
    return enrollment.full_comparison_at + every * (1 + share * _SPREAD) <= now


def _note_success(lease: Lease, enrollment: Enrollment, account: ServiceAccount, *, full: bool, more: bool) -> None:
    now = timezone.now()
    values: dict[str, object] = {"attempts": 0, "account_id": account.pk}
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
