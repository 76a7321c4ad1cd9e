"""Requests through exchangelib, which signs in a connection (NTLM, Kerberos) and knows the way through a proxy.

What it does not do here is wait (FailFast: resting times are ours), guess versions, build objects, or log content.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import requests
from exchangelib import BASIC, NTLM, Credentials
from exchangelib.configuration import Configuration
from exchangelib.errors import ErrorTimeoutExpired, EWSError, TransportError
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.transport import NOAUTH
from exchangelib.util import post_ratelimited
from exchangelib.version import EXCHANGE_2013_SP1, Version
from requests.cookies import RequestsCookieJar

from syncapp.exchange.ews.kerberos import Kerberos
from syncapp.exchange.ews.posting import (
    USER_AGENT,
    Account,
    Authentication,
    ConnectionLost,
    Posted,
    raise_for_status,
)
from syncapp.exchange.tls import PinnedAdapter
from syncapp.http import MAX_ANSWER
from syncapp.side import SideError, Unreachable, Untrusted

# Nothing that exchangelib logs may leave it: at ERROR it writes out whole requests and answers, texts of people
# included (docs/server-behaviour.md, "The stack").
_exchangelib_log = logging.getLogger("exchangelib")
_exchangelib_log.addHandler(logging.NullHandler())
_exchangelib_log.propagate = False

_CHUNK_BYTES = 64 * 1024
_NAMES = {Authentication.BASIC: BASIC, Authentication.NTLM: NTLM}
"""What exchangelib calls the ways to sign in that it has. Our tokens and tickets are no affair of its own."""


class _Answers(FailFast):  # type: ignore[misc]  # exchangelib has no types
    """exchangelib forgets Retry-After and takes a closed connection for throttling."""

    def raise_response_errors(self, response: requests.Response) -> None:
        """See ``raise_for_status``. Other bodies are not read yet."""
        content = response.content if response.status_code == 500 else b""
        raise_for_status(response.status_code, content, response.headers)


class Signed(BaseProtocol):  # type: ignore[misc]
    """See ``Sessions``. exchangelib's own class would share cookies between mailboxes, too."""

    USERAGENT = USER_AGENT

    def __init__(self, account: Account) -> None:
        self._ca_file = account.ca_file
        self._fingerprint = account.fingerprint
        self._kerberos: Kerberos | None = None
        if account.authentication is Authentication.KERBEROS:
            self._kerberos = Kerberos(account.username, account.password, bound=account.url.startswith("https:"))
        by_name = account.authentication in _NAMES
        super().__init__(
            Configuration(
                credentials=Credentials(account.username, account.password) if by_name else None,
                service_endpoint=account.url,
                auth_type=_NAMES.get(account.authentication, NOAUTH),
                # The lowest version that has all we use: every server since understands it, and none has to be asked.
                version=Version(EXCHANGE_2013_SP1),
                retry_policy=_Answers(),
                max_connections=1,
            )
        )
        self.TIMEOUT = account.step_seconds

    def get_auth_type(self) -> str:
        """Never asked for."""
        raise AssertionError("the way to sign in is always given")

    def create_session(self) -> Any:
        """A session as exchangelib makes it."""
        session = super().create_session()
        # What the environment says of proxies and authorities is looked up once, not for each request.
        found = session.merge_environment_settings(self.service_endpoint, {}, None, self._ca_file, None)
        session.proxies, session.verify = found["proxies"], found["verify"]
        session.trust_env = False
        if self._kerberos is not None:
            session.auth = self._kerberos
        if self._fingerprint:
            session.verify = False
            # exchangelib's own adapter is mounted at the endpoint; no prefix may be left to another one.
            for prefix in list(session.adapters):
                session.mount(prefix, PinnedAdapter(self._fingerprint))
        return session

    def visit(self, mailbox: str) -> _Visit:
        """See ``Sessions``."""
        return _Visit(self, mailbox)


class _Visit:
    def __init__(self, signed: Signed, mailbox: str) -> None:
        self._signed = signed
        self._headers = {"X-AnchorMailbox": mailbox}
        self._cookies = RequestsCookieJar()

    def post(self, data: bytes, authorization: str = "") -> Posted:
        """See ``Visit``."""
        try:
            return self._post(
                data, {**self._headers, "Authorization": authorization} if authorization else self._headers
            )
        except SideError:
            raise
        except ErrorTimeoutExpired as problem:
            # exchangelib's word for every failure of the connection; the message names the cause's class.
            timed_out = "Timeout(" in str(problem)
            raise (Unreachable if timed_out else ConnectionLost)(
                "The Exchange server did not answer in time." if timed_out else "The connection to Exchange broke."
            ) from None
        except TransportError as problem:
            # Only TLS failures reach here: our answers' policy has taken every HTTP status.
            raise _tls_failure(str(problem)) from None
        except (EWSError, requests.RequestException) as problem:
            raise Unreachable(f"Exchange could not be asked ({type(problem).__name__}).") from None

    def _post(self, data: bytes, headers: Mapping[str, str]) -> Posted:
        signed = self._signed
        session = signed.get_session()
        session.cookies = self._cookies
        response, session = post_ratelimited(
            protocol=signed,
            session=session,
            url=signed.service_endpoint,
            headers=headers,
            data=data,
            stream=True,
        )
        try:
            with closing(response):
                content = _read(response)
        except requests.RequestException:
            signed.retire_session(session)
            raise ConnectionLost("The connection to Exchange broke in the middle of an answer.") from None
        except SideError:
            signed.retire_session(session)
            raise
        signed.release_session(session)
        return Posted(content, response.headers.get("Date", ""))


def _tls_failure(problem: str) -> Unreachable:
    if "Fingerprints did not match" in problem:
        return Untrusted("No secure connection to Exchange: its certificate is not the pinned one.")
    if "CERTIFICATE_VERIFY_FAILED" in problem:
        return Untrusted("No secure connection to Exchange: its certificate is not trusted.")
    return Unreachable("No secure connection to Exchange: TLS failed.")


def _read(response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(_CHUNK_BYTES):
        size += len(part)
        if size > MAX_ANSWER:
            raise Unreachable("Exchange sent an answer of more than 256 MiB.")
        parts.append(part)
    return b"".join(parts)
