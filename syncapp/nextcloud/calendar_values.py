"""The typed values of iCalendar that events consist of: moments, durations, rules (RFC 5545 section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from syncapp.items.values import WEEKDAYS, Frequency, Moment, Recurrence, Weekday, ZonedTime
from syncapp.nextcloud.content_lines import Line
from syncapp.side import Unreadable

FIRST_YEAR, LAST_YEAR = 1601, 4500
"""The years that Exchange knows (MS-OXCDATA PtypTime begins in 1601; calendars end in 4500)."""
MAX_INTERVAL = 9999
MAX_COUNT = 99_999
MAX_LIST = 400
MAX_DATES = 5000

ZoneOf = Callable[[str, datetime], str]
"""A function from a TZID, and the wall time that stands beside it, to an IANA zone ("" for a floating time)."""

_DATE = re.compile(r"\d{8}", re.ASCII)
_TIME = re.compile(r"\d{8}T\d{6}Z?", re.ASCII)
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII
)
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)


# Moments ---------------------------------------------------------------------------------------------------------


def read_moment(value: str, tzid: str, zone_of: ZoneOf) -> Moment:
    """A DATE or DATE-TIME (RFC 5545 sections 3.3.4 and 3.3.5). Raises Unreadable."""
    value = value.strip()
    try:
        if _TIME.fullmatch(value):
            # 60 is a leap second, which no calendar of ours knows.
            wall = datetime.fromisoformat(value[:15] if value[13] < "6" else value[:13] + "59")
            zone = "UTC" if value[-1] == "Z" else zone_of(tzid, wall) if tzid else ""
            if FIRST_YEAR <= wall.year <= LAST_YEAR:
                return ZonedTime(wall, zone)
        elif _DATE.fullmatch(value):
            day = date.fromisoformat(value)
            if FIRST_YEAR <= day.year <= LAST_YEAR:
                return day
        else:
            raise Unreadable("A date or a time is not written as iCalendar asks for.")
    except ValueError:
        raise Unreadable("A date or a time names a day or an hour that does not exist.") from None
    raise Unreadable(f"A date lies outside of the years {FIRST_YEAR} to {LAST_YEAR}.")


def moment_of(line: Line, zone_of: ZoneOf) -> Moment:
    """The moment of a line such as DTSTART."""
    return read_moment(line.value, line.parameter("TZID"), zone_of)


def moments_of(lines: Iterable[Line], zone_of: ZoneOf) -> list[tuple[str, Moment]]:
    """The moments of lines with lists such as EXDATE, each with its text; of a period its start (RDATE)."""
    found: list[tuple[str, Moment]] = []
    for line in lines:
        tzid = line.parameter("TZID")
        for text in line.value.split(","):
            if text.strip():
                found.append((text, read_moment(text.partition("/")[0], tzid, zone_of)))
        if len(found) > MAX_DATES:
            raise Unreadable(f"The series lists more than {MAX_DATES} dates.")
    return found


def moment_text(moment: Moment) -> str:
    """A moment as a value; its zone belongs in a parameter (but for UTC)."""
    if not isinstance(moment, ZonedTime):
        return moment.isoformat().replace("-", "")
    text = moment.wall.isoformat().replace("-", "").replace(":", "")
    return text + "Z" if moment.zone == "UTC" else text


def stamp_text(now: datetime) -> str:
    """A time in UTC as formats want a time stamp."""
    return now.isoformat()[:19].replace("-", "").replace(":", "") + "Z"


def like(moment: Moment, pattern: Moment) -> Moment:
    """``moment`` in the form that ``pattern`` has: a day, a time in its zone, or a floating time.

    A day becomes a time by the pattern's clock. RECURRENCE-ID, EXDATE and UNTIL are often written otherwise than the
    DTSTART that they refer to.
    """
    if not isinstance(pattern, ZonedTime):
        return moment.wall.date() if isinstance(moment, ZonedTime) else moment
    if not isinstance(moment, ZonedTime):
        return ZonedTime(datetime.combine(moment, pattern.wall.time()), pattern.zone)
    if not pattern.zone or not moment.zone:
        return ZonedTime(moment.wall, pattern.zone)
    return moment if moment.zone == pattern.zone else moment.in_zone(pattern.zone)


# Durations -------------------------------------------------------------------------------------------------------


def read_duration(value: str) -> tuple[timedelta, timedelta]:
    """A DURATION as its days, which follow the calendar, and the rest, which is exact (RFC 5545 section 3.3.6)."""
    value = value.strip().upper()
    match = _DURATION.fullmatch(value)
    if match is None or value.lstrip("+-") in ("P", "PT") or value.endswith("T"):
        raise Unreadable("A duration is not written as iCalendar asks for.")
    sign = -1 if match.group(1) == "-" else 1
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in match.groups()[1:])
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return sign * timedelta(weeks=weeks, days=days), sign * exact


def after(start: Moment, days: timedelta, exact: timedelta) -> Moment:
    """The moment that far behind ``start``. Raises Unreadable when that is outside of the years we know."""
    try:
        if not isinstance(start, ZonedTime):
            end: Moment = start + days + timedelta(days=exact.days)
        else:
            moved = ZonedTime(start.wall + days, start.zone)
            if not exact:
                end = moved
            elif not start.zone:
                end = ZonedTime(moved.wall + exact, "")
            else:
                end = ZonedTime((moved.instant + exact).replace(tzinfo=None), "UTC").in_zone(start.zone)
    except OverflowError:
        raise Unreadable("An event has an impossible length.") from None
    year = end.wall.year if isinstance(end, ZonedTime) else end.year
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Unreadable("An event has an impossible length.")
    return end


def length(start: Moment, end: Moment) -> tuple[timedelta, timedelta]:
    """What ``after`` takes to get from ``start`` to ``end``; an event across a change of the clocks keeps its hours."""
    if isinstance(start, ZonedTime) and isinstance(end, ZonedTime):
        return timedelta(), end.instant - start.instant
    if not isinstance(start, ZonedTime) and not isinstance(end, ZonedTime):
        return end - start, timedelta()
    raise Unreadable("An event begins on a day and ends at a time, or the other way round.")


# Recurrence rules ------------------------------------------------------------------------------------------------


def read_rule(value: str, start: Moment, zone_of: ZoneOf) -> Recurrence:
    """An RRULE (RFC 5545 section 3.3.10). Raises Unreadable for what no calendar can mean."""
    frequency: Frequency | None = None
    parts: dict[str, object] = {}
    others: list[tuple[str, str]] = []
    for text in value.strip().strip(";").split(";"):
        name, _, given = text.partition("=")
        name, given = name.strip().upper(), given.strip().upper()
        if name == "FREQ":
            frequency = _frequency(given)
        elif name == "INTERVAL":
            parts["interval"] = _number(given, 1, MAX_INTERVAL, "interval")
        elif name == "COUNT":
            parts["count"] = _number(given, 1, MAX_COUNT, "number of occurrences")
        elif name == "UNTIL":
            parts["until"] = _until(given, start, zone_of)
        elif name == "BYDAY":
            parts["weekdays"] = tuple(_weekday(each) for each in _list(given))
        elif name == "BYMONTHDAY":
            parts["month_days"] = _numbers(given, 31, "day of the month")
        elif name == "BYMONTH":
            parts["months"] = tuple(_number(each, 1, 12, "month") for each in _list(given))
        elif name == "BYSETPOS":
            parts["positions"] = _numbers(given, 366, "position")
        elif name == "WKST":
            if given not in WEEKDAYS:
                raise Unreadable("A recurrence rule names a weekday that does not exist.")
            parts["week_start"] = given
        elif name:
            others.append((name[:40], given[:400]))
    if frequency is None:
        raise Unreadable("A recurrence rule does not say how often.")
    if parts.get("count") is not None and parts.get("until") is not None:
        raise Unreadable("A recurrence rule has a number of occurrences and an end: only one is allowed.")
    return Recurrence(frequency, others=tuple(sorted(others)), **parts)  # type: ignore[arg-type]  # filled above


def _frequency(given: str) -> Frequency:
    try:
        return Frequency(given)
    except ValueError:
        raise Unreadable("A recurrence rule has an unknown frequency.") from None


def _list(given: str) -> Sequence[str]:
    found = given.split(",", MAX_LIST)
    if len(found) > MAX_LIST:
        raise Unreadable("A recurrence rule has an absurdly long list.")
    return found


def _number(given: str, least: int, most: int, what: str) -> int:
    if not _NUMBER.fullmatch(given.strip()) or not least <= int(given) <= most:
        raise Unreadable(f"A recurrence rule has an impossible {what}.")
    return int(given)


def _numbers(given: str, most: int, what: str) -> tuple[int, ...]:
    found = tuple(_number(each, -most, most, what) for each in _list(given))
    if 0 in found:
        raise Unreadable(f"A recurrence rule has an impossible {what}.")
    return found


def _weekday(given: str) -> Weekday:
    match = _WEEKDAY.fullmatch(given.strip())
    if match is None or abs(int(match.group(1) or 0)) > 53:
        raise Unreadable("A recurrence rule names a weekday that does not exist.")
    return Weekday(match.group(2), int(match.group(1) or 0))


def _until(given: str, start: Moment, zone_of: ZoneOf) -> Moment | None:
    if given[:4].isdecimal() and int(given[:4]) > LAST_YEAR:
        # What some programs write for "for ever".
        return None
    moment = read_moment(given, "", zone_of)
    if isinstance(start, ZonedTime) and not isinstance(moment, ZonedTime):
        # Not allowed, but common: the whole of that day is meant.
        return ZonedTime(datetime.combine(moment, datetime.max.time()), start.zone)
    return like(moment, start)


def rule_text(rule: Recurrence, start: Moment) -> str:
    """The rule as an RRULE of a series that begins at ``start``, whose form decides about UNTIL's."""
    parts = [f"FREQ={rule.frequency}"]
    if rule.interval != 1:
        parts.append(f"INTERVAL={rule.interval}")
    if rule.count is not None:
        parts.append(f"COUNT={rule.count}")
    if rule.until is not None:
        until = like(rule.until, start)
        if isinstance(until, ZonedTime) and until.zone:
            until = until.in_zone("UTC")
        parts.append(f"UNTIL={moment_text(until)}")
    for name, values in (("BYMONTH", rule.months), ("BYMONTHDAY", rule.month_days)):
        if values:
            parts.append(f"{name}={','.join(map(str, values))}")
    if rule.weekdays:
        parts.append("BYDAY=" + ",".join(f"{each.ordinal or ''}{each.day}" for each in rule.weekdays))
    if rule.positions:
        parts.append(f"BYSETPOS={','.join(map(str, rule.positions))}")
    if rule.week_start != "MO":
        parts.append(f"WKST={rule.week_start}")
    parts += [f"{name}={value}" for name, value in rule.others if name not in LINES]
    return ";".join(parts)


LINES = ("RRULE", "EXRULE")
"""Names in ``Recurrence.others`` that stand for lines of their own: further rules, which RFC 5545 gave up."""


def instances_at_most(rule: Recurrence, start: Moment) -> int:
    """How many occurrences a rule with an end has, roughly and not too few; 0 for a rule without an end."""
    if rule.count is not None:
        return rule.count
    if rule.until is None:
        return 0
    first = start.wall.date() if isinstance(start, ZonedTime) else start
    last = rule.until.wall.date() if isinstance(rule.until, ZonedTime) else rule.until
    days = max((last - first).days, 0) + 1
    match rule.frequency:
        case Frequency.DAILY:
            return days // rule.interval + 1
        case Frequency.WEEKLY:
            return (days // 7 // rule.interval + 1) * max(len(rule.weekdays), 1)
        case _:
            return 0
