"""HTTP/1.1 with one server: kept connections and cookies, time limits, bounded answers.

There is no client library in between because of what it costs, and a first sync is made of PUTs: httpx takes 0.5 ms of
processor time for one, urllib3 0.2 ms, this a twentieth of one (docs/performance.md). A request is a few lines of text;
answers, which are the hard part, are read by llhttp, the parser of Node.js.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from typing import Protocol
from urllib.parse import urlsplit

import certifi
from httptools import HttpParserError, HttpResponseParser

MAX_ANSWER = 256 * 1024 * 1024

_MAX_HEAD = 64 * 1024
_PART = 64 * 1024
_FIRST_FINAL_STATUS = 200
_WITH_LENGTH = frozenset({"PUT", "POST"})
"""Methods whose requests say that they have no body (RFC 9110 section 8.6)."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Limits:
    """How many seconds things may take.

    ``step`` is for connecting, and for each wait while a request is sent or an answer read; ``request`` for all of it,
    however slowly an answer drips in. A connection that was ``idle`` for so long is not used again: Apache closes one
    after five seconds, and we want to be the first.
    """

    step: float = 30.0
    request: float = 190.0
    idle: float = 4.0


class HttpError(Exception):
    """An exchange that did not come to an answer. ``str()`` says why and holds nothing of what was sent."""


class NotConnected(HttpError):
    """There is no connection; nothing was sent."""


class TooSlow(HttpError):
    """The server let us wait for too long. Anything may have been done."""


class Broken(HttpError):
    """The connection broke, or what came is no HTTP. Anything may have been done."""


class TooLarge(HttpError):
    """The answer has more than MAX_ANSWER bytes."""


@dataclass(frozen=True)
class Reply:
    """What came back. The names of headers are in small letters; of several with one name the last is kept."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Transport(Protocol):
    """How requests get to a server and answers back; ``Connections`` is the real one."""

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request (any but HEAD) and its answer, whichever status it has. Raises HttpError."""

    def close(self) -> None:
        """Let go of connections."""


@cache
def _usual_authorities() -> ssl.SSLContext:
    """One for all connections: reading the list of authorities takes longer than a look at a person's calendars."""
    return ssl.create_default_context(cafile=certifi.where())


class Connections:
    """Connections to the server that a URL names, for one user; several threads may have an exchange at a time.

    ``authorities`` says whom to trust under https, if not those whom browsers trust. Every cookie is taken to be for
    the whole server.
    """

    def __init__(self, url: str, authorities: ssl.SSLContext | None = None, limits: Limits = Limits()) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc.rpartition("@")[2]
        self._name = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._authorities = (authorities or _usual_authorities()) if parts.scheme == "https" else None
        self._limits = limits
        self._idle: list[_Connection] = []
        self._cookies: Mapping[str, str] = {}
        self._borrowed = False

    def borrow(self) -> Connections:
        """The same connections for another user, whose cookies are others; closing it ends none of them.

        A connection belongs to nobody: it is kept only when an answer was read to its end, and each request says who
        asks.
        """
        other = copy(self)
        other._cookies, other._borrowed = {}, True
        return other

    def close(self) -> None:
        """Let go of the connections; whoever asks again makes new ones."""
        while self._idle and not self._borrowed:
            self._idle.pop().close()

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request and its answer; nothing is repeated and no redirect followed. Raises HttpError."""
        request = self._request(method, path, headers, body)
        deadline = time.monotonic() + self._limits.request
        connection = self._kept() or self._connected(deadline)
        keep = False
        try:
            all_sent = connection.send(request, deadline)
            answer = connection.answer()
            reply = Reply(answer.status, _unpacked(answer), answer.headers)
            keep = all_sent and answer.may_go_on
        except TimeoutError as error:
            raise TooSlow("no answer in time") from error
        except (OSError, HttpParserError, zlib.error) as error:
            raise Broken(type(error).__name__) from error
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.close()
        if answer.cookies:
            self._remember(answer.cookies)
        return reply

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        if cookies := self._cookies:
            lines.append("Cookie: " + "; ".join([f"{name}={text}" for name, text in cookies.items()]))
        if body or method in _WITH_LENGTH:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines)
        # An ETag or a cookie of a hostile server must not become a line of its own.
        if not head.count("\r") == head.count("\n") == len(lines) - 1:
            raise Broken("a line break in a header")
        return b"".join((head.encode(), b"\r\n\r\n", body))

    def _kept(self) -> _Connection | None:
        # Other threads take from the list, too.
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if connection.usable():
                    return connection
                connection.close()
        return None

    def _connected(self, deadline: float) -> _Connection:
        try:
            sock = socket.create_connection((self._name, self._port), self._limits.step)
        except (OSError, UnicodeError) as error:
            raise NotConnected(type(error).__name__) from error
        try:
            # Without it the end of a long body waits for an acknowledgement of its beginning.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._authorities is not None:
                sock.settimeout(min(self._limits.step, deadline - time.monotonic()))
                sock = self._authorities.wrap_socket(sock, server_hostname=self._name)
        except (OSError, UnicodeError) as error:
            sock.close()
            raise NotConnected(type(error).__name__) from error
        return _Connection(sock, self._limits)

    def _remember(self, lines: Iterable[str]) -> None:
        """Take in cookies (RFC 6265 section 5.2), or forget those that have expired."""
        # Replaced, never changed: another thread may be reading.
        cookies = dict(self._cookies)
        for each in lines:
            pair, *rest = each.split(";")
            name, equals, text = (part.strip() for part in pair.partition("="))
            attributes = {
                key.strip().lower(): given.strip() for key, _, given in (part.partition("=") for part in rest)
            }
            if _expired(attributes) or ("secure" in attributes and self._authorities is None):
                cookies.pop(name, None)
            elif name and equals:
                cookies[name] = text
        self._cookies = cookies


def _expired(attributes: Mapping[str, str]) -> bool:
    if age := attributes.get("max-age", ""):
        return age.startswith("-") or age == "0"
    date = parsedate_tz(attributes.get("expires", ""))
    return date is not None and mktime_tz(date) < time.time()


@dataclass
class _Answer:
    """One answer as far as it is known. ``may_go_on``: the connection can be used for another request afterwards."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    may_go_on: bool = False

    @property
    def ends_with_connection(self) -> bool:
        """Whether its head is known, and does not say how long the body is (RFC 9112 section 6.3)."""
        return bool(self.status) and not {"content-length", "transfer-encoding"} & self.headers.keys()


