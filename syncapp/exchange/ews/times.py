"""Moments as EWS writes them: instants beside Windows zones, and days that are meant as dates.

Times go out as UTC instants with the zone named beside them, so that no server has to guess an offset.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from syncapp.items.values import Moment, ZonedTime
from syncapp.items.zone_rules import is_rules, zone_info
from syncapp.items.zones import canonical, iana_to_windows

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
_FIRST_NAMED_YEAR, _USUAL_YEAR = 1970, 2024
_HALF_DAY = timedelta(hours=12)
_BIRTHDAY_CLOCK = time(11, 59)
FIRST_YEAR, LAST_YEAR = 1601, 4500
"""The years in which times are counted (MS-OXCDATA section 2.11.1, PtypTime); 4501-01-01 stands for "no date"."""


def parse_instant(value: str) -> datetime:
    """An xs:dateTime as an aware UTC time; fractions of a second are cut, a missing offset means UTC (which is the
    zone that we ask for). Raises ValueError."""
    found = _TIME.fullmatch(value.strip())
    if not found:
        raise ValueError("not a time")
    day, clock, offset = found.groups()
    try:
        return datetime.fromisoformat(f"{day}T{clock}{offset or 'Z'}").astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time that a calendar has") from None


def format_instant(value: datetime) -> str:
    """An aware time as EWS takes it."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_day(value: str) -> date:
    """An xs:date; servers add offsets to it and some send a whole dateTime. Raises ValueError."""
    return date.fromisoformat(value.strip()[:10])


@lru_cache(maxsize=1024)
def holdable_zone(zone: str, home: str) -> str:
    """The zone in which Exchange keeps what is written in ``zone``: one with a Windows name or with rules, else UTC.

    A floating time is one in ``home``.
    """
    wanted = zone or home
    if is_rules(wanted):
        return wanted
    return canonical(wanted) if iana_to_windows(wanted) else "UTC"


def zoned(instant: datetime, zone: str) -> ZonedTime:
    """``instant`` in ``zone``, in UTC if a clock there reads the same twice and this is the second time."""
    local = instant.astimezone(zone_info(zone))
    if local.fold:
        local, zone = instant.astimezone(UTC), "UTC"
    # As local.replace(tzinfo=None), which takes three times as long.
    return ZonedTime(datetime.combine(local.date(), local.time()), zone)


def nearest_day(instant: datetime, zone: str) -> date:
    """The day that an all-day boundary stands for: its date in ``zone``, where it should read midnight.

    A boundary from another zone than it claims is off by its distance from midnight; the nearest midnight is meant.
    """
    return (instant.astimezone(zone_info(zone)).replace(tzinfo=None) + _HALF_DAY).date()


def midnight(day: date, zone: str) -> datetime:
    """The beginning of ``day`` in ``zone``, as Windows counts: it has today's rules for all years before 1970."""
    if day.year >= _FIRST_NAMED_YEAR:
        return ZonedTime(datetime.combine(day, time()), zone).instant
    like = ZonedTime(datetime(_USUAL_YEAR, day.month, min(day.day, 28)), zone)
    return datetime.combine(day, time(), UTC) - (like.wall.replace(tzinfo=UTC) - like.instant)


def instant_of(moment: Moment, home: str) -> datetime:
    """The instant of a moment; a day begins in ``home``."""
    return moment.instant if isinstance(moment, ZonedTime) else midnight(moment, home)


def whole_minutes(moment: ZonedTime) -> ZonedTime:
    """Without its seconds: Exchange counts series in minutes (MS-OXOCAL section 2.2.1.44.1, StartTimeOffset)."""
    return ZonedTime(moment.wall.replace(second=0), moment.zone) if moment.wall.second else moment


def parse_birthday(value: str, home: str) -> date | None:
    """The day of a birthday, whichever way it was stored.

    11:59 UTC (Outlook since 2007, and us), midnight UTC, or midnight in the zone of who wrote it.
    """
    if not value:
        return None
    instant = parse_instant(value)
    if instant.year >= LAST_YEAR:
        return None
    if instant.time() in (time(), _BIRTHDAY_CLOCK):
        return instant.date()
    local = instant.astimezone(zone_info(home))
    return local.date() if local.time() == time() else (instant + _HALF_DAY).date()


def format_birthday(day: date) -> str:
    """A birthday at 11:59 UTC: the same day nearly everywhere."""
    return f"{day.isoformat()}T{_BIRTHDAY_CLOCK.isoformat()}Z"
