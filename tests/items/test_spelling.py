"""Series in other words happen when they did, or stay as they are."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncapp.items import patterns
from syncapp.items.expansion import expanded
from syncapp.items.spelling import MOST_DATES, Spelling, spelling
from syncapp.items.values import WEEKDAYS, Frequency, Moment, Recurrence, Weekday, ZonedTime
from syncapp.nextcloud.calendar_values import read_rule

MONDAY = date(2026, 1, 5)
NINE = ZonedTime(datetime(2026, 1, 5, 9), "Europe/Berlin")


def rule(text: str, start: Moment = NINE) -> Recurrence:
    return read_rule(text, start, lambda _tzid, _at: "UTC")


def moments(said: Spelling, most: int = MOST_DATES) -> list[Moment]:
    """When a spelling happens."""
    first = day_of(said.start)
    last = None if said.rule.until is None else day_of(said.rule.until)
    days = [day for day in islice(patterns.limited(said.rule, first, last), most) if day not in said.left_out]
    return sorted(((said.moved or {}).get(day, on(day, said.start)) for day in days), key=str)


def day_of(moment: Moment) -> date:
    return moment.wall.date() if isinstance(moment, ZonedTime) else moment


def on(day: date, start: Moment) -> Moment:
    return ZonedTime(datetime.combine(day, start.wall.time()), start.zone) if isinstance(start, ZonedTime) else day


rules = st.builds(
    Recurrence,
    frequency=st.sampled_from([Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.YEARLY]),
    interval=st.integers(1, 3),
    weekdays=st.lists(st.builds(Weekday, st.sampled_from(WEEKDAYS)), max_size=3, unique=True).map(tuple),
    month_days=st.lists(st.integers(-2, 31).filter(bool), max_size=3, unique=True).map(tuple),
    months=st.lists(st.integers(1, 12), max_size=4, unique=True).map(tuple),
    count=st.integers(1, 30),
    dates=st.lists(st.dates(MONDAY, date(2026, 12, 31)), max_size=3).map(tuple),
)


@given(rules)
@settings(deadline=None, max_examples=300)
def test_a_series_in_other_words_happens_when_it_did(given_rule: Recurrence) -> None:
    said = spelling(given_rule, MONDAY)
    if said is None:
        return
    expected = {
        MONDAY,
        *given_rule.dates,
        *(each.date() for each in islice(expanded(given_rule, MONDAY), given_rule.count)),
    }
    assert moments(said) == sorted(expected, key=str)
    assert patterns.is_holdable(said.rule, day_of(said.start))


@pytest.mark.parametrize(
    ("unusual", "usual", "first"),
    [
        ("FREQ=YEARLY;BYMONTH=1,4,7,10", "FREQ=MONTHLY;INTERVAL=3", date(2026, 4, 15)),
        ("FREQ=MONTHLY;BYMONTH=1,7;BYDAY=1MO", "FREQ=MONTHLY;INTERVAL=6;BYDAY=1MO", MONDAY),
        ("FREQ=MONTHLY;BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14", "FREQ=MONTHLY;BYDAY=2SU", date(2026, 1, 11)),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=-7,-6,-5,-4,-3,-2,-1", "FREQ=MONTHLY;BYDAY=-1FR", date(2026, 1, 30)),
        ("FREQ=YEARLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO", MONDAY),
        ("FREQ=YEARLY;BYMONTHDAY=5", "FREQ=MONTHLY;BYMONTHDAY=5", MONDAY),
        ("FREQ=DAILY;RSCALE=GREGORIAN;SKIP=OMIT", "FREQ=DAILY", MONDAY),
    ],
)
def test_an_unusual_way_to_say_a_usual_thing(unusual: str, usual: str, first: date) -> None:
    said = spelling(rule(unusual, first), first)
    assert said == Spelling(first, patterns.holdable(rule(usual, first), first))


def test_an_hour_that_is_the_series_own_says_nothing() -> None:
    assert spelling(rule("FREQ=DAILY;BYHOUR=9;BYMINUTE=0"), NINE) == Spelling(NINE, rule("FREQ=DAILY"))


def test_a_first_date_outside_of_the_pattern_is_the_one_before_moved() -> None:
    wednesday = MONDAY + timedelta(days=2)
    said = spelling(rule("FREQ=WEEKLY;BYDAY=MO", wednesday), wednesday)
    assert said is not None
    assert (said.start, said.moved) == (MONDAY, {MONDAY: wednesday})
    assert moments(said, 3) == [wednesday, MONDAY + timedelta(days=7), MONDAY + timedelta(days=14)]


def test_more_dates_than_may_be_counted_end_with_the_last_of_them() -> None:
    said = spelling(rule("FREQ=DAILY;COUNT=1500", MONDAY), MONDAY)
    assert said is not None
    assert (said.rule.count, said.rule.until) == (None, MONDAY + timedelta(days=1499))


def test_the_31st_is_left_out_where_a_month_has_none() -> None:
    first = date(2026, 1, 31)
    said = spelling(rule("FREQ=MONTHLY;COUNT=4", first), first)
    assert said is not None
    assert moments(said) == [date(2026, month, 31) for month in (1, 3, 5, 7)]


def test_dates_far_from_each_other_are_days_in_a_row_that_were_moved() -> None:
    far = date(2034, 6, 1)
    said = spelling(Recurrence(Frequency.DAILY, count=1, dates=(far,)), MONDAY)
    assert said is not None
    assert not said.left_out
    assert moments(said) == [MONDAY, far]


def test_an_extra_date_may_be_at_another_time() -> None:
    later = ZonedTime(datetime(2026, 1, 6, 15), "Europe/Berlin")
    said = spelling(Recurrence(Frequency.DAILY, count=1, dates=(later,)), NINE)
    assert said is not None
    assert said.moved == {date(2026, 1, 6): later}


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;BYDAY=1TU,3TU",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=HOURLY",
        "FREQ=HOURLY;COUNT=3",
        "FREQ=DAILY;COUNT=3;EXRULE=FREQ=WEEKLY",
    ],
)
def test_what_no_pattern_says_stays_as_it_is(text: str) -> None:
    start = ZonedTime(datetime.combine(date(2026, 1, 31), time(9)), "Europe/Berlin")
    assert spelling(rule(text, start), start) is None


def test_a_usual_pattern_needs_no_other_words() -> None:
    assert spelling(rule("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10"), NINE) is None


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=YEARLY;BYMONTHDAY=1,2;INTERVAL=900;COUNT=90",
        "FREQ=MONTHLY;BYMONTHDAY=1,3;UNTIL=44991231",
    ],
)
def test_a_rule_without_dates_for_ages_is_left_alone(text: str) -> None:
    assert spelling(rule(text), NINE) is None
