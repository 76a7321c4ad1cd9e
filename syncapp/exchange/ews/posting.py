"""What it takes to post a request to Exchange: the account, who carries the request there, and what a status means.

Two do: ``straight.Straight`` and ``signed.Signed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from syncapp.exchange.tokens import Application, Tokens
from syncapp.side import LoginFailed, NotAllowed, Throttled, Unreachable

USER_AGENT = "NextcloudExchangeConnector"
_LOGIN_REFUSED = (
    "Exchange does not accept the login of the service account: its name or password is wrong, the password has "
    "expired, or the account is locked or disabled."
)
_APPLICATION_REFUSED = (
    "Exchange does not accept the token of the application: it lacks the permission full_access_as_app, or nobody has "
    "granted admin consent for that."
)
STEP_SECONDS = 60.0
"""For each wait; Exchange says nothing while it works on a batch."""


class Authentication(StrEnum):
    """How the service account signs in."""

    BASIC = "basic"
    NTLM = "ntlm"
    KERBEROS = "kerberos"
    OAUTH = "oauth"


@dataclass(frozen=True)
class Account:
    """Where Exchange is and with which service account to use it.

    ``url`` is the EWS address (https://host/EWS/Exchange.asmx), ``ca_file`` a PEM file of authorities to trust instead
    of the system's, ``fingerprint`` the SHA-256 fingerprint of the only certificate to trust, ``request_seconds`` the
    longest that one request may take. With OAuth, ``username`` and ``password`` are the application's id and secret, in
    whose place a ``certificate`` may stand; ``authority`` and ``tenant`` say where it gets its tokens.
    """

    url: str
    username: str
    password: str = field(repr=False)
    authentication: Authentication = Authentication.BASIC
    ca_file: str | None = None
    request_seconds: float = 120.0
    fingerprint: str = ""
    certificate: str = field(repr=False, default="")
    authority: str = ""
    tenant: str = ""

    @property
    def step_seconds(self) -> float:
        """The longest that a request may have to wait for the next thing to happen."""
        return min(STEP_SECONDS, self.request_seconds)

    @property
    def application(self) -> Application:
        """The application that it is with OAuth; its tokens are for the server at ``url`` alone."""
        server = urlsplit(self.url)
        return Application(
            token_url=f"{self.authority}/{self.tenant}/oauth2/v2.0/token",
            client_id=self.username,
            scope=f"{server.scheme}://{server.netloc}/.default",
            secret=self.password,
            certificate=self.certificate,
            ca_file=self.ca_file,
        )


class Posted(NamedTuple):
    """An answer: its body, and what its header Date says ("" for nothing)."""

    content: bytes
    date: str


class Visit(Protocol):
    """Requests about one mailbox, whose cookies are kept for as long as the visit."""

    def post(self, data: bytes, authorization: str = "") -> Posted:
        """Post an envelope. Raises ``SideError``; ``ConnectionLost`` when no answer came.

        ``authorization`` says who asks, where the connections do not.
        """


class Sessions(Protocol):
    """The connections of one service account. They may serve one mailbox after the other, which share no cookies."""

    def visit(self, mailbox: str) -> Visit:
        """Begin with a mailbox."""

    def close(self) -> None:
        """Let go of the connections. Who posts afterwards makes new ones."""


class ConnectionLost(Unreachable):
    """The connection broke before an answer came; a keep-alive that the server ended looks the same."""


class WithTokens:
    """Sessions of an application: each request carries its token."""

    def __init__(self, sessions: Sessions, tokens: Tokens) -> None:
        self._sessions = sessions
        self._tokens = tokens

    def visit(self, mailbox: str) -> Visit:
        """See ``Sessions``."""
        return _VisitWithTokens(self._sessions.visit(mailbox), self._tokens)

    def close(self) -> None:
        """See ``Sessions``."""
        self._sessions.close()


class _VisitWithTokens:
    def __init__(self, visit: Visit, tokens: Tokens) -> None:
        self._visit = visit
        self._tokens = tokens

    def post(self, data: bytes, authorization: str = "") -> Posted:
        """See ``Visit``. A token may end before its time: what was refused for that was not done, so it is repeated."""
        del authorization
        token = self._tokens.token()
        try:
            return self._visit.post(data, f"Bearer {token}")
        except LoginFailed:
            self._tokens.forget()
        token = self._tokens.token()
        try:
            return self._visit.post(data, f"Bearer {token}")
        except LoginFailed:
            raise LoginFailed(_APPLICATION_REFUSED) from None


def raise_for_status(status: int, content: bytes, headers: Mapping[str, str]) -> None:
    """Raise what an HTTP status means; a SOAP fault is an answer, whatever its status."""
    if status == 200 or (status == 500 and content.lstrip()[:1] == b"<" and b"Envelope" in content):
        return
    if status == 401:
        raise LoginFailed(_LOGIN_REFUSED)
    if status == 403:
        raise NotAllowed("Exchange does not let the service account use EWS at all.")
    if status in (301, 302, 303, 307, 308):
        raise Unreachable(f"The address given for Exchange leads elsewhere ({status}), where no password is sent.")
    if status in (429, 503):
        wait = headers.get("retry-after", "").strip()
        if status == 429 or wait:
            raise Throttled(float(wait) if wait.isdigit() else None, account=True)
        raise Unreachable("Exchange is down for maintenance or overloaded (503).")
    if status == 404:
        raise Unreachable("There is no EWS at the address given for Exchange (404).")
    raise Unreachable(f"The address given for Exchange answers with status {status}.")
