"""What a Nextcloud account shows: calendar objects expanded by recurring-ical-events, cards read by vobject."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, cast

import icalendar
import recurring_ical_events
import vobject

from lab.judge.reading import Person, Shown, digits, moment, one_line, words
from lab.webdav import WebDav

CLASS = {"PUBLIC": "normal", "PRIVATE": "private", "CONFIDENTIAL": "confidential"}


def occurrences(account: WebDav, start: datetime, end: datetime) -> list[Shown]:
    """Every occurrence in the default calendar between two moments."""
    found = []
    for resource in account.read(account.calendar):
        calendar = icalendar.Calendar.from_ical(resource.text)
        found += [_shown(event) for event in recurring_ical_events.of(calendar).between(start, end)]
    return found


def _shown(event: Any) -> Shown:
    start, end = event["DTSTART"].dt, _end(event)
    return Shown(
        title=words(event.get("SUMMARY")),
        start=moment(start),
        end=moment(end),
        all_day=not isinstance(start, datetime),
        location=words(event.get("LOCATION")),
        description=words(event.get("DESCRIPTION")),
        reminder=_reminder(event),
        categories=frozenset(_categories(event)),
        busy=_busy(event),
        privacy=CLASS.get(str(event.get("CLASS", "PUBLIC")).upper(), "private"),
    )


def _end(event: Any) -> datetime | date:
    start: datetime | date = event["DTSTART"].dt
    if "DTEND" in event:
        return cast("datetime | date", event["DTEND"].dt)
    if "DURATION" in event:
        return start + cast("timedelta", event["DURATION"].dt)
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _reminder(event: Any) -> int | None:
    """The first alarm that is set before the start."""
    for alarm in event.walk("VALARM"):
        trigger = alarm.get("TRIGGER")
        if (
            trigger is not None
            and isinstance(trigger.dt, timedelta)
            and trigger.params.get("RELATED", "START") == "START"
        ):
            return int(-trigger.dt.total_seconds() // 60)
    return None


def _categories(event: Any) -> Iterator[str]:
    entries: Any = event.get("CATEGORIES", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        yield from (str(name) for name in entry.cats)


def _busy(event: Any) -> str:
    stated = event.get("X-MICROSOFT-CDO-BUSYSTATUS")
    if stated:
        return str(stated).lower()
    if str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return "free"
    return "tentative" if str(event.get("STATUS", "")).upper() == "TENTATIVE" else "busy"


def people(account: WebDav) -> list[Person]:
    """Every contact in the default address book."""
    return [_person(vobject.readOne(resource.text)) for resource in account.read(account.book)]


def _person(card: Any) -> Person:
    name = card.contents["n"][0].value if "n" in card.contents else vobject.vcard.Name()
    organisation = card.contents["org"][0].value if "org" in card.contents else []
    return Person(
        name=words(_first(card, "fn")),
        given_name=words(_flat(name.given)),
        middle_name=words(_flat(name.additional)),
        surname=words(_flat(name.family)),
        nickname=words(_first(card, "nickname")),
        company=words(organisation[0] if organisation else ""),
        department=words(organisation[1] if len(organisation) > 1 else ""),
        job_title=words(_first(card, "title")),
        web_page=words(_first(card, "url")).rstrip("/"),
        birthday=_day(_first(card, "bday")),
        notes=words(_first(card, "note")),
        emails=frozenset(entry.value.lower() for entry in card.contents.get("email", []) if entry.value),
        phones=frozenset(_phones(card)),
        addresses=frozenset(_addresses(card)),
        categories=frozenset(word for entry in card.contents.get("categories", []) for word in entry.value if word),
        has_photo="photo" in card.contents,
    )


def _first(card: Any, name: str) -> str:
    return str(card.contents[name][0].value) if name in card.contents else ""


def _flat(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _types(entry: Any) -> set[str]:
    return {kind.upper() for value in entry.params.get("TYPE", []) for kind in value.split(",")}


def _phones(card: Any) -> Iterator[tuple[str, str]]:
    for entry in card.contents.get("tel", []):
        types = _types(entry)
        label = "fax" if "FAX" in types else "mobile" if "CELL" in types else "home" if "HOME" in types else "work"
        yield label, digits(entry.value.removeprefix("tel:"))


def _addresses(card: Any) -> Iterator[tuple[str, str]]:
    for entry in card.contents.get("adr", []):
        place, types = entry.value, _types(entry)
        text = one_line(*(_flat(part) for part in (place.street, place.city, place.region, place.code, place.country)))
        if text:
            yield "work" if "WORK" in types else "home" if "HOME" in types else "other", text


def _day(text: str) -> str:
    """A birthday in one spelling: cards have 2000-01-01, 20000101, or either with a time."""
    plain = text.split("T")[0].replace("-", "")
    return f"{plain[:4]}-{plain[4:6]}-{plain[6:8]}" if len(plain) == 8 else text
