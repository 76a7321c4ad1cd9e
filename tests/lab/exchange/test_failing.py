"""Faults on demand, as exchangelib sees them, and what the server did all the same."""

from __future__ import annotations

import exchangelib
import httpx
import pytest
import requests
from exchangelib import Account, errors

from tests.lab.exchange.conftest import ADA, BOB, Lab
from tests.lab.exchange.events import event


def test_it_is_busy_for_a_stated_time(lab: Lab, ada: Account) -> None:
    _ = ada.calendar
    lab.control(
        "POST",
        "faults",
        {"operation": "FindItem", "code": "ErrorServerBusy", "as": "fault", "values": {"BackOffMilliseconds": "7000"}},
    )
    with pytest.raises(errors.ErrorServerBusy) as busy:
        list(ada.calendar.all())
    assert busy.value.back_off == 7
    assert list(ada.calendar.all()) == []


def test_it_is_unavailable_with_retry_after(lab: Lab, ada: Account) -> None:
    _ = ada.calendar
    lab.control("POST", "faults", {"operation": "FindItem", "status": 503, "headers": {"Retry-After": "30"}})
    with pytest.raises(exchangelib.errors.EWSError):
        list(ada.calendar.all())
    answer = httpx.get(f"{lab.url}/lab/faults").json()
    assert answer[0]["struck"] == 1


def test_it_fails_for_one_mailbox_only(lab: Lab) -> None:
    ada, bob = lab.account(ADA), lab.account(BOB)
    _ = ada.calendar, bob.calendar
    lab.control("POST", "faults", {"user": ADA, "times": None, "code": "ErrorMailboxStoreUnavailable"})
    with pytest.raises(errors.ErrorMailboxStoreUnavailable):
        list(ada.calendar.all())
    assert list(bob.calendar.all()) == []


def test_it_loses_the_answer_to_work_it_did(lab: Lab, ada: Account) -> None:
    item = event(ada)
    lab.control("POST", "faults", {"operation": "CreateItem", "drop": "after"})
    with pytest.raises(errors.EWSError):
        item.save()
    assert ada.calendar.all().count() == 1


def test_it_drops_a_request_before_working(lab: Lab, ada: Account) -> None:
    item = event(ada)
    lab.control("POST", "faults", {"operation": "CreateItem", "drop": "before"})
    with pytest.raises(errors.EWSError):
        item.save()
    assert ada.calendar.all().count() == 0


def test_it_cuts_an_answer_short(lab: Lab, ada: Account) -> None:
    _ = ada.calendar
    lab.control("POST", "faults", {"operation": "CreateItem", "truncate": 100})
    with pytest.raises((errors.EWSError, requests.RequestException)):
        event(ada).save()
    assert ada.calendar.all().count() == 1


def test_it_answers_late(lab: Lab, ada: Account) -> None:
    _ = ada.calendar
    lab.control("POST", "faults", {"operation": "FindItem", "delay": 0.05})
    assert list(ada.calendar.all()) == []
    assert lab.control("GET", "faults")[0]["struck"] == 1


def test_it_refuses_controls_that_it_does_not_understand(lab: Lab) -> None:
    assert httpx.post(f"{lab.url}/lab/faults", json={"drop": "sometimes"}).status_code == 400
    assert httpx.post(f"{lab.url}/lab/mailboxes", json={}).status_code == 400
    assert httpx.post(f"{lab.url}/lab/mailboxes", content=b"{").status_code == 400
    assert httpx.get(f"{lab.url}/lab/nothing").status_code == 404


def test_each_item_of_a_request_takes_its_time(lab: Lab, ada: Account) -> None:
    before = lab.control("GET", "stats")["server_seconds"]
    lab.control("PUT", "pace", {"slots": 1, "per_item": {"GetFolder": 0.03}})
    try:
        assert ada.calendar.name == "Calendar"
        assert lab.control("GET", "stats")["server_seconds"] >= before + 0.03
    finally:
        lab.control("PUT", "pace", {})
