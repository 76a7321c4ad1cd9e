"""What it takes to post a request to Exchange: the account, who carries the request there, and what a status means.

Two do: ``straight.Straight`` and ``signed.Signed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from syncapp.side import LoginFailed, NotAllowed, Throttled, Unreachable

USER_AGENT = "NextcloudExchangeConnector"
STEP_SECONDS = 60.0
"""For each wait; Exchange says nothing while it works on a batch."""


class Authentication(StrEnum):
    """How the service account signs in, by exchangelib's names."""

    BASIC = "basic"
    NTLM = "NTLM"


@dataclass(frozen=True)
class Account:
    """Where Exchange is and with which service account to use it.

    ``url`` is the EWS address (https://host/EWS/Exchange.asmx), ``ca_file`` a PEM file of authorities to trust instead
    of the system's, ``request_seconds`` the longest that one request may take.
    """

    url: str
    username: str
    password: str = field(repr=False)
    authentication: Authentication = Authentication.BASIC
    ca_file: str | None = None
    request_seconds: float = 120.0

    @property
    def step_seconds(self) -> float:
        """The longest that a request may have to wait for the next thing to happen."""
        return min(STEP_SECONDS, self.request_seconds)


class Posted(NamedTuple):
    """An answer: its body, and what its header Date says ("" for nothing)."""

    content: bytes
    date: str


class Visit(Protocol):
    """Requests about one mailbox, whose cookies are kept for as long as the visit."""

    def post(self, data: bytes) -> Posted:
        """Post an envelope. Raises ``SideError``; ``ConnectionLost`` when no answer came."""


class Sessions(Protocol):
    """The connections of one service account. They may serve one mailbox after the other, which share no cookies."""

    def visit(self, mailbox: str) -> Visit:
        """Begin with a mailbox."""

    def close(self) -> None:
        """Let go of the connections. Who posts afterwards makes new ones."""


class ConnectionLost(Unreachable):
    """The connection broke before an answer came; a keep-alive that the server ended looks the same."""


def raise_for_status(status: int, content: bytes, headers: Mapping[str, str]) -> None:
    """Raise what an HTTP status means; a SOAP fault is an answer, whatever its status."""
    if status == 200 or (status == 500 and content.lstrip()[:1] == b"<" and b"Envelope" in content):
        return
    if status == 401:
        raise LoginFailed("Exchange does not accept the name or the password of the service account.")
    if status == 403:
        raise NotAllowed("Exchange does not let the service account use EWS at all.")
    if status in (429, 503):
        wait = headers.get("retry-after", "").strip()
        if status == 429 or wait:
            raise Throttled(float(wait) if wait.isdigit() else None)
        raise Unreachable("Exchange is down for maintenance or overloaded (503).")
    if status == 404:
        raise Unreachable("There is no EWS at the address given for Exchange (404).")
    raise Unreachable(f"The address given for Exchange answers with status {status}.")
