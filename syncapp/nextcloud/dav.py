"""One small DAV client: PROPFIND, REPORT, GET, PUT, DELETE and MOVE on one server, for one user.

Cookies and connections are kept (docs/server-behaviour.md#section-3 has what that saves). Every write carries both
headers that keep Nextcloud from sending mail. An answer that is no answer is raised as an error named after the
situation; statuses that a caller knows better what to do with come back as ``Answer``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urljoin, urlsplit

from lxml import etree

from syncapp.http import (
    Broken,
    Connections,
    HttpError,
    NotConnected,
    TooLarge,
    TooSlow,
    Transport,
)
from syncapp.nextcloud.content_lines import remembered
from syncapp.side import LoginFailed, NotAllowed, SideError, Throttled, Unreachable

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CARDDAV = "urn:ietf:params:xml:ns:carddav"
CALENDARSERVER = "http://calendarserver.org/ns/"
NEXTCLOUD = "http://nextcloud.com/ns"
NAMESPACES = {"d": DAV, "c": CALDAV, "card": CARDDAV, "cs": CALENDARSERVER, "nc": NEXTCLOUD}

SILENT = {"x-nc-scheduling": "false", "Schedule-Reply": "F"}
"""Without both, Nextcloud mails invitations and cancellations (docs/server-behaviour.md#section-3)."""

MAX_REDIRECTS = 4
USER_AGENT = "Nextcloud Exchange Connector"

# What SQLite, MySQL and PostgreSQL say when writers block each other; what was to be written is rolled back.
_LOCKED = re.compile(r"database is locked|deadlock|lock wait timeout|could not serialize access", re.IGNORECASE)
_SAFE_IN_PATH = "/@:!$&'()*+,;=~"
_PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9_.~/@-]*")
"""The only spelling of a path, as nearly all are."""
_RESPONSE, _HREF, _STATUS, _PROPSTAT, _PROP = (
    f"{{{DAV}}}{name}" for name in ("response", "href", "status", "propstat", "prop")
)
_PORTS = {"http": 80, "https": 443}
_WRITES = frozenset({"PUT", "POST", "DELETE", "MOVE"})
_REDIRECTS = frozenset({301, 302, 307, 308})


class AnswerTooLarge(SideError):
    """The answer has more bytes than we are ready to hold: ask for less at once."""


class NotXml(Unreachable):
    """The answer came in full and is no XML that we can read: something in it is broken, or it is no DAV server."""


