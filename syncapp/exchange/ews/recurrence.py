"""The Recurrence element of EWS ⇄ the neutral pattern (MS-OXWSCDATA section 2.2.4.58 RecurrenceType)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.times import parse_day
from syncapp.exchange.ews.xml import Element, children, local, text
from syncapp.items.patterns import WEEKEND, WORKING_DAYS, clamped, shortest_month
from syncapp.items.values import WEEKDAYS, Frequency, Moment, Recurrence, Weekday, ZonedTime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TO_EWS_DAY: Mapping[str, str] = dict(zip(WEEKDAYS, _DAYS, strict=True))
_FROM_EWS_DAY: Mapping[str, str] = dict(zip(_DAYS, WEEKDAYS, strict=True))
_GROUPS = {"Day": set(_DAYS), "Weekday": set(_DAYS[:5]), "WeekendDay": set(_DAYS[5:])}
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_TO_INDEX = {1: "First", 2: "Second", 3: "Third", 4: "Fourth", -1: "Last"}
_FROM_INDEX = {name: position for position, name in _TO_INDEX.items()}
_LAST = -1


# Out -------------------------------------------------------------------------------------------------------------


def recurrence_element(rule: Recurrence, start: Moment) -> Markup:
    """The element for a pattern that ``patterns.holdable`` made; ``start`` is the first moment, in the series' zone."""
    return t("Recurrence", _pattern_element(rule), _range_element(rule, start))


def _pattern_element(rule: Recurrence) -> Markup:
    interval = t("Interval", str(rule.interval))
    if rule.frequency is Frequency.DAILY:
        return t("DailyRecurrence", interval)
    if rule.frequency is Frequency.WEEKLY:
        names = " ".join(_TO_EWS_DAY[each.day] for each in rule.weekdays)
        return t(
            "WeeklyRecurrence", interval, t("DaysOfWeek", names), t("FirstDayOfWeek", _TO_EWS_DAY[rule.week_start])
        )
    month = t("Month", _MONTHS[rule.months[0] - 1]) if rule.frequency is Frequency.YEARLY else None
    every, prefix = (interval, "Monthly") if month is None else (None, "Yearly")
    if rule.weekdays or rule.month_days == (_LAST,):
        name, position = _counted(rule)
        return t(
            f"Relative{prefix}Recurrence", every, t("DaysOfWeek", name), t("DayOfWeekIndex", _TO_INDEX[position]), month
        )
    return t(f"Absolute{prefix}Recurrence", every, t("DayOfMonth", str(rule.month_days[-1])), month)


def _counted(rule: Recurrence) -> tuple[str, int]:
    if not rule.weekdays:
        return "Day", rule.month_days[0]
    if rule.weekdays[0].ordinal:
        return _TO_EWS_DAY[rule.weekdays[0].day], rule.weekdays[0].ordinal
    return "Weekday" if rule.weekdays[0].day in WORKING_DAYS else "WeekendDay", rule.positions[0]


def _range_element(rule: Recurrence, start: Moment) -> Markup:
    first = t("StartDate", date_of(start).isoformat())
    if rule.count is not None:
        return t("NumberedRecurrence", first, t("NumberOfOccurrences", str(rule.count)))
    last = last_day(rule, start)
    if last is not None:
        return t("EndDateRecurrence", first, t("EndDate", last.isoformat()))
    return t("NoEndRecurrence", first)


def date_of(moment: Moment) -> date:
    """The day on which a moment falls on its own clock."""
    return moment.wall.date() if isinstance(moment, ZonedTime) else moment


def last_day(rule: Recurrence, start: Moment) -> date | None:
    """The last date on which an occurrence may begin, counted in the zone of ``start``; None without ``until``."""
    until = rule.until
    if until is None:
        return None
    if not isinstance(until, ZonedTime):
        return until
    if not isinstance(start, ZonedTime):
        return until.wall.date()
    local_until = until.in_zone(start.zone) if until.zone else until
    last = local_until.wall.date()
    return last if local_until.wall.time() >= start.wall.time() else last - timedelta(days=1)


def until_of(last: date, start: Moment) -> Moment:
    """The neutral ``until`` for a last date: the moment at which an occurrence on that day begins."""
    return ZonedTime(datetime.combine(last, start.wall.time()), start.zone) if isinstance(start, ZonedTime) else last


# In --------------------------------------------------------------------------------------------------------------


def read_recurrence(element: Element, start: Moment) -> Recurrence:
    """The pattern in a Recurrence element of a series that begins at ``start``. Raises ValueError."""
    parts = list(children(element))
    if len(parts) != 2:
        raise ValueError("a recurrence without pattern or range")
    pattern, bounds = parts
    count, until = None, None
    if local(bounds) == "NumberedRecurrence":
        count = int(text(bounds, "NumberOfOccurrences"))
    elif local(bounds) == "EndDateRecurrence":
        until = until_of(parse_day(text(bounds, "EndDate")), start)
    interval = int(text(pattern, "Interval") or 1)
    return _read_pattern(pattern, interval, date_of(start).month, count, until)


def _read_pattern(
    pattern: Element, interval: int, first_month: int, count: int | None, until: Moment | None
) -> Recurrence:
    name = local(pattern)
    if name == "DailyRecurrence":
        return Recurrence(Frequency.DAILY, interval, count=count, until=until)
    if name == "WeeklyRecurrence":
        names = _expanded(text(pattern, "DaysOfWeek"))
        weekdays = tuple([Weekday(day) for day in WEEKDAYS if _TO_EWS_DAY[day] in names])
        first = _FROM_EWS_DAY.get(text(pattern, "FirstDayOfWeek"), "SU") if interval > 1 else "MO"
        return Recurrence(Frequency.WEEKLY, interval, weekdays, week_start=first, count=count, until=until)
    if not name.endswith(("MonthlyRecurrence", "YearlyRecurrence")):
        raise ValueError(f"a pattern of an unknown sort, {name}")
    month = _MONTHS.index(text(pattern, "Month")) + 1 if name.endswith("YearlyRecurrence") else None
    frequency = Frequency.MONTHLY if month is None else Frequency.YEARLY
    shortest = shortest_month(frequency, interval, month or first_month)
    weekdays, month_days, positions = _read_days(pattern, shortest)
    return Recurrence(
        frequency,
        interval,
        weekdays,
        month_days,
        () if month is None else (month,),
        positions,
        count=count,
        until=until,
    )


def _read_days(pattern: Element, shortest: int) -> tuple[tuple[Weekday, ...], tuple[int, ...], tuple[int, ...]]:
    if day := text(pattern, "DayOfMonth"):
        month_days, positions = clamped(int(day), shortest)
        return (), month_days, positions
    name, position = text(pattern, "DaysOfWeek"), _FROM_INDEX[text(pattern, "DayOfWeekIndex")]
    if name == "Day":
        return (), (position,), ()
    if name in ("Weekday", "WeekendDay"):
        names = WORKING_DAYS if name == "Weekday" else WEEKEND
        return tuple(map(Weekday, names)), (), (position,)
    return (Weekday(_FROM_EWS_DAY[name], position),), (), ()


def _expanded(names: str) -> set[str]:
    found: set[str] = set()
    for name in names.split():
        found |= _GROUPS.get(name, {name})
    return found
