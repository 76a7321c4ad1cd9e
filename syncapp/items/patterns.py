"""Patterns of series that every calendar knows, Exchange among them, in the words of RFC 5545; the days they fall on.

``holdable`` brings a pattern into the one spelling that comes back from Exchange, or says why there is none. Exchange
has no skipping: "monthly on the 31st" falls on the last day of shorter months there, while RFC 5545 leaves those out.
Both are kept apart here, so that a pattern never becomes another one on its way.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice

from syncapp.items.values import WEEKDAYS, Frequency, Recurrence, Weekday

WORKING_DAYS = WEEKDAYS[:5]
WEEKEND = WEEKDAYS[5:]
MAX_COUNT = 999
MAX_SEARCHED = 20_000
"""How many dates of a series are looked through for its exceptions: 54 years of days."""
_MAX_INTERVAL = {Frequency.DAILY: 999, Frequency.WEEKLY: 99, Frequency.MONTHLY: 99}
_LAST = -1
_ORDINALS = (1, 2, 3, 4, _LAST)
_SEARCHED_STEPS = 2000
"""How many steps without any day end a search for the next: a pattern that finds none in so many has none."""


class NoPattern(ValueError):
    """There is no such pattern; the text says in some words what is not known of it."""


def is_holdable(rule: Recurrence, first: date) -> bool:
    """Whether ``holdable`` has an answer."""
    return _found(rule, first)[0] is not None


def holdable(rule: Recurrence, first: date) -> Recurrence:
    """``rule`` of a series that begins on ``first``, as Exchange would give it back; ``count`` and ``until`` stay.

    Raises ``NoPattern`` when Exchange has no such pattern.
    """
    found, reason = _found(rule, first)
    if found is None:
        raise NoPattern(reason)
    return found


@lru_cache(maxsize=1024)
def _found(rule: Recurrence, first: date) -> tuple[Recurrence | None, str]:
    """What ``holdable`` says, or why it does not."""
    try:
        return _holdable(rule, first), ""
    except NoPattern as problem:
        return None, str(problem)


def _holdable(rule: Recurrence, first: date) -> Recurrence:
    if rule.dates:
        raise NoPattern("single extra dates")
    if rule.others:
        raise NoPattern(", ".join(name for name, _ in rule.others))
    if rule.count is not None and not 1 <= rule.count <= MAX_COUNT:
        raise NoPattern(f"more than {MAX_COUNT} dates")
    shape = _shape_of.get(rule.frequency)
    if shape is None:
        raise NoPattern("more than one time a day")
    found = shape(replace(rule, weekdays=tuple(sorted(set(rule.weekdays), key=_by_weekday))), first)
    if found.interval < 1 or (found.frequency in _MAX_INTERVAL and found.interval > _MAX_INTERVAL[found.frequency]):
        raise NoPattern(f"an interval of {rule.interval}")
    if next(days(found, first), None) != first:
        raise NoPattern("its first date is not part of its pattern")
    return found


def _by_weekday(each: Weekday) -> tuple[int, int]:
    return WEEKDAYS.index(each.day), each.ordinal


def _pattern(
    rule: Recurrence,
    frequency: Frequency,
    interval: int,
    *,
    weekdays: tuple[Weekday, ...] = (),
    month_days: tuple[int, ...] = (),
    months: tuple[int, ...] = (),
    positions: tuple[int, ...] = (),
) -> Recurrence:
    week_start = rule.week_start if frequency is Frequency.WEEKLY and interval > 1 else "MO"
    return Recurrence(
        frequency, interval, weekdays, month_days, months, positions, week_start, count=rule.count, until=rule.until
    )


def _daily(rule: Recurrence, first: date) -> Recurrence:
    if rule.month_days or rule.months or rule.positions:
        raise NoPattern("daily, but only in some months or on some days of the month")
    if not rule.weekdays or len(rule.weekdays) == len(WEEKDAYS):
        return _pattern(rule, Frequency.DAILY, rule.interval)
    if rule.interval != 1:
        raise NoPattern("every few days, but only on some weekdays")
    return _weekly(rule, first)


def _weekly(rule: Recurrence, first: date) -> Recurrence:
    if rule.month_days or rule.months or rule.positions:
        raise NoPattern("weekly, but only in some months or on some days of the month")
    if any(each.ordinal for each in rule.weekdays):
        raise NoPattern("weekly with counted weekdays")
    weekdays = rule.weekdays or (Weekday(WEEKDAYS[first.weekday()]),)
    return _pattern(rule, Frequency.WEEKLY, rule.interval, weekdays=weekdays)


def _monthly(rule: Recurrence, first: date) -> Recurrence:
    if rule.months:
        if rule.months != (first.month,) or (rule.interval != 1 and rule.interval % 12):
            raise NoPattern("monthly, but only in some months")
        return _monthly_or_yearly(replace(rule, interval=max(rule.interval // 12, 1)), first, first.month)
    return _monthly_or_yearly(rule, first, None)


def _yearly(rule: Recurrence, first: date) -> Recurrence:
    if not rule.months and (rule.weekdays or rule.month_days):
        # RFC 5545 counts both over the whole year there.
        raise NoPattern("yearly by days counted over the whole year")
    if rule.months not in ((), (first.month,)):
        raise NoPattern("yearly in several months")
    return _monthly_or_yearly(rule, first, first.month)


def _monthly_or_yearly(rule: Recurrence, first: date, month: int | None) -> Recurrence:
    """The pattern inside a month: a day of it, or a counted weekday or sort of day."""
    if rule.weekdays and rule.month_days:
        raise NoPattern("weekdays on certain days of the month only")
    frequency, interval, months = Frequency.MONTHLY, rule.interval, tuple[int, ...]()
    if month is not None and rule.interval == 1:
        frequency, months = Frequency.YEARLY, (month,)
    elif month is not None:
        interval = 12 * rule.interval
    shortest = shortest_month(frequency, interval, first.month)
    if rule.weekdays:
        if (
            frequency is Frequency.MONTHLY
            and interval == 1
            and not rule.positions
            and not any(each.ordinal for each in rule.weekdays)
        ):
            return _pattern(rule, Frequency.WEEKLY, 1, weekdays=rule.weekdays)
        weekdays, positions, month_days = _counted_days(rule)
        return _pattern(
            rule, frequency, interval, weekdays=weekdays, positions=positions, month_days=month_days, months=months
        )
    days_wanted, positions = rule.month_days or (first.day,), rule.positions
    if len(days_wanted) == 1 and positions in ((1,), (_LAST,)):
        positions = ()
    month_days, positions = _days_of_month(tuple(sorted(days_wanted)), positions, shortest)
    return _pattern(rule, frequency, interval, month_days=month_days, positions=positions, months=months)


def shortest_month(frequency: Frequency, interval: int, month: int) -> int:
    """The fewest days that a month of the pattern has; ``month`` is the first, and with whole years the only one."""
    always_the_same = frequency is Frequency.YEARLY or interval % 12 == 0
    return calendar.monthrange(2025, month)[1] if always_the_same else 28


def _days_of_month(
    wanted: tuple[int, ...], positions: tuple[int, ...], shortest: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if wanted == (_LAST,) and not positions:
        return wanted, ()
    if len(wanted) == 1 and not positions and 1 <= wanted[0] <= shortest:
        return wanted, ()
    if positions == (_LAST,) and wanted == clamped(wanted[-1], shortest)[0]:
        return clamped(wanted[-1], shortest)
    if len(wanted) == 1 and not positions and shortest < wanted[0] <= 31:
        raise NoPattern(f"on day {wanted[0]}, leaving out the months that don't have it")
    raise NoPattern("several days of the month")


def clamped(day: int, shortest: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Days and positions for "``day``, or the last day of a month that is shorter", as Exchange counts.

    >>> clamped(15, 28), clamped(30, 28), clamped(31, 28), clamped(29, 28)
    (((15,), ()), ((28, 29, 30), (-1,)), ((-1,), ()), ((28, 29), (-1,)))
    """
    if day <= shortest:
        return (day,), ()
    if day == 31:
        return (_LAST,), ()
    return tuple(range(shortest, day + 1)), (_LAST,)