class _Answers:
    """What one server says on one connection: what llhttp calls while it is fed."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.now = _Answer()
        self.final: _Answer | None = None

    def expect(self) -> None:
        """A request was sent."""
        self.now, self.final = _Answer(), None

    def feed(self, data: bytes) -> None:
        """More has come in. Raises HttpParserError for what is no HTTP."""
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            if self.final is None:
                raise
            self.final.may_go_on = False

    def on_message_begin(self) -> None:
        """Called when an answer begins; one that nobody asked for spoils the connection."""
        if self.final is not None:
            self.final.may_go_on = False

    def on_header(self, name: bytes, text: bytes) -> None:
        """Called for each header."""
        key, value = name.decode("latin-1").lower(), text.decode("latin-1")
        self.now.headers[key] = value
        if key == "set-cookie":
            self.now.cookies.append(value)

    def on_headers_complete(self) -> None:
        """Called when the body begins."""
        self.now.status = self._parser.get_status_code()

    def on_body(self, part: bytes) -> None:
        """Called for each part of the body."""
        self.now.body.append(part)

    def on_message_complete(self) -> None:
        """Called at the end. Some answers only say that another will come (RFC 9110 section 15.2)."""
        if self.final is None and self.now.status >= _FIRST_FINAL_STATUS:
            self.final = self.now
            self.final.may_go_on = self._parser.should_keep_alive()
        self.now = _Answer()


class _Connection:
    """One connection; every wait is limited."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self._answers = _Answers()
        self._deadline = 0.0
        self._idle_since = 0.0

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def __del__(self) -> None:
        # Kept ones end with whoever kept them.
        self.close()

    def usable(self) -> bool:
        """Whether it was not idle for too long, and the server has not ended it or said something unasked."""
        if time.monotonic() - self._idle_since > self._limits.idle:
            return False
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(self._limits.step, left))

    def send(self, request: bytes, deadline: float) -> bool:
        """Send a request, and say whether all of it went; all of the exchange must be over at the deadline."""
        self._deadline = deadline
        rest = memoryview(request)
        # A server may refuse a long request and stop reading; what it says is still to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while rest:
                self._limit()
                rest = rest[self._sock.send(rest) :]
        return not rest

    def answer(self) -> _Answer:
        """The answer to what was sent. Raises Broken, TooLarge, HttpParserError and OSError."""
        answers, size = self._answers, 0
        answers.expect()
        while answers.final is None:
            self._limit()
            data = self._sock.recv(_PART)
            if not data:
                if answers.now.ends_with_connection:
                    return answers.now
                raise Broken("the connection ended before the answer did")
            size += len(data)
            if size > _MAX_HEAD and not answers.now.status:
                raise Broken("headers without an end")
            answers.feed(data)
            if size > MAX_ANSWER:
                raise TooLarge(f"more than {MAX_ANSWER} bytes")
        self._idle_since = time.monotonic()
        return answers.final


def _unpacked(answer: _Answer) -> bytes:
    """The body of an answer. Raises TooLarge and zlib.error."""
    body = b"".join(answer.body)
    if answer.headers.get("content-encoding", "").lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    # Not asked for; some proxy knows better.
    unpacked = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_ANSWER + 1)
    if len(unpacked) > MAX_ANSWER:
        raise TooLarge(f"more than {MAX_ANSWER} bytes")
    return unpacked
