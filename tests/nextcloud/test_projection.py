"""What a side would hold of an item is what it holds once it was written and read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncapp.items import Contact, Event, Item
from syncapp.items.event import Occurrence
from syncapp.items.values import (
    Attendee,
    Email,
    Frequency,
    Person,
    Phone,
    Photo,
    PostalAddress,
    Recurrence,
    ZonedTime,
)
from syncapp.nextcloud.codecs import CODECS
from tests.contract import samples
from tests.nextcloud import strategies

NOW = datetime(2026, 1, 2, 3, 4, 5)

# Whatever an item may hold, also what no format can.
_TELLING = "\\;,:\"'^=-\t \r\n\x00\x0b\x7f\x85\xa0\u2028\ufffe\ud800naÄ漢🙂"
wild = st.text(st.one_of(st.sampled_from(_TELLING), st.characters()), max_size=40)


def projected(item: Item) -> Any:
    return CODECS[item.kind].project(item)


def written_and_read(item: Item) -> Any:
    codec = CODECS[item.kind]
    return replace(codec.parse(bytes(codec.new(item, "X", NOW))).item, uid=item.uid)


def zoned(*when: int, zone: str = "Europe/Berlin") -> ZonedTime:
    return ZonedTime(datetime(*when), zone)  # type: ignore[arg-type]  # year, month, day, hour, minute


@strategies.few
@given(strategies.events())
def test_an_event_is_held_as_projected(event: Event) -> None:
    assert projected(event) == written_and_read(event)


@strategies.few
@given(strategies.contacts())
def test_a_contact_is_held_as_projected(contact: Contact) -> None:
    assert projected(contact) == written_and_read(contact)


@st.composite
def wild_occurrences(draw: st.DrawFn) -> tuple[Occurrence, ...]:
    values = {"title": wild, "location": wild, "description": wild, "reminder": st.none() | st.integers(-9, 10**7)}
    return tuple(
        Occurrence(zoned(2026, 1, day, 9), values={name: draw(each) for name, each in values.items()})
        for day in draw(st.sets(st.integers(5, 9)))
    )


wild_people = st.builds(Person, wild | st.just("MailTo:a@b.example"), wild)
wild_guests = st.builds(
    Attendee, wild, wild, st.sampled_from(("required", "resource", "chair")), st.sampled_from(("none", "accepted", "x"))
)


@strategies.few
@given(
    st.builds(
        Event,
        start=st.just(zoned(2026, 1, 5, 9)),
        end=st.just(zoned(2026, 1, 5, 10, zone="America/New_York")),
        title=wild,
        location=wild,
        description=wild,
        recurrence=st.just(Recurrence(Frequency.DAILY)),
        reminder=st.none() | st.integers(-9, 10**7),
        categories=st.lists(wild, max_size=3).map(tuple),
        organizer=st.none() | wild_people,
        attendees=st.lists(wild_guests, max_size=3).map(tuple),
        exceptions=wild_occurrences(),
    )
)
def test_a_strange_event_is_held_as_projected(event: Event) -> None:
    assert projected(event) == written_and_read(event)


@pytest.mark.parametrize(
    "values",
    [
        {"end": date(2026, 1, 5)},
        {"recurrence": Recurrence(Frequency.WEEKLY, until=zoned(2026, 3, 1, 12))},
        {"recurrence": Recurrence(Frequency.DAILY, count=3, dates=(date(2026, 2, 1), date(2026, 2, 2)))},
        {"recurrence": Recurrence(Frequency.DAILY, others=(("EXRULE", "FREQ=WEEKLY"), ("BYHOUR", "9")))},
        {"exceptions": (Occurrence(date(2026, 1, 6), deleted=True),)},
        {
            "recurrence": Recurrence(Frequency.DAILY),
            "exceptions": (
                Occurrence(zoned(2026, 1, 6, 9), deleted=True),
                Occurrence(date(2026, 1, 7), values={"start": zoned(2026, 1, 8, 9), "end": zoned(2026, 1, 8, 10)}),
                Occurrence(date(2026, 1, 9), values={"end": date(2026, 1, 9), "categories": ("X",)}),
            ),
        },
    ],
)
def test_an_unusual_all_day_event_is_held_as_projected(values: dict[str, Any]) -> None:
    event = replace(Event(date(2026, 1, 5), date(2026, 1, 6)), **values)
    assert projected(event) == written_and_read(event)


@pytest.mark.parametrize("zone", ["Etc/UTC", "Zulu", "US/Eastern", "UTC", ""])
def test_a_zone_is_held_under_the_name_that_it_is_read_by(zone: str) -> None:
    start = zoned(2026, 1, 5, 9, zone=zone)
    event = Event(start, replace(start, wall=start.wall + timedelta(hours=1)), recurrence=Recurrence(Frequency.DAILY))
    event = replace(event, exceptions=(Occurrence(zoned(2026, 1, 7, 9, zone=zone), values={"title": "X"}),))
    assert projected(event) == written_and_read(event)


@strategies.few
@given(
    st.builds(
        Contact,
        **dict.fromkeys(("display_name", "given_name", "middle_name", "surname", "prefix", "suffix", "nickname"), wild),
        **dict.fromkeys(("company", "department", "job_title", "web_page", "notes"), wild),
        emails=st.lists(st.builds(Email, wild, st.sampled_from(("home", "x", ""))), max_size=3).map(tuple),
        phones=st.lists(
            st.builds(Phone, wild | st.just("TEL:12"), st.sampled_from(("work", "work-2", "home-2", "fax"))), max_size=4
        ).map(tuple),
        addresses=st.lists(
            st.builds(PostalAddress, st.sampled_from(("home", "x", "")), wild, wild, wild, wild, wild), max_size=3
        ).map(tuple),
        birthday=st.dates() | st.just(date(1604, 2, 29)),
        categories=st.lists(wild, max_size=3).map(tuple),
        photo=st.builds(
            Photo,
            st.binary(max_size=5) | st.just(samples.PICTURE),
            st.sampled_from(("image/png", "image/x-a,b", "", "PNG")),
        ),
    )
)
def test_a_strange_contact_is_held_as_projected(contact: Contact) -> None:
    assert projected(contact) == written_and_read(contact)


def test_what_is_held_as_it_is_stays_the_same_object() -> None:
    event = replace(samples.series(), exceptions=())
    contact = samples.plain(Contact.kind)
    assert projected(event) is event
    assert projected(contact) is contact
