"""The lease and its fence: who may commit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncapp.engine.lease import TAKEOVER_SECONDS, LeaseLost, claim
from tests.engine.town import HandClock, Town


def test_one_worker_at_a_time(town: Town) -> None:
    first = claim(town.enrollment.pk, "one", 120, clock=town.clock)
    assert first is not None
    assert claim(town.enrollment.pk, "two", 120, clock=town.clock) is None


def test_what_was_given_back_is_free_at_once(town: Town) -> None:
    first = claim(town.enrollment.pk, "one", 120, clock=town.clock)
    assert first is not None
    first.release(town.clock.now() + timedelta(minutes=5))
    second = claim(town.enrollment.pk, "two", 120, clock=town.clock)
    assert second is not None
    assert second.fence > first.fence


def test_a_successor_waits_until_a_last_request_has_timed_out(town: Town) -> None:
    """Rule 21: the lease ran out, the worker's last request may still be under way."""
    assert claim(town.enrollment.pk, "one", 120, clock=town.clock)
    town.clock.move(timedelta(seconds=120 + TAKEOVER_SECONDS - 1))
    assert claim(town.enrollment.pk, "two", 120, clock=town.clock) is None
    town.clock.move(timedelta(seconds=2))
    assert claim(town.enrollment.pk, "two", 120, clock=town.clock) is not None


def test_the_predecessor_commits_nothing_any_more(town: Town) -> None:
    first = claim(town.enrollment.pk, "one", 120, clock=town.clock)
    town.clock.move(timedelta(hours=1))
    assert first is not None
    assert claim(town.enrollment.pk, "two", 120, clock=town.clock) is not None
    for act in (first.hold, first.renew, lambda: first.release(town.clock.now())):
        with pytest.raises(LeaseLost):
            act()


def test_a_renewed_lease_stays_ours(town: Town) -> None:
    first = claim(town.enrollment.pk, "one", 120, clock=town.clock)
    assert first is not None
    for _ in range(5):
        town.clock.move(timedelta(seconds=100))
        first.renew()
    assert claim(town.enrollment.pk, "two", 120, clock=town.clock) is None
    first.hold()


def test_it_is_renewed_only_when_it_would_not_last(town: Town) -> None:
    lease = claim(town.enrollment.pk, "one", 120, clock=town.clock)
    assert lease is not None
    until = lease.until
    lease.outlast(60)
    assert lease.until == until
    town.clock.move(timedelta(seconds=90))
    lease.outlast(60)
    assert lease.until == town.clock.now() + timedelta(seconds=120)
    lease.outlast(500)
    assert lease.until == town.clock.now() + timedelta(seconds=500)


def test_nobody_to_serve_is_no_lease(db: None) -> None:
    assert claim(0, "one", 120, clock=HandClock()) is None