def _counted_days(rule: Recurrence) -> tuple[tuple[Weekday, ...], tuple[int, ...], tuple[int, ...]]:
    """Weekdays, positions and days of the month of "the second Tuesday", "the last working day", "the third day"."""
    names = tuple(each.day for each in rule.weekdays)
    ordinals = {each.ordinal for each in rule.weekdays}
    if len(names) == 1 and rule.weekdays[0].ordinal:
        if rule.weekdays[0].ordinal not in _ORDINALS or rule.positions not in ((), (1,), (_LAST,)):
            raise NoPattern("a fifth weekday of the month, or one counted twice")
        return rule.weekdays, (), ()
    if ordinals != {0} or len(rule.positions) != 1 or rule.positions[0] not in _ORDINALS:
        raise NoPattern("several counted weekdays in a month")
    position = rule.positions[0]
    if len(names) == 1:
        return (Weekday(names[0], position),), (), ()
    if names == WEEKDAYS:
        return (), (), (position,)
    if names in (WORKING_DAYS, WEEKEND):
        return rule.weekdays, rule.positions, ()
    raise NoPattern("one of several weekdays of the month")


_shape_of = {
    Frequency.DAILY: _daily,
    Frequency.WEEKLY: _weekly,
    Frequency.MONTHLY: _monthly,
    Frequency.YEARLY: _yearly,
}


