"""The lab Exchange for tests of the side, and what is checked of everything that went over its wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import exchangelib
import httpx
from exchangelib.protocol import FailFast
from lxml import etree

from lab.process import start
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.posting import Account
from syncapp.exchange.ews.side import EwsSide, open_side
from syncapp.items.values import Kind
from tests.exchange.ews.schema import assert_valid

MAILBOX = "ada@lab.example"
SERVICE, PASSWORD = "sync-service", "s3rvice"
HOME = "Europe/Berlin"
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_SILENT = {
    "CreateItem": "SendMeetingInvitations",
    "UpdateItem": "SendMeetingInvitationsOrCancellations",
    "DeleteItem": "SendMeetingCancellations",
}


class Lab:
    """A running lab Exchange with one mailbox, and one service account that may act on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.account = Account(f"{url}/EWS/Exchange.asmx", SERVICE, PASSWORD, request_seconds=30.0)
        self._http = httpx.Client(base_url=url)

    def control(self, method: str, path: str, data: Any = None) -> Any:
        """A control request; the JSON answer."""
        answer = self._http.request(method, f"/lab/{path}", json=data)
        answer.raise_for_status()
        return answer.json()

    def side(self, kind: Kind, mailbox: str = MAILBOX) -> EwsSide:
        """A side with a connection of its own."""
        return open_side(kind, Connection(self.account, mailbox), HOME)

    def stranger(self, mailbox: str = MAILBOX) -> exchangelib.Account:
        """The mailbox through exchangelib: a reader and writer that shares no code with the side."""
        configuration = exchangelib.Configuration(
            service_endpoint=self.account.url,
            credentials=exchangelib.Credentials(SERVICE, PASSWORD),
            auth_type=exchangelib.BASIC,
            retry_policy=FailFast(),
        )
        return exchangelib.Account(
            mailbox,
            config=configuration,
            autodiscover=False,
            access_type=exchangelib.IMPERSONATION,
            default_timezone=exchangelib.EWSTimeZone(HOME),
        )

    def judge(self) -> None:
        """Everything that was recorded is valid by Microsoft's schema, mails nobody, and no mail went out."""
        for exchanged in self.control("GET", "traffic"):
            for text in (exchanged["request"], exchanged["response"]):
                _judge_envelope(text)
        assert self.control("GET", "mail") == []

    def close(self) -> None:
        """Let go of the controls."""
        self._http.close()


def _judge_envelope(text: str) -> None:
    if not text.startswith("<"):
        return
    body = etree.fromstring(text.encode()).find(f"{_SOAP}Body")
    assert body is not None
    request = body[0]
    if request.tag == f"{_SOAP}Fault":
        return
    assert_valid(request)
    name = etree.QName(request).localname
    if name in _SILENT and _is_about_calendars(request):
        assert request.get(_SILENT[name]) == "SendToNone", name


def _is_about_calendars(request: Any) -> bool:
    """Whether a write is about calendar items; a deletion names ids only, and contacts are never deleted that way."""
    return request.tag.endswith("DeleteItem") or request.find(".//{*}CalendarItem") is not None


@contextmanager
def running(folder: Path) -> Iterator[Lab]:
    """A lab Exchange with a mailbox that has a second calendar and a second contacts folder."""
    with start("lab.exchange", folder / "exchange.db") as process:
        lab = Lab(process.url)
        lab.control("POST", "mailboxes", {"address": MAILBOX, "name": "Ada Lovelace", "password": "x"})
        lab.control("POST", "accounts", {"name": SERVICE, "password": PASSWORD, "impersonates": "*"})
        stranger = lab.stranger()
        exchangelib.folders.Calendar(parent=stranger.calendar, name="Second").save()
        exchangelib.folders.Contacts(parent=stranger.contacts, name="Second").save()
        exchangelib.close_connections()
        lab.control("POST", "traffic", {"record": True, "keep": 10_000})
        yield lab
        lab.close()
