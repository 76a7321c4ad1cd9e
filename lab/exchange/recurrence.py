"""Recurrence patterns of EWS and the dates they stand for (MS-OXWSCDATA 2.2.4, MS-OXOCAL 2.2.1.44.1)."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from lxml import etree

from lab.exchange.soap import Element, EwsError, T, local

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = tuple(calendar.month_name)[1:]
INDEXES = ("First", "Second", "Third", "Fourth", "Last")
MAX_OCCURRENCES = 999
# MS-OXOCAL 2.2.1.44.1: the end date of a series without end.
LAST_DAY = date(4500, 8, 31)

_ORDER = ("Interval", "DaysOfWeek", "DayOfWeekIndex", "DayOfMonth", "Month", "FirstDayOfWeek")
_PATTERNS: dict[str, tuple[str, ...]] = {
    "RelativeYearlyRecurrence": ("DaysOfWeek", "DayOfWeekIndex", "Month"),
    "AbsoluteYearlyRecurrence": ("DayOfMonth", "Month"),
    "RelativeMonthlyRecurrence": ("Interval", "DaysOfWeek", "DayOfWeekIndex"),
    "AbsoluteMonthlyRecurrence": ("Interval", "DayOfMonth"),
    "WeeklyRecurrence": ("Interval", "DaysOfWeek", "FirstDayOfWeek"),
    "DailyRecurrence": ("Interval",),
    "DailyRegeneration": ("Interval",),
    "WeeklyRegeneration": ("Interval",),
    "MonthlyRegeneration": ("Interval",),
    "YearlyRegeneration": ("Interval",),
}
_NUMBERS = ("Interval", "DayOfMonth")

# pattern, its fields, range ("NoEndRecurrence" …), "StartDate", "EndDate" or "NumberOfOccurrences"
Recurrence = dict[str, Any]


def _invalid(text: str) -> EwsError:
    return EwsError("ErrorCalendarInvalidRecurrence", text)


def read_recurrence(element: Element) -> Recurrence:
    """A Recurrence element; raises EwsError for values outside MS-OXWSCDATA's limits."""
    pattern = next((child for child in element if local(child) in _PATTERNS), None)
    span = next((child for child in element if local(child).endswith("EndRecurrence")), None)
    for name in ("EndDateRecurrence", "NumberedRecurrence"):
        span = element.find(f"{T}{name}") if span is None else span
    if pattern is None or span is None:
        raise _invalid("A recurrence needs a pattern and a range.")
    value: Recurrence = {"pattern": local(pattern), "range": local(span)}
    for name in _PATTERNS[value["pattern"]]:
        text = pattern.findtext(f"{T}{name}")
        if text is not None:
            value[name] = _read_field(name, text)
    for name in ("StartDate", "EndDate"):
        if (text := span.findtext(f"{T}{name}")) is not None:
            value[name] = text[:10]
    if (text := span.findtext(f"{T}NumberOfOccurrences")) is not None:
        value["NumberOfOccurrences"] = int(text)
    _check(value)
    return value


def _read_field(name: str, text: str) -> Any:
    if name in _NUMBERS:
        return int(text)
    if name == "DaysOfWeek":
        return text.split()
    return text


def _check(value: Recurrence) -> None:
    if value.get("Interval", 1) < 1:
        raise _invalid("The interval must be positive.")
    if not 1 <= value.get("DayOfMonth", 1) <= 31:
        raise _invalid("The day of the month is out of range.")
    if not 1 <= value.get("NumberOfOccurrences", 1) <= MAX_OCCURRENCES:
        raise _invalid(f"The number of occurrences must be between 1 and {MAX_OCCURRENCES}.")
    if value["pattern"] == "WeeklyRecurrence" and not set(value.get("DaysOfWeek", ())) <= set(WEEKDAYS):
        raise EwsError("ErrorCalendarInvalidDayForWeeklyRecurrence", "A week has the days Monday to Sunday.")
    if "EndDate" in value and value["EndDate"] < value["StartDate"]:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")


