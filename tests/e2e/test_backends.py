"""Several Exchange organisations: each mailbox is served by the one that has it, and found when it moves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from django.utils import timezone
from pytest_django import Settings

from lab.edit import hand, quick_event
from lab.process import start
from lab.scenario.people import SERVICE_ACCOUNT, LabUser
from lab.seed import EWS_PATH, scenario
from syncapp.jobs import accounts
from syncapp.models import Enrollment, Problem, RunLine, ServiceAccount
from tests.e2e.conftest import ANNA, BEN, Town

pytestmark = pytest.mark.django_db


class Other:
    """A second Exchange, of which the connector has another account."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control("POST", "reset", {"keep_accounts": False})
        self.control("POST", "accounts", {"name": "other", "password": "other-pw", "impersonates": "*"})

    def control(self, method: str, path: str, data: object = None) -> None:
        """Arrange something there."""
        httpx.request(method, f"{self.url}/lab/{path}", json=data).raise_for_status()

    def receive(self, town: Town, person: LabUser, *, leave: bool = True) -> None:
        """Take over somebody's mailbox, empty as it comes."""
        self.control("POST", "mailboxes", {"address": person.email, "name": person.name, "password": person.password})
        if leave:
            town.exchange.delete(f"/lab/mailboxes?address={person.email}").raise_for_status()


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    with start("lab.exchange", tmp_path_factory.mktemp("other") / "exchange.sqlite3") as process:
        yield Other(process.url)


def list_both(town: Town, other: Other) -> None:
    """Accounts of both organisations, for everybody."""
    listed = [
        {"Name": "here", "Username": SERVICE_ACCOUNT.name, "Password": SERVICE_ACCOUNT.password},
        {"Name": "there", "Username": "other", "Password": "other-pw", "Endpoint": other.url + EWS_PATH},
    ]
    town.accounts_file.write_text(json.dumps(listed))
    town.accounts_file.chmod(0o600)
    town.refresh()


def account_of(person: LabUser) -> str:
    """The account that served somebody last."""
    account = Enrollment.objects.get(nextcloud_uid=person.uid).account
    return account.name if account else ""


def titles_at(other: Other, town: Town, person: LabUser) -> list[str]:
    """What stands in somebody's calendar at the other Exchange."""
    with hand(scenario(other.url, str(town.nextcloud.url), admin_token=""), person, "exchange") as at:
        return at.events()


def test_each_mailbox_is_served_by_the_exchange_that_has_it(town: Town, other: Other) -> None:
    other.receive(town, BEN)
    list_both(town, other)
    town.create(ANNA, "Here")
    town.create(BEN, "There")
    town.sync()
    assert (account_of(ANNA), account_of(BEN)) == ("here", "there")
    assert town.titles(ANNA) == ["Here"]
    assert titles_at(other, town, BEN) == ["There"]
    assert not Problem.objects.exists()


def test_a_mailbox_that_moves_is_found_and_loses_nothing(town: Town, other: Other) -> None:
    list_both(town, other)
    for account in ServiceAccount.objects.filter(name="there"):
        account.slots.all().delete()  # nobody begins there
    town.create(BEN, "Before")
    town.sync()
    assert account_of(BEN) == "here"
    accounts.make_slots(ServiceAccount.objects.get(name="there"))
    other.receive(town, BEN)
    town.sync()
    assert account_of(BEN) == "there"
    assert RunLine.objects.filter(code="mailbox-elsewhere").count() == 1
    assert town.titles(BEN, "nextcloud") == ["Before"]


def test_a_mailbox_that_nobody_has_is_the_persons_problem(town: Town, other: Other) -> None:
    list_both(town, other)
    town.exchange.delete(f"/lab/mailboxes?address={BEN.email}").raise_for_status()
    town.sync()
    assert [each.code for each in Problem.objects.filter(enrollment__nextcloud_uid=BEN.uid)] == ["no-mailbox"]
    assert account_of(ANNA) != ""


def test_autodiscover_tells_where_a_mailbox_is_and_where_it_went(town: Town, other: Other, settings: Settings) -> None:
    settings.EXCHANGE_URL = ""
    settings.AUTODISCOVER_URL = str(town.exchange.base_url).rstrip("/")
    settings.MAILBOX_DOMAINS = [BEN.email.rpartition("@")[2]]
    town.write_accounts(SERVICE_ACCOUNT.password)
    town.refresh()
    town.create(BEN, "Found")
    town.sync()
    assert town.titles(BEN) == ["Found"]
    first = Enrollment.objects.get(nextcloud_uid=BEN.uid).exchange_url
    assert first == settings.AUTODISCOVER_URL + EWS_PATH
    other.control(
        "POST", "accounts",
        {"name": SERVICE_ACCOUNT.name, "password": SERVICE_ACCOUNT.password, "impersonates": "*"},
    )  # fmt: skip
    other.receive(town, BEN)
    town.exchange.put("/lab/autodiscover", json={"urls": {BEN.email: other.url + EWS_PATH}}).raise_for_status()
    town.sync()
    assert Enrollment.objects.get(nextcloud_uid=BEN.uid).exchange_url == other.url + EWS_PATH
    assert Enrollment.objects.get(nextcloud_uid=ANNA.uid).exchange_url == first


def test_no_address_that_people_type_decides_where_a_password_goes(town: Town, settings: Settings) -> None:
    settings.EXCHANGE_URL = ""
    settings.AUTODISCOVER_URL = str(town.exchange.base_url).rstrip("/")
    settings.MAILBOX_DOMAINS = ["elsewhere.example"]
    town.write_accounts(SERVICE_ACCOUNT.password)
    town.refresh()
    Enrollment.objects.update(state=Enrollment.State.ACTIVE)
    town.exchange.post("/lab/traffic", json={"record": True}).raise_for_status()
    town.sync()
    assert {each.code for each in Problem.objects.all()} == {"exchange-denied"}
    assert town.exchange.get("/lab/traffic").json() == []


def test_an_event_of_either_side_travels_after_a_move(town: Town, other: Other) -> None:
    other.receive(town, BEN)
    list_both(town, other)
    town.sync()
    with hand(scenario(other.url, str(town.nextcloud.url), admin_token=""), BEN, "exchange") as at:
        at.create_event(quick_event("From there"))
    Enrollment.objects.update(due_at=timezone.now())
    town.sync()
    assert town.titles(BEN, "nextcloud") == ["From there"]
