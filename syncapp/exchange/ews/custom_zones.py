"""Zones that come with rules instead of a known name, as those of invitations from other calendars.

The rules (MS-OXWSCDATA, TimeZoneDefinitionType) are compared with those of the zones that Windows has: one whose clocks
do the same at the same moments of the year is the same zone for us. Where none does, the zone stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncapp.exchange.ews.xml import Element, child, children, local, text
from syncapp.items.windows_zones import WINDOWS_ZONES

_COMMON = ("Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Los_Angeles", "UTC")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LAST = -1
_MINUTE = timedelta(minutes=1)
_DURATION = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")


@dataclass(frozen=True)
class _Switch:
    """A change of clocks: the moment, and the offsets from UTC before and after it."""

    moment: datetime
    before: timedelta
    after: timedelta


def matching_zone(definition: Element, year: int) -> str | None:
    """The IANA zone whose clocks did in ``year`` what the rules of ``definition`` say; None if there is none."""
    try:
        offsets, switches = _rules(definition, year)
    except (ValueError, KeyError, StopIteration):
        return None
    return _zone_with(frozenset(offsets), tuple(switches), year)


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
