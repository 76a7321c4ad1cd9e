"""Service accounts in trouble, over HTTP: they rest as long as they were told, are not locked, and others carry on."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from syncapp.models import Enrollment, Problem, ServiceAccount
from tests.e2e.conftest import ANNA, BEN, Town

pytestmark = pytest.mark.django_db

FIRST, SECOND = "first@lab.example", "second@lab.example"


@pytest.fixture
def two(town: Town) -> Town:
    """A town with two accounts, in which the first one serves everybody."""
    for name in (FIRST, SECOND):
        town.control("accounts", name=name, password="pw", impersonates="*")
    listed = [
        {"Username": FIRST, "Password": "pw", "MaxConnections": 9},
        {"Username": SECOND, "Password": "pw", "MaxConnections": 1},
    ]
    town.accounts_file.write_text(json.dumps(listed))
    town.accounts_file.chmod(0o600)
    town.refresh()
    town.sync()
    assert served_by() == {FIRST}
    town.exchange.post("/lab/traffic", json={"record": True}).raise_for_status()
    town.exchange.delete("/lab/traffic").raise_for_status()
    return town


def served_by() -> set[str]:
    """The accounts that served people last."""
    return {str(row.account) for row in Enrollment.objects.all()}


def asked_as(town: Town) -> list[str]:
    """As whom requests were made, in order."""
    return [each["user"] for each in town.exchange.get("/lab/traffic").json()]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "headers": {"Retry-After": "90"}},
        {"status": 429, "headers": {"Retry-After": "90"}},
        {"code": "ErrorExceededConnectionCount", "as": "fault"},
    ],
)
def test_an_account_that_asked_too_much_rests_and_the_other_does_its_work(two: Town, fault: dict[str, Any]) -> None:
    two.exchange.post("/lab/faults", json={"user": FIRST, "times": None, **fault}).raise_for_status()
    for person in (ANNA, BEN):
        two.create(person, "During the rest", "nextcloud")
    two.sync()
    assert served_by() == {SECOND}
    assert asked_as(two).count(FIRST) == 1, "it was asked until it said so, and no more"
    assert all("During the rest" in two.titles(person) for person in (ANNA, BEN))
    assert [(each.level, each.code) for each in Problem.objects.all()] == [("account", "exchange-busy")]
    told = 90 if "headers" in fault else 60
    account = ServiceAccount.objects.get(name=FIRST)
    two.exchange.delete("/lab/faults").raise_for_status()
    two.pass_time(dt.timedelta(seconds=told))
    two.create(ANNA, "After the rest", "nextcloud")
    Enrollment.objects.update(account=account)
    two.sync()
    assert served_by() == {FIRST}
    assert not Problem.objects.exists()


def test_a_login_that_fails_does_not_get_its_account_locked(two: Town) -> None:
    two.exchange.put("/lab/lockout", json={"after": 3}).raise_for_status()
    two.exchange.put("/lab/expiry", json={"name": FIRST}).raise_for_status()
    for _ in range(5):
        two.sync()
    logins = two.exchange.get("/lab/logins").json()
    assert (logins["failures"], logins["locked"]) == ({FIRST: 1}, [])
    assert served_by() == {SECOND}
    assert [(each.level, each.code) for each in Problem.objects.all()] == [("account", "exchange-login")]


def test_a_locked_account_is_used_again_once_it_is_unlocked(two: Town) -> None:
    two.exchange.put("/lab/lockout", json={"after": 1}).raise_for_status()
    two.exchange.post("/EWS/Exchange.asmx", auth=(FIRST, "somebody else's guess"))
    two.sync()
    assert served_by() == {SECOND}
    two.exchange.put("/lab/lockout", json={}).raise_for_status()
    two.pass_time(dt.timedelta(minutes=15))
    Enrollment.objects.update(account=ServiceAccount.objects.get(name=FIRST))
    two.sync()
    assert served_by() == {FIRST}
    assert not Problem.objects.exists()
