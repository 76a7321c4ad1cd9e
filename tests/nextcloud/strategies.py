"""Items as people could have them, for properties that must hold of every item."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from syncapp.items import Contact, Event
from syncapp.items.contact import im_key
from syncapp.items.event import Occurrence
from syncapp.items.fields import address_key, digits, line
from syncapp.items.html import text_of_html
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
from syncapp.nextcloud.calendar_values import after
from tests.contract.samples import PICTURE

few = settings(max_examples=40, deadline=None)
"""For properties whose examples are whole items."""

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Nuuk", "UTC", "")

# Everything that formats give a meaning to, and characters that are folded in two.
_CHARACTERS = st.one_of(
    st.sampled_from("\\;,:\"'^=- \nnNäß漢🙂"),
    st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn", "Cc")),
)
texts = st.text(_CHARACTERS, max_size=120)
names = texts.filter(lambda text: bool(line(text)))
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
addresses = st.builds(lambda name, host: f"{name}@{host}.example", words, words)
walls = st.datetimes(datetime(1985, 1, 1), datetime(2060, 1, 1)).map(lambda wall: wall.replace(microsecond=0))
days = st.dates(date(1985, 1, 1), date(2060, 1, 1))


@st.composite
def spans(draw: st.DrawFn, all_day: bool | None = None, zone: str | None = None) -> tuple[Moment, Moment]:
    """A start and an end."""
    if draw(st.booleans()) if all_day is None else all_day:
        first = draw(days)
        return first, first + timedelta(days=draw(st.integers(1, 30)))
    start = ZonedTime(draw(walls), draw(st.sampled_from(ZONES)) if zone is None else zone)
    return start, after(start, timedelta(), timedelta(minutes=draw(st.integers(0, 5000))))


@st.composite
def recurrences(draw: st.DrawFn, start: Moment) -> Recurrence:
    """A rule, with an end or without one."""
    frequency = draw(st.sampled_from(list(Frequency)[3:]))
    weekday = st.builds(Weekday, st.sampled_from(WEEKDAYS), st.sampled_from((0, 0, 1, 2, -1)))
    plain = st.builds(Weekday, st.sampled_from(WEEKDAYS))
    monthly = frequency in (Frequency.MONTHLY, Frequency.YEARLY)
    end = draw(st.sampled_from(("never", "count", "until")))
    until = after(start, timedelta(days=draw(st.integers(0, 900))), timedelta()) if end == "until" else None
    return Recurrence(
        frequency,
        interval=draw(st.integers(1, 9)),
        weekdays=tuple(draw(st.lists(weekday if monthly else plain, max_size=3, unique=True))),
        month_days=tuple(draw(st.lists(st.integers(1, 31), max_size=2, unique=True))) if monthly else (),
        months=tuple(draw(st.lists(st.integers(1, 12), max_size=2, unique=True))),
        positions=tuple(draw(st.lists(st.sampled_from((1, 2, -1)), max_size=1))) if monthly else (),
        week_start=draw(st.sampled_from(WEEKDAYS)),
        count=draw(st.integers(1, 500)) if end == "count" else None,
        until=until,
    )


@st.composite
def occurrences(draw: st.DrawFn, start: Moment) -> tuple[Occurrence, ...]:
    """Exceptions of a series that begins at ``start``, each at a day of its own."""
    found: list[Occurrence] = []
    for day in sorted(draw(st.sets(st.integers(0, 60), max_size=3))):
        original = after(start, timedelta(days=day), timedelta())
        if draw(st.booleans()):
            found.append(Occurrence(original, deleted=True))
            continue
        values: dict[str, Any] = {}
        for name, strategy in _OWN_VALUES.items():
            if draw(st.booleans()):
                values[name] = draw(strategy)
        if html := draw(htmls):
            values["description"] = text_of_html(html)
        if "description" in values:
            values["html"] = html
        if draw(st.booleans()):
            values["start"], values["end"] = draw(spans())
        found.append(Occurrence(original, values=values))
    return tuple({moment_key(each.original): each for each in found}.values())


htmls = st.just("") | texts.map(lambda text: f"<p>{escape(text)} <b>!</b></p>")
links = st.just("") | words.map(lambda word: f"https://{word}.example/a;b,c?d=e")
reminders = st.none() | st.integers(0, 40320)
_OWN_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": names,
    "location": texts,
    "description": texts,
    "cancelled": st.booleans(),
    "reminder": reminders,
    "busy": st.sampled_from(Busy),
}
attendees = st.builds(
    Attendee,
    addresses,
    texts.map(line),
    st.sampled_from(("required", "optional", "resource")),
    st.sampled_from(("none", "accepted", "tentative", "declined")),
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event, a series in half of the cases."""
    html = draw(htmls)
    start, end = draw(spans())
    recurrence = draw(recurrences(start)) if draw(st.booleans()) else None
    return Event(
        start=start,
        end=end,
        title=draw(texts),
        recurrence=recurrence,
        location=draw(texts),
        description=text_of_html(html) if html else draw(texts),
        html=html,
        reminder=draw(reminders),
        categories=tuple(draw(st.lists(names.map(line), max_size=3, unique_by=str.casefold))),
        busy=draw(st.sampled_from(Busy)),
        privacy=draw(st.sampled_from(Privacy)),
        importance=draw(st.sampled_from(Importance)),
        url=draw(links),
        meeting_link=draw(links),
        cancelled=draw(st.booleans()),
        organizer=draw(st.none() | st.builds(Person, addresses, texts.map(line))),
        attendees=tuple(draw(st.lists(attendees, max_size=3, unique_by=lambda each: address_key(each.address)))),
        exceptions=draw(occurrences(start)) if recurrence else (),
    )


