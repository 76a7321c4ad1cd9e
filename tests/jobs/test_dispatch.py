"""The minute's tick, and what every task has in common."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import Settings

from syncapp.jobs import dispatch, places, runs, stopping
from syncapp.jobs.task import task
from syncapp.models import Heartbeat, History, Run
from tests.jobs.fakes import HOUR, MINUTE, NOW, enrollment

pytestmark = pytest.mark.django_db


def queued() -> list[tuple[str, tuple[int, ...]]]:
    """The tasks in the queue: function and arguments."""
    return [(row.task["func"], row.task["args"]) for row in OrmQ.objects.order_by("pk")]


def test_the_schedule_is_there_once_however_often_it_is_installed() -> None:
    dispatch.install_schedule()
    Schedule.objects.create(func="syncapp.jobs.dispatch.tick", schedule_type=Schedule.MINUTES)
    dispatch.install_schedule()
    schedule = Schedule.objects.get()
    assert (schedule.func, schedule.minutes, schedule.repeats) == ("syncapp.jobs.dispatch.tick", 1, -1)


def test_the_first_tick_does_not_wait_for_the_schedule() -> None:
    dispatch.install_schedule()
    assert queued() == [("syncapp.jobs.dispatch.tick", ())]


def test_a_tick_beats_and_starts_a_worker_at_every_vacant_place(settings: Settings) -> None:
    settings.WORKERS = 3
    places.take(2, "somebody", timezone.now())
    dispatch.tick()
    assert queued() == [("syncapp.jobs.sync.drain", (1,)), ("syncapp.jobs.sync.drain", (3,))]
    assert Heartbeat.objects.filter(name=places.DISPATCHER).exists()


def test_a_run_whose_worker_is_gone_is_closed_as_lost() -> None:
    lost = Run.objects.create(enrollment=enrollment(), started_at=NOW)
    served = enrollment("bob", lease_owner="worker", lease_until=timezone.now() + MINUTE)
    alive = Run.objects.create(enrollment=served, started_at=NOW)
    dead = enrollment("carol", lease_owner="dead", lease_until=timezone.now() - HOUR)
    abandoned = Run.objects.create(enrollment=dead, started_at=NOW)
    to_be_continued = Run.objects.create(enrollment=enrollment("dave"), started_at=NOW, outcome=Run.Outcome.MORE)
    dispatch.tick()
    outcomes = {run.pk: run.outcome for run in Run.objects.all()}
    assert outcomes == {
        lost.pk: Run.Outcome.LOST,
        alive.pk: "",
        abandoned.pk: Run.Outcome.LOST,
        to_be_continued.pk: Run.Outcome.MORE,
    }


@pytest.mark.parametrize(("days", "left"), [(10, [b"young"]), (0, [])])
def test_history_is_forgotten_after_its_days_and_runs_are_not(settings: Settings, days: int, left: list[bytes]) -> None:
    settings.HISTORY_DAYS = days
    person = enrollment()
    for age, mark in ((9, b"young"), (11, b"old"), (91, b"very old")):
        at = timezone.now() - dt.timedelta(days=age)
        History.objects.create(enrollment=person, key=b"k", kind="event", side="exchange", reason="deleted",
                               fingerprint=mark, content=b"sealed", at=at)  # fmt: skip
        Run.objects.create(enrollment=person, started_at=at, finished_at=at, outcome=Run.Outcome.DONE)
    dispatch.tick()
    assert [bytes(row.fingerprint) for row in History.objects.all()] == left
    assert Run.objects.count() == 2


def test_a_task_never_raises_and_logs_no_content(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def breaks(number: int) -> None:
        raise ValueError("Alice's secret title")

    breaks(1)
    assert "breaks failed: ValueError at test_dispatch.py" in caplog.text
    assert "secret title" not in caplog.text


def test_a_worker_stops_when_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.stopping._wanted", type("Value", (), {"value": False})())
    stop = stopping.Stopping()
    assert not stop.requested()
    stopping.request()
    assert stop.requested()


def test_a_worker_stops_when_its_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = stopping.Stopping()
    monkeypatch.setattr("os.getppid", lambda: 1)
    assert stop.requested()


# Runs --------------------------------------------------------------------------------------------------------------


def test_slices_add_to_one_run() -> None:
    person = enrollment()
    first = runs.begin(person, NOW)
    Run.objects.filter(pk=first.pk).update(created=5)
    runs.finish(first, Run.Outcome.MORE, NOW)
    second = runs.begin(person, NOW + MINUTE)
    assert second.pk == first.pk
    runs.finish(second, Run.Outcome.DONE, NOW + MINUTE)
    run = Run.objects.get()
    assert (run.outcome, run.created, run.finished_at) == (Run.Outcome.DONE, 5, NOW + MINUTE)
    assert runs.begin(person, NOW + HOUR).pk != first.pk


def test_a_run_that_was_left_open_is_lost_when_the_next_begins() -> None:
    person = enrollment()
    first = runs.begin(person, NOW)
    runs.begin(person, NOW + MINUTE)
    first.refresh_from_db()
    assert first.outcome == Run.Outcome.LOST


def test_a_look_that_finds_nothing_leaves_no_run() -> None:
    person = enrollment()
    runs.finish(runs.begin(person, NOW), Run.Outcome.DONE, NOW)
    assert not Run.objects.exists()
    told = runs.begin(person, NOW)
    runs.note(told, NOW, "something")
    runs.finish(told, Run.Outcome.DONE, NOW)
    runs.finish(runs.begin(person, NOW), Run.Outcome.FAILED, NOW)
    assert Run.objects.count() == 2
