"""Requests straight to Exchange: with Basic authentication each says by itself who asks.

exchangelib, requests and urllib3 take four times as much processor time for one (docs/performance.md).
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from syncapp.exchange.ews.posting import USER_AGENT, Account, ConnectionLost, Posted, raise_for_status
from syncapp.http import Connections, HttpError, Limits, NotConnected, TooLarge, TooSlow
from syncapp.side import Unreachable

_IDLE_SECONDS = 60.0
"""IIS ends a connection that was idle for two minutes."""


class Straight:
    """See ``Sessions``. ``authorities`` is a file or a directory of authorities to trust, "" for the usual ones."""

    def __init__(self, account: Account, authorities: str = "") -> None:
        limits = Limits(step=account.step_seconds, request=account.request_seconds, idle=_IDLE_SECONDS)
        self._connections = Connections(account.url, _context(authorities), limits)
        parts = urlsplit(account.url)
        self._path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "text/xml; charset=utf-8",
            "Authorization": _basic(account.username, account.password),
        }

    def visit(self, mailbox: str) -> _Visit:
        """See ``Sessions``."""
        return _Visit(self._connections.borrow(), self._path, {**self._headers, "X-AnchorMailbox": mailbox})

    def close(self) -> None:
        """See ``Sessions``."""
        self._connections.close()


def _context(authorities: str) -> ssl.SSLContext | None:
    if not authorities:
        return None
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)


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

    def post(self, data: bytes) -> Posted:
        """See ``Visit``."""
        try:
            reply = self._connections.exchange("POST", self._path, self._headers, data)
        except HttpError as error:
            raise _failure(error) from None
        raise_for_status(reply.status, reply.body, reply.headers)
        return Posted(reply.body, reply.headers.get("date", ""))


def _failure(error: HttpError) -> Unreachable:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError):
        reason = "its certificate is not trusted" if isinstance(cause, ssl.SSLCertVerificationError) else "TLS failed"
        return Unreachable(f"No secure connection to Exchange: {reason}.")
    if isinstance(error, NotConnected):
        return Unreachable(f"Exchange can't be reached ({error}).")
    if isinstance(error, TooSlow):
        return Unreachable("The Exchange server did not answer in time.")
    if isinstance(error, TooLarge):
        return Unreachable("Exchange sent an answer of more than 256 MiB.")
    return ConnectionLost("The connection to Exchange broke.")
