"""The lease and its fence: who may commit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.chaos.town import Town
from syncapp.engine.lease import TAKEOVER_SECONDS, LeaseLost, claim
from syncapp.models import Enrollment
from tests.leases import claim_now

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def test_one_worker_at_a_time(town: Town) -> None:
    first = claim_now(town.enrollment.pk, "one", 120, clock=town.clock)
    assert first is not None
    assert claim_now(town.enrollment.pk, "two", 120, clock=town.clock) is None


def test_what_was_given_back_is_free_at_once(town: Town) -> None:
    first = claim_now(town.enrollment.pk, "one", 120, clock=town.clock)
    assert first is not None
    first.release(town.clock.now() + timedelta(minutes=5))
    second = claim_now(town.enrollment.pk, "two", 120, clock=town.clock)
    assert second is not None
    assert second.fence > first.fence


def test_a_successor_waits_until_a_last_request_has_timed_out(town: Town) -> None:
    """Rule 21: the lease ran out, the worker's last request may still be under way."""
    assert claim_now(town.enrollment.pk, "one", 120, clock=town.clock)
    town.clock.move(timedelta(seconds=120 + TAKEOVER_SECONDS - 1))
    assert claim_now(town.enrollment.pk, "two", 120, clock=town.clock) is None
    town.clock.move(timedelta(seconds=2))
    assert claim_now(town.enrollment.pk, "two", 120, clock=town.clock) is not None


def test_the_predecessor_commits_nothing_any_more(town: Town) -> None:
    first = claim_now(town.enrollment.pk, "one", 120, clock=town.clock)
    town.clock.move(timedelta(hours=1))
    assert first is not None
    assert claim_now(town.enrollment.pk, "two", 120, clock=town.clock) is not None
    for act in (first.hold, first.renew, lambda: first.release(town.clock.now())):
        with pytest.raises(LeaseLost):
            act()


def test_a_renewed_lease_stays_ours(town: Town) -> None:
    first = claim_now(town.enrollment.pk, "one", 120, clock=town.clock)
    assert first is not None
    for _ in range(5):
        town.clock.move(timedelta(seconds=100))
        first.renew()
    assert claim_now(town.enrollment.pk, "two", 120, clock=town.clock) is None
    first.hold()


def test_it_is_renewed_only_when_it_would_not_last(town: Town) -> None:
    lease = claim_now(town.enrollment.pk, "one", 120, clock=town.clock)
    assert lease is not None
    until = lease.until
    lease.outlast(60)
    assert lease.until == until
    town.clock.move(timedelta(seconds=90))
    lease.outlast(60)
    assert lease.until == town.clock.now() + timedelta(seconds=120)
    lease.outlast(500)
    assert lease.until == town.clock.now() + timedelta(seconds=500)


def test_what_was_served_since_it_was_read_is_not_taken(town: Town) -> None:
    seen = Enrollment.objects.get()
    lease = claim_now(seen.pk, "one", 120, clock=town.clock)
    assert lease is not None
    lease.release(seen.due_at)
    assert claim(seen, "two", 120, put_off=LATER, clock=town.clock) is None


@pytest.mark.parametrize("since", [{"due_at": LATER}, {"state": Enrollment.State.PAUSED}])
def test_what_somebody_changed_since_it_was_read_is_not_taken(town: Town, since: dict[str, Any]) -> None:
    seen = Enrollment.objects.get()
    Enrollment.objects.update(**since)
    assert claim(seen, "one", 120, put_off=LATER, clock=town.clock) is None


def test_an_attempt_is_counted_and_put_off_with_the_claim(town: Town) -> None:
    assert claim(Enrollment.objects.get(), "one", 120, put_off=LATER, clock=town.clock)
    row = Enrollment.objects.get()
    assert (row.attempts, row.due_at) == (1, LATER)


def test_a_wish_for_another_look_outlives_the_lease(town: Town) -> None:
    wish = town.clock.now()
    lease = claim(Enrollment.objects.get(), "one", 120, put_off=LATER, clock=town.clock)
    assert lease is not None
    Enrollment.objects.update(due_at=wish)
    lease.release(LATER + timedelta(hours=1), attempts=0)
    row = Enrollment.objects.get()
    assert (row.due_at, row.attempts, row.lease_owner, row.lease_until) == (wish, 0, "", None)
