"""Hypothesis strategies for neutral items: everything that an item may be, with clashes made likely."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import strategies as st

from syncapp.items import Contact, Event, Item
from syncapp.items.event import Occurrence
from syncapp.items.values import (
    WEEKDAYS,
    Attendee,
    Busy,
    Email,
    Frequency,
    Importance,
    Moment,
    Person,
    Phone,
    Photo,
    PostalAddress,
    Privacy,
    Recurrence,
    Weekday,
    ZonedTime,
    moment_key,
)
from tests.contract.samples import PICTURE

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", " ", "Budget", "budget ", "Bu\u0308cher", "Bücher", "Zeile\r\nZeile", "a\x1fb", "\u00a0", "Straße"]
)
addresses = st.sampled_from(["anna@lab.example", "Anna@Lab.Example", "mailto:bob@lab.example", "", " c@lab.example"])
htmls = st.sampled_from(["", "", "<p>a <b>b</b></p>", "<ul><li>x</ul>", "<p>plain</p>", "a<script>b</script>"])
links = st.sampled_from(["", "https://a.example/x?y=1", " https://b.example "])
zones = st.sampled_from(["Europe/Berlin", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "UTC", ""])
walls = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
zoned = st.builds(ZonedTime, walls, zones)
dates = st.dates(date(1970, 1, 1), date(2100, 1, 1))
moments: st.SearchStrategy[Moment] = zoned | dates

frequencies = st.sampled_from([Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.YEARLY])
weekdays = st.builds(Weekday, st.sampled_from(WEEKDAYS), st.integers(-2, 3))


def few(each: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """At most three of a kind."""
    return st.lists(each, max_size=3).map(tuple)


recurrences = st.builds(
    Recurrence,
    frequency=frequencies,
    interval=st.integers(1, 3),
    weekdays=few(weekdays),
    month_days=few(st.integers(1, 28)),
    months=few(st.integers(1, 12)),
    positions=few(st.integers(-1, 3)),
    week_start=st.sampled_from(["MO", "SU"]),
    count=st.none() | st.integers(1, 20),
    until=st.none() | moments,
    dates=few(moments),
)

_occurrence_values = st.fixed_dictionaries(
    {},
    optional={
        "title": texts,
        "location": texts,
        "description": texts,
        "html": htmls,
        "cancelled": st.booleans(),
        "start": moments,
        "end": moments,
        "reminder": st.none() | st.integers(0, 60),
        "busy": st.sampled_from(Busy),
    },
)
_days = st.integers(0, 5)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event, often a series whose exceptions are among its first days."""
    start = draw(moments)
    hours = timedelta(hours=draw(st.integers(0, 30)))
    end = ZonedTime(start.wall + hours, start.zone) if isinstance(start, ZonedTime) else start + timedelta(days=1)
    recurrence = draw(st.none() | recurrences)
    return Event(
        start,
        end,
        uid=draw(texts),
        title=draw(texts),
        recurrence=recurrence,
        location=draw(texts),
        description=draw(texts),
        reminder=draw(st.none() | st.integers(0, 60)),
        categories=draw(few(texts)),  # type: ignore[arg-type]
        busy=draw(st.sampled_from(Busy)),
        privacy=draw(st.sampled_from(Privacy)),
        html=draw(htmls),
        importance=draw(st.sampled_from(Importance)),
        url=draw(links),
        meeting_link=draw(links),
        cancelled=draw(st.booleans()),
        organizer=draw(st.none() | st.builds(Person, addresses, texts)),
        attendees=draw(few(st.builds(Attendee, addresses, texts))),  # type: ignore[arg-type]
        exceptions=() if recurrence is None else draw(_exceptions(_first_days(start))),
    )


def _first_days(start: Moment) -> list[Moment]:
    if isinstance(start, ZonedTime):
        return [replace(start, wall=start.wall + timedelta(days=day)) for day in range(4)]
    return [start + timedelta(days=day) for day in range(4)]


@st.composite
def _exceptions(draw: st.DrawFn, originals: list[Moment]) -> tuple[Occurrence, ...]:
    chosen = draw(st.lists(st.sampled_from(originals), unique_by=moment_key, max_size=3))
    return tuple(
        Occurrence(original, deleted=True)
        if draw(st.booleans())
        else Occurrence(original, values=draw(_occurrence_values))
        for original in chosen
    )


contacts = st.builds(
    Contact,
    uid=texts,
    display_name=texts,
    given_name=texts,
    surname=texts,
    company=texts,
    emails=few(st.builds(Email, addresses, st.sampled_from(["home", "work", ""]))),
    phones=few(
        st.builds(Phone, st.sampled_from(["+49 30 1", "+49 (30) 1", "", "55"]), st.sampled_from(["work", "home"]))
    ),
    addresses=few(
        st.builds(PostalAddress, st.sampled_from(["work", "home"]), texts, texts, post_box=texts, office=texts)
    ),
    birthday=st.none() | dates,
    notes=texts,
    categories=few(texts),
    phonetic_surname=texts,
    file_as=texts,
    manager=texts,
    children=few(texts),
    ims=few(texts),
    personal_page=texts,
    anniversary=st.none() | dates,
    privacy=st.sampled_from(Privacy),
    photo=st.none() | st.builds(Photo, st.binary(max_size=4) | st.just(PICTURE)),
)

items: st.SearchStrategy[Item] = events() | contacts
pairs: st.SearchStrategy[tuple[Item, Item]] = st.tuples(events(), events()) | st.tuples(contacts, contacts)