_LABELS = ("mobile", "work-fax", "home-fax", "other-fax", "pager", "car", "isdn", "main", "assistant", "callback")
numbers = st.text("0123456789+ ()-", min_size=1, max_size=20).filter(lambda text: bool(digits(text)))


@st.composite
def phones(draw: st.DrawFn) -> tuple[Phone, ...]:
    """Numbers with labels as a card can tell them apart: a second one of the office only beside a first."""
    found: list[Phone] = []
    for label in ("work", "home"):
        some = draw(st.lists(numbers, max_size=2, unique_by=digits))
        found += [Phone(number, label + suffix) for number, suffix in zip(some, ("", "-2"), strict=False)]
    for label in draw(st.lists(st.sampled_from((*_LABELS, "company", "radio", "telex", "tty", "other")), unique=True)):
        found.append(Phone(draw(numbers), label))
    return tuple(found)


parts = texts.map(line)


@st.composite
def contacts(draw: st.DrawFn) -> Contact:
    """A person, or an organisation."""
    streets = [
        PostalAddress(
            label,
            street=draw(names),
            city=draw(parts),
            region=draw(parts),
            postal_code=draw(parts),
            country=draw(parts),
            post_box=draw(parts),
            office=draw(parts) if label == "work" else "",
        )
        for label in draw(st.lists(st.sampled_from(("work", "home", "other")), unique=True))
    ]
    email = st.builds(Email, addresses, st.sampled_from(("", "work", "home", "other")))
    return Contact(
        display_name=draw(names),
        given_name=draw(parts),
        middle_name=draw(parts),
        surname=draw(parts),
        prefix=draw(parts),
        suffix=draw(parts),
        nickname=draw(parts),
        company=draw(parts),
        department=draw(parts),
        phonetic_given_name=draw(parts),
        phonetic_surname=draw(parts),
        phonetic_company=draw(parts),
        file_as=draw(parts),
        job_title=draw(parts),
        profession=draw(parts),
        manager=draw(parts),
        assistant=draw(parts),
        spouse=draw(parts),
        children=tuple(draw(st.lists(names.map(line), max_size=3, unique_by=str.casefold))),
        ims=tuple(draw(st.lists(words | words.map("xmpp:{}".format), max_size=4, unique_by=im_key))),
        emails=tuple(draw(st.lists(email, max_size=4, unique_by=lambda each: address_key(each.address)))),
        phones=draw(phones()),
        addresses=tuple(streets),
        web_page=draw(st.just("") | words.map(lambda word: f"https://{word}.example/a;b,c?d=e&f=%20#g")),
        personal_page=draw(st.just("") | words.map(lambda word: f"https://{word}.example/home")),
        birthday=draw(st.none() | st.dates(date(1602, 1, 1), date(2060, 1, 1))),
        anniversary=draw(st.none() | st.dates(date(1602, 1, 1), date(2060, 1, 1))),
        privacy=draw(st.sampled_from(Privacy)),
        notes=draw(texts),
        categories=tuple(draw(st.lists(names.map(line), max_size=3, unique_by=str.casefold))),
        photo=draw(st.none() | st.just(Photo(PICTURE))),
    )
