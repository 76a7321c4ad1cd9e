"""The servers of a round trip: the labs, or an Exchange of yours that EWS_TEST_URL names (docs/testing.md)."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import exchangelib
import httpx

from lab import process
from lab.nextcloud.remote import NextcloudControl
from lab.scenario.mailbox import connect
from lab.scenario.people import Login
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.posting import Account as EwsAccount
from syncapp.exchange.ews.side import EwsSide, open_side
from syncapp.items import Kind
from syncapp.nextcloud.side import Account as NextcloudAccount
from syncapp.nextcloud.side import NextcloudSide

HOME = "Europe/Berlin"
MAILBOX = "roundtrip@lab.example"
_SERVICE = Login("service@lab.example", "service-lab-password")
_USER = Login("roundtrip", "roundtrip-lab-password")
_FOLDERS = {Kind.EVENT: "personal", Kind.CONTACT: "contacts"}


class Place:
    """Fresh servers with one mailbox and one account, for as long as the context lasts.

    Raises ``process.ServerDidNotStart`` when it is entered, and what exchangelib and httpx raise.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="roundtrip-")))
        self._nextcloud = self._start("lab.nextcloud", folder / "nextcloud.sqlite3")
        control = NextcloudControl(self._nextcloud)
        control.create_user(_USER.name, _USER.password, login=_USER.name, email=MAILBOX, display_name="Round Trip")
        control.close()
        if url := os.environ.get("EWS_TEST_URL"):
            login = Login(os.environ["EWS_TEST_USER"], os.environ["EWS_TEST_PASSWORD"])
            self.mailbox = os.environ["EWS_TEST_MAILBOX"]
        else:
            exchange = self._start("lab.exchange", folder / "exchange.sqlite3")
            _people(exchange)
            url, login, self.mailbox = f"{exchange}/EWS/Exchange.asmx", _SERVICE, MAILBOX
        self._ews = EwsAccount(url, login.name, login.password)
        self.account = connect(url, login, self.mailbox, HOME, impersonate=True)
        self._http = self._stack.enter_context(
            httpx.Client(base_url=self._nextcloud, auth=(_USER.name, _USER.password), timeout=60)
        )
        self._stack.callback(exchangelib.close_connections)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()

    def _start(self, module: str, data: Path) -> str:
        return self._stack.enter_context(process.start(module, data)).url

    def exchange_side(self, kind: Kind) -> EwsSide:
        """The connector's side on the mailbox."""
        return open_side(kind, Connection(self._ews, self.mailbox), HOME)

    def nextcloud_side(self, kind: Kind) -> NextcloudSide:
        """The connector's side on the account."""
        return NextcloudSide(kind, NextcloudAccount(self._nextcloud, _USER.name, _USER.password, _FOLDERS[kind]))

    def text(self, path: str) -> bytes:
        """An object in Nextcloud, as any client gets it. Raises httpx errors."""
        return self._http.get(path).raise_for_status().content


def _people(exchange: str) -> None:
    with httpx.Client(base_url=exchange, timeout=30) as control:
        mailbox = {"address": MAILBOX, "name": "Round Trip", "password": _USER.password}
        control.post("/lab/mailboxes", json=mailbox).raise_for_status()
        service = {"name": _SERVICE.name, "password": _SERVICE.password, "impersonates": [MAILBOX]}
        control.post("/lab/accounts", json=service).raise_for_status()
