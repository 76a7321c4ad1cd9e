"""What an event in Nextcloud says, as icalendar reads it, and when it happens, as recurring-ical-events expands it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from lab.judge.reading import html_words
from lab.roundtrip.kinds import MASTER, NotReadable, Reading, Shown

YEARS = timedelta(days=3653)
_TIMES = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE")
_BOOKKEEPING = frozenset(
    {*_TIMES, "UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "SUMMARY", "LOCATION", "DESCRIPTION", "TRANSP"}
    | {"STATUS", "CLASS", "PRIORITY", "CATEGORIES", "URL", "ORGANIZER", "ATTENDEE", "X-ALT-DESC", "STYLED-DESCRIPTION"}
    | {"X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-CDO-IMPORTANCE"}
    | {"X-MICROSOFT-SKYPETEAMSMEETINGURL"}
)
_PRIVACY = {"PUBLIC": "", "PRIVATE": "private", "CONFIDENTIAL": "confidential", "X-PERSONAL": "personal"}
# icalendar makes a time of a day that names a zone.
_DAY = re.compile(
    rb"^((?:DTSTART|DTEND|RECURRENCE-ID|EXDATE|RDATE))(?:;[^:\r\n]*)?:(\d{8}(?:,\d{8})*)(?=\r?$)",
    re.MULTILINE | re.IGNORECASE,
)
# A time in UTC that names a zone beside is in UTC for Nextcloud.
_UTC = re.compile(rb"^(DTSTART|DTEND);TZID=[^:;\r\n]*:(\d{8}T\d{6}Z)(?=\r?$)", re.MULTILINE | re.IGNORECASE)
_PERIOD_OF_DAYS = re.compile(rb"^RDATE;[^:]*VALUE=PERIOD[^:]*:(?:[^\r\n]*,)?\d{8}/", re.MULTILINE | re.IGNORECASE)
_LONGEST_REMINDER = 5 * 366 * 24 * 60
_FORMATTED = re.compile(r"<(?:b|strong|i|em|u|s|a|ul|ol|li|table|img|h[1-6]|pre|blockquote)\b", re.IGNORECASE)
_LINK = re.compile(r"""(?:href|src)\s*=\s*["']?([^"'>\s]+)""", re.IGNORECASE)


def calendar_of(text: bytes) -> icalendar.Calendar:
    """An object in Nextcloud. Raises NotReadable when icalendar can't read what an event needs."""
    try:
        calendar = icalendar.Calendar.from_ical(_UTC.sub(rb"\1:\2", _DAY.sub(rb"\1;VALUE=DATE:\2", text)))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NotReadable(f"icalendar can't read it: {error}") from error
    if _PERIOD_OF_DAYS.search(text):
        raise NotReadable("An extra date is a period of days, of which iCalendar has none.")
    events = calendar.walk("VEVENT")
    if not events:
        raise NotReadable("There is no event in it.")
    for event in events:
        _check(event)
    _as_floating(calendar)
    return calendar


def _as_floating(calendar: icalendar.Calendar) -> None:
    """Dates of a floating series are floating, too: recurring-ical-events would take it for one in UTC."""
    master, exceptions = series_of(calendar)
    start = master["DTSTART"].dt
    if not isinstance(start, datetime) or start.tzinfo:
        return
    lists = [lines for name in ("EXDATE", "RDATE") if (lines := master.get(name)) is not None]
    for each in [line for lines in lists for line in (lines if isinstance(lines, list) else [lines])]:
        for moment_ in each.dts:
            if isinstance(moment_.dt, datetime):
                moment_.dt = moment_.dt.replace(tzinfo=None)
    for each in exceptions:
        if isinstance(each["RECURRENCE-ID"].dt, datetime):
            each["RECURRENCE-ID"].dt = each["RECURRENCE-ID"].dt.replace(tzinfo=None)


def _check(event: Any) -> None:
    broken = [name for name, _ in event.errors if name is None or name in _TIMES]
    if broken:
        raise NotReadable(f"icalendar can't read its {broken[0] or 'lines'}.")
    start = event.get("DTSTART")
    if start is None or isinstance(start, list):
        raise NotReadable("It does not say when it begins, or says so twice.")
    for name in ("DTEND", "DURATION"):
        if isinstance(event.get(name), list):
            raise NotReadable(f"It has two {name}.")


def series_of(calendar: icalendar.Calendar) -> tuple[Any, list[Any]]:
    """The event itself, and its changed occurrences."""
    events = calendar.walk("VEVENT")
    master = next((each for each in events if "RECURRENCE-ID" not in each), events[0])
    return master, [each for each in events if each is not master]


def read_event(text: bytes, home: str, owner: str) -> Reading:
    """What an object says. ``home`` is the zone of floating times, ``owner`` the address of the calendar's owner."""
    calendar = calendar_of(text)
    master, exceptions = series_of(calendar)
    parts = {MASTER: _values(master, home, owner)}
    if repeats(calendar):
        # The moments of the series tell when it begins; its pattern may begin with a date that was moved.
        for name in ("start", "end", "clock"):
            parts[MASTER].pop(name, None)
        _check_expansion(calendar, home)
    for each in exceptions:
        if _is_of(each, master):
            parts[_name(each["RECURRENCE-ID"].dt, master, home)] = _values(each, home, owner)
    return Reading(parts)


def repeats(calendar: icalendar.Calendar) -> bool:
    """Whether an object is a series."""
    master, exceptions = series_of(calendar)
    named = any(name in master for name in ("RRULE", "RDATE", "EXDATE"))
    return bool(exceptions) or (named and "RECURRENCE-ID" not in master)


def _check_expansion(calendar: icalendar.Calendar, home: str) -> None:
    """Raises NotReadable for a series that can't be expanded at all."""
    start, _ = span_of(calendar, home)
    _expanded(calendar, start, start + timedelta(days=1, hours=1))


def _is_of(exception: Any, master: Any) -> bool:
    """Whether a changed occurrence is one of the series: others are shown by nobody."""
    original = exception["RECURRENCE-ID"].dt
    if "RECURRENCE-ID" in master or isinstance(original, datetime) != isinstance(master["DTSTART"].dt, datetime):
        return True
    alone = icalendar.Calendar()
    alone.add_component(master)
    edge = timedelta(seconds=1) if isinstance(original, datetime) else timedelta(days=1)
    found = recurring_ical_events.of(alone).between(original - edge, original + edge)
    return any(each["DTSTART"].dt == original for each in found)


def _name(original: datetime | date, master: Any, home: str) -> str:
    """The name of an exception: the instant or the day that it replaces."""
    start = master["DTSTART"].dt
    if isinstance(start, datetime) and not isinstance(original, datetime):
        original = datetime.combine(original, start.timetz())
    if not isinstance(start, datetime) and isinstance(original, datetime):
        original = original.date()
    return moment(original, home)


def moment(value: datetime | date, home: str) -> str:
    """A time as an instant in UTC, floating ones as if in ``home``; a date as itself."""
    if not isinstance(value, datetime):
        return value.isoformat()
    aware = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(home))
    return aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _values(event: Any, home: str, owner: str) -> dict[str, str]:
    found = dict(_simple(event))
    start, end = _span(event)
    found |= {"start": moment(start, home), "end": moment(end, home), "all_day": str(not isinstance(start, datetime))}
    if isinstance(start, datetime):
        aware = start if start.tzinfo else start.replace(tzinfo=ZoneInfo(home))
        found["clock"] = str(aware.utcoffset())
    found |= _alarms(event, start)
    found |= _people(event, owner)
    for name, value in event.property_items(recursive=False):
        if name in ("BEGIN", "END") or name in _BOOKKEEPING:
            continue
        key = f"other {name}"
        found[key] = "\n".join(sorted([*found.get(key, "").split("\n"), f"{value.to_ical()!r}"])).strip()
    return {name: value for name, value in found.items() if value}


