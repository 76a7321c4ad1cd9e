"""The wall times of a pattern, as dateutil finds them. Pure."""

from __future__ import annotations

from datetime import datetime, time

from dateutil.rrule import rrule, rrulestr

from syncapp.items.values import Moment, Recurrence, ZonedTime


def expanded(rule: Recurrence, start: Moment, last: datetime | None = None) -> rrule:
    """The wall times of ``rule`` from ``start`` to its end, or to ``last`` if that comes before; extra dates left out.

    The count is for the caller to mind. Raises ValueError for a rule that dateutil does not know.
    """
    wall = start.wall if isinstance(start, ZonedTime) else datetime.combine(start, time())
    parts = [f"FREQ={rule.frequency}", f"INTERVAL={rule.interval}", f"WKST={rule.week_start}"]
    lists = {
        "BYDAY": [f"{each.ordinal or ''}{each.day}" for each in rule.weekdays],
        "BYMONTHDAY": rule.month_days,
        "BYMONTH": rule.months,
        "BYSETPOS": rule.positions,
    }
    parts += [f"{name}={','.join(map(str, values))}" for name, values in lists.items() if values]
    parts += [f"{name}={value}" for name, value in rule.others]
    ends = [each for each in (last, None if rule.until is None else _until(rule.until, start)) if each is not None]
    if ends:
        parts.append(f"UNTIL={min(ends):%Y%m%dT%H%M%S}")
    found = rrulestr(";".join(parts), dtstart=wall)
    assert isinstance(found, rrule)
    return found


def _until(until: Moment, start: Moment) -> datetime:
    """The last moment on the wall clock of the series."""
    if not isinstance(until, ZonedTime):
        return datetime.combine(until, time(23, 59, 59))
    zone = start.zone if isinstance(start, ZonedTime) else ""
    return until.in_zone(zone).wall if zone and until.zone else until.wall
