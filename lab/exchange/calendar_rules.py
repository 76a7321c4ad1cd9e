"""What Exchange does to a calendar item when it is saved: times, zones, all-day, series, identity."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from lab.exchange import recurrence
from lab.exchange.goid import new_uid
from lab.exchange.records import Props, now, stamp
from lab.exchange.series import Series
from lab.exchange.soap import EwsError
from lab.exchange.timezones import Zone, tz_of

_FIVE_YEARS = timedelta(days=5 * 366)
# A change to any of these makes the old exceptions of a series meaningless: Exchange drops them all.
_SERIES_SHAPE = ("Recurrence", "Start", "End", "IsAllDayEvent", "StartTimeZone")


def defaults(props: Props, zone: Zone) -> None:
    """Fill in what a new calendar item did not bring."""
    if "Start" not in props:
        props["Start"] = stamp(now().replace(minute=0, second=0) + timedelta(hours=1))
    if "End" not in props:
        props["End"] = stamp(moment_of(props, "Start") + timedelta(minutes=30))
    props.setdefault("StartTimeZone", zone)
    props.setdefault("EndTimeZone", props["StartTimeZone"])
    props.setdefault("IsAllDayEvent", False)
    props.setdefault("LegacyFreeBusyStatus", "Busy")
    props.setdefault("ReminderIsSet", True)
    props.setdefault("ReminderMinutesBeforeStart", 15)
    props.setdefault("IsResponseRequested", True)
    props.setdefault("AllowNewTimeProposal", True)
    props.setdefault("IsOnlineMeeting", False)
    props.setdefault("UID", new_uid(now()))


def settle(props: Props) -> None:
    """Bring times into the form in which they are stored; raises EwsError for impossible ones."""
    if props.get("IsAllDayEvent"):
        _snap_to_days(props)
    start, end = moment_of(props, "Start"), moment_of(props, "End")
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "End is earlier than Start.")
    if end - start > _FIVE_YEARS:
        raise EwsError("ErrorCalendarDurationIsTooLong", "The duration is longer than five years.")
    if "Recurrence" in props:
        _align_series(props)


def moment_of(props: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(props[name])


def _snap_to_days(props: Props) -> None:
    """All-day: from midnight to midnight in the item's own zone, at least one day (MS-OXOCAL 2.2.1.9)."""
    zone = tz_of(props.get("StartTimeZone"))
    start = moment_of(props, "Start").astimezone(zone)
    end = moment_of(props, "End").astimezone(zone)
    first = start.date()
    last = end.date() if end.time() == time() else end.date() + timedelta(days=1)
    last = max(last, first + timedelta(days=1))
    props["Start"] = stamp(datetime.combine(first, time()).replace(tzinfo=zone))
    props["End"] = stamp(datetime.combine(last, time()).replace(tzinfo=zone))


def _align_series(props: Props) -> None:
    """A series starts with its first occurrence, on whole minutes (MS-OXOCAL 2.2.1.44.2 counts in minutes)."""
    for name in ("Start", "End"):
        props[name] = stamp(moment_of(props, name).replace(second=0))
    series = Series(props, [])
    first = next(series.instances(), None)
    if first is None:
        raise EwsError("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.")
    series.check_span()
    props["Start"], props["End"] = stamp(first.start), stamp(first.end)


def follow_start(props: Props, before: Mapping[str, Any]) -> None:
    """A series whose start moved to another day, its pattern not given again, begins on that day."""
    zone = tz_of(props.get("StartTimeZone"))
    day = moment_of(props, "Start").astimezone(zone).date()
    first = next(recurrence.dates(props["Recurrence"]), None)
    if props["Start"] != before["Start"] and day != first:
        props["Recurrence"] = {**props["Recurrence"], "StartDate": day.isoformat()}


def reshaped(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an update gave a series another shape, so that its exceptions are dropped."""
    return any(before.get(name) != after.get(name) for name in _SERIES_SHAPE)
