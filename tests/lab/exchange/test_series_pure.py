"""The arithmetic of a series, without a server: whatever is overridden, all ways to look at it agree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.exchange.records import Override, stamp
from lab.exchange.series import Instance, Series
from lab.exchange.soap import EwsError

BERLIN = {"id": "W. Europe Standard Time", "name": ""}


def props(interval: int, number: int | None, hours: int) -> dict[str, Any]:
    """A daily series from 2 March 2026 at nine in Berlin."""
    span: dict[str, Any] = {"range": "NoEndRecurrence"}
    if number is not None:
        span = {"range": "NumberedRecurrence", "NumberOfOccurrences": number}
    return {
        "Start": "2026-03-02T08:00:00Z",
        "End": stamp(datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(hours=hours)),
        "StartTimeZone": BERLIN,
        "Recurrence": {"pattern": "DailyRecurrence", "Interval": interval, "StartDate": "2026-03-02", **span},
    }


@st.composite
def any_series(draw: st.DrawFn) -> Series:
    """A series with some deleted and some moved occurrences."""
    values = props(draw(st.integers(1, 4)), draw(st.integers(1, 40)), draw(st.integers(0, 20)))
    plain = list(Series(values, []).instances())
    overrides = []
    for instance in draw(st.lists(st.sampled_from(plain), unique_by=lambda each: each.index, max_size=8)):
        if draw(st.booleans()):
            overrides.append(Override(stamp(instance.original), deleted=True))
            continue
        shift = timedelta(minutes=draw(st.integers(-600, 600)))
        moved = {"Start": stamp(instance.start + shift), "End": stamp(instance.end + shift)}
        overrides.append(Override(stamp(instance.original), props=moved))
    return Series(values, overrides)


def seen(instance: Instance) -> tuple[int, datetime, datetime]:
    return instance.index, instance.start, instance.end


@given(any_series())
def test_first_and_last_are_the_ends_of_what_is_alive(series: Series) -> None:
    alive = list(series.alive())
    assert series.first == (alive[0] if alive else None)
    assert series.last == (alive[-1] if alive else None)


@given(any_series())
def test_an_occurrence_is_the_same_by_index_and_by_original_start(series: Series) -> None:
    for instance in series.instances():
        if instance.deleted:
            with pytest.raises(EwsError):
                series.by_index(instance.index)
        else:
            assert series.by_index(instance.index) == series.by_original(instance.original) == instance


@given(any_series(), st.integers(0, 120), st.integers(0, 60))
def test_a_view_shows_exactly_what_overlaps(series: Series, first: int, days: int) -> None:
    since = datetime(2026, 2, 20, 5, tzinfo=UTC) + timedelta(days=first)
    until = since + timedelta(days=days)
    overlapping = [seen(each) for each in series.alive() if each.start < until and each.end > since]
    assert [seen(each) for each in series.between(since, until)] == overlapping


@given(any_series())
def test_exceptions_are_those_with_something_of_their_own(series: Series) -> None:
    own = [each for each in series.alive() if each.override is not None]
    assert series.modified() == own


@given(any_series())
def test_an_occurrence_may_stay_where_it_is(series: Series) -> None:
    plain = Series(
        {"Start": "2026-03-02T08:00:00Z", "End": "2026-03-02T08:30:00Z", "Recurrence": series.recurrence}, []
    )
    for instance in plain.alive():
        plain.check_exception(instance, instance.start, instance.end)


def test_a_series_without_end_is_seen_far_ahead() -> None:
    series = Series(props(1, None, 1), [])
    since = datetime(2126, 1, 1, tzinfo=UTC)
    assert [each.start.date() for each in series.between(since, since + timedelta(days=2))] == [
        date(2126, 1, 1),
        date(2126, 1, 2),
    ]
    assert series.last is None