def days(rule: Recurrence, first: date) -> Iterator[date]:
    """The days of a holdable pattern from ``first`` on; ``count`` and ``until`` are not looked at."""
    if rule.frequency is Frequency.DAILY:
        yield from _every(first, rule.interval)
    elif rule.frequency is Frequency.WEEKLY:
        yield from _weeks(rule, first)
    else:
        yield from _months(rule, first)


def _every(first: date, interval: int) -> Iterator[date]:
    for step in range(0, (date.max - first).days, interval):
        yield first + timedelta(days=step)


def _weeks(rule: Recurrence, first: date) -> Iterator[date]:
    start = WEEKDAYS.index(rule.week_start)
    offsets = sorted((WEEKDAYS.index(each.day) - start) % 7 for each in rule.weekdays)
    week = first - timedelta(days=(first.weekday() - start) % 7)
    for monday in _every(week, 7 * rule.interval):
        for offset in offsets:
            if offset > (date.max - monday).days:
                return
            if (day := monday + timedelta(days=offset)) >= first:
                yield day


def _months(rule: Recurrence, first: date) -> Iterator[date]:
    month = first.year * 12 + first.month - 1
    step = rule.interval * (12 if rule.frequency is Frequency.YEARLY else 1)
    barren = 0
    while month // 12 <= date.max.year and barren < _SEARCHED_STEPS:
        day = _day_in_month(rule, month // 12, month % 12 + 1)
        if day is None or day < first:
            barren += 1
        else:
            barren = 0
            yield day
        month += step


def _day_in_month(rule: Recurrence, year: int, month: int) -> date | None:
    length = calendar.monthrange(year, month)[1]
    if rule.weekdays:
        names = {each.day for each in rule.weekdays}
        fitting = [day for day in range(1, length + 1) if WEEKDAYS[calendar.weekday(year, month, day)] in names]
        position = rule.positions[0] if rule.positions else rule.weekdays[0].ordinal
    else:
        fitting = [day if day > 0 else length + 1 + day for day in rule.month_days if abs(day) <= length]
        position = rule.positions[0] if rule.positions else 1
    at = position - 1 if position > 0 else len(fitting) + position
    return date(year, month, fitting[at]) if 0 <= at < len(fitting) else None


def limited(rule: Recurrence, first: date, last: date | None) -> Iterator[date]:
    """The days of a series: ``days`` up to its count and to ``last``, the date of its ``until``.

    No more than ``MAX_SEARCHED``, whatever somebody has put into a calendar.
    """
    found = islice(days(rule, first), MAX_SEARCHED if rule.count is None else min(rule.count, MAX_SEARCHED))
    for day in found:
        if last is not None and day > last:
            return
        yield day
