"""An item as a flat mapping: what the engine compares, and how it puts an item together from two."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from syncapp.items import FIELDS, Contact, Event, Item
from syncapp.items.elements import (
    Element,
    contact_handles,
    contact_name,
    content_key,
    elements,
    with_elements,
)
from syncapp.items.event import EVENT_FIELDS, Occurrence
from syncapp.items.fields import Shape
from syncapp.items.values import Email, Frequency, Phone, PostalAddress, Recurrence, ZonedTime
from tests.items.strategies import items, pairs

MONDAY = ZonedTime(datetime(2026, 1, 5, 9), "Europe/Berlin")
TUESDAY = ZonedTime(datetime(2026, 1, 6, 9), "Europe/Berlin")
DAILY = Event(MONDAY, replace(MONDAY, wall=datetime(2026, 1, 5, 10)), recurrence=Recurrence(Frequency.DAILY))


def normals(item: Item) -> dict[Element, str]:
    return {path: part.normal for path, part in elements(item).items()}


def differences(one: Item, other: Item) -> frozenset[Element]:
    before, after = normals(one), normals(other)
    return frozenset(path for path in {*before, *after} if before.get(path) != after.get(path))


def choose(data: st.DataObject, paths: Collection[Element]) -> frozenset[Element]:
    return data.draw(st.frozensets(st.sampled_from(sorted(paths)))) if paths else frozenset()


# Elements ------------------------------------------------------------------------------------------------------------


def test_it_names_scalars_members_and_exceptions() -> None:
    event = replace(
        DAILY,
        title="Jour fixe",
        categories=("Arbeit",),
        exceptions=(Occurrence(MONDAY, deleted=True), Occurrence(TUESDAY, values={"title": "Einmal anders"})),
    )
    assert normals(event) == {
        ("title",): "Jour fixe",
        ("start",): "20260105T080000Z Europe/Berlin",
        ("end",): "20260105T090000Z Europe/Berlin",
        ("recurrence",): normals(DAILY)[("recurrence",)],
        ("categories", "arbeit"): "Arbeit",
        ("exceptions", "20260105T080000Z"): "deleted",
        ("exceptions", "20260106T080000Z"): "modified",
        ("exceptions", "20260106T080000Z", "title"): "=Einmal anders",
    }


def test_an_exception_that_empties_a_field_says_so() -> None:
    event = replace(DAILY, location="Küche", exceptions=(Occurrence(TUESDAY, values={"location": ""}),))
    assert normals(event)[("exceptions", "20260106T080000Z", "location")] == "="


def test_what_holds_nothing_has_no_element() -> None:
    empty = Contact(
        notes=" \n ",
        emails=(Email("", "work"),),
        phones=(Phone("", "work"),),
        addresses=(PostalAddress("home"),),
        categories=(" ",),
    )
    assert elements(empty) == {}


@given(items)
def test_no_master_element_is_empty(item: Item) -> None:
    assert all(part.normal for part in elements(item).values())


@given(items)
def test_every_element_belongs_to_a_field(item: Item) -> None:
    keyed = {field.name: field.shape is Shape.KEYED for field in FIELDS[item.kind]}
    for path in elements(item):
        if path[0] != "exceptions":
            assert len(path) == (2 if keyed[path[0]] else 1)


@given(items)
def test_the_uid_is_no_element(item: Item) -> None:
    assert normals(item) == normals(replace(item, uid="another"))


# Putting an item together --------------------------------------------------------------------------------------------


@given(pairs)
def test_with_all_differences_it_becomes_the_source(pair: tuple[Item, Item]) -> None:
    item, source = pair
    assert normals(with_elements(item, source, differences(item, source))) == normals(source)


@given(items)
def test_with_nothing_changed_it_stays_as_it_is(item: Item) -> None:
    assert with_elements(item, item, ()) == item


@given(items)
def test_with_its_own_elements_it_stays_as_it_is(item: Item) -> None:
    assert normals(with_elements(item, item, elements(item).keys())) == normals(item)


@given(pairs, st.data())
def test_elements_that_are_not_named_stay(pair: tuple[Item, Item], data: st.DataObject) -> None:
    item, source = pair
    changed = choose(data, {path for path in differences(item, source) if path[0] != "exceptions"})
    merged = normals(with_elements(item, source, changed))
    before, after = normals(item), normals(source)
    for path in {*before, *after, *merged}:
        # A pattern is compared with what its start implies written out, so it follows the start.
        if path == ("recurrence",) and ("start",) in changed:
            continue
        if path == ("recurrence",) and path in changed and ("start",) not in changed:
            continue
        assert merged.get(path) == (after if path in changed else before).get(path), path


@given(pairs, st.data())
def test_taking_elements_twice_is_taking_them_once(pair: tuple[Item, Item], data: st.DataObject) -> None:
    item, source = pair
    changed = choose(data, differences(item, source))
    once = with_elements(item, source, changed)
    assert with_elements(once, source, changed) == once


@given(pairs)
def test_the_uid_is_never_taken_from_the_source(pair: tuple[Item, Item]) -> None:
    item, source = pair
    assert with_elements(item, source, elements(source).keys()).uid == item.uid


def test_members_keep_their_order_and_new_ones_follow() -> None:
    mine = Contact(emails=(Email("a@lab.example", "work"), Email("b@lab.example")))
    theirs = Contact(emails=(Email("c@lab.example"), Email("A@lab.example")))
    changed = {("emails", "b@lab.example"), ("emails", "c@lab.example")}
    merged = with_elements(mine, theirs, changed)
    assert merged.emails == (Email("a@lab.example", "work"), Email("c@lab.example"))


def test_two_exceptions_from_two_people_both_stay() -> None:
    mine = replace(DAILY, exceptions=(Occurrence(MONDAY, values={"title": "Meine"}),))
    theirs = replace(DAILY, exceptions=(Occurrence(TUESDAY, values={"title": "Deine"}),))
    new = {path for path in elements(theirs) if path[0] == "exceptions"}
    merged = with_elements(mine, theirs, new)
    assert [each.values["title"] for each in merged.exceptions] == ["Meine", "Deine"]


def test_deleting_an_occurrence_drops_what_was_special_about_it() -> None:
    mine = replace(DAILY, exceptions=(Occurrence(MONDAY, values={"title": "Meine"}),))
    theirs = replace(DAILY, exceptions=(Occurrence(MONDAY, deleted=True),))
    assert with_elements(mine, theirs, differences(mine, theirs)).exceptions == theirs.exceptions


def test_an_exception_can_be_taken_back() -> None:
    mine = replace(DAILY, exceptions=(Occurrence(MONDAY, values={"title": "Meine"}),))
    assert with_elements(mine, DAILY, differences(mine, DAILY)) == DAILY


# Groups and content keys ---------------------------------------------------------------------------------------------


def test_times_are_decided_together_and_so_are_texts() -> None:
    assert {each.name: each.group for each in EVENT_FIELDS if each.group} == {
        "start": "time",
        "end": "time",
        "recurrence": "time",
        "description": "text",
        "html": "text",
    }


def test_an_event_is_known_by_its_time_and_title() -> None:
    event = replace(DAILY, title="Jour fixe", uid="1", location="Küche")
    in_vienna = ZonedTime(MONDAY.wall, "Europe/Vienna")
    assert content_key(event) == content_key(replace(event, uid="2", title="JOUR  FIXE", location="", start=in_vienna))
    assert content_key(event) != content_key(replace(event, recurrence=None))
    assert content_key(event) != content_key(replace(event, start=TUESDAY))
    assert content_key(event) != content_key(replace(event, title="Anderes"))


def test_an_all_day_event_is_not_the_same_as_midnight() -> None:
    day = Event(date(2026, 1, 5), date(2026, 1, 6), title="Messe")
    midnight = ZonedTime(datetime(2026, 1, 5), "UTC"), ZonedTime(datetime(2026, 1, 6), "UTC")
    assert content_key(day) != content_key(replace(day, start=midnight[0], end=midnight[1]))


def test_a_contact_is_known_by_its_name_and_a_shared_handle() -> None:
    one = Contact(given_name="Anna", surname="Groß", emails=(Email("A@lab.example"),), phones=(Phone("+49 30-1"),))
    two = Contact(display_name="X", given_name="anna", surname="gross", phones=(Phone("+49 (30) 1", "home"),))
    assert content_key(one) == content_key(two)
    assert contact_handles(one) & contact_handles(two) == {"+49301"}


def test_a_contact_without_a_name_of_its_own_is_known_by_what_is_shown() -> None:
    assert contact_name(Contact(display_name="Lab  GmbH")) == "lab gmbh" == contact_name(Contact(company="LAB GmbH"))
