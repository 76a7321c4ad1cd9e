"""CalendarItem → Event. Pure; a series is read whole, with its exceptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from syncapp.exchange.ews.custom_zones import zone_of_rules
from syncapp.exchange.ews.event_projection import differences, inherited_values
from syncapp.exchange.ews.extended import MEETING_LINK, STATE_FLAGS, extended
from syncapp.exchange.ews.native import Native, item_id
from syncapp.exchange.ews.recurrence import read_recurrence
from syncapp.exchange.ews.times import (
    holdable_zone,
    nearest_day,
    parse_instant,
    zoned,
)
from syncapp.exchange.ews.vocabulary import BUSY, CANCELLED, IMPORTANCE, PRIVACY
from syncapp.exchange.ews.xml import Element, Properties, text
from syncapp.items.event import Event, Occurrence
from syncapp.items.html import formatting, slim, text_of_html
from syncapp.items.values import Attendee, Busy, Importance, Moment, Person, Privacy, Recurrence, ZonedTime, moment_key
from syncapp.items.zone_rules import SERIES_YEARS, zone_info
from syncapp.items.zones import windows_to_iana
from syncapp.side import Unreadable

_READ_BUSY = {name: busy for busy, name in BUSY.items()}
_READ_IMPORTANCE = {name: importance for importance, name in IMPORTANCE.items()}
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
    item = native.properties
    start, end = _read_span(item, home)
    organizer, attendees = _read_people(item)
    event = Event(
        start,
        end,
        uid=item.text("UID"),
        recurrence=_read_rule(item, start),
        categories=tuple([each.text or "" for each in item.children("Categories")]),
        privacy=_READ_PRIVACY.get(item.text("Sensitivity"), Privacy.NORMAL),
        importance=_READ_IMPORTANCE.get(item.text("Importance"), Importance.NORMAL),
        url=item.text("MeetingWorkspaceUrl"),
        meeting_link=extended(item, MEETING_LINK),
        organizer=organizer,
        attendees=attendees,
        **_read_plain(item),
    )
    exceptions = _read_exceptions(native, event, home) if event.recurrence else ()
    return replace(event, exceptions=exceptions) if exceptions else event


def _read_rule(item: Properties, start: Moment) -> Recurrence | None:
    """The pattern of a series. It recurs in its own zone: read in another one it would be wrong half of the year."""
    rule = item.get("Recurrence")
    if rule is None:
        return None
    if item.get("StartTimeZone") is not None and _zone(item, "StartTimeZone") is None and not _is_all_day(item):
        raise Unreadable("Exchange holds a series in a time zone of its own making, which can't be read.")
    return read_recurrence(rule, start)


def _is_all_day(item: Properties) -> bool:
    return item.flag("IsAllDayEvent")


def day_zone_of(item: Properties, home: str) -> str:
    """The zone in which the days of a stored item begin: its own, else ``home``."""
    return _zone(item, "StartTimeZone") or holdable_zone("", home)


def original_start(instant: datetime, master: Event, day_zone: str) -> Moment:
    """The neutral name of the occurrence that would begin at ``instant``; ``day_zone`` is that of ``day_zone_of``.

    A pattern has one occurrence a day: the day says which. Some servers count with the first occurrence's distance from
    UTC all year, and name the day's midnight (docs/server-behaviour.md#section-5): what is no occurrence by the clock
    of the zone is read as they count.
    """
    if isinstance(master.start, ZonedTime):
        zone, clock = master.start.zone, master.start.wall.time()
        local = instant.astimezone(zone_info(zone)).replace(tzinfo=None)
        if local.time() != clock:
            local = master.start.wall + (instant - master.start.instant)
        return ZonedTime(datetime.combine(local.date(), clock), zone)
    return nearest_day(instant, day_zone)


def original_starts(item: Properties) -> dict[str, str]:
    """The OriginalStart of modified occurrences by their ids: some servers name it in the list of the series only."""
    return {item_id(each)[0]: text(each, "OriginalStart") for each in item.children("ModifiedOccurrences")}


def _zone(item: Properties, name: str) -> str | None:
    """The IANA zone of a property like StartTimeZone, by its name, else by its rules; None where it is unknown."""
    definition = item.get(name)
    if definition is None:
        return None
    known = windows_to_iana(definition.get("Id", ""))
    if known is not None:
        return known
    year = parse_instant(item.text("Start")).year
    return zone_of_rules(definition, (year, year + SERIES_YEARS) if item.get("Recurrence") is not None else (year,))


def _read_span(item: Properties, home: str, zone: str | None = None) -> tuple[Moment, Moment]:
    """Start and end, in the zones that the item names or, if that is given, in ``zone``."""
    begin, finish = parse_instant(item.text("Start")), parse_instant(item.text("End"))
    if _is_all_day(item):
        day_zone = day_zone_of(item, home)
        first, after = nearest_day(begin, day_zone), nearest_day(finish, day_zone)
        return first, max(after, first + timedelta(days=1))
    start_zone = zone or _zone(item, "StartTimeZone")
    end_zone = zone or _zone(item, "EndTimeZone") or start_zone
    return zoned(begin, start_zone or "UTC"), zoned(finish, end_zone or "UTC")


def _read_plain(item: Properties) -> dict[str, Any]:
    """The fields that a master and an occurrence have alike, times left out."""
    return {
        "title": item.text("Subject"),
        "location": item.text("Location"),
        "description": read_body(item),
        "html": _read_html(item),
        "reminder": int(item.text("ReminderMinutesBeforeStart") or 0) if item.flag("ReminderIsSet") else None,
        "busy": _READ_BUSY.get(item.text("LegacyFreeBusyStatus"), Busy.BUSY),
        "cancelled": item.flag("IsCancelled") or bool(_flags(item) & CANCELLED),
    }


def _flags(item: Properties) -> int:
    """PidLidAppointmentStateFlags, 0 where they are not told."""
    stated = extended(item, STATE_FLAGS)
    return int(stated) if stated else 0


def _read_html(item: Properties) -> str:
    """A Body in HTML, where it has more than words."""
    body = item.get("Body")
    if body is None or body.get("BodyType") != "HTML" or not formatting(body.text or ""):
        return ""
    return slim(body.text or "")


def read_body(item: Properties) -> str:
    """The text of a Body."""
    body = item.get("Body")
    if body is None:
        return ""
    content = body.text or ""
    return text_of_html(content) if body.get("BodyType") == "HTML" else content


def _read_people(item: Properties) -> tuple[Person | None, tuple[Attendee, ...]]:
    """Organizer and attendees of a meeting; an event that its mailbox keeps for itself has none."""
    if not item.flag("IsMeeting"):
        return None, ()
    organizer = item.get("Organizer")
    attendees = [_attendee(each, role) for element, role in _ROLES.items() for each in item.children(element)]
    return None if organizer is None else _person(organizer), tuple(filter(None, attendees))


def _person(element: Element) -> Person | None:
    address = text(element, "Mailbox", "EmailAddress")
    return Person(address, text(element, "Mailbox", "Name")) if address else None


def _attendee(element: Element, role: str) -> Attendee | None:
    person, answer = _person(element), _ANSWERS.get(text(element, "ResponseType"), "none")
    return Attendee(person.address, person.name, role, answer) if person else None


def _read_exceptions(native: Native, master: Event, home: str) -> tuple[Occurrence, ...]:
    found = {}
    item, parts = native.properties, [Properties(each) for each in native.occurrences]
    day_zone = day_zone_of(item, home)
    for each in item.children("DeletedOccurrences"):
        original = original_start(parse_instant(text(each, "Start")), master, day_zone)
        found[moment_key(original)] = Occurrence(original, deleted=True)
    listed = {} if all(part.text("OriginalStart") for part in parts) else original_starts(item)
    for part in parts:
        begin = part.text("OriginalStart") or listed.get(part.attribute("ItemId", "Id"), "")
        original = original_start(parse_instant(begin), master, day_zone)
        if values := _read_differences(part, original, master, home):
            found[moment_key(original)] = Occurrence(original, values=MappingProxyType(values))
    return tuple(found[key] for key in sorted(found))


def _read_differences(item: Properties, original: Moment, master: Event, home: str) -> dict[str, Any]:
    # An occurrence has no zone of its own.
    start, end = _read_span(item, home, master.start.zone if isinstance(master.start, ZonedTime) else None)
    values = _read_plain(item) | {"start": start, "end": end}
    if not values["description"] and not item.text("OriginalStart"):
        # gromox: no text of its own means the series' text (docs/server-behaviour.md#section-5).
        values |= {"description": master.description, "html": master.html}
    return differences(values, inherited_values(original, master))
