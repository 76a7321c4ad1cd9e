"""Hypothesis strategies for what Exchange can hold: series with patterns and exceptions of their own dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from syncapp.items import patterns
from syncapp.items.event import Event, Occurrence
from syncapp.items.values import Busy, Moment, Recurrence, ZonedTime, moment_key
from tests.items import strategies

zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
dates = st.dates(date(2024, 1, 1), date(2028, 12, 31))
clocks = st.times(time(0), time(23)).map(lambda each: each.replace(second=0, microsecond=0))

patterns_of = st.builds(
    Recurrence,
    frequency=strategies.frequencies,
    interval=st.integers(1, 12),
    weekdays=st.sets(strategies.weekdays, max_size=3).map(tuple),
    month_days=st.sets(st.integers(-2, 31).filter(bool), max_size=2).map(tuple),
    months=st.sets(st.integers(1, 12), max_size=1).map(tuple),
    positions=st.sets(st.sampled_from([1, 2, 3, 4, -1]), max_size=1).map(tuple),
    week_start=st.sampled_from(["MO", "SU"]),
)


@st.composite
def holdable_patterns(draw: st.DrawFn) -> tuple[Recurrence, date]:
    """A pattern that Exchange holds, and a first day of it."""
    rule, first = draw(patterns_of), draw(dates)
    if rule.months:
        first = first.replace(month=rule.months[0], day=min(first.day, 28))
    try:
        patterns.holdable(rule, first)
    except patterns.NoPattern:
        # As people make most series: every so often, from its first day on.
        rule = replace(rule, weekdays=(), month_days=(), months=(), positions=())
        first = first.replace(day=min(first.day, 28))
    try:
        patterns.holdable(rule, first)
    except patterns.NoPattern:
        assume(False)
    return rule, first


@st.composite
def series(draw: st.DrawFn) -> Event:
    """A series with an end or without, and up to four exceptions among its first dates."""
    rule, first = draw(holdable_patterns())
    start: Moment
    end: Moment
    if draw(st.booleans()):
        clock, zone = draw(clocks), draw(zones)
        start = ZonedTime(datetime.combine(first, clock), zone)
        end = ZonedTime(start.wall + timedelta(minutes=draw(st.sampled_from([0, 30, 60, 600]))), zone)
    else:
        start, end = first, first + timedelta(days=1)
    if draw(st.booleans()):
        rule = replace(rule, count=draw(st.integers(1, 8)))
    elif draw(st.booleans()):
        last = list(islice(patterns.days(patterns.holdable(rule, first), first), 6))[-1]
        rule = replace(rule, until=_on(last, start))
    event = Event(start, end, title=draw(strategies.texts), recurrence=rule, reminder=draw(st.none() | st.just(15)))
    return replace(event, exceptions=draw(exceptions_of(event)))


@st.composite
def exceptions_of(draw: st.DrawFn, event: Event) -> tuple[Occurrence, ...]:
    """Some exceptions of a series, each near where it would have been; never all of its dates."""
    assert event.recurrence is not None
    first = event.start.wall.date() if isinstance(event.start, ZonedTime) else event.start
    rule = patterns.holdable(event.recurrence, first)
    days = list(islice(patterns.days(rule, first), min(rule.count or 6, 6)))
    chosen = draw(st.lists(st.sampled_from(days), unique=True, max_size=min(4, len(days) - 1)))
    found = {}
    for day in chosen:
        original = _on(day, event.start)
        occurrence = Occurrence(original, deleted=True)
        if draw(st.booleans()):
            occurrence = Occurrence(original, values=draw(_values(original, event)))
        found[moment_key(original)] = occurrence
    return tuple(found[key] for key in sorted(found))


@st.composite
def _values(draw: st.DrawFn, original: Moment, event: Event) -> dict[str, Any]:
    values: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "title": strategies.texts,
                "location": strategies.texts,
                "description": strategies.texts,
                "html": strategies.htmls,
                "cancelled": st.booleans(),
                "reminder": st.none() | st.integers(0, 60),
                "busy": st.sampled_from(Busy),
            },
        )
    )
    if isinstance(original, ZonedTime) and draw(st.booleans()):
        begin = original.wall + timedelta(minutes=draw(st.sampled_from([5, 15])))
        values |= {
            "start": ZonedTime(begin, original.zone),
            "end": ZonedTime(begin + timedelta(minutes=10), original.zone),
        }
    return values


def _on(day: date, start: Moment) -> Moment:
    return ZonedTime(datetime.combine(day, start.wall.time()), start.zone) if isinstance(start, ZonedTime) else day
