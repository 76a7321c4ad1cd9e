"""Items for the contract suite: what people really have in their calendars and address books, small enough to read."""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import assert_never

from syncapp.items import Contact, Event, Item, Kind
from syncapp.items.event import Occurrence
from syncapp.items.values import (
    Busy,
    Email,
    Frequency,
    Phone,
    Photo,
    PostalAddress,
    Privacy,
    Recurrence,
    Weekday,
    ZonedTime,
)

BERLIN = "Europe/Berlin"
# One pixel, JPEG: the smallest picture that an address book may hold.
PICTURE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8Q"
    "EBD/yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k="
)


def own_id() -> str:
    """An own id as the engine makes them: the link's part, a dot, this attempt's part."""
    return f"{secrets.token_hex(8)}.{secrets.token_hex(4)}"


def uid() -> str:
    """A UID that no other test uses."""
    return f"{secrets.token_hex(12)}@contract.example"


def plain(kind: Kind, name: str = "Budget") -> Item:
    """An item with a name and little else, as somebody adds it in passing."""
    match kind:
        case Kind.EVENT:
            start = datetime(2026, 3, 10, 9)
            return Event(ZonedTime(start, BERLIN), ZonedTime(start + timedelta(hours=1), BERLIN), title=name)
        case Kind.CONTACT:
            return Contact(display_name=f"Anna {name}", given_name="Anna", surname=name)
        case _:
            assert_never(kind)


def rich(kind: Kind) -> Item:
    """An item that uses every field that both sides hold."""
    match kind:
        case Kind.EVENT:
            return Event(
                ZonedTime(datetime(2026, 5, 4, 14, 30), BERLIN),
                ZonedTime(datetime(2026, 5, 4, 16), BERLIN),
                title="Prüfung; Teil 1, „Grundlagen“",
                location="Raum 3\\4, Süd",
                description="Erste Zeile\nZweite Zeile; mit Komma, und Ende",
                reminder=15,
                categories=("Arbeit", "Wichtig"),
                busy=Busy.TENTATIVE,
                privacy=Privacy.PRIVATE,
            )
        case Kind.CONTACT:
            return Contact(
                display_name="Dr. Änne Groß-Müller",
                given_name="Änne",
                middle_name="Maria",
                surname="Groß-Müller",
                prefix="Dr.",
                suffix="M.A.",
                nickname="Änni",
                company="Lab; Söhne, Inc.",
                department="Forschung",
                job_title="Leiterin",
                emails=(Email("aenne@lab.example", "work"), Email("aenne@home.example", "home")),
                phones=(Phone("+49 30 1234", "work"), Phone("+49 171 99", "mobile"), Phone("+49 30 55", "home")),
                addresses=(PostalAddress("work", "Am Weg 1", "Berlin", "BE", "10115", "Deutschland"),),
                web_page="https://lab.example/aenne",
                birthday=date(1980, 2, 29),
                notes="Erste Zeile\nZweite",
                categories=("Team",),
                photo=Photo(PICTURE),
            )
        case _:
            assert_never(kind)


def series() -> Event:
    """A weekly series over the end of summer time with one occurrence moved and renamed, and one deleted."""
    start = datetime(2026, 10, 5, 9)
    moved = datetime(2026, 10, 12, 9)
    return Event(
        ZonedTime(start, BERLIN),
        ZonedTime(start + timedelta(minutes=45), BERLIN),
        title="Jour fixe",
        location="Küche",
        recurrence=Recurrence(Frequency.WEEKLY, weekdays=(Weekday("MO"),), count=8),
        exceptions=(
            Occurrence(
                ZonedTime(moved, BERLIN),
                values={
                    "title": "Jour fixe (verlegt)",
                    "start": ZonedTime(moved + timedelta(hours=2), BERLIN),
                    "end": ZonedTime(moved + timedelta(hours=3), BERLIN),
                },
            ),
            Occurrence(ZonedTime(datetime(2026, 11, 2, 9), BERLIN), deleted=True),
        ),
    )


def all_day() -> Event:
    """Three days at a fair."""
    return Event(date(2026, 6, 2), date(2026, 6, 5), title="Messe", busy=Busy.OUT_OF_OFFICE)


def renamed(item: Item, name: str) -> Item:
    """``item`` after a person gave it another name."""
    return replace(item, title=name) if isinstance(item, Event) else replace(item, display_name=name)


def name_element(kind: Kind) -> tuple[str, ...]:
    """The element that ``renamed`` changes."""
    return ("title",) if kind is Kind.EVENT else ("display_name",)
