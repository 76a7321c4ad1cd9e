"""One mailbox seen with one service account: requests out, response messages in, every failure a ``SideError``.

exchangelib carries: sessions, authentication (basic, NTLM), the SOAP envelope with its impersonation header. What it
does not do here is wait (FailFast: resting times are ours), guess versions, build objects, or log content.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import requests
from exchangelib import Credentials, Identity
from exchangelib.configuration import Configuration
from exchangelib.errors import (
    ErrorTimeoutExpired,
    EWSError,
    TransportError,
)
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.services.common import EWSService
from exchangelib.transport import DEFAULT_HEADERS
from exchangelib.util import create_element, post_ratelimited
from exchangelib.version import EXCHANGE_2013_SP1, Version
from requests.cookies import RequestsCookieJar

from syncapp.exchange.ews.errors import error_of_fault
from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.xml import MESSAGES, SOAP, Element, NotXml, parse
from syncapp.items.values import Kind
from syncapp.side import LoginFailed, NotAllowed, Refused, SideError, Throttled, Unreachable

# Nothing that exchangelib logs may leave it: at ERROR it writes out whole requests and answers, texts of people
# included (docs/server-behaviour.md, "The stack").
_exchangelib_log = logging.getLogger("exchangelib")
_exchangelib_log.addHandler(logging.NullHandler())
_exchangelib_log.propagate = False

ANSWER_BYTES = 256 * 1024 * 1024
"""An answer bigger than this is not read to its end: 50 items with photos at Exchange's own limits stay far below."""

_CHUNK_BYTES = 64 * 1024
_GAP = "Request"
"""The name of the element that stands in an envelope where the request is to be."""
_SOMEBODY = "somebody@mailbox.invalid"
"""Stands in an envelope where the mailbox is to be."""


class Authentication(StrEnum):
    """How the service account signs in, by exchangelib's names."""

    BASIC = "basic"
    NTLM = "NTLM"


@dataclass(frozen=True)
class Account:
    """Where Exchange is and with which service account to use it.

    ``url`` is the EWS address (https://host/EWS/Exchange.asmx), ``ca_file`` a PEM file of authorities to trust instead
    of the system's, ``request_seconds`` the longest that one request may take, ``max_connections`` the connections that
    one mailbox may use at a time.
    """

    url: str
    username: str
    password: str = field(repr=False)
    authentication: Authentication = Authentication.BASIC
    ca_file: str | None = None
    request_seconds: float = 120.0
    max_connections: int = 1


class Connection:
    """The way to one mailbox. Cookies and connections are kept until ``close``; the same thread uses it throughout.

    ``sessions`` are those of the account where they shall outlive this; whoever made them closes them.
    """

    def __init__(self, account: Account, mailbox: str, sessions: Sessions | None = None) -> None:
        self.account = account
        self.mailbox = mailbox
        self._clock = ""
        self.windows_zone = "UTC"
        """The zone in which the server counts where a request names none: days of an all-day occurrence, for one."""
        self.lists_to_find: set[Kind] = set()
        """Kinds of items that the server could not search for by our ids."""
        self._own_sessions = Sessions(account) if sessions is None else None
        self._service = _Service(sessions or self._own_sessions, mailbox)

    @property
    def server_time(self) -> datetime:
        """The server's clock in its last answer, to the second; ours where it names none."""
        try:
            return parsedate_to_datetime(self._clock).astimezone(UTC)
        except ValueError:
            return datetime.now(UTC)

    def ask(self, request: Markup) -> list[Element]:
        """Send a request that changes nothing; the response messages, errors of single items included.

        A kept connection that the server had closed meanwhile is no news: the request is repeated at once, one time.
        Raises ``Throttled``, ``Unreachable``, ``NotAllowed``, ``LoginFailed``, ``NoMailbox``, and what a fault means.
        """
        try:
            return self._send(request)
        except _ConnectionLost:
            return self._send(request)
        except Refused as problem:
            raise not_understood(problem) from None

    def tell(self, request: Markup) -> list[Element]:
        """Send a request that changes something; as ``ask``, but never repeated: it may have been done."""
        return self._send(request)

    def close(self) -> None:
        """Let go of the connections."""
        if self._own_sessions is not None:
            self._own_sessions.close()

    def _send(self, request: Markup) -> list[Element]:
        try:
            content, self._clock = self._service.post(request, self.windows_zone)
        except SideError:
            raise
        except ErrorTimeoutExpired as problem:
            # exchangelib's word for every failure of the connection; the message names the cause's class.
            timed_out = "Timeout(" in str(problem)
            raise (Unreachable if timed_out else _ConnectionLost)(
                "The Exchange server did not answer in time." if timed_out else "The connection to Exchange broke."
            ) from None
        except TransportError as problem:
            # Only TLS failures reach here: our answers' policy has taken every HTTP status.
            raise Unreachable(f"No secure connection to Exchange: {_tls_reason(problem)}.") from None
        except (EWSError, requests.RequestException) as problem:
            raise Unreachable(f"Exchange could not be asked ({type(problem).__name__}).") from None
        return _messages(request, content)


