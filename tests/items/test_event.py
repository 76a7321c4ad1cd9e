"""Events: moments and patterns, spelled differently and the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from syncapp.items.event import Event, duration_end, normal_moment, normal_recurrence, with_derived_parts
from syncapp.items.values import Frequency, Moment, Recurrence, Weekday, ZonedTime, moment_key
from tests.items.strategies import moments, recurrences, walls, zones

MONDAY = ZonedTime(datetime(2026, 1, 5, 9), "Europe/Berlin")


def series(rule: Recurrence, start: Moment = MONDAY) -> Event:
    return Event(start, start, recurrence=rule)


# Moments -------------------------------------------------------------------------------------------------------------


def test_a_time_that_spring_skips_is_read_with_the_offset_before() -> None:
    skipped = ZonedTime(datetime(2026, 3, 29, 2, 30), "Europe/Berlin")
    assert skipped.instant == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_time_that_autumn_repeats_is_the_first_of_the_two(fold: int) -> None:
    repeated = ZonedTime(datetime(2026, 10, 25, 2, 30, fold=fold), "Europe/Berlin")
    assert repeated.instant == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_fractions_of_a_second_are_dropped() -> None:
    assert ZonedTime(datetime(2026, 1, 5, 9, 0, 0, 999), "UTC") == ZonedTime(datetime(2026, 1, 5, 9), "UTC")


def test_a_wall_clock_has_no_zone_of_its_own() -> None:
    with pytest.raises(ValueError, match="naive"):
        ZonedTime(datetime(2026, 1, 5, tzinfo=UTC), "UTC")


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_that_no_calendar_can_hold_is_refused(year: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        ZonedTime(datetime(year, 1, 1), "Asia/Tokyo")


@given(walls, zones, zones)
def test_another_zone_keeps_the_instant(wall: datetime, zone: str, other: str) -> None:
    moment = ZonedTime(wall, zone)
    moved = moment.in_zone(other or "UTC")
    # In the hour that autumn repeats, a wall clock can't tell the second time round from the first.
    assert moment.instant - moved.instant in (timedelta(0), timedelta(hours=1))


@given(moments)
def test_a_moment_has_one_name_in_all_zones(moment: Moment) -> None:
    if isinstance(moment, ZonedTime) and moment.zone:
        assert moment_key(moment) == moment_key(moment.in_zone("UTC"))


def test_a_floating_time_is_no_time_in_utc() -> None:
    floating = ZonedTime(MONDAY.wall, "")
    assert moment_key(floating) != moment_key(ZonedTime(MONDAY.wall, "UTC"))


def test_the_zone_matters_where_the_instant_is_the_same() -> None:
    assert normal_moment(MONDAY) != normal_moment(MONDAY.in_zone("UTC"))


# Lengths -------------------------------------------------------------------------------------------------------------


def test_an_occurrence_is_as_long_as_its_master() -> None:
    master = Event(MONDAY, replace(MONDAY, wall=datetime(2026, 1, 5, 10, 30)))
    start = ZonedTime(datetime(2026, 7, 6, 9), "Europe/Berlin")
    assert duration_end(start, master) == replace(start, wall=datetime(2026, 7, 6, 10, 30))


def test_a_floating_occurrence_ends_in_floating_time() -> None:
    master = Event(ZonedTime(datetime(2026, 1, 5, 9), ""), ZonedTime(datetime(2026, 1, 5, 10), ""))
    start = ZonedTime(datetime(2026, 1, 6, 9), "")
    assert duration_end(start, master) == ZonedTime(datetime(2026, 1, 6, 10), "")


def test_an_all_day_occurrence_lasts_as_many_days() -> None:
    assert duration_end(date(2026, 7, 6), Event(date(2026, 1, 5), date(2026, 1, 8))) == date(2026, 7, 9)


# Patterns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (Recurrence(Frequency.WEEKLY), Recurrence(Frequency.WEEKLY, weekdays=(Weekday("MO"),))),
        (Recurrence(Frequency.MONTHLY), Recurrence(Frequency.MONTHLY, month_days=(5,))),
        (Recurrence(Frequency.YEARLY), Recurrence(Frequency.YEARLY, months=(1,), month_days=(5,))),
        (
            Recurrence(Frequency.MONTHLY, weekdays=(Weekday("MO", 1),)),
            Recurrence(Frequency.MONTHLY, weekdays=(Weekday("MO"),), positions=(1,)),
        ),
        (
            Recurrence(Frequency.WEEKLY, weekdays=(Weekday("WE"), Weekday("MO"))),
            Recurrence(Frequency.WEEKLY, weekdays=(Weekday("MO"), Weekday("WE")), week_start="SU"),
        ),
    ],
)
def test_two_spellings_are_one_pattern(short: Recurrence, long: Recurrence) -> None:
    assert normal_recurrence(series(short)) == normal_recurrence(series(long))


def test_the_week_start_matters_every_second_week() -> None:
    rule = Recurrence(Frequency.WEEKLY, interval=2, weekdays=(Weekday("SU"), Weekday("MO")))
    assert normal_recurrence(series(rule)) != normal_recurrence(series(replace(rule, week_start="SU")))


def test_the_end_of_a_pattern_is_the_same_in_all_zones() -> None:
    rule = Recurrence(Frequency.DAILY, until=MONDAY)
    assert normal_recurrence(series(rule)) == normal_recurrence(series(replace(rule, until=MONDAY.in_zone("UTC"))))


def test_an_event_without_a_pattern_has_none() -> None:
    assert normal_recurrence(Event(MONDAY, MONDAY)) == ""


def test_writing_out_what_the_start_implies_changes_nothing() -> None:
    """Each pattern means the same days before and after, judged by dateutil."""
    for rule in PATTERNS:
        start = MONDAY.wall
        derived = with_derived_parts(rule, MONDAY)
        assert days(derived, start) == days(rule, start), rule


@given(recurrences, moments)
def test_what_is_written_out_stays_so(rule: Recurrence, start: Moment) -> None:
    once = with_derived_parts(rule, start)
    assert with_derived_parts(once, start) == once


@given(recurrences, st.data())
def test_the_order_of_parts_does_not_matter(rule: Recurrence, data: st.DataObject) -> None:
    shuffled = replace(
        rule,
        weekdays=tuple(data.draw(st.permutations(rule.weekdays))),
        months=tuple(data.draw(st.permutations(rule.months))),
        month_days=tuple(data.draw(st.permutations(rule.month_days))),
        dates=tuple(data.draw(st.permutations(rule.dates))),
    )
    assert normal_recurrence(series(rule)) == normal_recurrence(series(shuffled))


MONTHS_AND_YEARS = (Frequency.MONTHLY, Frequency.YEARLY)
PATTERNS = [
    Recurrence(frequency, weekdays=weekdays, months=months, month_days=month_days, positions=positions, count=30)
    for frequency in (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.YEARLY)
    for weekdays in ((), (Weekday("TU"),), (Weekday("TU", 2),), (Weekday("FR", -1),), (Weekday("MO"), Weekday("WE")))
    for months in ((), (3,))
    for month_days in ((), (13,))
    for positions in ((), (2,))
    # RFC 5545 section 3.3.10: numbered weekdays only in months and years, days of the month never in weeks.
    if not (frequency in (Frequency.DAILY, Frequency.WEEKLY) and any(each.ordinal for each in weekdays))
    if not (frequency is Frequency.WEEKLY and month_days)
    # What can never come true would be looked for until the year 9999.
    if not (month_days and any(each.ordinal for each in weekdays) and (frequency, months) != (Frequency.MONTHLY, ()))
    if not (month_days and Weekday("FR", -1) in weekdays)
    if not positions
    or (weekdays and not month_days and not any(each.ordinal for each in weekdays) and frequency in MONTHS_AND_YEARS)
]


def days(rule: Recurrence, start: datetime) -> list[datetime]:
    """The first occurrences that dateutil finds for a pattern."""
    parts = [f"FREQ={rule.frequency}", f"INTERVAL={rule.interval}", f"COUNT={rule.count}"]
    if rule.weekdays:
        parts.append("BYDAY=" + ",".join(f"{each.ordinal or ''}{each.day}" for each in rule.weekdays))
    if rule.months:
        parts.append("BYMONTH=" + ",".join(map(str, rule.months)))
    if rule.month_days:
        parts.append("BYMONTHDAY=" + ",".join(map(str, rule.month_days)))
    if rule.positions:
        parts.append("BYSETPOS=" + ",".join(map(str, rule.positions)))
    return [each for each, _ in zip(rrulestr(";".join(parts), dtstart=start), range(8), strict=False)]
