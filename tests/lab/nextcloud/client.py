"""A plain DAV client for the tests, and texts to put."""

from __future__ import annotations

from typing import Self
from urllib.parse import unquote

import httpx
from lxml import etree

NAMESPACES = {
    "d": "DAV:",
    "c": "urn:ietf:params:xml:ns:caldav",
    "card": "urn:ietf:params:xml:ns:carddav",
    "cs": "http://calendarserver.org/ns/",
    "nc": "http://nextcloud.com/ns",
    "s": "http://sabredav.org/ns",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


def event(uid: str, *lines: str, title: str = "Meeting", start: str = "20270110T090000Z") -> str:
    """A calendar object with one event."""
    content = [f"UID:{uid}", "DTSTAMP:20261101T000000Z", f"DTSTART:{start}", f"SUMMARY:{title}", *lines]
    body = ["BEGIN:VEVENT", *content, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//EN", *body, "END:VCALENDAR", ""])


def card(uid: str, *lines: str, name: str = "Ben Ode", version: str = "3.0") -> str:
    """A contact."""
    return "\r\n".join(
        ["BEGIN:VCARD", f"VERSION:{version}", f"UID:{uid}", f"FN:{name}", "N:Ode;Ben;;;", *lines, "END:VCARD", ""]
    )


class Dav:
    """One account's view of the server; paths are below its calendar home (``calendar``) or address books."""

    def __init__(self, url: str, login: str, password: str, uid: str) -> None:
        self.http = httpx.Client(base_url=url, auth=(login, password), headers={"Accept-Encoding": "identity"})
        self.uid = uid
        self.calendars = f"/remote.php/dav/calendars/{uid}"
        self.books = f"/remote.php/dav/addressbooks/users/{uid}"
        self.calendar = f"{self.calendars}/personal"
        self.book = f"{self.books}/contacts"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def put(self, path: str, text: str | bytes, **headers: str) -> httpx.Response:
        """PUT; header names are given with underscores."""
        kind = "text/vcard" if path.endswith(".vcf") else "text/calendar"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = text.encode() if isinstance(text, str) else text
        return self.http.put(path, content=content, headers={"Content-Type": kind, **named})

    def delete(self, path: str, **headers: str) -> httpx.Response:
        """DELETE."""
        return self.http.delete(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def move(self, path: str, destination: str) -> httpx.Response:
        """MOVE."""
        return self.http.request("MOVE", path, headers={"Destination": str(self.http.base_url.join(destination))})

    def xml(self, method: str, path: str, body: str, **headers: str) -> httpx.Response:
        """A request with an XML body in which the usual prefixes are declared on the outermost element."""
        opening, rest = body.split(">", 1) if "/>" not in body.split(">", 1)[0] + ">" else (body[:-2], "/>")
        text = f"{opening} {_DECLARED}{'>' if rest != '/>' else ''}{rest}"
        named = {"Content-Type": "application/xml", **{n.replace("_", "-"): v for n, v in headers.items()}}
        return self.http.request(method, path, content=text.encode(), headers=named)

    def propfind(self, path: str, *names: str, depth: str = "0") -> Answer:
        """PROPFIND for the named properties."""
        wanted = "".join(f"<{name}/>" for name in names)
        return Answer(self.xml("PROPFIND", path, f"<d:propfind><d:prop>{wanted}</d:prop></d:propfind>", Depth=depth))

    def sync(self, path: str, token: str = "", limit: int | None = None) -> Answer:
        """REPORT sync-collection for ETags."""
        bound = f"<d:limit><d:nresults>{limit}</d:nresults></d:limit>" if limit else ""
        return Answer(
            self.xml(
                "REPORT",
                path,
                f"<d:sync-collection><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>"
                f"{bound}<d:prop><d:getetag/></d:prop></d:sync-collection>",
            )
        )

    def multiget(self, path: str, *hrefs: str) -> Answer:
        """REPORT calendar-multiget or addressbook-multiget with data."""
        listed = "".join(f"<d:href>{href}</d:href>" for href in hrefs)
        kind, data = (
            ("card:addressbook", "card:address-data") if "/addressbooks/" in path else ("c:calendar", "c:calendar-data")
        )
        body = f"<{kind}-multiget><d:prop><d:getetag/><{data}/></d:prop>{listed}</{kind}-multiget>"
        return Answer(self.xml("REPORT", path, body))

    def query(self, path: str, inner: str) -> Answer:
        """REPORT calendar-query with what stands inside the filter on VCALENDAR."""
        return Answer(
            self.xml(
                "REPORT",
                path,
                "<c:calendar-query><d:prop><d:getetag/><c:calendar-data/></d:prop>"
                f'<c:filter><c:comp-filter name="VCALENDAR">{inner}</c:comp-filter></c:filter></c:calendar-query>',
                Depth="1",
            )
        )


class Answer:
    """A multistatus answer."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.root = etree.fromstring(response.content) if response.content else etree.Element("none")

    @property
    def names(self) -> list[str]:
        """The last segments of the hrefs that came with properties."""
        return [_name(entry) for entry in self._entries() if entry.find("d:propstat", NAMESPACES) is not None]

    @property
    def statuses(self) -> dict[str, int]:
        """The hrefs that came with a status, by their last segment."""
        found = {}
        for entry in self._entries():
            status = entry.findtext("d:status", namespaces=NAMESPACES)
            if status:
                found[_name(entry)] = int(status.split()[1])
        return found

    @property
    def token(self) -> str:
        """The sync token."""
        return self.root.findtext("d:sync-token", "", NAMESPACES)

    def texts(self, name: str) -> dict[str, str]:
        """A property's text, by the last segment of the href, where the resource has it."""
        return {
            _name(entry): found.text or ""
            for entry in self._entries()
            for propstat in entry.findall("d:propstat", NAMESPACES)
            if (propstat.findtext("d:status", "", NAMESPACES)).split()[1] == "200"
            and (found := propstat.find(f"d:prop/{name}", NAMESPACES)) is not None
        }

    def xpath(self, path: str) -> list[etree._Element]:
        """Elements of the answer."""
        return self.root.findall(path, NAMESPACES)

    def _entries(self) -> list[etree._Element]:
        return self.root.findall("d:response", NAMESPACES)


def _name(entry: etree._Element) -> str:
    return unquote(entry.findtext("d:href", "", NAMESPACES)).rstrip("/").rpartition("/")[2]
