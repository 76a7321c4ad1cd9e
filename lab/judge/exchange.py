"""What a mailbox shows, read with exchangelib."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from exchangelib import Account, EWSDateTime, FileAttachment, HTMLBody
from exchangelib.items import Contact

from lab.judge.reading import Person, Shown, digits, html_words, moment, one_line, words

# A calendar view answers at most 1000 items.
VIEW = timedelta(days=20)
PHONES = {"MobilePhone": "mobile", "BusinessPhone": "work", "HomePhone": "home", "BusinessFax": "fax"}


def occurrences(account: Account, start: datetime, end: datetime) -> list[Shown]:
    """Every occurrence that the server's own calendar view shows between two moments."""
    seen: dict[str, Shown] = {}
    begin = start
    while begin < end:
        until = min(begin + VIEW, end)
        bounds = {"start": EWSDateTime.from_datetime(begin), "end": EWSDateTime.from_datetime(until)}
        items = list(account.calendar.view(**bounds))
        ends = _exact_ends(account, bounds) if any(item.is_all_day for item in items) else {}
        seen.update((item.id, _shown(item, ends.get(item.id))) for item in items)
        begin = until
    return list(seen.values())


def _exact_ends(account: Account, bounds: dict[str, EWSDateTime]) -> dict[str, EWSDateTime]:
    """The ends as moments, by id.

    Of all-day events exchangelib makes the last day by taking 24 hours off the end, which is a day too much when
    that day has 23. Asked for nothing but the times, it does not know that the event is about days.
    """
    return {item.id: item.end for item in account.calendar.view(**bounds).only("start", "end")}


def _shown(item: Any, exact_end: EWSDateTime | None) -> Shown:
    all_day = bool(item.is_all_day)
    end = item.end
    if all_day and exact_end is not None:
        end = exact_end.astimezone(item._end_timezone or exact_end.tzinfo).date()
    return Shown(
        title=words(item.subject),
        start=moment(item.start),
        end=moment(end),
        all_day=all_day,
        location=words(item.location),
        description=_body(item.body),
        reminder=item.reminder_minutes_before_start if item.reminder_is_set else None,
        categories=frozenset(item.categories or ()),
        busy=(item.legacy_free_busy_status or "Busy").lower(),
        privacy=(item.sensitivity or "Normal").lower(),
    )


def _body(body: str | None) -> str:
    return html_words(body) if isinstance(body, HTMLBody) else words(body)


def people(account: Account) -> list[Person]:
    """Every contact in the default folder."""
    return [_person(item) for item in account.contacts.all() if isinstance(item, Contact)]


def _person(item: Contact) -> Person:
    return Person(
        name=words(item.display_name),
        given_name=words(item.given_name),
        middle_name=words(item.middle_name),
        surname=words(item.surname),
        nickname=words(item.nickname),
        company=words(item.company_name),
        department=words(item.department),
        job_title=words(item.job_title),
        web_page=words(item.business_homepage).rstrip("/"),
        birthday=item.birthday.isoformat() if item.birthday else "",
        notes=_body(item.body),
        emails=frozenset(entry.email.lower() for entry in item.email_addresses or () if entry.email),
        phones=frozenset(_phones(item)),
        addresses=frozenset(_addresses(item)),
        categories=frozenset(item.categories or ()),
        has_photo=any(isinstance(each, FileAttachment) and each.is_contact_photo for each in item.attachments or ()),
    )


def _phones(item: Contact) -> Iterator[tuple[str, str]]:
    for entry in item.phone_numbers or ():
        if entry.phone_number:
            yield PHONES.get(entry.label, entry.label), digits(entry.phone_number)


def _addresses(item: Contact) -> Iterator[tuple[str, str]]:
    for entry in item.physical_addresses or ():
        text = one_line(entry.street, entry.city, entry.state, entry.zipcode, entry.country)
        if text:
            yield {"Business": "work", "Home": "home"}.get(entry.label, entry.label.lower()), text