class _ConnectionLost(Unreachable):
    """The connection broke before an answer came; a keep-alive that the server ended looks the same."""


def _tls_reason(problem: Exception) -> str:
    return "its certificate is not trusted" if "CERTIFICATE_VERIFY_FAILED" in str(problem) else "TLS failed"


def _operation_of(request: Markup) -> str:
    return re.split("[ />]", request.removeprefix("<m:"), maxsplit=1)[0]


def _messages(request: Markup, content: bytes) -> list[Element]:
    try:
        envelope = parse(content)
    except NotXml:
        raise Unreachable("What answers at the address of Exchange does not speak EWS.") from None
    body = envelope.find(f"{{{SOAP}}}Body")
    if body is None or not len(body):
        raise Unreachable("What answers at the address of Exchange does not speak EWS.")
    fault = body.find(f"{{{SOAP}}}Fault")
    if fault is not None:
        raise error_of_fault(fault)
    found = body[0].find(f"{{{MESSAGES}}}ResponseMessages")
    if found is None:
        raise Unreachable(f"Exchange answered {_operation_of(request)} with something else.")
    return [each for each in found if isinstance(each.tag, str)]


def not_understood(problem: Refused) -> Unreachable:
    """The error of a question that was refused: there is no item to blame, so it is the server that can't be used."""
    return Unreachable(f"{problem} It was asked a question that other servers answer.")


