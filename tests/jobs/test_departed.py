"""What is remembered of people who went away, and for how long."""

from __future__ import annotations

import datetime as dt

import pytest

from syncapp.jobs import departed, pairings
from syncapp.models import Enrollment, History, Link, Pairing, Problem, Transition
from tests.jobs.fakes import NOW, enrollment, fake_sides

pytestmark = pytest.mark.django_db

State = Enrollment.State
LONG_AGO = NOW - dt.timedelta(days=30)
AWAY = (State.LEFT, State.ABSENT, State.NO_CONSENT, State.INVITED)


def away(state: State, since: dt.datetime = LONG_AGO) -> Enrollment:
    """Somebody who has synced and is in a state since some time."""
    row = enrollment(state=state, state_since=since, first_sync_done_at=LONG_AGO)
    pairings.ensure(row, fake_sides(), [])
    Link.objects.create(enrollment=row, kind="event")
    Problem.objects.report("x", level=Problem.Level.ENROLLMENT, code="x", text="x", enrollment=row)
    Transition.objects.create(enrollment=row, at=since, before="active", after=state, reason="removed", actor="admin")
    return row


@pytest.mark.parametrize("state", AWAY)
def test_after_some_time_away_everything_is_deleted(state: State) -> None:
    away(state)
    assert departed.forget(NOW, {"bob"}) == 1
    assert not any(model.objects.exists() for model in (Enrollment, Pairing, Link, Problem, History, Transition))


@pytest.mark.parametrize("state", AWAY)
def test_before_that_everything_is_kept(state: State) -> None:
    away(state, LONG_AGO + dt.timedelta(seconds=1))
    assert departed.forget(NOW, {"bob"}) == 0
    assert Link.objects.exists()


@pytest.mark.parametrize("state", [state for state in State if state not in AWAY])
def test_whoever_did_not_go_away_is_never_forgotten(state: State) -> None:
    away(state)
    assert departed.forget(NOW, {"bob"}) == 0
    assert Link.objects.exists()


def test_whoever_left_and_is_listed_is_known_as_having_left_and_nothing_more() -> None:
    away(State.LEFT)
    assert departed.forget(NOW, {"alice"}) == 1
    assert departed.forget(NOW, {"alice"}) == 0
    row = Enrollment.objects.get()
    assert (row.state, row.nextcloud_uid, row.mailbox, row.token) == (State.LEFT, "alice", None, "")
    assert not any(model.objects.exists() for model in (Pairing, Link, Problem, History))
    assert [each.after for each in row.transitions.all()] == [State.LEFT]


@pytest.mark.parametrize("state", [State.NO_CONSENT, State.INVITED])
def test_whoever_is_listed_is_not_away(state: State) -> None:
    away(state)
    assert departed.forget(NOW, {"alice"}) == 0
    assert Link.objects.exists()
