"""CalendarItem → Event. Pure; a series is read whole, with its exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from syncapp.exchange.ews.custom_zones import matching_zone
from syncapp.exchange.ews.event_projection import (
    differences,
)
from syncapp.exchange.ews.html import text_of_html
from syncapp.exchange.ews.native import Native, item_id
from syncapp.exchange.ews.recurrence import read_recurrence
from syncapp.exchange.ews.times import (
    holdable_zone,
    nearest_day,
    parse_instant,
    zoned,
)
from syncapp.exchange.ews.vocabulary import BUSY, PRIVACY
from syncapp.exchange.ews.xml import TYPES, Element, children, flag, text
from syncapp.items.event import Event, Occurrence
from syncapp.items.values import Attendee, Busy, Moment, Person, Privacy, ZonedTime, moment_key
from syncapp.items.zones import windows_to_iana
from syncapp.side import Unreadable

_READ_BUSY = {name: busy for busy, name in BUSY.items()}
_READ_PRIVACY = {name: privacy for privacy, name in PRIVACY.items()}
_ANSWERS = {"Accept": "accepted", "Tentative": "tentative", "Decline": "declined"}
_ROLES = {"RequiredAttendees": "required", "OptionalAttendees": "optional", "Resources": "resource"}


def read_event(native: Native, home: str) -> Event:
    """The event in a CalendarItem that is a single event or the master of a series. Raises ``Unreadable``.

    ``home`` is the zone in which a day begins where the item does not say.
    """
    try:
        return _read_event(native, home)
    except (ValueError, KeyError, OverflowError) as problem:
        raise Unreadable(
            f"Exchange holds an event that can't be read: {type(problem).__name__} in its times."
        ) from None


def _read_event(native: Native, home: str) -> Event:
    item = native.item
    start, end = _read_span(item, home)
    event = Event(start=start, end=end, uid=text(item, "UID"), **_read_plain(item))
    event = replace(
        event,
        categories=tuple(each.text or "" for each in children(item, "Categories")),
        privacy=_READ_PRIVACY.get(text(item, "Sensitivity"), Privacy.NORMAL),
        **_read_people(item),
    )
    if item.find("{*}Recurrence") is None:
        return event
    _check_series_zone(item)
    event = replace(event, recurrence=read_recurrence(next(_named(item, "Recurrence")), start))
    return replace(event, exceptions=_read_exceptions(native, event, home))


def _named(item: Element, name: str) -> Iterator[Element]:
    return item.iterchildren(f"{{{TYPES}}}{name}")


def day_zone_of(item: Element, home: str) -> str:
    """The zone in which the days of a stored item begin: its own, else ``home``."""
    return _zone(item, "StartTimeZone") or holdable_zone("", home)


def original_start(instant: datetime, master: Event, day_zone: str) -> Moment:
    """The neutral name of the occurrence that would begin at ``instant``; ``day_zone`` is that of ``day_zone_of``.

    A pattern has one occurrence a day: the day says which, also where a server names the day's midnight, or the time
    that summer time would give (docs/server-behaviour.md#section-5).
    """
    if isinstance(master.start, ZonedTime):
        zone, clock = master.start.zone, master.start.wall.time()
        return ZonedTime(datetime.combine(instant.astimezone(ZoneInfo(zone)).date(), clock), zone)
    return nearest_day(instant, day_zone)


def original_starts(item: Element) -> Mapping[str, str]:
    """The OriginalStart of modified occurrences by their ids: some servers name it in the list of the series only."""
    return {item_id(each)[0]: text(each, "OriginalStart") for each in children(item, "ModifiedOccurrences")}


def _check_series_zone(item: Element) -> None:
    """A series recurs in its own zone: read in another one it would be wrong half of the year."""
    named = any(True for _ in _named(item, "StartTimeZone"))
    if named and _zone(item, "StartTimeZone") is None and not flag(item, "IsAllDayEvent"):
        raise Unreadable("Exchange holds a series in a time zone of its own making, which can't be read.")


def _zone(item: Element, name: str) -> str | None:
    """The IANA zone of a property like StartTimeZone, by its name, else by its rules; None where it is unknown."""
    for definition in _named(item, name):
        known = windows_to_iana(definition.get("Id", ""))
        return known or matching_zone(definition, parse_instant(text(item, "Start")).year)
    return None


def _read_span(item: Element, home: str) -> tuple[Moment, Moment]:
    begin, finish = parse_instant(text(item, "Start")), parse_instant(text(item, "End"))
    if flag(item, "IsAllDayEvent"):
        first, after = (nearest_day(each, day_zone_of(item, home)) for each in (begin, finish))
        return first, max(after, first + timedelta(days=1))
    start_zone = _zone(item, "StartTimeZone")
    end_zone = _zone(item, "EndTimeZone") or start_zone
    return zoned(begin, start_zone or "UTC"), zoned(finish, end_zone or "UTC")


def _read_plain(item: Element) -> dict[str, Any]:
    """The fields that a master and an occurrence have alike, times left out."""
    return {
        "title": text(item, "Subject"),
        "location": text(item, "Location"),
        "description": read_body(item),
        "reminder": int(text(item, "ReminderMinutesBeforeStart") or 0) if flag(item, "ReminderIsSet") else None,
        "busy": _READ_BUSY.get(text(item, "LegacyFreeBusyStatus"), Busy.BUSY),
    }


def read_body(item: Element) -> str:
    """The text of a Body; servers that were asked for text and send HTML are read as well."""
    for body in _named(item, "Body"):
        content = body.text or ""
        return text_of_html(content) if body.get("BodyType") == "HTML" else content
    return ""


def _read_people(item: Element) -> dict[str, Any]:
    """Organizer and attendees of a meeting; an event that its mailbox keeps for itself has none."""
    if not flag(item, "IsMeeting"):
        return {"organizer": None, "attendees": ()}
    address = text(item, "Organizer", "Mailbox", "EmailAddress")
    organizer = Person(address, text(item, "Organizer", "Mailbox", "Name")) if address else None
    attendees = tuple(
        Attendee(
            text(each, "Mailbox", "EmailAddress"),
            text(each, "Mailbox", "Name"),
            role,
            _ANSWERS.get(text(each, "ResponseType"), "none"),
        )
        for element, role in _ROLES.items()
        for each in children(item, element)
        if text(each, "Mailbox", "EmailAddress")
    )
    return {"organizer": organizer, "attendees": attendees}


def _read_exceptions(native: Native, master: Event, home: str) -> tuple[Occurrence, ...]:
    found = {}
    day_zone, listed = day_zone_of(native.item, home), original_starts(native.item)
    for each in children(native.item, "DeletedOccurrences"):
        original = original_start(parse_instant(text(each, "Start")), master, day_zone)
        found[moment_key(original)] = Occurrence(original, deleted=True)
    for element in native.occurrences:
        begin = text(element, "OriginalStart") or listed.get(item_id(element)[0], "")
        original = original_start(parse_instant(begin), master, day_zone)
        values = _read_differences(element, original, master, home)
        if values:
            found[moment_key(original)] = Occurrence(original, values=MappingProxyType(values))
    return tuple(found[key] for key in sorted(found))


def _read_differences(element: Element, original: Moment, master: Event, home: str) -> dict[str, Any]:
    start, end = _read_span(element, home)
    if isinstance(start, ZonedTime) and isinstance(end, ZonedTime) and isinstance(master.start, ZonedTime):
        # An occurrence has no zone of its own.
        start, end = zoned(start.instant, master.start.zone), zoned(end.instant, master.start.zone)
    return differences(_read_plain(element) | {"start": start, "end": end}, original, master)
