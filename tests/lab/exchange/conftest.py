"""A lab Exchange in a process of its own, and exchangelib as its client. All traffic is validated after each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exchangelib
import httpx
import pytest
from exchangelib.protocol import FailFast

from lab.process import ServerProcess, start
from tests.lab.exchange import schema

ADA, BOB = "ada@lab.example", "bob@lab.example"
SERVICE, SERVICE_PASSWORD = "sync-service", "s3rvice"
# Knows one mailbox only.
LIMITED, LIMITED_PASSWORD = "limited-service", "l1mited"


class Lab:
    """The running server: its controls, and accounts on it."""

    def __init__(self, server: ServerProcess) -> None:
        self.url = server.url
        self.endpoint = f"{server.url}/EWS/Exchange.asmx"
        self._http = httpx.Client(base_url=server.url)

    def control(self, method: str, path: str, data: Any = None) -> Any:
        """A control request; the JSON answer."""
        answer = self._http.request(method, f"/lab/{path}", json=data)
        answer.raise_for_status()
        return answer.json()

    def account(
        self, address: str = ADA, user: str = SERVICE, password: str = SERVICE_PASSWORD, **options: Any
    ) -> exchangelib.Account:
        """An exchangelib account; a service account impersonates, the owner logs in as itself."""
        configuration = exchangelib.Configuration(
            service_endpoint=self.endpoint,
            credentials=exchangelib.Credentials(user, password),
            auth_type=exchangelib.BASIC,
            retry_policy=FailFast(),
            max_connections=2,
        )
        return exchangelib.Account(
            address,
            config=configuration,
            autodiscover=False,
            access_type=exchangelib.DELEGATE if user == address else exchangelib.IMPERSONATION,
            default_timezone=options.get("zone", exchangelib.EWSTimeZone("Europe/Berlin")),
        )

    def traffic(self) -> list[dict[str, Any]]:
        """What was recorded since the test began."""
        recorded: list[dict[str, Any]] = self.control("GET", "traffic")
        return recorded

    def mail(self) -> list[dict[str, Any]]:
        """The mail ledger."""
        ledger: list[dict[str, Any]] = self.control("GET", "mail")
        return ledger

    def close(self) -> None:
        """Close the connection to the controls."""
        self._http.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of a session; each test starts with it empty."""
    folder: Path = tmp_path_factory.mktemp("exchange")
    with start("lab.exchange", folder / "exchange.db") as process:
        yield process


@pytest.fixture
def lab(server: ServerProcess) -> Iterator[Lab]:
    """An empty server with two mailboxes and two service accounts, which records."""
    lab = Lab(server)
    lab.control("POST", "reset", {"keep_accounts": False})
    for address, name in ((ADA, "Ada Lovelace"), (BOB, "Bob Bell")):
        lab.control("POST", "mailboxes", {"address": address, "name": name, "password": f"{name}-pw"})
    lab.control("POST", "accounts", {"name": SERVICE, "password": SERVICE_PASSWORD, "impersonates": "*"})
    lab.control("POST", "accounts", {"name": LIMITED, "password": LIMITED_PASSWORD, "impersonates": [BOB]})
    lab.control("POST", "traffic", {"record": True, "keep": 10_000})
    yield lab
    exchangelib.close_connections()
    recorded = lab.traffic()
    lab.close()
    if schema.available():
        assert [text for exchanged in recorded for text in schema.complaints(exchanged)] == []


@pytest.fixture
def ada(lab: Lab) -> exchangelib.Account:
    """Ada's mailbox through the service account."""
    return lab.account()
