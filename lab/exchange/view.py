"""An item as a client may address it: a stored item, or one occurrence of a series with what it inherits."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lab.exchange.ids import change_key, occurrence_ident
from lab.exchange.records import Attachment, Folder, Item, Mailbox, Props, stamp
from lab.exchange.series import Instance, Series
from lab.exchange.store import Store

# What belongs to the series and not to one of its occurrences.
_MASTER_ONLY = ("Recurrence",)


class View:
    """A readable item: ``props`` and ``extended`` are what a client sees, inherited values included."""

    def __init__(self, store: Store, item: Item, instance: Instance | None = None) -> None:
        self.store = store
        self.item = item
        self.instance = instance

    @cached_property
    def props(self) -> Props:
        """Typed properties; for an occurrence the master's with its own laid over them."""
        if self.instance is None:
            return self.item.props
        merged = {name: value for name, value in self.item.props.items() if name not in _MASTER_ONLY}
        if self.instance.override is not None:
            merged.update(self.instance.override.props)
        merged["Start"], merged["End"] = stamp(self.instance.start), stamp(self.instance.end)
        return {name: value for name, value in merged.items() if value is not None}

    @cached_property
    def extended(self) -> Props:
        """Extended properties, inherited likewise."""
        if self.instance is None or self.instance.override is None:
            return self.item.extended
        merged = {**self.item.extended, **self.instance.override.extended}
        return {key: value for key, value in merged.items() if value is not None}

    @property
    def kind(self) -> str:
        """The kind of item (properties.KINDS)."""
        return self.item.kind

    @property
    def ident(self) -> str:
        """The Id of its ItemId."""
        return occurrence_ident(self.item.ident, self.instance.original) if self.instance else self.item.ident

    @property
    def change_key(self) -> str:
        """Its ChangeKey; occurrences live in their master and change with it."""
        return change_key(self.item.version)

    @property
    def is_master(self) -> bool:
        """Whether it is a recurring calendar item as a whole."""
        return self.kind == "calendar" and self.instance is None and "Recurrence" in self.props

    @property
    def is_exception(self) -> bool:
        """Whether it is an occurrence with something of its own."""
        return self.instance is not None and self.instance.override is not None

    @cached_property
    def series(self) -> Series:
        """The series that it is, or is an occurrence of."""
        return Series(self.item.props, self.store.overrides(self.item))

    @cached_property
    def mailbox(self) -> Mailbox:
        """The mailbox that holds it."""
        return self.store.mailbox_by_id(self.item.mailbox)

    @cached_property
    def folder(self) -> Folder:
        """The folder that holds it."""
        return self.store.folder(self.item.folder)

    @cached_property
    def attachments(self) -> list[Attachment]:
        """Its attachments."""
        return self.store.attachments(self.item)

    @property
    def attendees(self) -> list[dict[str, str]]:
        """Everybody invited, resources included."""
        names = ("RequiredAttendees", "OptionalAttendees", "Resources")
        return [person for name in names for person in self.props.get(name, ())]

    @property
    def organizer(self) -> dict[str, str]:
        """Who organises it: the mailbox, unless it was received (control.py)."""
        received: dict[str, str] | None = self.item.props.get("Organizer")
        return received or {"name": self.mailbox.name, "address": self.mailbox.address}

    def moment(self, name: str) -> datetime:
        """A stored moment among the properties."""
        return datetime.fromisoformat(self.props[name]).astimezone(UTC)

    def get(self, name: str, default: Any = None) -> Any:
        """A typed property by element name."""
        return self.props.get(name, default)
