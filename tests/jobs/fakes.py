"""Stand-ins for what jobs talk to, and short ways to the rows they work on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncapp.items import Kind
from syncapp.jobs import accounts
from syncapp.models import Enrollment, Problem, ServiceAccount
from syncapp.nextcloud.accounts import NoSuchGroup
from syncapp.nextcloud.consent import Person
from syncapp.side import Folder, Look, SideError, SideName, SidesOf

NOW = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


def account(name: str = "sync1", *, slots: int = 2, **values: Any) -> ServiceAccount:
    """A stored service account with its slots."""
    fields = {"endpoint": "http://127.0.0.1:9/EWS", "username": name, "password": "pw"} | values
    row = ServiceAccount.objects.create(name=name, max_connections=slots, **fields)
    accounts.make_slots(row)
    return row


def enrollment(uid: str = "alice", **values: Any) -> Enrollment:
    """A stored enrollment, active and due."""
    fields = {
        "nextcloud_login": uid,
        "token": f"token of {uid}",
        "mailbox": f"{uid}@example.org",
        "listed_address": f"{uid}@example.org",
        "state": Enrollment.State.ACTIVE,
        "approved": True,
        "due_at": NOW,
    }
    return Enrollment.objects.create(nextcloud_uid=uid, **(fields | values))


def codes() -> list[str]:
    """The codes of all problems, sorted."""
    return sorted(Problem.objects.values_list("code", flat=True))


@dataclass
class FakeConsentApp:
    """The consent app: what it lists, or how it fails; and who was reported to it."""

    people: Sequence[Person] = ()
    error: SideError | None = None
    invalidated: list[str] = field(default_factory=list)
    closed: bool = False
    groups: Mapping[str, Collection[str]] = field(default_factory=dict)

    def members(self, group: str) -> Collection[str]:
        """Who is in a group, or that there is none."""
        if group not in self.groups:
            raise NoSuchGroup("Nextcloud has no such group.")
        return self.groups[group]

    def actives(self) -> Sequence[Person]:
        """The list, or the failure."""
        if self.error:
            raise self.error
        return self.people

    def invalidate(self, uid: str) -> None:
        """Remember who was reported."""
        self.invalidated.append(uid)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


@dataclass
class FakeSide:
    """As much of a side as jobs use by themselves."""

    name: SideName
    kind: Kind
    listed: list[Folder] = field(default_factory=list)
    error: Exception | None = None
    closed: bool = False
    looks: dict[str, Look] = field(default_factory=dict)
    asked: list[frozenset[str]] = field(default_factory=list)
    while_asked: Callable[[], object] = lambda: None

    def epoch(self) -> str:
        """Which store this is."""
        return f"{self.name} store"

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """What is to be seen, or the failure."""
        self.asked.append(frozenset(folders))
        self.while_asked()
        if self.error:
            raise self.error
        return {each: self.looks[each] for each in folders if each in self.looks}

    def folders(self) -> list[Folder]:
        """The folders, or the failure."""
        if self.error:
            raise self.error
        return self.listed

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def fake_sides(*, kinds: Sequence[Kind] = (Kind.EVENT, Kind.CONTACT), owner: str = "alice") -> list[SidesOf]:
    """Both sides of both kinds, each with the folders that a first pairing takes."""
    names = {Kind.EVENT: "personal", Kind.CONTACT: "contacts"}
    return [
        SidesOf(
            kind,
            FakeSide(SideName.EXCHANGE, kind, [Folder(f"EX-{owner}-{kind}", "Default", kind, default=True)]),  # type: ignore[arg-type]
            FakeSide(SideName.NEXTCLOUD, kind, [Folder(f"/dav/{owner}/{names[kind]}/", "Mine", kind, default=True)]),  # type: ignore[arg-type]
        )
        for kind in kinds
    ]
