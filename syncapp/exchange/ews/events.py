"""CalendarItem ⇄ Event. Pure.

Reading takes a whole series with its exceptions; writing makes the elements of CreateItem and the changes of
UpdateItem. Exceptions are written in steps of their own (``occurrences``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from syncapp.exchange.ews import patterns
from syncapp.exchange.ews.custom_zones import matching_zone
from syncapp.exchange.ews.html import text_of_html
from syncapp.exchange.ews.native import OWN_ID_NAME, Native, own_property
from syncapp.exchange.ews.properties import clear_field, path, set_field
from syncapp.exchange.ews.recurrence import date_of, last_day, read_recurrence, recurrence_element, until_of
from syncapp.exchange.ews.times import (
    FIRST_YEAR,
    LAST_YEAR,
    format_instant,
    holdable_zone,
    instant_of,
    nearest_day,
    parse_instant,
    whole_minutes,
    zoned,
)
from syncapp.exchange.ews.xml import Element, children, flag, legal, t, text
from syncapp.items.event import EVENT_FIELDS, Event, Occurrence
from syncapp.items.values import (
    Attendee,
    Busy,
    Moment,
    Person,
    Privacy,
    Recurrence,
    ZonedTime,
    moment_key,
)
from syncapp.items.zones import iana_to_windows, windows_to_iana
from syncapp.side import Refused, Unreadable

TITLE_LENGTH = 255
LOCATION_LENGTH = 255
_ITEM = "CalendarItem"
_MAX_YEARS = 5
_TIME_FIELDS = frozenset({"start", "end", "recurrence"})

_BUSY: Mapping[Busy, str] = {
    Busy.FREE: "Free",
    Busy.TENTATIVE: "Tentative",
    Busy.BUSY: "Busy",
    Busy.OUT_OF_OFFICE: "OOF",
    Busy.ELSEWHERE: "WorkingElsewhere",
}
_READ_BUSY = {name: busy for busy, name in _BUSY.items()}
_PRIVACY: Mapping[Privacy, str] = {each: each.value.capitalize() for each in Privacy}
_READ_PRIVACY = {name: privacy for privacy, name in _PRIVACY.items()}
_ANSWERS = {"Accept": "accepted", "Tentative": "tentative", "Decline": "declined"}
_ROLES = {"RequiredAttendees": "required", "OptionalAttendees": "optional", "Resources": "resource"}
NORMAL: Mapping[str, Callable[[Any], str]] = {field.name: field.normal for field in EVENT_FIELDS}
"""The normal form of each field: what differs in it differs."""


# Reading ---------------------------------------------------------------------------------------------------------


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
    return (each for each in item if isinstance(each.tag, str) and each.tag.endswith("}" + name))


def day_zone_of(item: Element, home: str) -> str:
    """The zone in which the days of a stored item begin: its own, else ``home``."""
    return _zone(item, "StartTimeZone") or holdable_zone("", home)


def original_start(instant: datetime, item: Element, master: Event, home: str) -> Moment:
    """The neutral name of the occurrence that would begin at ``instant``; ``item`` is the series' CalendarItem."""
    if isinstance(master.start, ZonedTime):
        return zoned(instant, master.start.zone)
    return nearest_day(instant, day_zone_of(item, home))


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
    for each in children(native.item, "DeletedOccurrences"):
        original = original_start(parse_instant(text(each, "Start")), native.item, master, home)
        found[moment_key(original)] = Occurrence(original, deleted=True)
    for element in native.occurrences:
        original = original_start(parse_instant(text(element, "OriginalStart")), native.item, master, home)
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


def differences(values: Mapping[str, Any], original: Moment, master: Event) -> dict[str, Any]:
    """Which of an occurrence's ``values`` are not inherited from its master."""
    inherited = inherited_values(original, master)
    return {name: value for name, value in values.items() if NORMAL[name](value) != NORMAL[name](inherited[name])}


def inherited_values(original: Moment, master: Event) -> dict[str, Any]:
    """What an occurrence is like when nobody changed it. Its length is counted by the clock on the wall, as Exchange
    counts (MS-OXOCAL section 2.2.1.44.1, EndTimeOffset)."""
    end: Moment
    if isinstance(original, ZonedTime) and isinstance(master.start, ZonedTime) and isinstance(master.end, ZonedTime):
        zone = master.start.zone
        length = master.end.in_zone(zone).wall - master.start.wall
        end = ZonedTime(original.in_zone(zone).wall + length, zone).in_zone(zone)
    else:
        assert not isinstance(master.start, ZonedTime)
        assert not isinstance(master.end, ZonedTime)
        end = date_of(original) + (master.end - master.start)
    return {
        "start": original,
        "end": end,
        **{name: getattr(master, name) for name in ("title", "location", "description", "reminder", "busy")},
    }


