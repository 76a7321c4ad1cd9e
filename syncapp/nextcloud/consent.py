"""The client of the consent app: who allows the sync, and with which token (docs/server-behaviour.md#section-1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from syncapp.http import Transport
from syncapp.nextcloud.accounts import Accounts
from syncapp.nextcloud.dav import Answer, DavClient
from syncapp.side import LoginFailed, NotAllowed, SideError, Unreachable

_BASE = "/index.php/apps/sendentsynchroniser/api/1.0"
_ACTIVE = 1
_LIMIT = 1000
_MAX_PAGES = 1000
_DEFAULT_CALENDAR, _DEFAULT_BOOK = "personal", "contacts"


class AppMissing(SideError):
    """Nextcloud answers, but the consent app does not: it is not installed, or not enabled."""


class ListUnreadable(SideError):
    """The list is not as it should be, or only a part of it could be read: no conclusion may be drawn from it."""


class UnknownPerson(SideError):
    """The app knows no such user."""


@dataclass(frozen=True)
class Person:
    """One person who allows the sync. ``uid`` belongs in DAV paths, ``login`` in Basic auth, ``token`` is sealed."""

    uid: str
    login: str
    token: str = field(repr=False)
    email: str = ""
    display_name: str = ""
    calendar: str = _DEFAULT_CALENDAR
    address_book: str = _DEFAULT_BOOK

    def __post_init__(self) -> None:
        """No database must be needed to say that there is a NUL in a text: PostgreSQL stores none, SQLite does."""
        for each in fields(self):
            object.__setattr__(self, each.name, getattr(self, each.name).replace("\0", "\N{REPLACEMENT CHARACTER}"))


@dataclass(frozen=True)
class Status:
    """What the app says about itself. ``user`` is the uid behind the login; ``licensed`` is None when not stated."""

    version: str
    user: str
    licensed: bool | None


class ConsentApp:
    """The app in one Nextcloud, called as a member of Nextcloud's admin group.

    Every method may raise LoginFailed, NotAllowed (no admin), AppMissing, Throttled or Unreachable.
    """

    def __init__(self, url: str, user: str, password: str, transport: Transport | None = None) -> None:
        self._client = DavClient(url, user, password, transport)
        self._accounts = Accounts(url, user, password, transport=transport)
        self._base = urlsplit(url).path.rstrip("/") + _BASE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def actives(self) -> list[Person]:
        """Everybody who allows the sync now, each once. Raises ListUnreadable; never gives a part of the list."""
        found = self._json("GET", "/user/actives")
        if not isinstance(found, Mapping):
            return _people(found)
        pages = _number(_mapping(found.get("pagination")).get("totalPages"), 1)
        if pages <= 1:
            return _people(found.get("data"))
        return self._all_pages()

    def _all_pages(self) -> list[Person]:
        """The list of an app that only gives pages, in an order that may change between them."""
        people: dict[str, Person] = {}
        for page in range(1, _MAX_PAGES + 1):
            found = _mapping(self._json("GET", f"/user/actives?page={page}&limit={_LIMIT}"))
            people.update((each.uid, each) for each in _people(found.get("data")))
            pagination = _mapping(found.get("pagination"))
            if page >= _number(pagination.get("totalPages"), 0):
                if len(people) != _number(pagination.get("total"), -1):
                    raise ListUnreadable("The list of people who consented changed while it was read.")
                return list(people.values())
        raise ListUnreadable("The list of people who consented does not end.")

    def invalidate(self, uid: str) -> None:
        """Tell the app that somebody's token does not work any more, so that it asks that person again.

        Raises UnknownPerson.
        """
        body = urlencode({"userId": uid}).encode()
        said = self._json("POST", "/user/invalidate", body, {"Content-Type": "application/x-www-form-urlencoded"})
        if _mapping(said).get("status") != "success":
            raise UnknownPerson("The consent app does not know this user.")

    def status(self) -> Status:
        """What the app says about itself; open to everybody who is logged in."""
        found = _mapping(self._json("GET", "/status"))
        licensed = found.get("ValidLicense")
        known = None if licensed is None else str(licensed).lower() in ("true", "1")
        return Status(str(found.get("Version") or ""), str(found.get("CurrentUserId") or ""), known)

    def members(self, group: str) -> frozenset[str]:
        """The uids of the members of a group in Nextcloud, which is the server's to know. Raises NoSuchGroup."""
        return self._accounts.members(group)

    def _json(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Any:
        sent = {"Accept": "application/json", **(headers or {})}
        try:
            answer = self._client.request(method, self._base + path, body, sent)
        except LoginFailed:
            raise LoginFailed("Nextcloud does not accept the login with which its consent app is asked.") from None
        if answer.status != 200:
            raise _refusal(answer)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise ListUnreadable("The consent app's answer is no JSON, or it was cut off.") from None


def _refusal(answer: Answer) -> SideError:
    if answer.status == 403:
        return NotAllowed("The user with whom the consent app is asked is no member of Nextcloud's group admin.")
    if answer.status in (404, 405):
        return AppMissing("The consent app is not installed in Nextcloud, or it is disabled.")
    return Unreachable(f"The consent app answers with an error ({answer.status}).")


def _people(listed: object) -> list[Person]:
    if not isinstance(listed, list):
        raise ListUnreadable("The consent app's answer holds no list of people.")
    found: dict[str, Person] = {}
    for entry in listed:
        if not isinstance(entry, Mapping) or not _text(entry.get("uid")):
            raise ListUnreadable("The list of people who consented holds an entry without a user.")
        if _number(entry.get("active"), _ACTIVE) == _ACTIVE:
            person = _person(entry)
            found.setdefault(person.uid, person)
    return list(found.values())


def _person(entry: Mapping[str, object]) -> Person:
    uid = _text(entry.get("uid"))
    return Person(
        uid=uid,
        # Old versions of the app leave the login name out.
        login=_text(entry.get("username")) or uid,
        token=_text(entry.get("token")),
        email=_text(entry.get("email")),
        display_name=_text(entry.get("displayName")),
        calendar=_text(entry.get("calendar")).strip("/") or _DEFAULT_CALENDAR,
        address_book=_text(entry.get("addressbook")).strip("/") or _DEFAULT_BOOK,
    )


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _number(value: object, default: int) -> int:
    text = _text(value)
    return int(text) if text.isdecimal() and len(text) < 10 else default


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
