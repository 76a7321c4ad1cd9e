"""Several people in one database, each with servers of their own that can be written down and set up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from lab.chaos.people import Person
from lab.chaos.server import Server, State, Stored
from lab.chaos.side import World
from lab.chaos.town import EXCHANGE, NEXTCLOUD, Town, contact, event, series
from syncapp.items import Event, Item, Kind
from syncapp.items.values import ZonedTime
from syncapp.models import Enrollment, Pairing
from syncapp.side import Folder, SideName


@dataclass
class OwnWorld(World):
    """Servers whose folders are named after a person."""

    uid: str = "anna"

    def __post_init__(self) -> None:
        for kind in Kind:
            for number in (1, 2):
                for name in SideName:
                    self.server(name).add_folder(self.folder(name, kind, number), kind, default=number == 1)

    def folder(self, name: SideName, kind: Kind, number: int = 1) -> str:
        """See ``World.folder``."""
        return f"{self.uid}-{kind}-{number}" if name is EXCHANGE else f"/{kind}s/{self.uid}/{number}/"


@dataclass
class OwnTown(Town):
    """The place of one of several people: their rows are those that are there already, or new ones."""

    uid: str = "anna"

    def __post_init__(self) -> None:
        self.world = OwnWorld(uid=self.uid)
        self.outlook, self.phone = Person(self.world.exchange), Person(self.world.nextcloud)
        self.enrollment, made = Enrollment.objects.get_or_create(
            nextcloud_uid=self.uid,
            defaults={
                "nextcloud_login": self.uid,
                "mailbox": f"{self.uid}@lab.example",
                "display_name": self.uid.title(),
                "token": f"token of {self.uid}",
                "state": Enrollment.State.ACTIVE,
                "due_at": self.clock.now(),
            },
        )
        for kind in self.kinds if made else ():
            for number in (1, 2):
                Pairing.objects.create(
                    enrollment=self.enrollment,
                    kind=kind,
                    exchange_folder=self.world.folder(EXCHANGE, kind, number),
                    nextcloud_folder=self.world.folder(NEXTCLOUD, kind, number),
                )
        folders = {self.world.folder(EXCHANGE, kind, number): (kind, number) for kind in Kind for number in (1, 2)}
        self.pairings = {folders[each.exchange_folder]: each for each in self.enrollment.pairings.all()}


# Written down --------------------------------------------------------------------------------------------------------


def written(town: OwnTown) -> dict[str, Any]:
    """The time and both servers as JSON."""
    return {
        "time": town.clock.now().isoformat(),
        **{name.value: _server(town.world.server(name)) for name in SideName},
    }


def _server(server: Server) -> dict[str, Any]:
    state = server.state
    return {
        "next": next(server._numbers),
        "sequence": state.sequence,
        "refused": sorted(server.refused),
        "journal": {folder: list(events) for folder, events in state.journal.items()},
        "folders": [[each.id, each.name, each.kind, each.default] for each in state.folders.values()],
        "objects": [_object(each) for each in state.objects.values()],
    }


def _object(stored: Stored) -> dict[str, Any]:
    names = ("id", "folder", "revision", "uid", "own_id", "in_bin", "extra", "broken", "name")
    return {**{name: getattr(stored, name) for name in names}, "item": _item(stored.item)}


def _item(item: Item) -> dict[str, Any]:
    if isinstance(item, Event):
        assert isinstance(item.start, ZonedTime)
        told = {"title": item.title, "day": item.start.wall.day, "location": item.location}
        return {"kind": "series" if item.recurrence else "event", **told, "description": item.description}
    return {"kind": "contact", "name": item.display_name, "emails": [each.address for each in item.emails]}


# Set up again --------------------------------------------------------------------------------------------------------


def set_up(town: OwnTown, told: Mapping[str, Any]) -> None:
    """Make both servers and the time what was written down."""
    town.clock.time = datetime.fromisoformat(told["time"])
    for name in SideName:
        _set_up(town.world.server(name), told[name.value])


def _set_up(server: Server, told: Mapping[str, Any]) -> None:
    server._numbers = count(told["next"])
    server.refused = set(told["refused"])
    server.state = State(
        folders={id: Folder(id, name, Kind(kind), default=default) for id, name, kind, default in told["folders"]},
        objects={each["id"]: _stored(each) for each in told["objects"]},
        journal={folder: [(at, id, alive) for at, id, alive in events] for folder, events in told["journal"].items()},
        sequence=told["sequence"],
    )


def _stored(told: Mapping[str, Any]) -> Stored:
    return Stored(**{**told, "item": _made(told["item"])})


def _made(told: Mapping[str, Any]) -> Item:
    if told["kind"] == "contact":
        return contact(told["name"], *told["emails"])
    values = {name: told[name] for name in ("location", "description")}
    return series(told["title"], **values) if told["kind"] == "series" else event(told["title"], told["day"], **values)