class _Answers(FailFast):  # type: ignore[misc]  # exchangelib has no types
    """What an HTTP status means. exchangelib forgets Retry-After and takes a closed connection for throttling."""

    def raise_response_errors(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 200 or (
            status == 500 and response.content.lstrip()[:1] == b"<" and b"Envelope" in response.content
        ):
            return
        if status == 401:
            raise LoginFailed("Exchange does not accept the name or the password of the service account.")
        if status == 403:
            raise NotAllowed("Exchange does not let the service account use EWS at all.")
        if status in (429, 503):
            wait = response.headers.get("Retry-After", "").strip()
            if status == 429 or wait:
                raise Throttled(float(wait) if wait.isdigit() else None)
            raise Unreachable("Exchange is down for maintenance or overloaded (503).")
        if status == 404:
            raise Unreachable("There is no EWS at the address given for Exchange (404).")
        raise Unreachable(f"The address given for Exchange answers with status {status}.")


class Sessions(BaseProtocol):  # type: ignore[misc]
    """The connections of one service account, signed in as it (NTLM signs in a connection once, not each request).

    They may serve one mailbox after the other. exchangelib's own class would share cookies between them, too.
    """

    USERAGENT = "NextcloudExchangeConnector"

    def __init__(self, account: Account) -> None:
        self._ca_file = account.ca_file
        self.envelopes: dict[str, tuple[bytes, bytes]] = {}
        super().__init__(
            Configuration(
                credentials=Credentials(account.username, account.password),
                service_endpoint=account.url,
                auth_type=account.authentication.value,
                # The lowest version that has all we use: every server since understands it, and none has to be asked.
                version=Version(EXCHANGE_2013_SP1),
                retry_policy=_Answers(),
                max_connections=account.max_connections,
            )
        )
        self.TIMEOUT = account.request_seconds

    def get_auth_type(self) -> str:
        raise AssertionError("the way to sign in is always given")

    def create_session(self) -> Any:
        session = super().create_session()
        if self._ca_file:
            session.verify = self._ca_file
        return session

    @classmethod
    def raw_session(cls, prefix: str, *_: object) -> requests.Session:
        session = _Session()
        session.headers.update({**DEFAULT_HEADERS, "User-Agent": cls.USERAGENT})
        session.mount(prefix, cls.get_adapter())
        return session


class _Session(requests.Session):
    """A session whose requests differ in bodies and cookies only: whatever else they have is prepared once.

    To take the address to pieces, to merge headers and to go through the environment for proxies and authorities for
    every request takes a third of the processor time that the request takes.
    """

    _prepared: requests.PreparedRequest | None = None
    _settings: Mapping[str, Any] = {}

    def post(self, url: Any, data: Any = None, json: Any = None, **options: Any) -> requests.Response:  # noqa: ARG002
        """Send ``data`` to the address and with the headers of the first post."""
        headers = options.pop("headers")
        if self._prepared is None:
            settings = self.merge_environment_settings(url, {}, None, None, None)
            self._settings = {name: settings[name] for name in ("proxies", "verify", "cert")}
            self._prepared = self.prepare_request(requests.Request("POST", url, headers))
        request = self._prepared.copy()
        request.prepare_cookies(self.cookies)
        request.prepare_body(data, None)
        return self.send(request, **self._settings, **options)


class _Service(EWSService):  # type: ignore[misc]
    """exchangelib's envelope and post, with our payload in and the bytes of the answer out."""

    def __init__(self, sessions: Sessions | None, mailbox: str) -> None:
        super().__init__(sessions)
        self._mailbox = mailbox
        self._cookies = RequestsCookieJar()
        self._windows_zone = ""
        self._headers = {"X-AnchorMailbox": mailbox}

    @property
    def _account_to_impersonate(self) -> Identity:
        return Identity(primary_smtp_address=_SOMEBODY)

    @property
    def _timezone(self) -> SimpleNamespace:
        # All that the envelope wants of exchangelib's own zones, whose table is older than ours.
        return SimpleNamespace(ms_id=self._windows_zone)

    def post(self, request: Markup, windows_zone: str) -> tuple[bytes, str]:
        """The body of the answer, and its header Date. Raises SideErrors and exchangelib's errors for transport."""
        before, after = self._envelope(windows_zone)
        session = self.protocol.get_session()
        session.cookies = self._cookies
        response, session = post_ratelimited(
            protocol=self.protocol,
            session=session,
            url=self.protocol.service_endpoint,
            headers=self._headers,
            data=before + request.encode() + after,
            stream=True,
        )
        try:
            with closing(response):
                content = _read(response)
        except requests.RequestException:
            self.protocol.retire_session(session)
            raise _ConnectionLost("The connection to Exchange broke in the middle of an answer.") from None
        except SideError:
            self.protocol.retire_session(session)
            raise
        self.protocol.release_session(session)
        return content, response.headers.get("Date", "")

    def _envelope(self, windows_zone: str) -> tuple[bytes, bytes]:
        """What stands before and after a request. But for the mailbox it is the same, so exchangelib builds it once."""
        envelopes = self.protocol.envelopes
        if windows_zone not in envelopes:
            self._windows_zone = windows_zone
            built = self.wrap(content=create_element(f"m:{_GAP}"), api_version=self._version_hint.api_version)
            before, _, after = built.partition(f"<m:{_GAP}/>".encode())
            envelopes[windows_zone] = before, after
        before, after = envelopes[windows_zone]
        somebody, mailbox = (t("PrimarySmtpAddress", each).encode() for each in (_SOMEBODY, self._mailbox))
        return before.replace(somebody, mailbox), after


def _read(response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(_CHUNK_BYTES):
        size += len(part)
        if size > ANSWER_BYTES:
            raise Unreachable("Exchange sent an answer of more than 256 MiB.")
        parts.append(part)
    return b"".join(parts)
