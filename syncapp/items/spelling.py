"""Series that no pattern says, spelt as a pattern with exceptions where that says the same.

RFC 5545 can say more than other calendars know: several days of the month, single extra dates, the 31st of those months
that have one. Where such a series comes to an end, it is a simpler pattern that has all its days, without those days
that are too many. Some that never end are just an unusual way to say a usual thing. What is left stays as it is, and is
for whoever can't hold it to refuse: a series is never turned into another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache, reduce
from itertools import islice, pairwise
from math import gcd

from syncapp.items import patterns
from syncapp.items.expansion import expanded
from syncapp.items.values import WEEKDAYS, Frequency, Moment, Recurrence, Weekday, ZonedTime

MOST_DATES = 1000
"""How many dates of a series are looked at one by one."""
MOST_LEFT_OUT = 400
"""How many days of a simpler pattern may be too many: each is written to Exchange by itself."""
MOST_MOVED = 50
"""How many dates may be written as others that were moved."""
_MOST_YEARS = 60
_TOO_FINE = (Frequency.SECONDLY, Frequency.MINUTELY, Frequency.HOURLY)
_NOT_COUNTED = ("RRULE", "EXRULE", "RSCALE", "SKIP")
_COMPARED = 12
_DAYS_BACK = 800
_WEEKS = ((1, tuple(range(1, 8))), (2, tuple(range(8, 15))), (3, tuple(range(15, 22))), (4, tuple(range(22, 29))))


@dataclass(frozen=True)
class Spelling:
    """A series in other words: a pattern that begins at ``start`` and has ``rule``, without ``left_out``.

    ``moved`` has, by the day of the pattern, those of its occurrences that begin at another moment.
    """

    start: Moment
    rule: Recurrence
    left_out: tuple[date, ...] = ()
    moved: Mapping[date, Moment] | None = None


@lru_cache(maxsize=512)
def spelling(rule: Recurrence, start: Moment) -> Spelling | None:
    """How a series that begins at ``start`` is said by a pattern that Exchange has.

    None where the rule is such a pattern itself, and where no pattern says the same. ``rule.dates`` are in the form of
    ``start``.
    """
    first = _day(start)
    if patterns.is_holdable(rule, first):
        return None
    simpler = _simplified(rule, start)
    if patterns.is_holdable(simpler, first):
        return Spelling(start, patterns.holdable(simpler, first))
    return _counted(simpler, start) or _begun_before(simpler, start) or _without_others(rule, start)


def _horizon(start: Moment) -> datetime:
    """Until when dates are looked for: a rule may have none for thousands of years."""
    return datetime(min(_day(start).year + _MOST_YEARS, date.max.year - 1), 12, 31)


def _day(moment: Moment) -> date:
    return moment.wall.date() if isinstance(moment, ZonedTime) else moment


def _on(day: date, start: Moment) -> Moment:
    return ZonedTime(datetime.combine(day, start.wall.time()), start.zone) if isinstance(start, ZonedTime) else day


# The same in usual words -----------------------------------------------------------------------------------------


def _simplified(rule: Recurrence, start: Moment) -> Recurrence:
    """The same series in more usual words, as far as there are any."""
    rule = replace(rule, others=tuple(each for each in rule.others if not _says_nothing(each, start)))
    if rule.frequency is Frequency.YEARLY and rule.interval == 1 and not (rule.months or rule.others or rule.positions):
        if rule.month_days and not rule.weekdays:
            rule = replace(rule, frequency=Frequency.MONTHLY)
        elif rule.weekdays and not rule.month_days and not any(each.ordinal for each in rule.weekdays):
            rule = replace(rule, frequency=Frequency.WEEKLY)
    if rule.frequency in (Frequency.YEARLY, Frequency.MONTHLY) and rule.interval == 1 and len(rule.months) > 1:
        rule = _every_few_months(rule, start)
    if len(rule.weekdays) == 1 and not rule.weekdays[0].ordinal and not rule.positions:
        days = tuple(sorted(rule.month_days))
        weeks = [*_WEEKS, (-1, tuple(range(-7, 0)))]
        for ordinal, week in weeks:
            if days == week:
                rule = replace(rule, weekdays=(Weekday(rule.weekdays[0].day, ordinal),), month_days=())
    return rule


def _says_nothing(part: tuple[str, str], start: Moment) -> bool:
    """Whether a part of a rule only repeats what holds anyway."""
    name, value = part
    clock = start.wall if isinstance(start, ZonedTime) else None
    own = {"BYHOUR": clock.hour, "BYMINUTE": clock.minute, "BYSECOND": clock.second} if clock else {}
    if name in own:
        return value.isdecimal() and int(value) == own[name]
    return part in (("RSCALE", "GREGORIAN"), ("SKIP", "OMIT"))


def _every_few_months(rule: Recurrence, start: Moment) -> Recurrence:
    """January, April, July and October are every third month."""
    months = sorted(set(rule.months))
    steps = {(after - before) % 12 for before, after in pairwise([*months, months[0]])}
    first = _day(start)
    if len(steps) != 1 or first.month not in months:
        return rule
    days = rule.month_days or (() if rule.weekdays else (first.day,))
    return replace(rule, frequency=Frequency.MONTHLY, interval=steps.pop() or 12, months=(), month_days=days)


def _counted(rule: Recurrence, start: Moment) -> Spelling | None:
    """More dates than may be counted end with the last of them."""
    if rule.count is None or rule.count <= patterns.MAX_COUNT:
        return None
    endless, first = replace(rule, count=None), _day(start)
    if not patterns.is_holdable(endless, first):
        return None
    found = patterns.holdable(endless, first)
    last = next(islice(patterns.days(found, first), rule.count - 1, None), None)
    return None if last is None else Spelling(start, replace(found, until=_on(last, start)))


def _begun_before(rule: Recurrence, start: Moment) -> Spelling | None:
    """A first date that is not part of the pattern is the date before it, moved."""
    if rule.dates or rule.others or not isinstance(start, ZonedTime | date):
        return None
    first = _day(start)
    pattern = replace(rule, count=None if rule.count is None else rule.count + 1)
    for back in range(1, _DAYS_BACK):
        before = first - timedelta(days=back)
        if not patterns.is_holdable(pattern, before):
            continue
        found = patterns.holdable(pattern, before)
        mine = [day for day in islice(patterns.days(found, before), _COMPARED + 1) if day != before]
        if mine == [each.date() for each in islice(expanded(rule, start, _horizon(start)), _COMPARED)]:
            return Spelling(_on(before, start), found, moved={before: start})
        return None
    return None


# Date by date ----------------------------------------------------------------------------------------------------


def _without_others(rule: Recurrence, start: Moment) -> Spelling | None:
    """A series that ends, as the simplest pattern that has all its days."""
    moments = _dates(rule, start)
    if not moments:
        return None
    by_day = {_day(each): each for each in moments}
    days = sorted(by_day)
    if len(by_day) < len(moments):
        return None
    best: Spelling | None = None
    most = MOST_LEFT_OUT + 1
    for pattern in _candidates(days):
        found = replace(pattern, until=_on(days[-1], start))
        if not patterns.is_holdable(found, days[0]):
            continue
        found = patterns.holdable(found, days[0])
        all_days = list(islice(patterns.limited(found, days[0], days[-1]), len(days) + most))
        left_out = tuple(day for day in all_days if day not in by_day)
        if len(all_days) == len(days) + len(left_out) and len(left_out) < most:
            best, most = Spelling(_on(days[0], start), found, left_out), len(left_out)
    if best is None:
        return _moved_apart(by_day, start)
    return replace(best, moved={day: each for day, each in by_day.items() if each != _on(day, start)})


def _moved_apart(by_day: Mapping[date, Moment], start: Moment) -> Spelling | None:
    """A few dates far from each other: as many days in a row, all but the first moved to where they belong."""
    days = sorted(by_day)
    if len(days) > MOST_MOVED:
        return None
    names = [days[0] + timedelta(days=number) for number in range(len(days))]
    moved = {name: by_day[day] for name, day in zip(names, days, strict=True) if by_day[day] != _on(name, start)}
    rule = Recurrence(Frequency.DAILY, until=_on(names[-1], start))
    return Spelling(_on(days[0], start), rule, moved=moved)


def _dates(rule: Recurrence, start: Moment) -> list[Moment]:
    """All moments of a series; none where they are too many or never end, or where the rule is not all that is said."""
    if (rule.count is None and rule.until is None) or any(name in _NOT_COUNTED for name, _ in rule.others):
        return []
    if rule.frequency in _TOO_FINE:
        return []
    try:
        most = MOST_DATES + 1 if rule.count is None else min(rule.count, MOST_DATES + 1)
        walls = list(islice(expanded(rule, start, _horizon(start)), most))
        by_rule = [ZonedTime(wall, start.zone) if isinstance(start, ZonedTime) else wall.date() for wall in walls]
    except (ValueError, OverflowError):
        return []
    if (rule.count is not None and len(walls) < rule.count) or (walls and walls[-1].year >= _horizon(start).year):
        return []
    found = dict.fromkeys([start, *by_rule, *rule.dates])
    return list(found) if len(found) <= MOST_DATES else []


def _candidates(days: list[date]) -> Iterator[Recurrence]:
    """Patterns that have all these days, each as sparse as it can be."""
    first, gaps = days[0], [(after - before).days for before, after in pairwise(days)]
    if not gaps:
        yield Recurrence(Frequency.DAILY)
        return
    yield Recurrence(Frequency.DAILY, reduce(gcd, gaps))
    mondays = [day - timedelta(days=day.weekday()) for day in days]
    weeks = reduce(gcd, [(after - before).days // 7 for before, after in pairwise(mondays)])
    names = tuple(Weekday(name) for number, name in enumerate(WEEKDAYS) if number in {day.weekday() for day in days})
    yield Recurrence(Frequency.WEEKLY, max(weeks, 1), names)
    months = [day.year * 12 + day.month for day in days]
    every = reduce(gcd, [after - before for before, after in pairwise(months)])
    if every:
        if len({day.day for day in days}) == 1:
            yield Recurrence(Frequency.MONTHLY, every, month_days=(first.day,))
        counted = {(day.weekday(), (day.day - 1) // 7 + 1) for day in days}
        if len(counted) == 1:
            weekday, ordinal = counted.pop()
            yield Recurrence(Frequency.MONTHLY, every, (Weekday(WEEKDAYS[weekday], ordinal),))
