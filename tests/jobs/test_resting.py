"""Servers and accounts that are left alone."""

from __future__ import annotations

import datetime as dt

import pytest

from syncapp.jobs import resting
from syncapp.models import ServerRest
from tests.jobs.fakes import HOUR, NOW, account

pytestmark = pytest.mark.django_db


def until(server: str) -> dt.datetime:
    """When its rest ends."""
    return ServerRest.objects.get(server=server).until


def test_rests_of_a_server_grow_until_it_answers() -> None:
    now, rests = NOW, []
    for _ in range(10):
        resting.rest_server("nextcloud", now)
        rests.append(until("nextcloud") - now)
        now = until("nextcloud")
    assert rests == sorted(rests)
    assert rests[0] < rests[1]
    assert rests[-1] == rests[-2] == dt.timedelta(minutes=15)
    resting.server_answered("nextcloud")
    resting.rest_server("nextcloud", now)
    assert until("nextcloud") - now == rests[0]


def test_workers_that_fail_at_the_same_time_count_once() -> None:
    resting.rest_server("nextcloud", NOW)
    first = until("nextcloud")
    resting.rest_server("nextcloud", NOW)
    assert until("nextcloud") == first


def test_a_server_rests_as_long_as_it_asks_for() -> None:
    resting.rest_server("nextcloud", NOW, 90)
    assert resting.server_rests("nextcloud", NOW + dt.timedelta(seconds=89))
    assert not resting.server_rests("nextcloud", NOW + dt.timedelta(seconds=90))


def test_an_account_that_fails_rests_and_one_that_works_does_not() -> None:
    row = account()
    resting.rest_account(row, NOW)
    row.refresh_from_db()
    assert row.rests_until is not None
    first = row.rests_until - NOW
    resting.rest_account(row, NOW + HOUR)
    row.refresh_from_db()
    assert row.rests_until is not None
    assert row.rests_until - (NOW + HOUR) == 2 * first
    resting.account_works(row)
    row.refresh_from_db()
    assert row.rests_until is None
    assert row.failures == 0


def test_an_account_rests_as_long_as_it_was_told_and_is_none_that_failed() -> None:
    row = account()
    resting.rest_account_for(row, NOW, 90)
    resting.rest_account_for(row, NOW, 30)
    row.refresh_from_db()
    assert (row.rests_until, row.failures) == (NOW + dt.timedelta(seconds=90), 0)
    resting.rest_account_for(row, NOW, 86_400)
    row.refresh_from_db()
    assert row.rests_until == NOW + HOUR
