"""What goes to Exchange and comes back is what ``project`` said, whatever the item, and every request is valid."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncapp.exchange.ews.contact_projection import media_type_of, project_contact
from syncapp.exchange.ews.contacts import contact_changes, new_contact, read_contact
from syncapp.exchange.ews.event_projection import project_event
from syncapp.exchange.ews.event_writing import event_changes, new_event
from syncapp.exchange.ews.events import read_event
from syncapp.exchange.ews.markup import Markup, m, t
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.operations import ItemChange, item_id
from syncapp.exchange.ews.recurrence import read_recurrence, recurrence_element
from syncapp.items import Contact, Item, patterns
from syncapp.items.elements import elements
from syncapp.items.event import EVENT_FIELDS, Event
from syncapp.items.patterns import holdable
from syncapp.items.values import Recurrence
from syncapp.side import Refused
from tests.exchange.ews import strategies as held
from tests.exchange.ews import wire
from tests.exchange.ews.schema import assert_valid
from tests.items import strategies

homes = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"])


def normal(item: Item) -> dict[tuple[str, ...], str]:
    return {path: part.normal for path, part in elements(item).items()}


def assert_request(request: Markup) -> None:
    assert_valid(wire.element(request))


def create_request(item: Markup) -> Markup:
    silent = {"SendMeetingInvitations": "SendToNone"} if "<t:CalendarItem>" in item else {}
    return m("CreateItem", m("SavedItemFolderId", t("FolderId", Id="AAA=")), m("Items", item), **silent)


def update_request(changes: list[Markup]) -> Markup:
    change = ItemChange("AAA=", "BBB=", changes)
    element = t("ItemChange", item_id(change.id, change.change_key), t("Updates", *changes))
    return m("UpdateItem", m("ItemChanges", element), ConflictResolution="NeverOverwrite")


@given(strategies.events(), homes)
@settings(deadline=None)
def test_an_event_comes_back_as_projected(event: Event, home: str) -> None:
    projected = project_event(event, home)
    try:
        request = new_event(event, "uid", "own.1", home)
    except Refused:
        return
    assert_request(create_request(request))
    found = read_event(wire.series_of(projected, home), home)
    assert normal(found) == normal(projected)


@given(held.series(), homes)
@settings(deadline=None)
def test_a_series_comes_back_with_its_exceptions(event: Event, home: str) -> None:
    projected = project_event(event, home)
    assume(any(True for each in projected.exceptions))
    assert normal(read_event(wire.series_of(projected, home), home)) == normal(projected)


@given(strategies.events(), homes)
@settings(deadline=None)
def test_projecting_twice_changes_nothing(event: Event, home: str) -> None:
    once = project_event(event, home)
    try:
        new_event(event, "uid", "own.1", home)
    except Refused:
        return
    # It is known as a projection, and a copy of it, of which that is not known, is none the less one.
    assert project_event(once, home) is once
    assert project_event(replace(once), home) == once


@given(strategies.events(), strategies.events(), homes)
@settings(deadline=None)
def test_an_updated_event_comes_back_as_projected(before: Event, after: Event, home: str) -> None:
    try:
        stored = wire.stored(new_event(before, "uid", "own.1", home))
        held = read_event(Native(stored), home)
        fields = {path[0] for path in normal(held).keys() | normal(after).keys()} | {
            "start",
            "end",
            "title",
            "location",
        }
        changes = event_changes(held, after, fields | {each.name for each in EVENT_FIELDS}, home)
    except Refused:
        return
    assert_request(update_request(changes))
    found = read_event(Native(wire.apply(stored, changes)), home)
    expected = replace(project_event(after, home), exceptions=())
    assert normal(found) == normal(expected)


@given(held.patterns_of, st.dates(date(2000, 1, 1), date(2030, 12, 31)))
@settings(deadline=None, max_examples=200)
def test_a_held_pattern_falls_on_the_days_of_the_one_that_was_given(rule: Recurrence, first: date) -> None:
    try:
        pattern = holdable(rule, first)
    except patterns.NoPattern:
        return
    again = read_recurrence(wire.element(recurrence_element(pattern, first)), first)
    assert again == pattern
    parts = [f"FREQ={rule.frequency}", f"INTERVAL={rule.interval}", f"WKST={rule.week_start}"]
    parts += [f"BYDAY={','.join(f'{each.ordinal or str()}{each.day}' for each in rule.weekdays)}"] * bool(rule.weekdays)
    for name in ("month_days", "months", "positions"):
        values = getattr(rule, name)
        key = {"month_days": "BYMONTHDAY", "months": "BYMONTH", "positions": "BYSETPOS"}[name]
        parts += [f"{key}={','.join(map(str, values))}"] * bool(values)
    oracle = iter(rrulestr(";".join(parts), dtstart=datetime.combine(first, time())))
    expected = [next(oracle).date() for _ in range(6)]
    mine = patterns.days(pattern, first)
    assert [next(mine) for _ in range(6)] == expected


@given(strategies.contacts, homes)
@settings(deadline=None)
def test_a_contact_comes_back_as_projected(contact: Contact, home: str) -> None:
    projected = project_contact(contact)
    request = new_contact(contact, contact.uid, "own.1")
    assert_request(create_request(request))
    item = wire.stored(request)
    native = wire.with_photo(item, projected.photo.data) if projected.photo else Native(item)
    assert normal(read_contact(native, home)) == normal(projected)


@given(strategies.contacts)
@settings(deadline=None)
def test_projecting_a_contact_twice_changes_nothing(contact: Contact) -> None:
    once = project_contact(contact)
    assert project_contact(once) is once
    assert project_contact(replace(once)) == once


@given(strategies.contacts, strategies.contacts, homes)
@settings(deadline=None)
def test_an_updated_contact_comes_back_as_projected(before: Contact, after: Contact, home: str) -> None:
    stored = wire.stored(new_contact(before, "uid", "own.1"))
    changed = {path[0] for path in normal(before).keys() | normal(after).keys()} | {"display_name"}
    changes = contact_changes(Native(stored), after, changed)
    assume(changes)
    assert_request(update_request(changes))
    found = read_contact(Native(wire.apply(stored, changes)), home)
    expected = replace(project_contact(after), photo=None)
    assert normal(found) == normal(expected)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n.", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF....WEBP", "image/webp"),
        (b"\xff\xd8", "image/jpeg"),
    ],
)
def test_a_picture_says_itself_what_it_is(data: bytes, media_type: str) -> None:
    assert media_type_of(data) == media_type