def write_recurrence(tag: str, value: Recurrence, offset: Callable[[str], str]) -> Element:
    """A Recurrence element; ``offset`` gives the zone suffix that Exchange puts behind a date."""
    element = etree.Element(tag)
    pattern = etree.SubElement(element, f"{T}{value['pattern']}")
    for name in _ORDER:
        if name in value and name in _PATTERNS[value["pattern"]]:
            field = value[name]
            etree.SubElement(pattern, f"{T}{name}").text = " ".join(field) if isinstance(field, list) else str(field)
    span = etree.SubElement(element, f"{T}{value['range']}")
    for name in ("StartDate", "EndDate"):
        if name in value:
            etree.SubElement(span, f"{T}{name}").text = value[name] + offset(value[name])
    if "NumberOfOccurrences" in value:
        etree.SubElement(span, f"{T}NumberOfOccurrences").text = str(value["NumberOfOccurrences"])
    return element


def dates(value: Recurrence) -> Iterator[date]:
    """The dates of a series in order, deleted ones included; may be endless."""
    start = date.fromisoformat(value["StartDate"])
    end = date.fromisoformat(value["EndDate"]) if "EndDate" in value else LAST_DAY
    candidates = itertools.takewhile(lambda day: day <= end, (day for day in _candidates(value, start) if day >= start))
    yield from itertools.islice(candidates, value.get("NumberOfOccurrences"))


def _candidates(value: Recurrence, start: date) -> Iterator[date]:
    interval = value.get("Interval", 1)
    match value["pattern"]:
        case "DailyRecurrence":
            return _days(start, interval)
        case "WeeklyRecurrence":
            return _weeks(value, start, interval)
        case "AbsoluteMonthlyRecurrence":
            return (_clamp(year, month, value["DayOfMonth"]) for year, month in _months(start, interval))
        case "RelativeMonthlyRecurrence":
            return (_relative(year, month, value) for year, month in _months(start, interval))
        case "AbsoluteYearlyRecurrence":
            month = MONTHS.index(value["Month"]) + 1
            return (_clamp(year, month, value["DayOfMonth"]) for year in range(start.year, LAST_DAY.year))
        case "RelativeYearlyRecurrence":
            month = MONTHS.index(value["Month"]) + 1
            return (_relative(year, month, value) for year in range(start.year, LAST_DAY.year))
    raise EwsError("ErrorUnsupportedRecurrence", f"{value['pattern']} does not make occurrences.")


def _days(start: date, interval: int) -> Iterator[date]:
    day = start
    while day <= LAST_DAY:
        yield day
        day += timedelta(days=interval)


def _weeks(value: Recurrence, start: date, interval: int) -> Iterator[date]:
    first = WEEKDAYS.index(value.get("FirstDayOfWeek", "Sunday"))
    week = start - timedelta(days=(start.weekday() - first) % 7)
    wanted = sorted((WEEKDAYS.index(name) - first) % 7 for name in set(value["DaysOfWeek"]))
    while week <= LAST_DAY:
        for offset in wanted:
            yield week + timedelta(days=offset)
        week += timedelta(weeks=interval)


def _months(start: date, interval: int) -> Iterator[tuple[int, int]]:
    for number in itertools.count(start.year * 12 + start.month - 1, interval):
        if number // 12 >= LAST_DAY.year:
            return
        yield number // 12, number % 12 + 1


def _clamp(year: int, month: int, day: int) -> date:
    """MS-OXOCAL 2.2.1.44.1.4.4: a day that a month doesn't have means its last one."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _relative(year: int, month: int, value: Recurrence) -> date:
    names = {"Day": WEEKDAYS, "Weekday": WEEKDAYS[:5], "WeekendDay": WEEKDAYS[5:]}
    wanted: set[str] = set()
    for name in value["DaysOfWeek"]:
        wanted.update(names.get(name, (name,)))
    days = [date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1)]
    matching = [day for day in days if WEEKDAYS[day.weekday()] in wanted]
    index = INDEXES.index(value["DayOfWeekIndex"])
    return matching[-1] if index == 4 else matching[index]
