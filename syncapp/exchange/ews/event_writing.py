"""Event → the elements that create a CalendarItem, and the changes that update one. Pure.

Exceptions are written in steps of their own (``occurrences``), people not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from syncapp.exchange.ews.custom_zones import zone_definition
from syncapp.exchange.ews.event_projection import (
    PLAIN,
    has_dates,
    in_reach,
    inherited_values,
    project_event,
    recurs_in_known_zone,
)
from syncapp.exchange.ews.extended import MEETING_LINK, OWN_ID, STATE_FLAGS
from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.properties import clear_field, path, set_field
from syncapp.exchange.ews.recurrence import date_of, last_day, recurrence_element
from syncapp.exchange.ews.times import (
    format_instant,
    holdable_zone,
    instant_of,
)
from syncapp.exchange.ews.vocabulary import BUSY, CANCELLED, IMPORTANCE, PRIVACY
from syncapp.items import patterns
from syncapp.items.event import Event
from syncapp.items.values import Importance, Moment, ZonedTime
from syncapp.items.zone_rules import is_rules
from syncapp.items.zones import iana_to_windows
from syncapp.side import Refused

_ITEM = "CalendarItem"
_MAX_YEARS = 5
_NO_PATTERN = "Exchange has no pattern for a series like this one ({}); it stays in Nextcloud only."
_TIME_FIELDS = frozenset({"start", "end", "recurrence"})


def check_event(event: Event, home: str) -> None:
    """Raises ``Refused`` when Exchange can't hold ``event``, with a sentence that says why."""
    if not in_reach(event):
        raise Refused("Exchange holds no dates before 1602 and none after 4499.")
    if event.recurrence is not None:
        _check_series(project_event(event, home))
    if isinstance(event.start, ZonedTime) is not isinstance(event.end, ZonedTime):
        raise Refused("The event begins with a day and ends with a time, or the other way round.")
    begin, finish = instant_of(event.start, "UTC"), instant_of(event.end, "UTC")
    if finish < begin:
        raise Refused("The event ends before it begins, which Exchange refuses.")
    if finish - begin > timedelta(days=366 * _MAX_YEARS):
        raise Refused("The event lasts longer than Exchange accepts (five years).")


def _check_series(series: Event) -> None:
    """``series`` is projected, so that its bounds are in the zone in which it recurs."""
    assert series.recurrence is not None
    try:
        patterns.holdable(series.recurrence, date_of(series.start))
    except patterns.NoPattern as unknown:
        raise Refused(_NO_PATTERN.format(unknown)) from None
    if not recurs_in_known_zone(series):
        raise Refused("Windows has no time zone like the one of this series, so Exchange can't hold it.")
    last = last_day(series.recurrence, series.start)
    if last is not None and last < date_of(series.start):
        raise Refused("The series ends before its first date, which Exchange refuses.")
    if not has_dates(series):
        raise Refused("Every date of the series is deleted, and Exchange keeps no series without any.")


def new_event(event: Event, uid: str, own_id: str, home: str) -> Markup:
    """The CalendarItem that creates ``event`` without its exceptions and attendees. Raises ``Refused``."""
    check_event(event, home)
    event = project_event(event, home)
    reminder, span = event.reminder, _span_elements(event, holdable_zone("", home))
    return t(
        _ITEM,
        t("Subject", event.title),
        t("Sensitivity", PRIVACY[event.privacy]),
        body_element(event.description, event.html),
        categories_element(event.categories) if event.categories else None,
        t("Importance", IMPORTANCE[event.importance]) if event.importance is not Importance.NORMAL else None,
        t("ReminderIsSet", _xml_bool(reminder is not None)),
        t("ReminderMinutesBeforeStart", str(reminder)) if reminder is not None else None,
        OWN_ID.element(own_id),
        STATE_FLAGS.element(str(CANCELLED)) if event.cancelled else None,
        MEETING_LINK.element(event.meeting_link) if event.meeting_link else None,
        t("UID", uid),
        *(span[name] for name in ("Start", "End", "IsAllDayEvent")),
        t("LegacyFreeBusyStatus", BUSY[event.busy]),
        t("Location", event.location) if event.location else None,
        recurrence_element(event.recurrence, event.start) if event.recurrence else None,
        *(span[name] for name in ("StartTimeZone", "EndTimeZone")),
        t("MeetingWorkspaceUrl", event.url) if event.url else None,
    )


def body_element(value: str, html: str = "") -> Markup:
    """A body of plain text, or the same with its formatting."""
    return t("Body", html, BodyType="HTML") if html else t("Body", value, BodyType="Text")


def categories_element(categories: tuple[str, ...]) -> Markup:
    """The categories of an item."""
    return t("Categories", *(t("String", each) for each in categories))


