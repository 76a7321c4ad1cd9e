"""Recurrence patterns against an independent reader of the same rules, dateutil."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from lab.exchange.recurrence import INDEXES, MONTHS, WEEKDAYS, Recurrence, dates, read_recurrence, write_recurrence
from lab.exchange.soap import EwsError, T

STARTS = st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 12, 31))
INTERVALS = st.integers(min_value=1, max_value=13)
NUMBERS = st.integers(min_value=1, max_value=60)
DAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)
GROUPS = {"Day": DAYS, "Weekday": DAYS[:5], "WeekendDay": DAYS[5:]}


def numbered(pattern: str, start: date, number: int, **fields: object) -> Recurrence:
    """A recurrence of so many occurrences."""
    span = {"range": "NumberedRecurrence", "StartDate": start.isoformat(), "NumberOfOccurrences": number}
    return {"pattern": pattern, **fields, **span}


def expected(frequency: Any, start: date, number: int, **options: Any) -> list[date]:
    """What dateutil makes of a rule."""
    begin = datetime(start.year, start.month, start.day)
    return [moment.date() for moment in rrule.rrule(frequency, dtstart=begin, count=number, **options)]


@given(STARTS, INTERVALS, NUMBERS)
def test_days(start: date, interval: int, number: int) -> None:
    value = numbered("DailyRecurrence", start, number, Interval=interval)
    assert list(dates(value)) == expected(rrule.DAILY, start, number, interval=interval)


@given(STARTS, INTERVALS, NUMBERS, st.sets(st.integers(0, 6), min_size=1), st.integers(min_value=0, max_value=6))
def test_weeks(start: date, interval: int, number: int, days: set[int], first: int) -> None:
    value = numbered(
        "WeeklyRecurrence",
        start,
        number,
        Interval=interval,
        DaysOfWeek=[WEEKDAYS[day] for day in days],
        FirstDayOfWeek=WEEKDAYS[first],
    )
    chosen = [DAYS[day] for day in days]
    assert list(dates(value)) == expected(
        rrule.WEEKLY, start, number, interval=interval, byweekday=chosen, wkst=DAYS[first]
    )


@given(STARTS, INTERVALS, NUMBERS, st.integers(min_value=1, max_value=28))
def test_months_by_day(start: date, interval: int, number: int, day: int) -> None:
    value = numbered("AbsoluteMonthlyRecurrence", start, number, Interval=interval, DayOfMonth=day)
    assert list(dates(value)) == expected(rrule.MONTHLY, start, number, interval=interval, bymonthday=day)


@given(STARTS, INTERVALS, NUMBERS, st.sampled_from([*WEEKDAYS, *GROUPS]), st.sampled_from(INDEXES))
def test_months_by_weekday(start: date, interval: int, number: int, day: str, index: str) -> None:
    value = numbered(
        "RelativeMonthlyRecurrence", start, number, Interval=interval, DaysOfWeek=[day], DayOfWeekIndex=index
    )
    chosen = GROUPS.get(day) or (DAYS[WEEKDAYS.index(day)],)
    position = -1 if index == "Last" else INDEXES.index(index) + 1
    assert list(dates(value)) == expected(
        rrule.MONTHLY, start, number, interval=interval, byweekday=chosen, bysetpos=position
    )


@given(STARTS, NUMBERS, st.integers(1, 12), st.integers(1, 28))
def test_years_by_day(start: date, number: int, month: int, day: int) -> None:
    value = numbered("AbsoluteYearlyRecurrence", start, number, Month=MONTHS[month - 1], DayOfMonth=day)
    assert list(dates(value)) == expected(rrule.YEARLY, start, number, bymonth=month, bymonthday=day)


@given(STARTS, NUMBERS, st.integers(1, 12), st.sampled_from(WEEKDAYS), st.sampled_from(INDEXES))
def test_years_by_weekday(start: date, number: int, month: int, day: str, index: str) -> None:
    value = numbered(
        "RelativeYearlyRecurrence", start, number, Month=MONTHS[month - 1], DaysOfWeek=[day], DayOfWeekIndex=index
    )
    chosen = DAYS[WEEKDAYS.index(day)](-1 if index == "Last" else INDEXES.index(index) + 1)
    assert list(dates(value)) == expected(rrule.YEARLY, start, number, bymonth=month, byweekday=chosen)


def test_a_day_that_a_month_lacks_is_its_last() -> None:
    value = numbered("AbsoluteMonthlyRecurrence", date(2026, 1, 31), 3, Interval=1, DayOfMonth=31)
    assert list(dates(value)) == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]


def test_a_series_without_end_has_none() -> None:
    value: Recurrence = {
        "pattern": "DailyRecurrence",
        "Interval": 1,
        "range": "NoEndRecurrence",
        "StartDate": "2026-01-01",
    }
    assert next(itertools.islice(dates(value), 9999, None)) == date(2026, 1, 1) + timedelta(days=9999)


@given(STARTS, INTERVALS, NUMBERS)
def test_it_reads_what_it_writes(start: date, interval: int, number: int) -> None:
    value = numbered("WeeklyRecurrence", start, number, Interval=interval, DaysOfWeek=["Monday", "Friday"])
    assert read_recurrence(write_recurrence(f"{T}Recurrence", value, lambda _: "Z")) == value


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (
            "<t:DailyRecurrence><t:Interval>0</t:Interval></t:DailyRecurrence><t:NoEndRecurrence>"
            "<t:StartDate>2026-01-01</t:StartDate></t:NoEndRecurrence>",
            "ErrorCalendarInvalidRecurrence",
        ),
        (
            "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
            "<t:StartDate>2026-01-01</t:StartDate><t:NumberOfOccurrences>1000</t:NumberOfOccurrences>"
            "</t:NumberedRecurrence>",
            "ErrorCalendarInvalidRecurrence",
        ),
        (
            "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:EndDateRecurrence>"
            "<t:StartDate>2026-01-02</t:StartDate><t:EndDate>2026-01-01</t:EndDate></t:EndDateRecurrence>",
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
        ("<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>", "ErrorCalendarInvalidRecurrence"),
    ],
)
def test_it_refuses_impossible_patterns(inner: str, code: str) -> None:
    element = etree.fromstring(f'<t:Recurrence xmlns:t="{T[1:-1]}">{inner}</t:Recurrence>')
    with pytest.raises(EwsError) as refused:
        read_recurrence(element)
    assert refused.value.code == code
