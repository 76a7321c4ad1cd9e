"""The neutral event: a whole series with its exceptions is one item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from syncapp.items.fields import Field, Shape, address_key, joined, line, number, paragraphs
from syncapp.items.html import formatting
from syncapp.items.values import (
    WEEKDAYS,
    Attendee,
    Busy,
    Frequency,
    Importance,
    Kind,
    Moment,
    Person,
    Privacy,
    Recurrence,
    Weekday,
    ZonedTime,
    moment_key,
)


@dataclass(frozen=True)
class Occurrence:
    """An exception of a series: the occurrence that would have begun at ``original``.

    Either it is ``deleted``, or ``values`` holds what differs from the master, by field name, and nothing else: the
    rest is inherited. ``start`` and ``end`` are among the values when they differ from ``original`` and from
    ``original`` plus the master's length.
    """

    original: Moment
    deleted: bool = False
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Event:
    """An appointment or a series, belonging to neither side.

    ``start`` and ``end`` are both dates (all-day; ``end`` is the day after the last) or both zoned times. ``reminder``
    is in minutes before the start, None for no reminder. ``exceptions`` are unique by their original start. ``html`` is
    the description with its formatting; it says the same as ``description``, and is empty where nothing is formatted.
    """

    start: Moment
    end: Moment
    uid: str = ""
    title: str = ""
    recurrence: Recurrence | None = None
    location: str = ""
    description: str = ""
    html: str = ""
    reminder: int | None = None
    categories: tuple[str, ...] = ()
    busy: Busy = Busy.BUSY
    privacy: Privacy = Privacy.NORMAL
    importance: Importance = Importance.NORMAL
    url: str = ""
    meeting_link: str = ""
    cancelled: bool = False
    organizer: Person | None = None
    attendees: tuple[Attendee, ...] = ()
    exceptions: tuple[Occurrence, ...] = ()

    kind = Kind.EVENT

    @property
    def all_day(self) -> bool:
        """Whether the event is about days, not about times."""
        return not isinstance(self.start, ZonedTime)


def normal_moment(moment: Moment) -> str:
    """A moment for comparing: the instant and the zone, because a series recurs in its own zone."""
    if isinstance(moment, ZonedTime):
        return f"{moment_key(moment)} {moment.zone}"
    return moment_key(moment)


def normal_recurrence(event: Event) -> str:
    """A pattern for comparing, with everything that RFC 5545 derives from the start written out.

    ``FREQ=WEEKLY`` from a Monday on and ``FREQ=WEEKLY;BYDAY=MO`` are the same pattern.
    """
    if event.recurrence is None:
        return ""
    rule = with_derived_parts(event.recurrence, event.start)
    until = moment_key(rule.until) if rule.until is not None else ""
    return joined(
        rule.frequency,
        str(rule.interval),
        ",".join(f"{each.ordinal or ''}{each.day}" for each in rule.weekdays),
        ",".join(map(str, rule.month_days)),
        ",".join(map(str, rule.months)),
        ",".join(map(str, rule.positions)),
        rule.week_start if rule.frequency is Frequency.WEEKLY and rule.interval > 1 else "",
        number(rule.count),
        until,
        ",".join(f"{name}={value}" for name, value in rule.others),
        ",".join(sorted(map(moment_key, rule.dates))),
    )


def with_derived_parts(rule: Recurrence, start: Moment) -> Recurrence:
    """The same pattern with the parts that its start implies, in one spelling.

    ``BYDAY=2TU`` becomes ``BYDAY=TU;BYSETPOS=2`` (the spelling that also covers "the last working day"), weekdays are
    ordered Monday first, and a ``YEARLY`` that names no days states its month and day.
    """
    first = start.wall.date() if isinstance(start, ZonedTime) else start
    weekdays, positions, months, month_days = rule.weekdays, rule.positions, rule.months, rule.month_days
    if not rule.others:
        if rule.frequency is Frequency.WEEKLY and not weekdays:
            weekdays = (Weekday(WEEKDAYS[first.weekday()]),)
        # Without a month, YEARLY with days means these days of every month or of the whole year.
        if rule.frequency is Frequency.YEARLY and not months and not weekdays and not month_days:
            months = (first.month,)
        if rule.frequency in (Frequency.MONTHLY, Frequency.YEARLY) and not weekdays and not month_days:
            month_days = (first.day,)
        if (
            len(weekdays) == 1
            and weekdays[0].ordinal
            and not positions
            and not month_days
            and (rule.frequency is Frequency.MONTHLY or months)
        ):
            positions, weekdays = (weekdays[0].ordinal,), (Weekday(weekdays[0].day),)
    return Recurrence(
        frequency=rule.frequency,
        interval=rule.interval,
        weekdays=tuple(sorted(weekdays, key=lambda each: (WEEKDAYS.index(each.day), each.ordinal))),
        month_days=tuple(sorted(month_days)),
        months=tuple(sorted(months)),
        positions=tuple(sorted(positions)),
        week_start=rule.week_start,
        count=rule.count,
        until=rule.until,
        others=rule.others,
        dates=rule.dates,
    )


def _normal_person(person: Person | None) -> str:
    return address_key(person.address) if person else ""


def _normal_attendee(attendee: Attendee) -> str:
    return joined(address_key(attendee.address), attendee.role, attendee.answer)


def _normal_busy(busy: Busy) -> str:
    return "" if busy is Busy.BUSY else busy.value


def _normal_privacy(privacy: Privacy) -> str:
    return "" if privacy is Privacy.NORMAL else privacy.value


def _normal_importance(importance: Importance) -> str:
    return "" if importance is Importance.NORMAL else importance.value


def _normal_flag(value: bool) -> str:
    return "yes" if value else ""


def duration_end(start: Moment, master: Event) -> Moment:
    """Where an occurrence of ``master`` that begins at ``start`` ends if nobody changed its length."""
    if isinstance(start, ZonedTime) and isinstance(master.start, ZonedTime) and isinstance(master.end, ZonedTime):
        length = master.end.instant - master.start.instant
        end = ZonedTime((start.instant + length).replace(tzinfo=None), "UTC")
        return end.in_zone(start.zone) if start.zone else ZonedTime(end.wall, "")
    if not isinstance(start, ZonedTime) and not isinstance(master.start, ZonedTime):
        assert isinstance(master.end, date)
        return start + (master.end - master.start)
    return start


# ``recurrence`` is the one normal form that needs more than its own value (``normal_recurrence``); ``elements`` hands
# it the event.
EVENT_FIELDS: tuple[Field, ...] = (
    Field(
        "title", "Title", "SUMMARY", "Subject", line, "subject", per_occurrence=True, note="255 characters in Exchange"
    ),
    Field(
        "start",
        "Start",
        "DTSTART",
        "Start, StartTimeZone, IsAllDayEvent",
        normal_moment,
        "start",
        group="time",
        per_occurrence=True,
    ),
    Field(
        "end", "End", "DTEND or DURATION", "End, EndTimeZone", normal_moment, "end", group="time", per_occurrence=True
    ),
    Field("recurrence", "Recurrence", "RRULE, RDATE", "Recurrence", normal_recurrence, "recurrence", group="time"),
    Field("location", "Location", "LOCATION", "Location", line, "location", per_occurrence=True),
    Field("description", "Description", "DESCRIPTION", "Body", paragraphs, "body", group="text", per_occurrence=True),
    Field(
        "html",
        "Formatted description",
        "X-ALT-DESC or STYLED-DESCRIPTION",
        "Body",
        formatting,
        "body",
        group="text",
        per_occurrence=True,
        note="only while it says the same as the plain text; fonts, sizes and colours alone are no change",
    ),
    Field(
        "reminder",
        "Reminder",
        "VALARM",
        "ReminderIsSet, ReminderMinutesBeforeStart",
        number,
        "reminderMinutesBeforeStart",
        per_occurrence=True,
        note="Exchange has one; further alarms stay in Nextcloud",
    ),
    Field(
        "categories",
        "Categories",
        "CATEGORIES",
        "Categories",
        line,
        "categories",
        Shape.KEYED,
        key=lambda each: line(each).casefold(),
    ),
    Field(
        "busy",
        "Busy status",
        "TRANSP, X-MICROSOFT-CDO-BUSYSTATUS",
        "LegacyFreeBusyStatus",
        _normal_busy,
        "showAs",
        per_occurrence=True,
    ),
    Field("privacy", "Privacy", "CLASS", "Sensitivity", _normal_privacy, "sensitivity"),
    Field(
        "importance",
        "Importance",
        "PRIORITY",
        "Importance",
        _normal_importance,
        "importance",
        note="high, normal or low: priorities 1 to 4 are high, 6 to 9 are low",
    ),
    Field("url", "Web address", "URL", "MeetingWorkspaceUrl", line, note="Outlook shows it nowhere"),
    Field(
        "meeting_link",
        "Online meeting",
        "X-MICROSOFT-SKYPETEAMSMEETINGURL",
        "SkypeTeamsMeetingUrl (extended property)",
        line,
        "onlineMeeting",
    ),
    Field(
        "cancelled",
        "Cancelled",
        "STATUS:CANCELLED",
        "IsCancelled, written as PidLidAppointmentStateFlags",
        _normal_flag,
        "isCancelled",
        per_occurrence=True,
    ),
    Field("organizer", "Organizer", "ORGANIZER", "Organizer", _normal_person, "organizer", read_only=True),
    Field(
        "attendees",
        "Attendees",
        "ATTENDEE",
        "RequiredAttendees, OptionalAttendees, Resources",
        _normal_attendee,
        "attendees",
        Shape.KEYED,
        key=lambda each: address_key(each.address),
        read_only=True,
        note="read from Exchange, never written there until there is a meeting policy",
    ),
)

ONLY_IN_NEXTCLOUD: tuple[tuple[str, str], ...] = (
    ("VALARM, the second and later ones", "Exchange has one reminder for an event"),
    ("VALARM with ACTION:EMAIL, or after the start", "a reminder of Exchange is shown, and before the start"),
    ("ATTACH", "files and links stay where they are"),
    ("GEO", "no property of Exchange"),
    ("RELATED-TO", "no property of Exchange"),
    ("CONFERENCE", "no property of Exchange; the address of a Teams meeting is a field of its own"),
    ("COMMENT, CONTACT, RESOURCES, REQUEST-STATUS", "no property of Exchange"),
    ("ORGANIZER and ATTENDEE", "Exchange would make the mailbox the organizer, and mail everybody on the next edit"),
    ("X-... and whatever else nobody knows", "no property of Exchange"),
    ("parameters, as LANGUAGE, ALTREP, DIR", "no property of Exchange"),
)
"""What iCalendar says of an event and Exchange has no place for: it stays in the Nextcloud object, byte for byte."""

OTHER_WORDS: tuple[tuple[str, str], ...] = (
    ("single extra dates (RDATE), also with an end of their own", "a pattern with all these days, without the others"),
    ("several days of the month, counted weekdays, BYSETPOS, BYWEEKNO and the like, with an end", "the same"),
    (
        "monthly on the 29th, 30th or 31st, which leaves out months, with an end",
        "the same; Outlook would move these days",
    ),
    ("a first date outside of its own pattern", "the date of the pattern before it, moved"),
    ("more than 999 dates", "the date of the last one as the end"),
    ("yearly in months that are evenly apart; a weekday in a run of seven days", "monthly; the counted weekday"),
    ("dates years apart", "days in a row, moved to where they belong"),
    ("occurrences without their series (an invitation to some of them)", "a series of just these dates"),
    ("RANGE=THISANDFUTURE in a series with an end", "each date that follows is changed"),
    ("a private time zone", "the zone with the same rules, else these rules themselves"),
)
"""What Exchange has no words for, and by what other words it crosses as the same series."""

REFUSED: tuple[tuple[str, str], ...] = (
    ("more than one time a day (HOURLY, MINUTELY, SECONDLY, several BYHOUR)", "a series of Exchange has one a day"),
    ("the patterns above without any end", "no pattern of Exchange is the same, and none shall become another one"),
    ("EXRULE and a second RRULE", "taken out of RFC 5545; programs read them differently"),
    ("RSCALE other than GREGORIAN", "Exchange has other calendars, but by no rule that says the same"),
    ("dates before 1602 and after 4499, events of more than five years", "beyond what Exchange counts"),
    (
        "a series all of whose dates are deleted, or that ends before it begins",
        "Exchange keeps no series without a date",
    ),
    ("dates that pass each other", "Exchange lets none cross or meet its neighbour"),
)
"""What stays in Nextcloud only, with a problem on that item that says so."""
