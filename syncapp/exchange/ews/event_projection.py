"""What Exchange would hold of an event, and what an occurrence inherits from its series. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from syncapp.exchange.ews import patterns
from syncapp.exchange.ews.recurrence import date_of, last_day, until_of
from syncapp.exchange.ews.times import (
    FIRST_YEAR,
    LAST_YEAR,
    holdable_zone,
    whole_minutes,
    zoned,
)
from syncapp.exchange.ews.xml import legal
from syncapp.items.event import EVENT_FIELDS, Event, Occurrence
from syncapp.items.values import Moment, Recurrence, ZonedTime, moment_key
from syncapp.side import Refused

TITLE_LENGTH = 255
LOCATION_LENGTH = 255
PLAIN = ("title", "location", "description", "reminder", "busy")
"""The fields that a master and an occurrence have alike, times left out."""
NORMAL: Mapping[str, Callable[[Any], str]] = {field.name: field.normal for field in EVENT_FIELDS}
"""The normal form of each field: what differs in it differs."""


def project_event(event: Event, home: str) -> Event:
    """``event`` as Exchange would give it back after it was created from it; ``home`` is the zone of floating times."""
    if not in_reach(event):
        # Refused when it is written, and not to be counted with here.
        return replace(event, organizer=None, attendees=())
    start, end = _project_span(event.start, event.end, home)
    found = replace(
        event,
        start=start,
        end=end,
        **_project_plain({name: getattr(event, name) for name in PLAIN}),
        categories=_project_categories(event.categories),
        organizer=None,
        attendees=(),
    )
    if event.recurrence is None:
        return replace(found, exceptions=())
    if isinstance(start, ZonedTime) and isinstance(end, ZonedTime):
        found = replace(found, end=end.in_zone(start.zone))
    try:
        rule = _project_rule(event.recurrence, start)
    except Refused:
        # It will be refused as a whole when it is written; nothing of it is better known than what it says itself.
        return found
    found = replace(found, recurrence=rule, exceptions=())
    return replace(found, exceptions=_project_exceptions(event, found, home))


def _project_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name, length in (("title", TITLE_LENGTH), ("location", LOCATION_LENGTH)):
        if name in found:
            found[name] = _one_line(found[name])[:length]
    if "description" in found:
        found["description"] = legal(found["description"])
    if found.get("reminder") is not None:
        found["reminder"] = max(found["reminder"], 0)
    return found


def _one_line(value: str) -> str:
    return legal(" ".join(value.split()))


def _project_categories(categories: tuple[str, ...]) -> tuple[str, ...]:
    found = {name.casefold(): name for name in map(_one_line, reversed(categories)) if name}
    return tuple(reversed(found.values()))


def _project_moment(moment: Moment, home: str) -> Moment:
    if not isinstance(moment, ZonedTime):
        return moment
    zone = holdable_zone(moment.zone, home)
    stated = moment if moment.zone else ZonedTime(moment.wall, home)
    return zoned(whole_minutes(stated).instant, zone)


def _project_span(start: Moment, end: Moment, home: str) -> tuple[Moment, Moment]:
    first, after = _project_moment(start, home), _project_moment(end, home)
    if not isinstance(first, ZonedTime) and not isinstance(after, ZonedTime):
        after = max(after, first + timedelta(days=1))
    return first, after


def _project_rule(rule: Recurrence, start: Moment) -> Recurrence:
    found = patterns.holdable(rule, date_of(start))
    last = last_day(rule, start)
    return found if last is None else replace(found, until=until_of(last, start))


def _project_exceptions(event: Event, master: Event, home: str) -> tuple[Occurrence, ...]:
    assert master.recurrence is not None
    found = {}
    aligned = [(_align(each.original, master, home), each) for each in event.exceptions]
    dates = _dates_among(master, {date_of(original) for original, _ in aligned})
    for original, occurrence in aligned:
        key = moment_key(original)
        # An exception of a date that the pattern does not have is one of no occurrence at all.
        if date_of(original) not in dates or key != moment_key(_on_date(date_of(original), master)):
            continue
        if occurrence.deleted:
            found[key] = Occurrence(original, deleted=True)
        elif values := differences(_project_values(occurrence, original, master, home), original, master):
            found[key] = Occurrence(original, values=MappingProxyType(values))
    return tuple(found[key] for key in sorted(found))


def _align(original: Moment, master: Event, home: str) -> Moment:
    """The name of an occurrence in its series' own terms."""
    if isinstance(master.start, ZonedTime):
        if isinstance(original, ZonedTime):
            stated = original if original.zone else ZonedTime(original.wall, home)
            return zoned(whole_minutes(stated).instant, master.start.zone)
        return _on_date(original, master)
    return date_of(original)


