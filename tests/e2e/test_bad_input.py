"""What goes wrong ends as one clear problem at the right level, everything else goes on, and it heals by itself."""

from __future__ import annotations

import datetime as dt
import socket

import httpx
import pytest
from pytest_django import Settings

from lab.scenario.people import SERVICE_ACCOUNT, SHARED_SECRET
from lab.seed import EWS_PATH
from syncapp.models import Enrollment, Problem
from tests.e2e.conftest import ANNA, BEN, Servers, Town, problems

HOUR = dt.timedelta(hours=1)
State = Enrollment.State


@pytest.fixture
def running(town: Town) -> Town:
    """Both people are enrolled and in step."""
    town.refresh()
    town.sync()
    assert problems() == []
    assert set(Enrollment.objects.values_list("state", flat=True)) == {State.ACTIVE}
    return town


def nobody_listens() -> str:
    """The address of a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def goes_on_for_ben(town: Town) -> None:
    """Ben's new event arrives although Anna is in trouble."""
    town.create(BEN, "Still in step")
    town.sync()
    assert "Still in step" in town.titles(BEN)


def heals(town: Town) -> None:
    """Everything syncs again, and nothing is left of the problem."""
    town.pass_time(5 * HOUR)
    town.refresh()
    town.create(ANNA, "After the storm")
    town.sync()
    assert "After the storm" in town.titles(ANNA)
    assert problems() == []


# The installation --------------------------------------------------------------------------------------------------


def test_a_wrong_shared_secret(town: Town, settings: Settings) -> None:
    settings.SHARED_SECRET = "not the secret"
    town.refresh()
    assert problems() == [("installation", "shared-secret")]
    assert not Enrollment.objects.exists()
    settings.SHARED_SECRET = SHARED_SECRET
    heals(town)


def test_a_secret_that_was_changed_in_nextcloud_only(running: Town, settings: Settings) -> None:
    running.nextcloud.set_secret("a new secret")
    running.refresh()
    goes_on_for_ben(running)
    assert problems() == [("installation", "shared-secret")]
    settings.SHARED_SECRET, settings.SHARED_SECRET_PREVIOUS = "a new secret", SHARED_SECRET
    heals(running)


def test_an_unreachable_nextcloud(running: Town, settings: Settings, servers: Servers) -> None:
    settings.NEXTCLOUD_URL = nobody_listens()
    running.sync()
    running.refresh()
    running.sync()
    assert problems() == [("installation", "nextcloud-unreachable")]
    settings.NEXTCLOUD_URL = servers.nextcloud.url
    heals(running)


def test_nextcloud_in_maintenance(running: Town) -> None:
    running.nextcloud.maintenance(on=True)
    running.refresh()
    running.sync()
    running.nextcloud.maintenance(on=False)
    assert problems() == [("installation", "nextcloud-maintenance")]
    assert set(Enrollment.objects.values_list("state", flat=True)) == {State.ACTIVE}
    heals(running)


def test_a_nextcloud_that_locks_us_out(running: Town) -> None:
    running.nextcloud.fail({"path": "/remote.php/*", "status": 429, "times": None})
    running.sync()
    running.nextcloud.clear_faults()
    assert problems() == [("installation", "nextcloud-busy")]
    heals(running)


def test_a_wrong_admin_password(running: Town, settings: Settings) -> None:
    right = settings.NEXTCLOUD_ADMIN_PASSWORD
    settings.NEXTCLOUD_ADMIN_PASSWORD = "wrong"
    for _ in range(20):
        running.refresh()
    # Twenty failed logins would have locked this machine out for everybody.
    goes_on_for_ben(running)
    assert problems() == [("installation", "admin-login")]
    settings.NEXTCLOUD_ADMIN_PASSWORD = right
    heals(running)


def test_an_admin_user_who_is_no_admin(running: Town, settings: Settings) -> None:
    settings.NEXTCLOUD_ADMIN_USER, settings.NEXTCLOUD_ADMIN_PASSWORD = BEN.login, BEN.password
    running.refresh()
    goes_on_for_ben(running)
    assert problems() == [("installation", "admin-denied")]


def test_an_unreachable_exchange(running: Town, settings: Settings, servers: Servers) -> None:
    settings.EXCHANGE_URL = nobody_listens() + EWS_PATH
    running.refresh()
    running.sync()
    assert problems() == [("installation", "exchange-unreachable")]
    settings.EXCHANGE_URL = servers.exchange.url + EWS_PATH
    running.refresh()
    heals(running)


def test_an_address_that_is_no_exchange(running: Town, settings: Settings, servers: Servers) -> None:
    settings.EXCHANGE_URL = servers.nextcloud.url + EWS_PATH
    running.refresh()
    running.sync()
    assert problems() == [("installation", "exchange-unreachable")]


