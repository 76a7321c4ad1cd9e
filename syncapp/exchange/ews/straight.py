"""Requests straight to Exchange: with Basic authentication, or a token, each says by itself who asks.

exchangelib, requests and urllib3 take four times as much processor time for one (docs/performance.md).
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from syncapp.exchange import tls
from syncapp.exchange.ews.posting import (
    USER_AGENT,
    Account,
    Authentication,
    ConnectionLost,
    Posted,
    raise_for_status,
)
from syncapp.http import Connections, HttpError, Limits, NotConnected, TooLarge, TooSlow
from syncapp.side import Unreachable, Untrusted

_IDLE_SECONDS = 60.0
"""IIS ends a connection that was idle for two minutes."""


class Straight:
    """See ``Sessions``. ``authorities`` is a file or a directory of authorities to trust, "" for the usual ones."""

    def __init__(self, account: Account, authorities: str = "") -> None:
        limits = Limits(step=account.step_seconds, request=account.request_seconds, idle=_IDLE_SECONDS)
        self._connections = Connections(account.url, tls.context(authorities, account.fingerprint), limits)
        parts = urlsplit(account.url)
        self._path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "text/xml; charset=utf-8",
        }
        if account.authentication is Authentication.BASIC:
            self._headers["Authorization"] = _basic(account.username, account.password)

    def visit(self, mailbox: str) -> _Visit:
        """See ``Sessions``."""
        return _Visit(self._connections.borrow(), self._path, {**self._headers, "X-AnchorMailbox": mailbox})

    def close(self) -> None:
        """See ``Sessions``."""
        self._connections.close()


def _basic(username: str, password: str) -> str:
    login = f"{username}:{password}"
    try:
        encoded = login.encode("latin-1")
    except UnicodeEncodeError:
        encoded = login.encode()
    return f"Basic {base64.b64encode(encoded).decode('ascii')}"


class _Visit:
    def __init__(self, connections: Connections, path: str, headers: Mapping[str, str]) -> None:
        self._connections = connections
        self._path = path
        self._headers = headers

    def post(self, data: bytes, authorization: str = "") -> Posted:
        """See ``Visit``."""
        headers = {**self._headers, "Authorization": authorization} if authorization else self._headers
        try:
            reply = self._connections.exchange("POST", self._path, headers, data)
        except HttpError as error:
            raise _failure(error) from None
        raise_for_status(reply.status, reply.body, reply.headers)
        return Posted(reply.body, reply.headers.get("date", ""))


def _failure(error: HttpError) -> Unreachable:
    cause = error.__cause__
    if isinstance(cause, tls.OtherCertificate):
        return Untrusted("No secure connection to Exchange: its certificate is not the pinned one.")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Untrusted("No secure connection to Exchange: its certificate is not trusted.")
    if isinstance(cause, ssl.SSLError):
        return Unreachable("No secure connection to Exchange: TLS failed.")
    if isinstance(error, NotConnected):
        return Unreachable(f"Exchange can't be reached ({error}).")
    if isinstance(error, TooSlow):
        return Unreachable("The Exchange server did not answer in time.")
    if isinstance(error, TooLarge):
        return Unreachable("Exchange sent an answer of more than 256 MiB.")
    return ConnectionLost("The connection to Exchange broke.")