def _on_date(day: date, master: Event) -> Moment:
    if not isinstance(master.start, ZonedTime):
        return day
    moment = ZonedTime(datetime.combine(day, master.start.wall.time()), master.start.zone)
    return zoned(moment.instant, master.start.zone)


def _dates_among(master: Event, wanted: Collection[date]) -> set[date]:
    """Those of ``wanted`` on which the series has an occurrence."""
    assert master.recurrence is not None
    found: set[date] = set()
    if wanted:
        latest = max(wanted)
        for day in patterns.limited(
            master.recurrence, date_of(master.start), last_day(master.recurrence, master.start)
        ):
            if day > latest:
                break
            if day in wanted:
                found.add(day)
    return found


def _project_values(occurrence: Occurrence, original: Moment, master: Event, home: str) -> dict[str, Any]:
    values = _project_plain({name: value for name, value in occurrence.values.items() if name in PLAIN})
    inherited = inherited_values(original, master)
    start, end = occurrence.values.get("start", original), occurrence.values.get("end", inherited["end"])
    if isinstance(start, ZonedTime) is not isinstance(end, ZonedTime):
        # A day made into a time, or the other way round, without saying until when.
        return values
    start, end = _project_span(start, end, home)
    if isinstance(start, ZonedTime) and isinstance(end, ZonedTime):
        zone = master.start.zone if isinstance(master.start, ZonedTime) else holdable_zone("", home)
        start, end = zoned(start.instant, zone), zoned(end.instant, zone)
    return values | {"start": start, "end": end}


def in_reach(event: Event) -> bool:
    """Whether Exchange can count to the event at all."""
    return all(FIRST_YEAR < date_of(each).year < LAST_YEAR for each in (event.start, event.end))


def has_dates(series: Event) -> bool:
    """Whether a projected series has any date that is not deleted."""
    assert series.recurrence is not None
    deleted = {moment_key(each.original) for each in series.exceptions if each.deleted}
    dates = patterns.limited(series.recurrence, date_of(series.start), last_day(series.recurrence, series.start))
    return any(moment_key(_on_date(day, series)) not in deleted for day in dates)


def differences(values: Mapping[str, Any], original: Moment, master: Event) -> dict[str, Any]:
    """Which of an occurrence's ``values`` are not inherited from its master."""
    inherited = inherited_values(original, master)
    return {name: value for name, value in values.items() if NORMAL[name](value) != NORMAL[name](inherited[name])}


def inherited_values(original: Moment, master: Event) -> dict[str, Any]:
    """What an occurrence is like when nobody changed it. Its length is counted by the clock on the wall, as Exchange
    counts (MS-OXOCAL section 2.2.1.44.1, EndTimeOffset)."""
    end: Moment
    if isinstance(original, ZonedTime) and isinstance(master.start, ZonedTime) and isinstance(master.end, ZonedTime):
        zone = master.start.zone
        length = master.end.in_zone(zone).wall - master.start.wall
        end = ZonedTime(original.in_zone(zone).wall + length, zone).in_zone(zone)
    else:
        assert not isinstance(master.start, ZonedTime)
        assert not isinstance(master.end, ZonedTime)
        end = date_of(original) + (master.end - master.start)
    return {
        "start": original,
        "end": end,
        **{name: getattr(master, name) for name in ("title", "location", "description", "reminder", "busy")},
    }