# A service account -------------------------------------------------------------------------------------------------


def test_a_wrong_password_of_the_only_service_account(running: Town) -> None:
    running.write_accounts("wrong")
    running.refresh()
    running.sync()
    assert problems() == [("account", "exchange-login")]
    running.write_accounts(SERVICE_ACCOUNT.password)
    heals(running)


def test_a_wrong_password_of_one_of_two_service_accounts(running: Town) -> None:
    running.write_accounts("wrong", SERVICE_ACCOUNT.password)
    running.refresh()
    goes_on_for_ben(running)
    assert problems() == [("account", "exchange-login")]


# One person --------------------------------------------------------------------------------------------------------


def test_denied_impersonation(running: Town) -> None:
    running.let_impersonate([BEN.email])
    goes_on_for_ben(running)
    assert problems() == [("enrollment", "exchange-denied")]
    assert Problem.objects.get().enrollment == Enrollment.objects.get(nextcloud_uid=ANNA.uid)
    running.let_impersonate("*")
    heals(running)


def test_a_mailbox_that_is_gone(running: Town) -> None:
    running.exchange.delete("/lab/mailboxes", params={"address": ANNA.email}).raise_for_status()
    goes_on_for_ben(running)
    assert problems() == [("enrollment", "no-mailbox")]


def test_a_mailbox_whose_budget_is_spent(running: Town) -> None:
    fault = {"user": ANNA.email, "code": "ErrorServerBusy", "values": {"BackOffMilliseconds": "60000"}, "times": None}
    running.control("faults", **fault)
    goes_on_for_ben(running)
    running.exchange.delete("/lab/faults").raise_for_status()
    assert problems() == [("enrollment", "busy")]
    heals(running)


def test_an_account_that_is_disabled_in_nextcloud(running: Town) -> None:
    running.nextcloud.change_user(ANNA.uid, enabled=False)
    goes_on_for_ben(running)
    assert problems() == [("enrollment", "nextcloud-denied")]
    running.nextcloud.change_user(ANNA.uid, enabled=True)
    heals(running)


def test_a_revoked_token(running: Town) -> None:
    running.nextcloud.revoke_tokens(ANNA.uid)
    goes_on_for_ben(running)
    running.refresh()
    assert problems() == [("enrollment", "token-refused")]
    running.sync()
    running.pass_time(HOUR)
    running.sync()
    assert problems() == [("enrollment", "no-consent")]
    assert Enrollment.objects.get(nextcloud_uid=ANNA.uid).state == State.NO_CONSENT
    # The app hears of it, so that it asks Anna; and she consents again.
    running.refresh()
    listed = [user["consent"] for user in running.nextcloud.users() if user["uid"] == ANNA.uid]
    assert "1" not in str(listed[0]["status"])
    goes_on_for_ben(running)


def test_a_collection_that_does_not_exist(town: Town) -> None:
    town.nextcloud.consent(ANNA.uid, overrides={"calendar": "nowhere"})
    town.refresh()
    goes_on_for_ben(town)
    assert problems() == [("enrollment", "folder-missing")]
    town.nextcloud.consent(ANNA.uid, overrides={})
    heals(town)


# One item ----------------------------------------------------------------------------------------------------------


def put(town: Town, name: str, text: str) -> int:
    """Let Anna's client put a text into her calendar as it is; the status of the answer."""
    url = f"{town.filled.nextcloud_url}/remote.php/dav/calendars/{ANNA.uid}/personal/{name}.ics"
    answer = httpx.put(url, content=text.encode(), auth=(ANNA.login, ANNA.password), headers={"Content-Type": "text/calendar"})  # fmt: skip  # noqa: E501
    return answer.status_code


BROKEN = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//someone//
BEGIN:VEVENT
UID:broken
DTSTAMP:20260101T000000Z
DTSTART:tomorrow at ten
SUMMARY:Broken
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def test_a_malformed_calendar_object(running: Town) -> None:
    assert put(running, "broken", BROKEN) == 201
    running.create(ANNA, "Whole")
    goes_on_for_ben(running)
    assert "Whole" in running.titles(ANNA)
    ((level, _),) = problems()
    assert level == "item"
    assert Problem.objects.get().enrollment == Enrollment.objects.get(nextcloud_uid=ANNA.uid)


def test_an_item_that_exchange_refuses(running: Town) -> None:
    running.create(ANNA, "From Outlook", "exchange")
    running.create(ANNA, "Too big")
    running.control("faults", operation="CreateItem", code="ErrorMessageSizeExceeded", user=ANNA.email, times=None)
    goes_on_for_ben(running)
    running.exchange.delete("/lab/faults").raise_for_status()
    assert "From Outlook" in running.titles(ANNA, "nextcloud")
    ((level, _),) = problems()
    assert level == "item"
