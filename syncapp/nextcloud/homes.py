"""Where a person's collections are, and which of them hold a person's own data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from syncapp.items import Kind
from syncapp.nextcloud import requests
from syncapp.nextcloud.codecs import Codec
from syncapp.nextcloud.dav import CALDAV, CALENDARSERVER, DAV, NEXTCLOUD, Answer, DavClient, Multistatus, Resource
from syncapp.side import Folder, NoMailbox, NotAllowed, SideError, Unreachable

NEXTCLOUD_ROOT = "/remote.php/dav/"
REMEMBERED_SECONDS = 3600.0
MAX_REMEMBERED = 20_000
_GENERATED_NAMES = ("contact_birthdays", "app-generated--", "z-")
"""How names of collections begin that Nextcloud fills by itself (docs/server-behaviour.md#section-3)."""
_WRITING = frozenset({"all", "write", "write-content", "bind"})


@dataclass(frozen=True)
class Collection:
    """A calendar or an address book as its home lists it. ``token`` is None when the server has none."""

    folder: Folder
    token: str | None


@dataclass(frozen=True)
class Home:
    """The principal of a person, and the paths of the homes of one kind."""

    principal: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class _Discovered:
    """What a server said about a person's places, and when (on this process's clock)."""

    principal: Resource
    at: float


_discovered: dict[tuple[str, str, str], _Discovered] = {}
"""By server, login and root: a run that finds nothing to do must not cost more than the one look at the home."""


def find_home(client: DavClient, codec: Codec, root: str, login: str) -> Home:
    """The homes of the person with this login; ``root`` is any DAV path of the server, "" for well-known.

    What was found is remembered for an hour. Raises NoMailbox when the person has no home for this kind.
    """
    key = (client.origin, login, root or codec.well_known)
    known = _discovered.get(key)
    if known is None or time.monotonic() - known.at > REMEMBERED_SECONDS:
        principal = _one_href(client, root or codec.well_known, requests.PRINCIPAL, f"{{{DAV}}}current-user-principal")
        known = _Discovered(_single(client, principal, requests.HOMES), time.monotonic())
        if len(_discovered) >= MAX_REMEMBERED:
            _discovered.clear()
        _discovered[key] = known
    homes = tuple(_as_folder(each) for each in known.principal.hrefs(codec.home))
    if not homes:
        raise NoMailbox(f"The account has no home for {codec.kind}s on this server.")
    return Home(known.principal.path, homes)


def forget_homes(client: DavClient, login: str) -> None:
    """Look for a person's places anew next time."""
    for key in [key for key in _discovered if key[:2] == (client.origin, login)]:
        _discovered.pop(key, None)


def _one_href(client: DavClient, path: str, body: str, name: str) -> str:
    hrefs = _single(client, path, body).hrefs(name)
    if not hrefs:
        raise NoMailbox("The server does not say which account belongs to the login.")
    return hrefs[0]


def _single(client: DavClient, path: str, body: str) -> Resource:
    answer = client.multistatus("PROPFIND", path, body)
    if isinstance(answer, Answer):
        raise not_dav(answer)
    if not answer.resources:
        raise Unreachable("The server's answer is empty.")
    return answer.resources[0]


def not_dav(answer: Answer) -> SideError:
    """The error for an answer that is none that a DAV server in order gives."""
    if answer.status in (404, 410):
        return NoMailbox("There is no such account or address on the server (404).")
    if answer.status == 403:
        return NotAllowed("The account may not use calendars and address books here (403).")
    return Unreachable(f"The server's answer is not that of a calendar server (status {answer.status}).")


def _as_folder(path: str) -> str:
    return path if path.endswith("/") else path + "/"


@dataclass(frozen=True)
class Listing:
    """Everything that the homes of one kind hold."""

    collections: tuple[Collection, ...]
    bin: str = ""
    """The path of the trash bin's objects, "" where there is no bin."""


def list_collections(
    client: DavClient, codec: Codec, home: Home, default: str, body: str = requests.COLLECTIONS
) -> Listing:
    """The collections of one kind, each with its token, by one request per home.

    ``default`` is the last part of the default collection's path; none is the default where no path ends so. A
    ``body`` that asks for less lists collections of which nothing else is known, those of other kinds among them.
    """
    found: list[Collection] = []
    bin_path = ""
    for path in home.paths:
        answer = client.multistatus("PROPFIND", path, body, depth=1)
        if isinstance(answer, Answer):
            raise not_dav(answer)
        for each in answer.resources:
            if f"{{{NEXTCLOUD}}}trash-bin" in _types(each):
                bin_path = _as_folder(each.path) + "objects/"
        found.extend(_collections(answer, codec, home, default))
    return Listing(tuple(found), bin_path)


def _collections(answer: Multistatus, codec: Codec, home: Home, default: str) -> Iterator[Collection]:
    for each in answer.resources:
        types = _types(each)
        name = unquote(each.path.rstrip("/").rpartition("/")[2])
        if (
            codec.collection not in types
            or f"{{{NEXTCLOUD}}}deleted-calendar" in types
            or f"{{{CALENDARSERVER}}}subscribed" in types
            or name.startswith(_GENERATED_NAMES)
            or not _holds_events(each, codec)
            or _of_somebody_else(each, home)
        ):
            continue
        token = each.text(f"{{{DAV}}}sync-token") or each.text(f"{{{CALENDARSERVER}}}getctag")
        folder = Folder(
            id=_as_folder(each.path),
            name=each.text(f"{{{DAV}}}displayname") or name,
            kind=codec.kind,
            writable=_writable(each),
            default=name == default,
        )
        yield Collection(folder, token or None)


def _types(resource: Resource) -> frozenset[str]:
    found = resource.properties.get(f"{{{DAV}}}resourcetype")
    return frozenset() if found is None else frozenset(str(each.tag) for each in found)


def _holds_events(resource: Resource, codec: Codec) -> bool:
    """Whether a calendar takes events; a list of tasks does not. One that does not say takes everything."""
    components = resource.properties.get(f"{{{CALDAV}}}supported-calendar-component-set")
    if codec.kind is not Kind.EVENT or components is None or not len(components):
        return True
    return any((each.get("name") or "").upper() == "VEVENT" for each in components)


def _of_somebody_else(resource: Resource, home: Home) -> bool:
    """Whether the collection is one that somebody else shares: it belongs to that person's enrollment."""
    owners = resource.hrefs(f"{{{DAV}}}owner")
    return bool(owners) and owners[0].rstrip("/") != home.principal.rstrip("/")


def _writable(resource: Resource) -> bool:
    """Whether the person may write there; a server that does not say will say so when it is tried."""
    privileges = resource.properties.get(f"{{{DAV}}}current-user-privilege-set")
    if privileges is None:
        return True
    return any(str(each.tag).rpartition("}")[2] in _WRITING for each in privileges.iter() if isinstance(each.tag, str))
