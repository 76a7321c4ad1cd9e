"""Two people in both labs, and a connector in this process that is configured for them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone
from pytest_django import Settings

from lab.edit import Hand, Side, hand, quick_event
from lab.nextcloud.control import ADMIN, ADMIN_PASSWORD
from lab.nextcloud.remote import NextcloudControl
from lab.process import ServerProcess, start
from lab.scenario.people import SERVICE_ACCOUNT, SHARED_SECRET, USERS, LabUser
from lab.seed import EWS_PATH, Scenario, scenario
from syncapp.jobs import owners, refresh, sync
from syncapp.models import Enrollment, Problem, ServerRest, ServiceAccount

ANNA, BEN = USERS[:2]
_MOST_SLICES = 40


@dataclass(frozen=True)
class Servers:
    """Both labs."""

    exchange: ServerProcess
    nextcloud: ServerProcess


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One pair of processes for all tests of this folder."""
    folder = tmp_path_factory.mktemp("labs")
    with (
        start("lab.exchange", folder / "exchange.sqlite3") as exchange,
        start("lab.nextcloud", folder / "nextcloud.sqlite3") as nextcloud,
    ):
        yield Servers(exchange, nextcloud)


class Town:
    """Two people, their data in both labs, and the connector that syncs them."""

    def __init__(self, servers: Servers, accounts_file: Path) -> None:
        self.exchange = httpx.Client(base_url=servers.exchange.url, timeout=30)
        self.nextcloud = NextcloudControl(servers.nextcloud.url)
        self.accounts_file = accounts_file
        self.exchange.post("/lab/reset", json={"keep_accounts": False}).raise_for_status()
        self.nextcloud.reset()
        self.nextcloud.set_secret(SHARED_SECRET)
        for person in (ANNA, BEN):
            self.control("mailboxes", address=person.email, name=person.name, password=person.password)
            self.nextcloud.create_user(person.uid, person.password, login=person.login, email=person.email)
            self.nextcloud.consent(person.uid)
        self.let_impersonate("*")
        self.write_accounts(SERVICE_ACCOUNT.password)
        self.filled: Scenario = scenario(servers.exchange.url, servers.nextcloud.url, admin_token="")

    def close(self) -> None:
        """Close the connections to the controls."""
        self.exchange.close()
        self.nextcloud.close()

    # The servers

    def control(self, what: str, **data: Any) -> None:
        """Arrange something in the lab Exchange."""
        self.exchange.post(f"/lab/{what}", json=data).raise_for_status()

    def let_impersonate(self, whom: str | list[str]) -> None:
        """Say whose mailboxes the service account may use."""
        self.control("accounts", name=SERVICE_ACCOUNT.name, password=SERVICE_ACCOUNT.password, impersonates=whom)

    def write_accounts(self, *passwords: str) -> None:
        """List one service account for each password, all with the same name at the server."""
        listed = [
            {"Name": f"account {number}", "Username": SERVICE_ACCOUNT.name, "Password": password}
            for number, password in enumerate(passwords)
        ]
        self.accounts_file.write_text(json.dumps(listed))
        self.accounts_file.chmod(0o600)

    def create(self, person: LabUser, title: str, side: Side = "nextcloud") -> None:
        """Let a person create an event."""
        with hand(self.filled, person, side) as at:
            at.create_event(quick_event(title))

    def titles(self, person: LabUser, side: Side = "exchange") -> list[str]:
        """The titles of a person's events."""
        with hand(self.filled, person, side) as at:
            found: Hand = at
            return found.events()

    # The connector

    def refresh(self) -> None:
        """Read the accounts file and the list of people."""
        refresh.import_file()
        refresh.refresh(timezone.now())

    def sync(self) -> None:
        """Let everybody be due, and serve whoever can be served until nobody is left."""
        Enrollment.objects.update(due_at=timezone.now())
        for _ in range(_MOST_SLICES):
            if not sync.serve_one(owners.new_owner()):
                return
        raise AssertionError("the workers do not come to rest")

    def pass_time(self, by: dt.timedelta) -> None:
        """Let everything that waits have waited that much longer."""
        for rest in ServerRest.objects.all():
            ServerRest.objects.filter(pk=rest.pk).update(until=rest.until - by)
        for account in ServiceAccount.objects.exclude(rests_until=None):
            assert account.rests_until is not None
            ServiceAccount.objects.filter(pk=account.pk).update(rests_until=account.rests_until - by)
        for person in Enrollment.objects.exclude(token_refused_at=None):
            assert person.token_refused_at is not None
            Enrollment.objects.filter(pk=person.pk).update(token_refused_at=person.token_refused_at - by)


@pytest.fixture
def town(servers: Servers, settings: Settings, tmp_path: Path, db: None) -> Iterator[Town]:
    """A connector that has just been configured: nobody is enrolled yet."""
    settings.NEXTCLOUD_URL = servers.nextcloud.url
    settings.NEXTCLOUD_ADMIN_USER, settings.NEXTCLOUD_ADMIN_PASSWORD = ADMIN, ADMIN_PASSWORD
    settings.SHARED_SECRET = SHARED_SECRET
    settings.EXCHANGE_URL = servers.exchange.url + EWS_PATH
    settings.SERVICE_ACCOUNTS_FILE = tmp_path / "admins.json"
    settings.ADDRESSES_ARE_MANAGED = True
    made = Town(servers, tmp_path / "admins.json")
    yield made
    made.close()


def problems() -> list[tuple[str, str]]:
    """Level and code of every problem, sorted."""
    return sorted(Problem.objects.values_list("level", "code"))