def _simple(event: Any) -> Iterator[tuple[str, str]]:
    yield "title", " ".join(_text(event, "SUMMARY").split())
    yield "location", " ".join(_text(event, "LOCATION").split())
    yield "description", _lines(_text(event, "DESCRIPTION"))
    yield "formatting", _html(event)
    yield "categories", "\n".join(sorted({" ".join(each.split()).casefold() for each in _categories(event)} - {""}))
    yield "busy", _busy(event)
    yield "privacy", _PRIVACY.get(_word(event, "CLASS") or "PUBLIC", "private")
    yield "importance", _importance(event)
    yield "url", _text(event, "URL").strip()
    yield "meeting_link", _text(event, "X-MICROSOFT-SKYPETEAMSMEETINGURL").strip()
    yield "cancelled", "yes" if _word(event, "STATUS") == "CANCELLED" else ""


def _first(event: Any, name: str) -> Any:
    value = event.get(name)
    return value[0] if isinstance(value, list) and value else value


def _text(event: Any, name: str) -> str:
    value = _first(event, name)
    return "" if value is None else str(value)


def _word(event: Any, name: str) -> str:
    return _text(event, name).strip().upper()


def _lines(text: str) -> str:
    """A text without regard to spaces, empty lines, and characters that XML has none for."""
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", " ", text.replace("\r\n", "\n"))
    return "\n".join(line for each in plain.split("\n") if (line := " ".join(each.split())))


