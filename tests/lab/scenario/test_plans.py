"""The planned data: the same every time, as much and as varied as the demo needs, readable by strangers."""

from __future__ import annotations

import io
from collections import Counter
from datetime import date, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lab.scenario.contacts import plan_contacts
from lab.scenario.events import plan_events
from lab.scenario.people import USERS, ZONES, LabUser, user
from lab.scenario.plans import EventPlan, Placement
from lab.scenario.texts import calendar_text, card_text

TODAY = date(2026, 11, 23)
EVENTS = {person.uid: plan_events(person, TODAY) for person in USERS}
ALL = [plan for plans in EVENTS.values() for plan in plans]


def test_the_same_day_gives_the_same_data() -> None:
    assert plan_events(USERS[0], TODAY) == EVENTS[USERS[0].uid]
    assert plan_contacts(USERS[0]) == plan_contacts(USERS[0])


def test_there_is_enough_of_everything() -> None:
    contacts = [plan for person in USERS for plan in plan_contacts(person)]
    assert len(ALL) >= 300
    assert len(contacts) >= 150
    assert sum(plan.photo is not None for plan in contacts) >= 15
    assert {plan.rule.frequency for plan in ALL if plan.rule} == {"daily", "weekly", "monthly", "yearly"}
    assert sum(bool(plan.changed) and bool(plan.deleted) for plan in ALL) >= 30
    zones = {str(plan.start.tzinfo) for plan in ALL if isinstance(plan.start, datetime)}
    assert zones == set(ZONES)
    for plans in (ALL, contacts):
        placed = Counter(plan.placement for plan in plans)
        shared = placed[Placement.BOTH] + placed[Placement.TWIN]
        assert 0.09 <= shared / len(plans) <= 0.12
        assert placed[Placement.EXCHANGE] / len(plans) >= 0.4
        assert placed[Placement.NEXTCLOUD] / len(plans) >= 0.4


@pytest.mark.parametrize("person", USERS, ids=lambda person: person.login)
def test_no_two_items_of_a_user_could_be_taken_for_each_other(person: LabUser) -> None:
    events, contacts = EVENTS[person.uid], plan_contacts(person)
    assert len({plan.title for plan in events}) == len({plan.uid for plan in events}) == len(events)
    assert len({plan.display_name for plan in contacts}) == len(contacts)
    assert len({address for plan in contacts for address in plan.emails}) == sum(len(plan.emails) for plan in contacts)


def test_most_events_lie_in_the_default_window() -> None:
    inside = sum(bool(_starts(plan, TODAY - timedelta(days=30), TODAY + timedelta(days=365))) for plan in ALL)
    assert 0.85 * len(ALL) <= inside < len(ALL)


@settings(max_examples=6, deadline=None)
@given(st.dates(date(2025, 1, 1), date(2030, 12, 31)), st.sampled_from(USERS))
def test_on_any_day_a_series_begins_with_its_first_occurrence_and_changes_real_ones(
    today: date, person: LabUser
) -> None:
    for plan in plan_events(person, today):
        if plan.rule is None:
            continue
        bare = EventPlan(plan.uid, plan.title, plan.start, plan.end, rule=plan.rule)
        first = plan.start.date() if isinstance(plan.start, datetime) else plan.start
        starts = _starts(bare, first, first + timedelta(days=600))
        assert starts[0] == plan.start
        assert {*plan.deleted, *(change.original for change in plan.changed)} <= set(starts)


def _starts(plan: EventPlan, begin: date, end: date) -> list[datetime | date]:
    calendar = icalendar.Calendar.from_ical(calendar_text(plan))
    return sorted(event["DTSTART"].dt for event in recurring_ical_events.of(calendar).between(begin, end))


def test_a_series_reads_as_planned() -> None:
    for plan in ALL:
        if not plan.changed or plan.all_day:
            continue
        calendar = icalendar.Calendar.from_ical(calendar_text(plan))
        shown = list(
            recurring_ical_events.of(calendar).between(TODAY - timedelta(days=300), TODAY + timedelta(days=800))
        )
        starts = [event["DTSTART"].dt for event in shown]
        assert plan.deleted[0] not in starts
        for change in plan.changed:
            [event] = [event for event in shown if event["DTSTART"].dt == change.start]
            assert str(event["SUMMARY"]) == (change.title or plan.title)


def test_cards_are_read_back_as_planned() -> None:
    for plan in plan_contacts(USERS[0]):
        card = vobject.readOne(card_text(plan))
        assert card.fn.value == plan.display_name
        assert [entry.value for entry in card.contents.get("email", [])] == list(plan.emails)
        if plan.photo is not None:
            assert card.photo.value == plan.photo
            assert Image.open(io.BytesIO(card.photo.value)).format == "JPEG"


def test_users_are_found_by_any_of_their_names() -> None:
    for person in USERS:
        assert user(person.uid) is user(person.login) is user(person.email) is person
    with pytest.raises(KeyError, match="anna, ben, chiara"):
        user("dora")
