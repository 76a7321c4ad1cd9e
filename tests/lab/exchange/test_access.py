"""Who may do what: logins, impersonation, its denial, mailboxes that are not there."""

from __future__ import annotations

import httpx
import pytest
from exchangelib import errors

from tests.lab.exchange.conftest import ADA, BOB, LIMITED, LIMITED_PASSWORD, SERVICE, Lab
from tests.lab.exchange.events import event, raw

PROBE = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"


def test_it_lets_a_service_account_impersonate(lab: Lab) -> None:
    account = lab.account(ADA)
    assert account.calendar.name == "Calendar"
    assert account.version.api_version == "Exchange2016"


def test_it_lets_an_owner_log_in(lab: Lab) -> None:
    assert lab.account(BOB, user=BOB, password="Bob Bell-pw").contacts.total_count == 0


def test_it_refuses_a_wrong_password(lab: Lab) -> None:
    with pytest.raises(errors.UnauthorizedError):
        _ = lab.account(ADA, password="wrong").calendar


def test_it_asks_for_basic_authentication(lab: Lab) -> None:
    answer = httpx.post(lab.endpoint, content=b"")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_it_denies_impersonation_without_the_right(lab: Lab) -> None:
    assert lab.account(BOB, user=LIMITED, password=LIMITED_PASSWORD).calendar.name == "Calendar"
    with pytest.raises(errors.ErrorImpersonateUserDenied):
        _ = lab.account(ADA, user=LIMITED, password=LIMITED_PASSWORD).calendar


def test_it_says_when_there_is_no_such_mailbox(lab: Lab) -> None:
    with pytest.raises(errors.ErrorNonExistentMailbox):
        _ = lab.account("nobody@lab.example").calendar


def test_it_keeps_mailboxes_apart(lab: Lab) -> None:
    item = event(lab.account(ADA)).save()
    with pytest.raises(errors.ErrorAccessDenied):
        list(lab.account(BOB).fetch([(item.id, item.changekey)]))


def test_it_records_whom_a_request_was_anchored_to(lab: Lab) -> None:
    _ = lab.account(ADA).calendar
    entry = lab.traffic()[-1]
    assert entry["request_headers"]["X-Anchormailbox"] == ADA
    assert (entry["mailbox"], entry["user"], entry["operation"]) == (ADA, SERVICE, "GetFolder")
    assert "Authorization" not in entry["request_headers"]


def test_it_resolves_no_entities(lab: Lab) -> None:
    answer = httpx.post(lab.endpoint, content=PROBE, auth=(SERVICE, "s3rvice"))
    assert answer.status_code == 500
    assert "ErrorInvalidRequest" in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "operation",
    [
        "<m:GetItem {ns}><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape></m:GetItem>",
        '<m:GetItem {ns}><m:ItemShape/><m:ItemIds><t:OccurrenceItemId RecurringMasterId="" InstanceIndex="x"/>'
        "</m:ItemIds></m:GetItem>",
        '<m:SyncFolderItems {ns}><m:ItemShape/><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/>'
        "</m:SyncFolderId><m:MaxChangesReturned>many</m:MaxChangesReturned></m:SyncFolderItems>",
    ],
)
def test_it_refuses_what_breaks_the_schema(lab: Lab, operation: str) -> None:
    answer = raw(lab, lab.account(), operation)
    assert "ErrorSchemaValidation" in answer or "ErrorInvalidIdMalformed" in answer
    lab.control("DELETE", "traffic")


def test_it_knows_its_operations(lab: Lab) -> None:
    assert "ErrorInvalidRequest" in raw(lab, lab.account(), "<m:GetUserPhoto {ns}/>")
    lab.control("DELETE", "traffic")


def test_it_answers_a_get_like_a_web_service(lab: Lab) -> None:
    assert httpx.get(lab.endpoint, auth=(SERVICE, "s3rvice")).status_code == 200
    assert httpx.get(f"{lab.url}/EWS/nothing", auth=(SERVICE, "s3rvice")).status_code == 404
