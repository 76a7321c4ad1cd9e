"""Whether an event happens within a stretch of time, for the window that bounds a first load. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from syncapp.items.event import Event, duration_end
from syncapp.items.expansion import expanded
from syncapp.items.values import Frequency, Moment, Recurrence, ZonedTime, moment_key

MOST_OCCURRENCES = 5000
"""A series that repeats more often than this before the window opens counts as inside: looking on costs too much."""

_A_DAY = timedelta(days=1)
_MOST_YEARS = 100
_TOO_FINE = (Frequency.SECONDLY, Frequency.MINUTELY, Frequency.HOURLY)


def in_window(event: Event, start: datetime, end: datetime) -> bool:
    """Whether any occurrence of ``event`` lies, even in part, between ``start`` and ``end`` (with zones).

    Days and floating times are taken as if in UTC. A series that would cost too much to expand counts as inside: it is
    better to load an event too many than to lose one.
    """
    if event.recurrence is not None and _costly(event.recurrence, event.start, end):
        return _instant(event.start) <= end
    for number, (first, last) in enumerate(_occurrences(event, start, end)):
        if first <= end and last >= start:
            return True
        if number >= MOST_OCCURRENCES:
            return True
    return False


def _costly(rule: Recurrence, start: Moment, end: datetime) -> bool:
    """Whether finding the occurrences means trying very many moments, even if hardly any of them is one."""
    began = start.wall.year if isinstance(start, ZonedTime) else start.year
    return rule.frequency in _TOO_FINE or began < end.year - _MOST_YEARS


def _occurrences(event: Event, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When they begin and end; those that are over long before ``start`` are only counted."""
    early = start - (_instant(event.end) - _instant(event.start)) - _A_DAY
    changed = {moment_key(each.original): each for each in event.exceptions}
    for each in event.exceptions:
        if not each.deleted and "start" in each.values:
            first: Moment = each.values["start"]
            yield _instant(first), _instant(each.values.get("end", duration_end(first, event)))
    for moment in _starts(event, end):
        begins = _instant(moment)
        if begins < early:
            yield begins, begins
            continue
        exception = changed.get(moment_key(moment)) if changed else None
        if exception is None or not (exception.deleted or "start" in exception.values):
            yield begins, _instant(duration_end(moment, event))


def _starts(event: Event, end: datetime) -> Iterator[Moment]:
    # Nearly always this is enough, and nothing has to be expanded.
    yield event.start
    if event.recurrence is None:
        return
    yield from event.recurrence.dates
    count = event.recurrence.count
    most = MOST_OCCURRENCES + 1 if count is None else min(count, MOST_OCCURRENCES + 1)
    for wall in islice(expanded(event.recurrence, event.start, end.replace(tzinfo=None) + timedelta(days=1)), most):
        yield ZonedTime(wall, event.start.zone) if isinstance(event.start, ZonedTime) else wall.date()


def _instant(moment: Moment) -> datetime:
    if isinstance(moment, ZonedTime):
        return moment.instant
    assert isinstance(moment, date)
    return datetime.combine(moment, time(), UTC)
