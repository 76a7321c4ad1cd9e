"""The window that bounds a first load."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from syncapp.items import Event
from syncapp.items.event import Occurrence
from syncapp.items.values import Frequency, Recurrence, Weekday, ZonedTime
from syncapp.items.window import in_window

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
START, END = NOW - timedelta(days=30), NOW + timedelta(days=365)


def at(moment: datetime, *, zone: str = "Europe/Berlin", **values: object) -> Event:
    """An event of an hour."""
    start = ZonedTime(moment, zone)
    return Event(start, replace(start, wall=moment + timedelta(hours=1)), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (datetime(2026, 1, 31, 7, 30), False),
        (datetime(2026, 1, 31, 9, 30), True),
        (datetime(2026, 3, 2), True),
        (datetime(2027, 3, 2, 8, 30), True),
        (datetime(2027, 3, 2, 10), False),
    ],
)
def test_a_single_event_is_in_if_a_part_of_it_is(moment: datetime, inside: bool) -> None:
    assert in_window(at(moment), START, END) is inside


def test_a_day_is_in_if_it_touches_the_window() -> None:
    assert in_window(Event(date(2026, 1, 30), date(2026, 2, 1)), START, END)
    assert not in_window(Event(date(2026, 1, 29), date(2026, 1, 30)), START, END)


def test_a_series_is_in_with_any_occurrence() -> None:
    old = datetime(2019, 1, 7, 9)
    assert in_window(at(old, recurrence=Recurrence(Frequency.WEEKLY)), START, END)
    assert not in_window(at(old, recurrence=Recurrence(Frequency.WEEKLY, count=20)), START, END)
    until = ZonedTime(datetime(2026, 2, 9, 9), "Europe/Berlin")
    assert in_window(at(old, recurrence=Recurrence(Frequency.WEEKLY, until=until)), START, END)
    early = ZonedTime(datetime(2025, 12, 1), "Europe/Berlin")
    assert not in_window(at(old, recurrence=Recurrence(Frequency.WEEKLY, until=early)), START, END)


def test_a_series_that_has_not_begun_is_out() -> None:
    assert not in_window(at(datetime(2030, 1, 7), recurrence=Recurrence(Frequency.DAILY)), START, END)


def test_a_series_of_days_is_expanded_by_days() -> None:
    series = Event(date(2020, 2, 3), date(2020, 2, 4), recurrence=Recurrence(Frequency.YEARLY, count=7))
    assert in_window(series, START, END)
    assert not in_window(replace(series, recurrence=Recurrence(Frequency.YEARLY, count=6)), START, END)


def test_weekdays_and_positions_count() -> None:
    last_friday = Recurrence(Frequency.MONTHLY, weekdays=(Weekday("FR"),), positions=(-1,), count=2)
    assert in_window(at(datetime(2026, 1, 1, 9), recurrence=last_friday), START, END)
    assert not in_window(at(datetime(2025, 11, 1, 9), recurrence=last_friday), START, END)


def test_an_exception_counts_where_it_was_put() -> None:
    original = ZonedTime(datetime(2025, 1, 6, 9), "Europe/Berlin")
    moved = ZonedTime(datetime(2026, 3, 3, 9), "Europe/Berlin")
    once = Recurrence(Frequency.WEEKLY, count=1)
    series = at(datetime(2025, 1, 6, 9), recurrence=once, exceptions=(Occurrence(original, values={"start": moved}),))
    assert in_window(series, START, END)


def test_a_deleted_occurrence_does_not_count() -> None:
    original = ZonedTime(datetime(2026, 3, 2, 9), "Europe/Berlin")
    once = Recurrence(Frequency.WEEKLY, count=1)
    series = at(datetime(2026, 3, 2, 9), recurrence=once, exceptions=(Occurrence(original, deleted=True),))
    assert not in_window(series, START, END)


def test_added_dates_count() -> None:
    added = ZonedTime(datetime(2026, 3, 5, 9), "Europe/Berlin")
    rule = Recurrence(Frequency.DAILY, count=1, dates=(added,))
    assert in_window(at(datetime(2024, 1, 1, 9), recurrence=rule), START, END)


@pytest.mark.parametrize(
    "rule",
    [
        Recurrence(Frequency.DAILY, months=(2,), month_days=(30,)),
        Recurrence(Frequency.YEARLY, months=(2,), month_days=(30,), count=3),
    ],
)
def test_a_series_without_any_occurrence_is_out(rule: Recurrence) -> None:
    """Nor does looking for one take for ever."""
    assert not in_window(at(datetime(2000, 1, 1), recurrence=rule), START, END)


def test_a_series_with_too_many_occurrences_is_in() -> None:
    """Looking on would cost too much; one too many is better than one lost."""
    assert in_window(at(datetime(2000, 1, 1), recurrence=Recurrence(Frequency.MINUTELY)), START, END)