# What Exchange would hold ----------------------------------------------------------------------------------------


def project_event(event: Event, home: str) -> Event:
    """``event`` as Exchange would give it back after it was created from it; ``home`` is the zone of floating times."""
    if not _in_reach(event):
        # Refused when it is written, and not to be counted with here.
        return replace(event, organizer=None, attendees=())
    start, end = _project_span(event.start, event.end, home)
    found = replace(
        event,
        start=start,
        end=end,
        **_project_plain({name: getattr(event, name) for name in _PLAIN}),
        categories=_project_categories(event.categories),
        organizer=None,
        attendees=(),
    )
    if event.recurrence is None:
        return replace(found, exceptions=())
    if isinstance(start, ZonedTime) and isinstance(end, ZonedTime):
        found = replace(found, end=end.in_zone(start.zone))
    try:
        rule = _project_rule(event.recurrence, start)
    except Refused:
        # It will be refused as a whole when it is written; nothing of it is better known than what it says itself.
        return found
    found = replace(found, recurrence=rule, exceptions=())
    return replace(found, exceptions=_project_exceptions(event, found, home))


_PLAIN = ("title", "location", "description", "reminder", "busy")


def _project_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name, length in (("title", TITLE_LENGTH), ("location", LOCATION_LENGTH)):
        if name in found:
            found[name] = _one_line(found[name])[:length]
    if "description" in found:
        found["description"] = legal(found["description"])
    if found.get("reminder") is not None:
        found["reminder"] = max(found["reminder"], 0)
    return found


def _one_line(value: str) -> str:
    return legal(" ".join(value.split()))


def _project_categories(categories: tuple[str, ...]) -> tuple[str, ...]:
    found = {name.casefold(): name for name in map(_one_line, reversed(categories)) if name}
    return tuple(reversed(found.values()))


def _project_moment(moment: Moment, home: str) -> Moment:
    if not isinstance(moment, ZonedTime):
        return moment
    zone = holdable_zone(moment.zone, home)
    stated = moment if moment.zone else ZonedTime(moment.wall, home)
    return zoned(whole_minutes(stated).instant, zone)


def _project_span(start: Moment, end: Moment, home: str) -> tuple[Moment, Moment]:
    first, after = _project_moment(start, home), _project_moment(end, home)
    if not isinstance(first, ZonedTime) and not isinstance(after, ZonedTime):
        after = max(after, first + timedelta(days=1))
    return first, after


def _project_rule(rule: Recurrence, start: Moment) -> Recurrence:
    found = patterns.holdable(rule, date_of(start))
    last = last_day(rule, start)
    return found if last is None else replace(found, until=until_of(last, start))


def _project_exceptions(event: Event, master: Event, home: str) -> tuple[Occurrence, ...]:
    assert master.recurrence is not None
    found = {}
    aligned = [(_align(each.original, master, home), each) for each in event.exceptions]
    dates = _dates_among(master, {date_of(original) for original, _ in aligned})
    for original, occurrence in aligned:
        key = moment_key(original)
        # An exception of a date that the pattern does not have is one of no occurrence at all.
        if date_of(original) not in dates or key != moment_key(_on_date(date_of(original), master)):
            continue
        if occurrence.deleted:
            found[key] = Occurrence(original, deleted=True)
        elif values := differences(_project_values(occurrence, original, master, home), original, master):
            found[key] = Occurrence(original, values=MappingProxyType(values))
    return tuple(found[key] for key in sorted(found))


def _align(original: Moment, master: Event, home: str) -> Moment:
    """The name of an occurrence in its series' own terms."""
    if isinstance(master.start, ZonedTime):
        if isinstance(original, ZonedTime):
            stated = original if original.zone else ZonedTime(original.wall, home)
            return zoned(whole_minutes(stated).instant, master.start.zone)
        return _on_date(original, master)
    return date_of(original)