@dataclass(frozen=True)
class Answer:
    """What a server said: the status, the headers that matter, and the body."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    path: str

    @property
    def etag(self) -> str:
        """The revision that the answer names, "" for none."""
        return plain_etag(self.headers.get("etag", ""))

    def proves_stored(self, data: bytes) -> bool:
        """Whether this answer to a PUT of ``data`` proves that the server stored these very bytes.

        A strong ETag should prove it by itself (RFC 4791 section 5.3.4), but Xandikos, Radicale and Cyrus give one for
        objects that they wrote anew. Nextcloud's is the MD5 of what it stored (docs/server-behaviour.md#section-3-2),
        which is beyond doubt.
        """
        named = self.headers.get("etag", "").strip()
        return not named.startswith("W/") and plain_etag(named) == hashlib.md5(data, usedforsecurity=False).hexdigest()

    @property
    def error(self) -> tuple[frozenset[str], str]:
        """Names of the preconditions that failed (RFC 4918 section 16), and what the server says in words."""
        root = read_xml(self.body) if self.body.lstrip().startswith(b"<") else None
        if root is None:
            return frozenset(), ""
        # sabre/dav says more in an element of its own.
        words = root.findtext("{http://sabredav.org/ns}message") or ""
        return frozenset(str(each.tag).rpartition("}")[2] for each in root.iter(etree.Element)), " ".join(words.split())

    @property
    def database_locked(self) -> bool:
        """Whether the server could do nothing because others were writing: 503 comes from its login, 500 from the rest
        (docs/server-behaviour.md#section-3-3)."""
        return self.status in (500, 503) and _LOCKED.search(self.error[1]) is not None


@dataclass(slots=True)
class Resource:
    """One <response> of a multistatus: a path, and the properties that were found there.

    ``status`` is 404 (or 507) when the whole resource has one, else 200.
    """

    path: str
    status: int
    properties: Mapping[str, etree._Element] = field(repr=False)

    def text(self, name: str) -> str:
        """The text of a property, "" without one."""
        found = self.properties.get(name)
        return "" if found is None else (found.text or "").strip()

    def hrefs(self, name: str) -> list[str]:
        """The paths in a property such as calendar-home-set."""
        found = self.properties.get(name)
        if found is None:
            return []
        return [path_of(each.text) for each in found.iter(f"{{{DAV}}}href") if each.text and each.text.strip()]

    @property
    def etag(self) -> str:
        """The revision of the resource."""
        return plain_etag(self.text(f"{{{DAV}}}getetag"))


@dataclass(frozen=True)
class Multistatus:
    """The answer to a PROPFIND or a REPORT."""

    resources: tuple[Resource, ...]
    token: str = ""


def plain_etag(etag: str) -> str:
    """An ETag as it is stored and compared: without quotes, and without the marks that compression leaves."""
    return etag.strip().removeprefix("W/").strip('"').removesuffix("-gzip")


def path_of(href: str) -> str:
    """The path of an href in one spelling, whichever characters a server chooses to encode."""
    if _PLAIN_PATH.fullmatch(href):
        return href
    return quote(unquote(urlsplit(href.strip()).path), safe=_SAFE_IN_PATH)


def read_xml(body: bytes) -> etree._Element | None:
    """XML from a server, which may be hostile: no entities, no network, no bombs. None when it is no XML."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return None


class DavClient:
    """A connection to one server as one user, or as nobody (""); ``request`` may be called by several threads."""

    def __init__(self, url: str, user: str, password: str, transport: Transport | None = None) -> None:
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._transport = transport or Connections(url)
        login = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            # Compression alters ETags (docs/server-behaviour.md#section-6-5).
            "Accept-Encoding": "identity",
        }
        if user:
            # With the first request already: Nextcloud's challenge would cost each one a second.
            self._headers["Authorization"] = f"Basic {login}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._transport.close()

    # Requests ----------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request; redirects are followed within the server only, and for reading only.

        Raises LoginFailed, Throttled, NotAllowed (a disabled account), Unreachable (no answer, server errors that
        have nothing to do with the object) and AnswerTooLarge.
        """
        sent = {**self._headers, **(headers or {}), **(SILENT if method in _WRITES else {})}
        for _ in range(MAX_REDIRECTS):
            answer = self._sent(method, path, body, sent)
            if answer.status not in _REDIRECTS or method in _WRITES:
                break
            path = self._redirected(path, answer.headers.get("location", ""))
        else:
            raise Unreachable("The server sends us in circles: it answers redirects with redirects.")
        _raise_for_whole_call(answer, method)
        return answer

    def _redirected(self, path: str, location: str) -> str:
        target = urljoin(self.origin + path, location)
        if _server(target) != _server(self.origin):
            raise Unreachable("The server redirects to another address; its own address must be configured instead.")
        parts = urlsplit(target)
        query = f"?{quote(parts.query, safe=_SAFE_IN_PATH + '%?')}" if parts.query else ""
        return (quote(parts.path, safe=_SAFE_IN_PATH + "%") or "/") + query

    def _sent(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One exchange; what only reads is repeated when the connection broke, which a kept one may do at any time."""
        writes = method in _WRITES
        try:
            try:
                reply = self._transport.exchange(method, path, headers, body)
            except Broken:
                if writes:
                    raise
                reply = self._transport.exchange(method, path, headers, body)
        except HttpError as error:
            raise _failure(error, writes) from error
        return Answer(reply.status, reply.body, reply.headers, path)

    def multistatus(self, method: str, path: str, body: str, depth: int = 0) -> Multistatus | Answer:
        """A PROPFIND or REPORT; the plain answer when it is no multistatus, for the caller to judge.

        Raises NotXml when the answer says that it is one and can't be read.
        """
        headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        answer = self.request(method, path, body.encode(), headers)
        if answer.status != 207:
            return answer
        root = read_xml(answer.body)
        if root is None or root.tag != f"{{{DAV}}}multistatus":
            raise NotXml("The server's answer is no XML that we can read, or it was cut off.")
        token = root.findtext(f"{{{DAV}}}sync-token") or ""
        return Multistatus(tuple(_resources(root)), token.strip())


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _failure(error: HttpError, writes: bool) -> SideError:
    """What became of a request that got no answer."""
    if isinstance(error, NotConnected):
        return Unreachable(f"Nextcloud can't be reached ({error}).")
    if isinstance(error, TooLarge):
        return AnswerTooLarge(f"The server's answer is too large ({error}).")
    if isinstance(error, TooSlow):
        return Unreachable(f"Nextcloud did not answer in time ({error}).", sent=writes)
    return Unreachable(f"The connection to Nextcloud broke ({error}).", sent=writes)


def _resources(root: etree._Element) -> Iterator[Resource]:
    for response in root.iterchildren(_RESPONSE):
        path, status = "", 200
        properties: dict[str, etree._Element] = {}
        for part in response:
            tag = part.tag
            if tag == _HREF:
                path = path or path_of(part.text or "")
            elif tag == _PROPSTAT:
                properties.update(_found(part))
            elif tag == _STATUS:
                status = _code(part.text or "")
        yield Resource(path, status, properties)


def _found(propstat: etree._Element) -> dict[str, etree._Element]:
    """The properties in a group, unless it is one of those that were not found."""
    properties: dict[str, etree._Element] = {}
    for part in propstat:
        if part.tag == _PROP:
            properties.update((str(each.tag), each) for each in part)
        elif part.tag == _STATUS and _code(part.text or "") != 200:
            return {}
    return properties


@remembered
def _code(line: str) -> int:
    match = re.match(r"HTTP/\S+ +(\d{3})", line.strip())
    return int(match.group(1)) if match else 200


def _raise_for_whole_call(answer: Answer, method: str) -> None:
    """Raise what concerns more than the one object that was asked for."""
    status = answer.status
    if status == 401:
        raise LoginFailed("Nextcloud does not accept the user's login or token.")
    if status == 429:
        # Nextcloud counts failed logins by address: everybody behind ours has to wait (section 3).
        raise Throttled(_seconds(answer), whole_server=True)
    if status == 503 and not answer.database_locked:
        if b"Account disabled" in answer.body or b"account disabled" in answer.body:
            raise NotAllowed("The user's account is disabled in Nextcloud.")
        if answer.headers.get("retry-after"):
            raise Throttled(_seconds(answer), whole_server=True)
        raise Unreachable("Nextcloud is in maintenance mode or overloaded (it answers 503).")
    if status in (502, 504):
        raise Unreachable(f"The server in front of Nextcloud gets no answer from it ({status}).", method in _WRITES)


def _seconds(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    return float(text) if re.fullmatch(r"\d{1,6}", text, re.ASCII) else None
