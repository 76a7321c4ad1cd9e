"""Zones that come with rules instead of a known name, as those of invitations from other calendars.

The rules (MS-OXWSCDATA, TimeZoneDefinitionType) are compared with those of the zones that Windows has: one whose clocks
do the same at the same moments of the year is the same zone for us. Where none does, it goes by its rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.xml import Element, child, children, local, text
from syncapp.items.windows_zones import WINDOWS_ZONES
from syncapp.items.zone_rules import LAST, Change, ZoneRules, rules_of

_COMMON = ("Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Los_Angeles", "UTC")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LAST = -1
CUSTOM = "Customized Time Zone"
"""What Exchange calls a zone that is none of Windows'."""
_MINUTE = timedelta(minutes=1)
_DURATION = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")


@dataclass(frozen=True)
class _Switch:
    """A change of clocks: the moment, and the offsets from UTC before and after it."""

    moment: datetime
    before: timedelta
    after: timedelta


def zone_of_rules(definition: Element, years: Sequence[int]) -> str | None:
    """The zone whose clocks did in ``years`` what the rules of ``definition`` say: one with a name, else by its rules.

    None where the rules can't be read, or are more than two changes a year.
    """
    try:
        named = {
            _zone_with(frozenset(offsets), tuple(switches), year) for year, offsets, switches in _in(definition, years)
        }
        if len(named) == 1 and (found := named.pop()) is not None:
            return found
        return _unnamed(definition)
    except (ValueError, KeyError, StopIteration):
        return None


def _in(definition: Element, years: Sequence[int]) -> Iterator[tuple[int, set[timedelta], list[_Switch]]]:
    for year in years:
        yield year, *_rules(definition, year)


def _unnamed(definition: Element) -> str | None:
    """The name that rules give to a zone. Raises as ``_rules``."""
    changes = []
    for change in list(children(definition, "TransitionsGroups"))[-1]:
        target = child(change, "To")
        if local(change) != "RecurringDayTransition" or target is None:
            return None
        week, weekday = int(text(change, "Occurrence")), _DAYS.index(text(change, "DayOfWeek"))
        at = _duration(text(change, "TimeOffset"))
        changes.append(
            (target.text or "", Change(int(text(change, "Month")), LAST if week == _LAST else week, weekday, at))
        )
    periods = {each.get("Id", ""): -_duration(each.get("Bias", "")) for each in children(definition, "Periods")}
    if len(changes) != 2:
        return None
    (standard, to_standard), (daylight, to_daylight) = sorted(changes, key=lambda each: periods[each[0]])
    return ZoneRules(periods[standard], periods[daylight], to_daylight, to_standard).name


def zone_definition(name: str, zone: str) -> Markup:
    """A property like StartTimeZone with the rules of a zone that has no name (MS-OXWSCDATA, TimeZoneDefinition)."""
    rules = rules_of(zone)
    periods = {"Standard": rules.standard, "Daylight": rules.daylight}
    changes = {"Daylight": rules.to_daylight, "Standard": rules.to_standard}
    return t(
        name,
        t("Periods", *[t("Period", Bias=_duration_text(-each), Name=kind, Id=kind) for kind, each in periods.items()]),
        t(
            "TransitionsGroups",
            t("TransitionsGroup", *[_transition(kind, each) for kind, each in changes.items()], Id="0"),
        ),
        t("Transitions", t("Transition", t("To", "0", Kind="Group"))),
        Id=CUSTOM,
        Name=CUSTOM,
    )


def _transition(kind: str, change: Change) -> Markup:
    return t(
        "RecurringDayTransition",
        t("To", kind, Kind="Period"),
        t("TimeOffset", _duration_text(change.at)),
        t("Month", str(change.month)),
        t("DayOfWeek", _DAYS[change.weekday]),
        t("Occurrence", str(_LAST if change.week == LAST else change.week)),
    )


def _duration_text(length: timedelta) -> str:
    seconds = abs(int(length.total_seconds()))
    sign = "-" if length < timedelta() else ""
    return f"{sign}PT{seconds // 3600}H{seconds // 60 % 60}M{seconds % 60}S"


@lru_cache(maxsize=256)
def _zone_with(offsets: frozenset[timedelta], switches: tuple[_Switch, ...], year: int) -> str | None:
    """The zone with these rules. Cached: all invitations from one place come with the same, and zones are many."""
    candidates = (*_COMMON, *(names.split()[0] for names in WINDOWS_ZONES.values()))
    return next((zone for zone in candidates if _does(ZoneInfo(zone), offsets, switches, year)), None)


def _does(zone: ZoneInfo, offsets: frozenset[timedelta], switches: tuple[_Switch, ...], year: int) -> bool:
    seen = {datetime(year, month, 15, tzinfo=UTC).astimezone(zone).utcoffset() for month in range(1, 13)}
    return seen == offsets and all(
        (each.moment - _MINUTE).astimezone(zone).utcoffset() == each.before
        and each.moment.astimezone(zone).utcoffset() == each.after
        for each in switches
    )


def _rules(definition: Element, year: int) -> tuple[set[timedelta], list[_Switch]]:
    periods = {each.get("Id", ""): -_duration(each.get("Bias", "")) for each in children(definition, "Periods")}
    changes = sorted(_changes(definition, periods, year))
    if not changes:
        (only,) = set(periods.values())
        return {only}, []
    befores = [changes[-1][1], *(offset for _, offset in changes[:-1])]
    switches = [
        _Switch((wall - before).replace(tzinfo=UTC), before, after)
        for (wall, after), before in zip(changes, befores, strict=True)
    ]
    return {offset for _, offset in changes}, switches


def _changes(definition: Element, periods: dict[str, timedelta], year: int) -> Iterator[tuple[datetime, timedelta]]:
    """When clocks change in ``year``, as they read before, and the offset from then on: by the newest rules."""
    groups = list(children(definition, "TransitionsGroups"))
    for change in groups[-1] if groups else ():
        if local(change) == "RecurringDayTransition":
            day = _counted_day(
                year,
                int(text(change, "Month")),
                _DAYS.index(text(change, "DayOfWeek")),
                int(text(change, "Occurrence")),
            )
        elif local(change) == "RecurringDateTransition":
            day = datetime(year, int(text(change, "Month")), int(text(change, "Day")))
        else:
            continue
        target = child(change, "To")
        if target is not None:
            yield day + _duration(text(change, "TimeOffset")), periods[target.text or ""]


def _counted_day(year: int, month: int, weekday: int, count: int) -> datetime:
    if count == _LAST:
        after = datetime(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return after - timedelta(days=(after.weekday() - weekday) % 7)
    first = datetime(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _duration(value: str) -> timedelta:
    """An xs:duration of days and less. Raises ValueError."""
    found = _DURATION.fullmatch(value.strip())
    if not found:
        raise ValueError("not a duration")
    sign, *parts = found.groups()
    days, hours, minutes, seconds = (int(each or 0) for each in parts)
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if sign else length
