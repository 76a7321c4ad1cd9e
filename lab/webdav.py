"""A person's calendar or contacts app on a Nextcloud: list, read, write and delete objects with plain HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

import httpx
from lxml import etree

NAMESPACES = {"d": "DAV:", "cal": "urn:ietf:params:xml:ns:caldav", "card": "urn:ietf:params:xml:ns:carddav"}
DEFAULT_CALENDAR, DEFAULT_BOOK = "personal", "contacts"


class NotWritten(RuntimeError):
    """The server refused a write; carries its status and its words."""


@dataclass(frozen=True)
class Resource:
    """One object: its path, ETag and text."""

    path: str
    etag: str
    text: str


class WebDav:
    """One account's default calendar and address book. Raises httpx errors when the server can't be reached."""

    def __init__(self, url: str, login: str, password: str, uid: str) -> None:
        self._http = httpx.Client(
            base_url=url, auth=(login, password), headers={"Accept-Encoding": "identity"}, timeout=60
        )
        account = quote(uid)
        self.calendar = f"/remote.php/dav/calendars/{account}/{DEFAULT_CALENDAR}/"
        self.book = f"/remote.php/dav/addressbooks/users/{account}/{DEFAULT_BOOK}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def read(self, collection: str) -> list[Resource]:
        """All objects of the calendar or of the address book."""
        listing = self._xml(
            "PROPFIND", collection, '<d:propfind xmlns:d="DAV:"><d:prop><d:getetag/></d:prop></d:propfind>'
        )
        hrefs = [
            entry.findtext("d:href", "", NAMESPACES)
            for entry in listing.findall("d:response", NAMESPACES)
            if not entry.findtext("d:href", "", NAMESPACES).endswith("/")
        ]
        if not hrefs:
            return []
        kind, data = (
            ("cal:calendar-multiget", "cal:calendar-data")
            if collection == self.calendar
            else ("card:addressbook-multiget", "card:address-data")
        )
        declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
        wanted = "".join(f"<d:href>{href}</d:href>" for href in hrefs)
        report = f"<{kind} {declared}><d:prop><d:getetag/><{data}/></d:prop>{wanted}</{kind}>"
        answer = self._xml("REPORT", collection, report)
        return [
            Resource(
                unquote(entry.findtext("d:href", "", NAMESPACES)),
                entry.findtext("d:propstat/d:prop/d:getetag", "", NAMESPACES),
                entry.findtext(f"d:propstat/d:prop/{data}", "", NAMESPACES),
            )
            for entry in answer.findall("d:response", NAMESPACES)
        ]

    def create(self, collection: str, uid: str, text: str) -> None:
        """Put a new object; raises NotWritten."""
        ending = "ics" if collection == self.calendar else "vcf"
        self._write(f"{collection}{quote(uid)}.{ending}", text, {"If-None-Match": "*"})

    def replace(self, resource: Resource, text: str) -> None:
        """Put another text in an object's place, if nobody else did meanwhile; raises NotWritten."""
        self._write(quote(resource.path), text, {"If-Match": resource.etag})

    def delete(self, resource: Resource) -> None:
        """Delete an object; raises NotWritten."""
        answer = self._http.delete(quote(resource.path), headers={"If-Match": resource.etag})
        _check(answer)

    def _write(self, path: str, text: str, headers: dict[str, str]) -> None:
        kind = "text/vcard" if path.endswith(".vcf") else "text/calendar"
        headers = {"Content-Type": f"{kind}; charset=utf-8", **headers}
        _check(self._http.put(path, content=text.encode(), headers=headers))

    def _xml(self, method: str, path: str, body: str) -> etree._Element:
        headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
        answer = self._http.request(method, path, content=body.encode(), headers=headers)
        answer.raise_for_status()
        return etree.fromstring(answer.content, etree.XMLParser(resolve_entities=False, no_network=True))


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        raise NotWritten(f"{answer.request.method} was refused: {answer.status_code} {answer.text[:300]}")
