"""What Exchange would hold of an event, and what an occurrence inherits from its series. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from syncapp.exchange.ews.held import projected
from syncapp.exchange.ews.recurrence import date_of, last_day, until_of
from syncapp.exchange.ews.times import (
    FIRST_YEAR,
    LAST_YEAR,
    holdable_zone,
    whole_minutes,
    zoned,
)
from syncapp.exchange.ews.xml import legal
from syncapp.items import patterns
from syncapp.items.event import EVENT_FIELDS, Event, Occurrence
from syncapp.items.html import formatting, says_the_same, text_of_html
from syncapp.items.values import Moment, Recurrence, ZonedTime, moment_key
from syncapp.items.zone_rules import is_rules
from syncapp.items.zones import iana_to_windows

TITLE_LENGTH = 255
LOCATION_LENGTH = 255
PLAIN = ("title", "location", "description", "html", "reminder", "busy", "cancelled")
"""The fields that a master and an occurrence have alike, times left out."""
NORMAL: Mapping[str, Callable[[Any], str]] = {field.name: field.normal for field in EVENT_FIELDS}
"""The normal form of each field: what differs in it differs."""


def project_event(event: Event, home: str) -> Event:
    """``event`` as Exchange would give it back after it was created from it; ``home`` is the zone of floating times."""
    return projected(event, home, _project)


def _project(event: Event, home: str) -> Event:
    if not in_reach(event) or not recurs_in_known_zone(event):
        # Refused when it is written, and not to be counted with here.
        return replace(event, organizer=None, attendees=())
    start, end = _project_span(event.start, event.end, home, exact=event.recurrence is None)
    found = Event(
        start,
        end,
        uid=event.uid,
        categories=_project_categories(event.categories),
        privacy=event.privacy,
        importance=event.importance,
        url=_one_line(event.url),
        meeting_link=_one_line(event.meeting_link),
        **_project_plain({name: getattr(event, name) for name in PLAIN}),
    )
    return found if event.recurrence is None else _project_series(found, event.recurrence, event.exceptions, home)


def _project_series(single: Event, rule: Recurrence, exceptions: tuple[Occurrence, ...], home: str) -> Event:
    if isinstance(single.start, ZonedTime) and isinstance(single.end, ZonedTime):
        single = replace(single, end=_in_zone(single.end, single.start.zone))
    try:
        series = replace(single, recurrence=_project_rule(rule, single.start))
    except patterns.NoPattern:
        # It will be refused as a whole when it is written; nothing of it is better known than what it says itself.
        return replace(single, recurrence=rule, exceptions=exceptions)
    return replace(series, exceptions=_project_exceptions(exceptions, series, home)) if exceptions else series


def _project_plain(values: dict[str, Any]) -> dict[str, Any]:
    for name, length in (("title", TITLE_LENGTH), ("location", LOCATION_LENGTH)):
        if name in values:
            values[name] = _one_line(values[name])[:length].rstrip()
    if "description" in values:
        values["description"] = text if (text := legal(values["description"])).strip() else ""
    if values.get("html"):
        values |= _project_html(legal(values["html"]), values.get("description"))
    if values.get("reminder") is not None:
        values["reminder"] = max(values["reminder"], 0)
    return values


def _project_html(html: str, description: str | None) -> dict[str, str]:
    """The body as it comes back: one that is in HTML gives its own words, and is not written where they differ."""
    if not formatting(html) or (description is not None and not says_the_same(html, description)):
        return {"html": ""}
    return {"html": html, "description": text_of_html(html)}


def _one_line(value: str) -> str:
    return " ".join(legal(value).split())


def _project_categories(categories: tuple[str, ...]) -> tuple[str, ...]:
    found = {name.casefold(): name for name in map(_one_line, reversed(categories)) if name}
    return tuple(reversed(found.values()))


def _project_moment(moment: Moment, home: str, exact: bool) -> Moment:
    if not isinstance(moment, ZonedTime):
        return moment
    stated = moment if moment.zone else ZonedTime(moment.wall, home)
    return _in_zone(stated if exact else whole_minutes(stated), holdable_zone(moment.zone, home))


def _in_zone(moment: ZonedTime, zone: str) -> ZonedTime:
    """The moment as Exchange gives it back when it is kept in ``zone``; the moment itself where that is the same."""
    found = zoned(moment.instant, zone)
    return moment if found == moment else found


def _project_span(start: Moment, end: Moment, home: str, exact: bool = False) -> tuple[Moment, Moment]:
    """Only a single event has seconds: series count in minutes."""
    first, after = _project_moment(start, home, exact), _project_moment(end, home, exact)
    if not isinstance(first, ZonedTime) and not isinstance(after, ZonedTime):
        after = max(after, first + timedelta(days=1))
    return first, after


def _project_rule(rule: Recurrence, start: Moment) -> Recurrence:
    found = patterns.holdable(rule, date_of(start))
    last = last_day(rule, start)
    return found if last is None else replace(found, until=until_of(last, start))


def _project_exceptions(exceptions: Iterable[Occurrence], master: Event, home: str) -> tuple[Occurrence, ...]:
    found = {}
    aligned = [(_align(each.original, master, home), each) for each in exceptions]
    dates = _dates_among(master, {date_of(original) for original, _ in aligned})
    for original, occurrence in aligned:
        # An exception of a date that the pattern does not have is one of no occurrence at all.
        if date_of(original) not in dates or original != _on_date(date_of(original), master):
            continue
        if occurrence.deleted:
            found[moment_key(original)] = Occurrence(original, deleted=True)
            continue
        inherited = inherited_values(original, master)
        if values := differences(_project_values(occurrence, inherited, master, home), inherited):
            found[moment_key(original)] = Occurrence(original, values=MappingProxyType(values))
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


def _project_values(occurrence: Occurrence, inherited: Mapping[str, Any], master: Event, home: str) -> dict[str, Any]:
    values = _project_plain({name: value for name, value in occurrence.values.items() if name in PLAIN})
    start, end = (occurrence.values.get(name, inherited[name]) for name in ("start", "end"))
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


def recurs_in_known_zone(event: Event) -> bool:
    """Whether Exchange can keep the zone in which a series recurs: in another one it would be off half of the year."""
    zone = event.start.zone if isinstance(event.start, ZonedTime) else ""
    return event.recurrence is None or not zone or is_rules(zone) or iana_to_windows(zone) is not None


def has_dates(series: Event) -> bool:
    """Whether a projected series has any date that is not deleted."""
    assert series.recurrence is not None
    deleted = {each.original for each in series.exceptions if each.deleted}
    dates = patterns.limited(series.recurrence, date_of(series.start), last_day(series.recurrence, series.start))
    return any(_on_date(day, series) not in deleted for day in dates)


def differences(values: Mapping[str, Any], inherited: Mapping[str, Any]) -> dict[str, Any]:
    """Which of an occurrence's ``values`` are not those of ``inherited_values``."""
    return {
        name: value
        for name, value in values.items()
        if value != inherited[name] and NORMAL[name](value) != NORMAL[name](inherited[name])
    }


def _wall(moment: ZonedTime, zone: str) -> datetime:
    return (moment if moment.zone == zone else moment.in_zone(zone)).wall


def inherited_values(original: Moment, master: Event) -> dict[str, Any]:
    """What an occurrence is like when nobody changed it. Its length is counted by the clock on the wall, as Exchange
    counts (MS-OXOCAL section 2.2.1.44.1, EndTimeOffset)."""
    end: Moment
    if isinstance(original, ZonedTime) and isinstance(master.start, ZonedTime) and isinstance(master.end, ZonedTime):
        zone = master.start.zone
        length = _wall(master.end, zone) - master.start.wall
        end = ZonedTime(_wall(original, zone) + length, zone).in_zone(zone)
    else:
        assert not isinstance(master.start, ZonedTime)
        assert not isinstance(master.end, ZonedTime)
        end = date_of(original) + (master.end - master.start)
    return {
        "start": original,
        "end": end,
        **{name: getattr(master, name) for name in PLAIN},
    }