def _xml_bool(value: bool) -> str:
    return "true" if value else "false"


def _span_elements(event: Event, day_zone: str) -> dict[str, Markup]:
    """The properties that say when; days begin in ``day_zone``, which has a Windows name."""
    found = {
        "Start": t("Start", format_instant(instant_of(event.start, day_zone))),
        "End": t("End", format_instant(instant_of(event.end, day_zone))),
        "IsAllDayEvent": t("IsAllDayEvent", _xml_bool(event.all_day)),
    }
    for name, moment in (("StartTimeZone", event.start), ("EndTimeZone", event.end)):
        zone = moment.zone if isinstance(moment, ZonedTime) else day_zone
        found[name] = zone_definition(name, zone) if is_rules(zone) else t(name, Id=iana_to_windows(zone) or "UTC")
    return found


def event_changes(before: Event, after: Event, changed: Collection[str], home: str) -> list[Markup]:
    """The changes to a single event or a master that set the fields named in ``changed`` as they are in ``after``.

    Times and pattern go together: a server may count one from the other. Exceptions and people are not written here.
    Raises ``Refused``.
    """
    check_event(after, home)
    after = project_event(after, home)
    found: list[Markup] = []
    if _TIME_FIELDS & set(changed):
        span = _span_elements(after, holdable_zone("", home))
        found += [set_field(path(f"calendar:{name}"), _ITEM, value) for name, value in span.items()]
        if after.recurrence is not None:
            found.append(
                set_field(path("calendar:Recurrence"), _ITEM, recurrence_element(after.recurrence, after.start))
            )
        elif before.recurrence is not None:
            found.append(clear_field(path("calendar:Recurrence")))
    if "categories" in changed:
        where = path("item:Categories")
        value = categories_element(after.categories)
        found.append(set_field(where, _ITEM, value) if after.categories else clear_field(where))
    if "privacy" in changed:
        found.append(set_field(path("item:Sensitivity"), _ITEM, t("Sensitivity", PRIVACY[after.privacy])))
    if "importance" in changed:
        found.append(set_field(path("item:Importance"), _ITEM, t("Importance", IMPORTANCE[after.importance])))
    if "url" in changed:
        where = path("calendar:MeetingWorkspaceUrl")
        found.append(set_field(where, _ITEM, t("MeetingWorkspaceUrl", after.url)) if after.url else clear_field(where))
    if "meeting_link" in changed:
        link, where = after.meeting_link, MEETING_LINK.path
        found.append(set_field(where, _ITEM, MEETING_LINK.element(link)) if link else clear_field(where))
    return [*found, *_plain_changes({name: getattr(after, name) for name in PLAIN}, changed)]


def _plain_changes(values: Mapping[str, Any], names: Collection[str]) -> Iterator[Markup]:
    if "title" in names:
        yield set_field(path("item:Subject"), _ITEM, t("Subject", values["title"]))
    if "location" in names:
        yield set_field(path("calendar:Location"), _ITEM, t("Location", values["location"]))
    if "description" in names or "html" in names:
        yield set_field(path("item:Body"), _ITEM, body_element(values["description"], values["html"]))
    if "cancelled" in names:
        yield set_field(STATE_FLAGS.path, _ITEM, STATE_FLAGS.element(str(CANCELLED if values["cancelled"] else 0)))
    if "busy" in names:
        yield set_field(path("calendar:LegacyFreeBusyStatus"), _ITEM, t("LegacyFreeBusyStatus", BUSY[values["busy"]]))
    if "reminder" in names:
        reminder = values["reminder"]
        yield set_field(path("item:ReminderIsSet"), _ITEM, t("ReminderIsSet", _xml_bool(reminder is not None)))
        if reminder is not None:
            minutes = t("ReminderMinutesBeforeStart", str(reminder))
            yield set_field(path("item:ReminderMinutesBeforeStart"), _ITEM, minutes)


def occurrence_changes(
    values: Mapping[str, Any], original: Moment, master: Event, names: Collection[str], day_zone: str
) -> list[Markup]:
    """The changes to one occurrence that give the fields ``names`` what ``values`` say, else what is inherited.

    ``master`` is as ``project_event`` made it, days begin in ``day_zone`` (see ``day_zone_of``). The times go along
    with whatever is changed: left alone, they may move by the hour of summer time (docs/server-behaviour.md#section-5).
    """
    if not names:
        return []
    wanted = inherited_values(original, master) | dict(values)
    span = Event(start=wanted["start"], end=wanted["end"])
    times = [
        set_field(path(f"calendar:{name}"), _ITEM, value)
        for name, value in _span_elements(span, day_zone).items()
        if name in ("Start", "End") or (name == "IsAllDayEvent" and span.all_day is not master.all_day)
    ]
    return [*times, *_plain_changes(wanted, names)]
