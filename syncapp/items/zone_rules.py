"""Zones that have no name, only rules: clocks that change twice a year, every year alike.

Such a zone is called by its rules as POSIX writes them (IEEE 1003.1, TZ; RFC 9636 section 3.3.1), as
``<-0500>5<-0400>4,M4.1.0/2,M10.5.0/2``: so it needs no table, and the same rules have the same name on both sides.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_NAME = re.compile(
    r"<[+-]\d{4}>(-?[\d:]+)<[+-]\d{4}>(-?[\d:]+),M(\d+)\.(\d)\.(\d)/(-?[\d:]+),M(\d+)\.(\d)\.(\d)/(-?[\d:]+)", re.ASCII
)
SERIES_YEARS = 10
"""How many years on a named zone must have the same rules to be the zone of a series."""
LAST = 5
"""The week of a month that stands for its last."""


@dataclass(frozen=True)
class Change:
    """When clocks change: on which weekday (Monday is 0) of which week, and at which time by the clock before."""

    month: int
    week: int
    weekday: int
    at: timedelta


@dataclass(frozen=True)
class ZoneRules:
    """Two offsets from UTC, and when each begins."""

    standard: timedelta
    daylight: timedelta
    to_daylight: Change
    to_standard: Change

    @property
    def name(self) -> str:
        """The name by which items know the zone."""
        changes = ",".join(
            f"M{each.month}.{each.week}.{(each.weekday + 1) % 7}/{_clock(each.at)}"
            for each in (self.to_daylight, self.to_standard)
        )
        offsets = "".join(f"<{_offset(each)}>{_clock(-each)}" for each in (self.standard, self.daylight))
        return f"{offsets},{changes}"


def is_rules(zone: str) -> bool:
    """Whether a zone is one without a name."""
    return zone.startswith("<")


@lru_cache(maxsize=256)
def rules_of(zone: str) -> ZoneRules:
    """The rules in the name of a zone without a name. Raises ValueError."""
    found = _NAME.fullmatch(zone)
    if found is None:
        raise ValueError("no rules of a zone")
    standard, daylight, *changes = found.groups()
    to_daylight, to_standard = (
        Change(int(month), int(week), (int(day) - 1) % 7, _length(at))
        for month, week, day, at in (changes[:4], changes[4:])
    )
    return ZoneRules(-_length(standard), -_length(daylight), to_daylight, to_standard)


@lru_cache(maxsize=1024)
def zone_info(zone: str) -> ZoneInfo:
    """The clocks of a zone: of one that IANA names, or of rules. Raises what ``ZoneInfo`` raises."""
    if not is_rules(zone):
        return ZoneInfo(zone)
    # The smallest file that RFC 9636 allows: no change of its own, and the rules behind it.
    head = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb4s", 0, 0, 0, b"UTC\0")
    return ZoneInfo.from_file(io.BytesIO(head + head + b"\n" + zone.encode() + b"\n"), key=zone)


def _offset(offset: timedelta) -> str:
    minutes = abs(int(offset.total_seconds())) // 60
    return f"{'-' if offset < timedelta() else '+'}{minutes // 60:02}{minutes % 60:02}"


def _clock(length: timedelta) -> str:
    seconds = abs(int(length.total_seconds()))
    text = ":".join([str(seconds // 3600), *[f"{each:02}" for each in (seconds // 60 % 60, seconds % 60)]])
    return ("-" if length < timedelta() else "") + text.removesuffix(":00").removesuffix(":00")


def _length(clock: str) -> timedelta:
    hours, minutes, seconds, *_ = [*clock.lstrip("-").split(":"), "0", "0"]
    length = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    return -length if clock.startswith("-") else length
