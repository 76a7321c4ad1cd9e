"""One person of the lab at their two desks, in Outlook (exchangelib) and in Nextcloud's calendar app: events by id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote

import icalendar
from exchangelib import Account, CalendarItem
from exchangelib.errors import EWSError
from exchangelib.items import NEVER_OVERWRITE, SEND_TO_NONE

from lab.chaos.server import Stored
from lab.edit import quick_event
from lab.scenario.mailbox import calendar_item
from lab.scenario.plans import EventPlan
from lab.scenario.texts import calendar_text
from lab.webdav import NotWritten, Resource, WebDav
from syncapp.items import Event, Item
from syncapp.items.values import ZonedTime

TITLE, DESCRIPTION = "title", "description"
_LENGTH = timedelta(minutes=30)


class NotDone(RuntimeError):
    """The server did not let a person do something, for instance because somebody was faster."""


class Desk(Protocol):
    """The calendar of one side. Each method raises ``NotDone`` when the server says no."""

    def living(self) -> list[Stored]:
        """All events."""

    def binned(self) -> list[Stored]:
        """The events in the bin, where a person may take them out of it by these means."""

    def create(self, event: Event) -> None:
        """Write something new."""

    def edit(self, stored: Stored, texts: Mapping[str, str]) -> None:
        """Change title or description, if nobody else changed the event meanwhile."""

    def delete(self, stored: Stored) -> None:
        """Into the bin."""

    def copy(self, stored: Stored) -> None:
        """A second one."""

    def restore(self, stored: Stored) -> None:
        """Out of the bin."""


class ExchangeDesk:
    """A person in Outlook."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._items: dict[str, CalendarItem] = {}

    def living(self) -> list[Stored]:
        """See ``Desk``."""
        return [self._stored(item) for item in self._account.calendar.all()]

    def binned(self) -> list[Stored]:
        """See ``Desk``."""
        found = self._account.trash.all()
        return [self._stored(item, in_bin=True) for item in found if isinstance(item, CalendarItem)]

    def _stored(self, item: CalendarItem, *, in_bin: bool = False) -> Stored:
        self._items[item.id] = item
        event = event_at(item.start, item.subject, item.body, item.location)
        return Stored(item.id, "calendar", item.changekey, event, item.uid or "", in_bin=in_bin)

    def create(self, event: Event) -> None:
        """See ``Desk``."""
        plan = _plan(event)
        self._do(lambda: calendar_item(self._account, plan).save(send_meeting_invitations=SEND_TO_NONE))

    def edit(self, stored: Stored, texts: Mapping[str, str]) -> None:
        """See ``Desk``."""
        item = self._items[stored.id]
        names = {"title": "subject", "description": "body"}
        for name, text in texts.items():
            setattr(item, names[name], text)
        fields = [names[name] for name in texts]
        how = {"conflict_resolution": NEVER_OVERWRITE, "send_meeting_invitations": SEND_TO_NONE}
        self._do(lambda: item.save(update_fields=fields, **how))

    def delete(self, stored: Stored) -> None:
        """See ``Desk``."""
        self._do(lambda: self._items[stored.id].move_to_trash(send_meeting_cancellations=SEND_TO_NONE))

    def copy(self, stored: Stored) -> None:
        """See ``Desk``."""
        self._do(lambda: self._items[stored.id].copy(self._account.calendar))

    def restore(self, stored: Stored) -> None:
        """See ``Desk``."""
        self._do(lambda: self._items[stored.id].move(self._account.calendar))

    def _do(self, deed: Any) -> None:
        try:
            deed()
        except EWSError as refusal:
            raise NotDone(repr(refusal)) from refusal


class NextcloudDesk:
    """A person in Nextcloud's calendar app."""

    def __init__(self, dav: WebDav) -> None:
        self._dav = dav
        self._resources: dict[str, Resource] = {}

    def living(self) -> list[Stored]:
        """See ``Desk``."""
        return [self._stored(resource) for resource in self._dav.read(self._dav.calendar) if resource.text]

    def _stored(self, resource: Resource) -> Stored:
        self._resources[resource.path] = resource
        master = _master(icalendar.Calendar.from_ical(resource.text))
        texts = [str(master.get(name, "")) for name in ("SUMMARY", "DESCRIPTION", "LOCATION")]
        event = event_at(master["DTSTART"].dt, *texts)
        return Stored(resource.path, self._dav.calendar, resource.etag, event, str(master["UID"]))

    def binned(self) -> list[Stored]:
        """See ``Desk``."""
        return []

    def create(self, event: Event) -> None:
        """See ``Desk``."""
        plan = _plan(event)
        self._put(plan.uid, calendar_text(plan))

    def edit(self, stored: Stored, texts: Mapping[str, str]) -> None:
        """See ``Desk``."""
        resource = self._resources[stored.id]
        calendar = icalendar.Calendar.from_ical(resource.text)
        master = _master(calendar)
        names = {TITLE: "SUMMARY", DESCRIPTION: "DESCRIPTION"}
        for name, text in texts.items():
            master.pop(names[name], None)
            master.add(names[name], text)
        try:
            self._dav.replace(resource, calendar.to_ical().decode())
        except NotWritten as refusal:
            raise NotDone(str(refusal)) from refusal

    def delete(self, stored: Stored) -> None:
        """See ``Desk``."""
        try:
            self._dav.delete(self._resources[stored.id])
        except NotWritten as refusal:
            raise NotDone(str(refusal)) from refusal

    def copy(self, stored: Stored) -> None:
        """See ``Desk``."""
        calendar = icalendar.Calendar.from_ical(self._resources[stored.id].text)
        new = str(uuid.uuid4())
        for event in calendar.walk("VEVENT"):
            event["UID"] = icalendar.vText(new)
        self._put(new, calendar.to_ical().decode())

    def restore(self, stored: Stored) -> None:
        """See ``Desk``."""
        raise NotDone(f"{quote(stored.id)} is not to be had")

    def _put(self, uid: str, text: str) -> None:
        try:
            self._dav.create(self._dav.calendar, uid, text)
        except NotWritten as refusal:
            raise NotDone(str(refusal)) from refusal


def _master(calendar: Any) -> Any:
    return next(each for each in calendar.walk("VEVENT") if "RECURRENCE-ID" not in each)


def event_at(start: datetime, title: str | None, description: str | None = None, tag: str | None = None) -> Event:
    """An event as both desks see one; its place holds the tag."""
    at = ZonedTime(datetime.fromtimestamp(start.timestamp(), UTC).replace(tzinfo=None), "UTC")
    end = ZonedTime(at.wall + _LENGTH, "UTC")
    return Event(at, end, title=title or "", description=str(description or "").strip(), location=tag or "")


def with_texts(item: Item, texts: Mapping[str, str]) -> Event:
    """``item`` with another title or description."""
    assert isinstance(item, Event)
    return replace(item, title=texts.get(TITLE, item.title), description=texts.get(DESCRIPTION, item.description))


def _plan(event: Event) -> EventPlan:
    assert isinstance(event.start, ZonedTime)
    start = event.start.wall.replace(tzinfo=UTC)
    return quick_event(event.title, start, int(_LENGTH.total_seconds()) // 60, location=event.location)
