"""What Nextcloud would hold of an event: what is read of the object that ``event_writing.new`` makes of it. Pure.

Nothing is written and read for it but what is rare, because every event from the other side is projected; tests hold
it to what a write and a read give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from syncapp.items.event import Event, Occurrence
from syncapp.items.fields import address_key, line
from syncapp.items.html import formatting, says_the_same
from syncapp.items.spelling import spelling
from syncapp.items.values import Attendee, Moment, Person, Recurrence, ZonedTime, moment_key
from syncapp.nextcloud import event_writing, events
from syncapp.nextcloud.calendar_values import LINES, like, read_rule, rule_text
from syncapp.nextcloud.event_parts import MAX_REMINDER
from syncapp.nextcloud.events import in_series, own_values
from syncapp.nextcloud.text_values import held, held_names, held_text, sendable
from syncapp.nextcloud.timezones import zone_by_name

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def project(event: Event) -> Event:
    """The event as it would be read after it was created; the same object where nothing is lost.

    Raises Unreadable for a rule that no calendar can mean.
    """
    if _is_rare(event):
        return replace(events.parse(bytes(event_writing.new(event, "X", _ANY_TIME))).event, uid=event.uid)
    start = _moment(event.start)
    description = held_text(event.description)
    found = _changed(
        event,
        start=start,
        end=_end(start, _moment(event.end)),
        title=held_text(event.title),
        location=held_text(event.location),
        description=description,
        html=_html(event.html, description),
        url=_address_of(event.url),
        meeting_link=_address_of(event.meeting_link),
        reminder=_reminder(event.reminder),
        categories=held_names(event.categories),
        organizer=_organizer(event.organizer),
        attendees=_attendees(event.attendees),
    )
    if event.recurrence is None:
        return _changed(found, exceptions=())
    found = _changed(found, recurrence=_rule(event.recurrence, start))
    return _changed(found, exceptions=_exceptions(event, found)) if event.exceptions else found


def _changed(event: Event, **values: Any) -> Event:
    """The event with these values; itself when it has them already, for what is known of it stays with it."""
    different = {name: value for name, value in values.items() if value != getattr(event, name)}
    return replace(event, **different) if different else event


def _is_rare(event: Event) -> bool:
    """Whether there is a zone that is none of IANA's, or a series that will be read in other words."""
    moments = [event.start, event.end]
    if (rule := event.recurrence) is not None:
        if rule.dates or any(name in LINES for name, _ in rule.others) or spelling(rule, event.start) is not None:
            return True
        for each in event.exceptions:
            moments += [each.original, *(each.values[name] for name in ("start", "end") if name in each.values)]
    return any(isinstance(each, ZonedTime) and each.zone and zone_by_name(each.zone) is None for each in moments)


def _moment(moment: Moment) -> Moment:
    if not isinstance(moment, ZonedTime) or not moment.zone:
        return moment
    zone = zone_by_name(moment.zone)
    return moment if zone == moment.zone or zone is None else ZonedTime(moment.wall, zone)


def _end(start: Moment, end: Moment) -> Moment:
    """An all-day event has one day at least."""
    return end if isinstance(start, ZonedTime) or end != start else start + timedelta(days=1)


def _html(html: str, description: str) -> str:
    """One that is only formatting of the text beside it; it stands in the object as it was written."""
    html = held(html) if html else ""
    return html if html and formatting(html) and says_the_same(html, description) else ""


def _address_of(url: str) -> str:
    return sendable(url).strip() if line(url) else ""


def _reminder(minutes: int | None) -> int | None:
    return minutes if minutes is not None and 0 <= minutes <= MAX_REMINDER else None


def _rule(rule: Recurrence, start: Moment) -> Recurrence:
    return read_rule(rule_text(rule, start), start, lambda _tzid, _year: "UTC")


def _address(address: str) -> str:
    return sendable(address.removeprefix("mailto:")).rstrip()


def _organizer(person: Person | None) -> Person | None:
    if person is None or not (address := _address(person.address)):
        return None
    return Person(address, held(person.name))


def _attendees(attendees: tuple[Attendee, ...]) -> tuple[Attendee, ...]:
    if not attendees:
        return ()
    found: dict[str, Attendee] = {}
    for each in {address_key(each.address): each for each in attendees}.values():
        if address := _address(each.address):
            role = each.role if each.role in event_writing.ROLES else "required"
            answer = each.answer if each.answer in event_writing.ANSWERS else "none"
            found.setdefault(address_key(address), Attendee(address, held(each.name), role, answer))
    return tuple(found.values())


# The exceptions of a series --------------------------------------------------------------------------------------


def _exceptions(event: Event, projected: Event) -> tuple[Occurrence, ...]:
    found: dict[str, Occurrence] = {}
    for each in {moment_key(each.original): each for each in event.exceptions}.values():
        original = like(_moment(each.original), projected.start)
        if each.deleted:
            occurrence = Occurrence(original, deleted=True)
        else:
            values = _values(in_series(event, each), each.values, projected)
            occurrence = Occurrence(original, values=own_values(values, projected, original))
        found[moment_key(original)] = occurrence
    return tuple(found[key] for key in sorted(found))


def _values(shall: Event, own: Mapping[str, Any], projected: Event) -> dict[str, Any]:
    """What the VEVENT of a changed occurrence says: all that it inherits, and what it has of its own."""
    start = _moment(shall.start)
    description = held_text(shall.description) if "description" in own else projected.description
    return {
        "title": held_text(shall.title) if "title" in own else projected.title,
        "start": start,
        "end": _end(start, _moment(shall.end)),
        "location": held_text(shall.location) if "location" in own else projected.location,
        "description": description,
        "html": _html(shall.html, description),
        "reminder": _reminder(shall.reminder) if "reminder" in own else projected.reminder,
        "busy": shall.busy,
        "cancelled": shall.cancelled,
    }