def _html(event: Any) -> str:
    """The words and the links of a description in HTML that has more than words."""
    for name in ("STYLED-DESCRIPTION", "X-ALT-DESC"):
        value = _first(event, name)
        kind = "" if value is None else str(value.params.get("FMTTYPE", "")).lower()
        if value is not None and (kind == "text/html" or (name == "STYLED-DESCRIPTION" and not kind)):
            html = str(value).replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";")
            return "\n".join([html_words(html), *_LINK.findall(html)]) if _FORMATTED.search(html) else ""
    return ""


def _categories(event: Any) -> Iterator[str]:
    entries = event.get("CATEGORIES", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        yield from (str(name) for name in entry.cats)


def _busy(event: Any) -> str:
    stated = _word(event, "X-MICROSOFT-CDO-BUSYSTATUS")
    if _word(event, "TRANSP") == "TRANSPARENT":
        return "workingelsewhere" if stated == "WORKINGELSEWHERE" else "free"
    if stated and stated != "FREE":
        return stated.lower()
    return "tentative" if not stated and _word(event, "STATUS") == "TENTATIVE" else "busy"


def _importance(event: Any) -> str:
    number = _text(event, "PRIORITY").strip()
    if not number.isdecimal() or not 1 <= int(number) <= 9 or int(number) == 5:
        return ""
    return "high" if int(number) < 5 else "low"


def _span(event: Any) -> tuple[datetime | date, datetime | date]:
    start = cast("datetime | date", event["DTSTART"].dt)
    if "DTEND" in event:
        end = cast("datetime | date", event["DTEND"].dt)
    elif "DURATION" in event:
        end = start + cast("timedelta", event["DURATION"].dt)
    else:
        end = start if isinstance(start, datetime) else start + timedelta(days=1)
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise NotReadable("It begins on a day and ends at a time, or the other way round.")
    if not isinstance(start, datetime) and end == start:
        end = start + timedelta(days=1)
    if isinstance(start, datetime) and isinstance(end, datetime) and not (start.tzinfo and end.tzinfo):
        end = end.replace(tzinfo=start.tzinfo)
    return (end, start) if end < start else (start, end)


def _alarms(event: Any, start: datetime | date) -> dict[str, str]:
    """The first alarm that is shown before the start is the reminder, all others are further alarms."""
    found: dict[str, str] = {}
    others = []
    for alarm in event.subcomponents:
        if alarm.name != "VALARM":
            continue
        minutes = _minutes(alarm, start) if _word(alarm, "ACTION") in ("DISPLAY", "AUDIO") else None
        if minutes is None or "reminder" in found:
            others.append(f"{_word(alarm, 'ACTION')} {_text(alarm, 'TRIGGER')}")
        else:
            found["reminder"] = str(minutes)
    if others:
        found["further alarms"] = "\n".join(sorted(others))
    return found


def _minutes(alarm: Any, start: datetime | date) -> int | None:
    trigger = _first(alarm, "TRIGGER")
    value = getattr(trigger, "dt", None)
    if value is None or str(trigger.params.get("RELATED", "START")).upper() != "START":
        return None
    if isinstance(value, datetime):
        if not isinstance(start, datetime) or not start.tzinfo:
            return None
        value = value.astimezone(UTC) - start.astimezone(UTC)
    if not isinstance(value, timedelta) or value > timedelta():
        return None
    minutes = int(-value.total_seconds() // 60)
    return minutes if minutes <= _LONGEST_REMINDER else None


def _people(event: Any, owner: str) -> dict[str, str]:
    """Organizer and attendees; those of other people's meetings are apart, as nobody may be made organizer of them."""
    organizer = _address(_first(event, "ORGANIZER"))
    attendees = event.get("ATTENDEE", [])
    named = {
        _address(each): " ".join(
            (
                _address(each),
                str(each.params.get("ROLE", "REQ-PARTICIPANT")).upper(),
                str(each.params.get("PARTSTAT", "NEEDS-ACTION")).upper(),
            )
        )
        for each in (attendees if isinstance(attendees, list) else [attendees])
    }
    whose = "" if organizer == owner.casefold() else " of others"
    return {f"organizer{whose}": organizer, f"attendees{whose}": "\n".join(sorted(named.values()))}


def _address(value: Any) -> str:
    return "" if value is None else str(value).strip().casefold().removeprefix("mailto:")


def shown(text: bytes, home: str) -> Shown:
    """When an object happens in the ten years from its start on. Raises NotReadable."""
    calendar = calendar_of(text)
    start, end = span_of(calendar, home)
    spans = map(_span, _expanded(calendar, start, end))
    # Exchange counts series in minutes.
    found = {(_minute(moment(begin, home)), _minute(moment(finish, home))) for begin, finish in spans}
    return Shown(found, [(start, end)])


def _minute(text: str) -> str:
    return f"{text[:17]}00{text[19:]}" if len(text) > len("2026-01-01") else text


def _expanded(calendar: icalendar.Calendar, start: datetime, end: datetime) -> list[Any]:
    try:
        return list(recurring_ical_events.of(calendar, skip_bad_series=False).between(start, end))
    except Exception as error:
        # Whatever makes the library stop is something that it can't read.
        raise NotReadable(f"recurring-ical-events can't expand it: {type(error).__name__}.") from error


def _extra_dates(calendar: icalendar.Calendar, home: str) -> Iterator[datetime]:
    lines = series_of(calendar)[0].get("RDATE", [])
    for line in lines if isinstance(lines, list) else [lines]:
        for each in line.dts:
            found = each.dt[0] if isinstance(each.dt, tuple) else each.dt
            if isinstance(found, datetime):
                yield (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(home))).astimezone(UTC)


def span_of(calendar: icalendar.Calendar, home: str) -> tuple[datetime, datetime]:
    """The ten years, from a day before the event's start on."""
    first = series_of(calendar)[0]["DTSTART"].dt
    if not isinstance(first, datetime):
        first = datetime.combine(first, time())
    aware = first if first.tzinfo else first.replace(tzinfo=ZoneInfo(home))
    begin = min([aware.astimezone(UTC), *_extra_dates(calendar, home)]) - timedelta(days=1)
    return begin, begin + YEARS
