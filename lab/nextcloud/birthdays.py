"""The generated, read-only calendar of birthdays, kept by the server itself from the address books."""

from __future__ import annotations

import re

from lab.nextcloud import shelves
from lab.nextcloud.lines import Component, fold
from lab.nextcloud.shelves import BIRTHDAYS, Collection
from lab.nextcloud.store import Store


def follow(store: Store, book: Collection, card_uri: str, card: Component | None) -> None:
    """Bring the birthday of a written (or, with None, deleted) contact up to date."""
    if book.uri == shelves.SYSTEM_BOOK:
        return
    calendar = shelves.collection(store, book.owner, "calendar", BIRTHDAYS)
    name = f"{book.uri}-{card_uri}.ics"
    date = _date(card.text("BDAY")) if card and card.first("BDAY") else None
    if date is None or card is None:
        existing = calendar and shelves.find(store, calendar, name)
        if existing:
            shelves.remove(store, existing)
        return
    if calendar is None:
        calendar = shelves.create(
            store,
            book.owner,
            "calendar",
            BIRTHDAYS,
            {"{DAV:}displayname": "Contact birthdays", "{http://apple.com/ns/ical/}calendar-color": "#E9D859"},
            ("VEVENT",),
            read_only=True,
        )
    uid = f"{book.uri}-{card_uri}-birthday"
    shelves.put(store, calendar, name, uid, "VEVENT", _event(uid, card.text("FN") or "", date))


def _date(value: str | None) -> str | None:
    """A birthday with its year as YYYYMMDD; those without a year are left out."""
    match = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", value or "")
    return "".join(match.groups()) if match else None


def _event(uid: str, name: str, date: str) -> bytes:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//IDN nextcloud.com//Birthday calendar//EN",
        "CALSCALE:GREGORIAN",
        "BEGIN:VEVENT",
        f"DTSTART;VALUE=DATE:{date}",
        "DURATION:P1D",
        f"UID:{uid}",
        f"DTSTAMP:{date}T000000Z",
        "RRULE:FREQ=YEARLY",
        f"SUMMARY:🎂 {name} ({date[:4]})",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(fold(line) for line in lines).encode()