def _on_date(day: date, master: Event) -> Moment:
    if not isinstance(master.start, ZonedTime):
        return day
    moment = ZonedTime(datetime.combine(day, master.start.wall.time()), master.start.zone)
    return zoned(moment.instant, master.start.zone)


def _dates_among(master: Event, wanted: Collection[date]) -> set[date]:
    """Those of ``wanted`` on which the series has an occurrence."""
    assert master.recurrence is not None
    found: set[date] = set()
    if wanted:
        latest = max(wanted)
        for day in patterns.limited(
            master.recurrence, date_of(master.start), last_day(master.recurrence, master.start)
        ):
            if day > latest:
                break
            if day in wanted:
                found.add(day)
    return found


def _project_values(occurrence: Occurrence, original: Moment, master: Event, home: str) -> dict[str, Any]:
    values = _project_plain({name: value for name, value in occurrence.values.items() if name in _PLAIN})
    inherited = inherited_values(original, master)
    start, end = occurrence.values.get("start", original), occurrence.values.get("end", inherited["end"])
    if isinstance(start, ZonedTime) is not isinstance(end, ZonedTime):
        # A day made into a time, or the other way round, without saying until when.
        return values
    start, end = _project_span(start, end, home)
    if isinstance(start, ZonedTime) and isinstance(end, ZonedTime):
        zone = master.start.zone if isinstance(master.start, ZonedTime) else holdable_zone("", home)
        start, end = zoned(start.instant, zone), zoned(end.instant, zone)
    return values | {"start": start, "end": end}


def _in_reach(event: Event) -> bool:
    return all(FIRST_YEAR < date_of(each).year < LAST_YEAR for each in (event.start, event.end))


# Writing ---------------------------------------------------------------------------------------------------------


def check_event(event: Event, home: str) -> None:
    """Raises ``Refused`` when Exchange can't hold ``event``, with a sentence that says why."""
    if not _in_reach(event):
        raise Refused("Exchange holds no dates before 1602 and none after 4499.")
    if event.recurrence is not None:
        patterns.holdable(event.recurrence, date_of(event.start))
        if isinstance(event.start, ZonedTime) and event.start.zone and iana_to_windows(event.start.zone) is None:
            raise Refused("Windows has no time zone like the one of this series, so Exchange can't hold it.")
        last = last_day(event.recurrence, event.start)
        if last is not None and last < date_of(event.start):
            raise Refused("The series ends before its first date, which Exchange refuses.")
        if not _has_dates(project_event(event, home)):
            raise Refused("Every date of the series is deleted, and Exchange keeps no series without any.")
    if isinstance(event.start, ZonedTime) is not isinstance(event.end, ZonedTime):
        raise Refused("The event begins with a day and ends with a time, or the other way round.")
    begin, finish = instant_of(event.start, "UTC"), instant_of(event.end, "UTC")
    if finish < begin:
        raise Refused("The event ends before it begins, which Exchange refuses.")
    if finish - begin > timedelta(days=366 * _MAX_YEARS):
        raise Refused("The event lasts longer than Exchange accepts (five years).")


def _has_dates(series: Event) -> bool:
    assert series.recurrence is not None
    deleted = {moment_key(each.original) for each in series.exceptions if each.deleted}
    dates = patterns.limited(series.recurrence, date_of(series.start), last_day(series.recurrence, series.start))
    return any(moment_key(_on_date(day, series)) not in deleted for day in dates)


def new_event(event: Event, uid: str, own_id: str, home: str) -> Element:
    """The CalendarItem that creates ``event`` without its exceptions and attendees. Raises ``Refused``."""
    check_event(event, home)
    event = project_event(event, home)
    reminder, span = event.reminder, _span_elements(event, holdable_zone("", home))
    return t(
        _ITEM,
        t("Subject", event.title),
        t("Sensitivity", _PRIVACY[event.privacy]),
        body_element(event.description),
        categories_element(event.categories) if event.categories else None,
        t("ReminderIsSet", _xml_bool(reminder is not None)),
        t("ReminderMinutesBeforeStart", str(reminder)) if reminder is not None else None,
        own_property(OWN_ID_NAME, own_id),
        t("UID", uid),
        *(span[name] for name in ("Start", "End", "IsAllDayEvent")),
        t("LegacyFreeBusyStatus", _BUSY[event.busy]),
        t("Location", event.location) if event.location else None,
        recurrence_element(event.recurrence, event.start) if event.recurrence else None,
        *(span[name] for name in ("StartTimeZone", "EndTimeZone")),
    )


