"""Workers' places and heartbeats."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
from django.utils import timezone
from pytest_django import Settings

from syncapp.engine.lease import TAKEOVER_SECONDS
from syncapp.jobs import health, owners, places
from syncapp.models import AccountSlot, Enrollment, Heartbeat
from tests.jobs.fakes import HOUR, MINUTE, NOW, account, enrollment
from tests.leases import claim_now

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


def test_a_worker_beats_only_now_and_then() -> None:
    places.take(1, "a", NOW)
    assert places.keep(1, "a", NOW + places.BEAT_EVERY / 2)
    assert Heartbeat.objects.get().at == NOW
    later = NOW + 2 * places.BEAT_EVERY
    assert places.keep(1, "a", later)
    assert Heartbeat.objects.get().at == later


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


# Dead workers ------------------------------------------------------------------------------------------------------


def dead_owner() -> str:
    """The name of a worker of this machine whose process has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    machine, _, _ = owners.new_owner().rpartition(":")[0].rpartition(":")
    return f"{machine}:{process.pid}:abcdef"


def test_a_living_worker_and_one_elsewhere_are_not_dead() -> None:
    assert not owners.is_dead(owners.new_owner())
    assert not owners.is_dead("another-machine:4026531836:999999:abcdef")
    assert not owners.is_dead("somebody")
    assert owners.is_dead(dead_owner())


def test_names_fit_their_columns_and_differ() -> None:
    names = {owners.new_owner() for _ in range(100)}
    assert len(names) == 100
    assert max(map(len, names)) <= 64


def test_what_a_dead_worker_held_is_free_again() -> None:
    dead, alive = dead_owner(), owners.new_owner()
    now = timezone.now()
    places.take(1, dead, now)
    places.take(2, alive, now)
    account(slots=2)
    AccountSlot.objects.filter(number=1).update(owner=dead, until=now + HOUR)
    AccountSlot.objects.filter(number=2).update(owner=alive, until=now + HOUR)
    assert claim_now(enrollment().pk, dead, 600)
    assert claim_now(enrollment("bob").pk, alive, 600)
    assert owners.bury(now) == 1
    assert places.vacant(now) == [1]
    assert list(AccountSlot.objects.exclude(owner="").values_list("owner", flat=True)) == [alive]
    left = dict(Enrollment.objects.values_list("nextcloud_uid", "lease_until"))
    assert left["alice"] == now
    assert left["bob"] is not None
    assert left["bob"] > now + MINUTE


def test_a_successor_still_waits_for_a_last_request() -> None:
    row, dead = enrollment(), dead_owner()
    claim_now(row.pk, dead, 600)
    owners.bury(timezone.now())
    assert claim_now(row.pk, "successor", 600) is None
    past = timezone.now() - dt.timedelta(seconds=TAKEOVER_SECONDS + 1)
    Enrollment.objects.update(lease_until=past)
    assert claim_now(row.pk, "successor", 600) is not None
