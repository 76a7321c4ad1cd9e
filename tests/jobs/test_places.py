"""Workers' places and heartbeats."""

from __future__ import annotations

import datetime as dt

import pytest
from pytest_django import Settings

from syncapp.jobs import health, places
from tests.jobs.fakes import HOUR, MINUTE, NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_workers(settings: Settings) -> None:
    settings.WORKERS = 2


def test_a_place_is_taken_by_one_worker_only() -> None:
    assert places.take(1, "a", NOW)
    assert not places.take(1, "b", NOW + MINUTE)
    assert places.vacant(NOW) == [2]


def test_a_place_that_is_left_is_vacant_at_once() -> None:
    places.take(1, "a", NOW)
    places.leave(1, "a")
    assert places.vacant(NOW) == [1, 2]
    assert places.take(1, "b", NOW)


def test_a_place_whose_worker_is_silent_can_be_taken_over() -> None:
    places.take(1, "a", NOW)
    later = NOW + places.STALE_AFTER + MINUTE
    assert places.vacant(later) == [1, 2]
    assert places.take(1, "b", later)
    assert not places.keep(1, "a", later)
    places.leave(1, "a")
    assert places.vacant(later) == [2]


def test_one_caller_per_interval_has_its_turn() -> None:
    assert places.take_turn("refresh", HOUR, NOW)
    assert not places.take_turn("refresh", HOUR, NOW + MINUTE)
    places.make_due("refresh")
    assert places.take_turn("refresh", HOUR, NOW + MINUTE)
    assert places.take_turn("refresh", HOUR, NOW + MINUTE + HOUR)


def test_an_installation_whose_workers_beat_is_healthy() -> None:
    places.beat(places.DISPATCHER, NOW)
    places.take(1, "a", NOW)
    assert health.sickness(NOW + MINUTE) == ""


@pytest.mark.parametrize(
    ("dispatcher", "worker", "said"),
    [
        (None, None, "ever run"),
        (-HOUR, dt.timedelta(), "dispatcher has been silent"),
        (dt.timedelta(), -HOUR, "No worker has given"),
        (dt.timedelta(), None, "No worker has given"),
    ],
)
def test_silence_is_sickness(dispatcher: dt.timedelta | None, worker: dt.timedelta | None, said: str) -> None:
    if dispatcher is not None:
        places.beat(places.DISPATCHER, NOW + dispatcher)
    if worker is not None:
        places.take(1, "a", NOW + worker)
    assert said in health.sickness(NOW)