def body_element(value: str) -> Element:
    """A body of plain text."""
    return t("Body", legal(value), BodyType="Text")


def categories_element(categories: tuple[str, ...]) -> Element:
    """The categories of an item."""
    return t("Categories", *(t("String", each) for each in categories))


def _xml_bool(value: bool) -> str:
    return "true" if value else "false"


def _span_elements(event: Event, day_zone: str) -> dict[str, Element]:
    """The properties that say when; days begin in ``day_zone``, which has a Windows name."""
    found = {
        "Start": t("Start", format_instant(instant_of(event.start, day_zone))),
        "End": t("End", format_instant(instant_of(event.end, day_zone))),
        "IsAllDayEvent": t("IsAllDayEvent", _xml_bool(event.all_day)),
    }
    for name, moment in (("StartTimeZone", event.start), ("EndTimeZone", event.end)):
        zone = moment.zone if isinstance(moment, ZonedTime) else day_zone
        found[name] = t(name, Id=iana_to_windows(zone) or "UTC")
    return found


def event_changes(before: Event, after: Event, changed: Collection[str], home: str) -> list[Element]:
    """The changes to a single event or a master that set the fields named in ``changed`` as they are in ``after``.

    Times and pattern go together: a server may count one from the other. Exceptions and people are not written here.
    Raises ``Refused``.
    """
    check_event(after, home)
    after = project_event(after, home)
    found: list[Element] = []
    if _TIME_FIELDS & set(changed):
        span = _span_elements(after, holdable_zone("", home))
        found += [set_field(path(f"calendar:{name}"), _ITEM, value) for name, value in span.items()]
        if after.recurrence is not None:
            found.append(
                set_field(path("calendar:Recurrence"), _ITEM, recurrence_element(after.recurrence, after.start))
            )
        elif before.recurrence is not None:
            found.append(clear_field(path("calendar:Recurrence")))
    if "categories" in changed:
        where = path("item:Categories")
        value = categories_element(after.categories)
        found.append(set_field(where, _ITEM, value) if after.categories else clear_field(where))
    if "privacy" in changed:
        found.append(set_field(path("item:Sensitivity"), _ITEM, t("Sensitivity", _PRIVACY[after.privacy])))
    plain = {name: getattr(after, name) for name in _PLAIN if name in changed}
    return [*found, *_plain_changes(plain)]


def _plain_changes(values: Mapping[str, Any]) -> Iterator[Element]:
    if "title" in values:
        yield set_field(path("item:Subject"), _ITEM, t("Subject", values["title"]))
    if "location" in values:
        yield set_field(path("calendar:Location"), _ITEM, t("Location", values["location"]))
    if "description" in values:
        yield set_field(path("item:Body"), _ITEM, body_element(values["description"]))
    if "busy" in values:
        yield set_field(path("calendar:LegacyFreeBusyStatus"), _ITEM, t("LegacyFreeBusyStatus", _BUSY[values["busy"]]))
    if "reminder" in values:
        reminder = values["reminder"]
        yield set_field(path("item:ReminderIsSet"), _ITEM, t("ReminderIsSet", _xml_bool(reminder is not None)))
        if reminder is not None:
            minutes = t("ReminderMinutesBeforeStart", str(reminder))
            yield set_field(path("item:ReminderMinutesBeforeStart"), _ITEM, minutes)


def occurrence_changes(
    values: Mapping[str, Any], original: Moment, master: Event, names: Collection[str], day_zone: str
) -> list[Element]:
    """The changes to one occurrence that give the fields ``names`` what ``values`` say, else what is inherited.

    ``master`` is as ``project_event`` made it, days begin in ``day_zone`` (see ``day_zone_of``).
    """
    wanted = inherited_values(original, master) | dict(values)
    found: list[Element] = []
    if {"start", "end"} & set(names):
        span = Event(start=wanted["start"], end=wanted["end"])
        found = [
            set_field(path(f"calendar:{name}"), _ITEM, value)
            for name, value in _span_elements(span, day_zone).items()
            if name in ("Start", "End") or (name == "IsAllDayEvent" and span.all_day is not master.all_day)
        ]
    return [*found, *_plain_changes({name: wanted[name] for name in _PLAIN if name in names})]
