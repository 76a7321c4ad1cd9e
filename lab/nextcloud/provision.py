"""New accounts, with what a real server gives them at their first login."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

from lab.nextcloud import birthdays, shelves
from lab.nextcloud.lines import fold, parse
from lab.nextcloud.store import Store

DEFAULT_CALENDAR, DEFAULT_BOOK = "personal", "contacts"


def create_account(
    store: Store,
    uid: str,
    password: str,
    login: str | None = None,
    email: str | None = None,
    display_name: str | None = None,
    groups: tuple[str, ...] = (),
    collections: bool = True,
    examples: bool = False,
) -> None:
    """Create an account; raises sqlite3.IntegrityError when uid or login exist.

    ``collections``: with calendar ``personal``, address book ``contacts`` and the server's own address book.
    ``examples``: with the example event and contact of a new account.
    """
    name = display_name or uid
    store.run(
        "INSERT INTO account (uid, login, password, email, display_name, groups) VALUES (?, ?, ?, ?, ?, ?)",
        uid,
        login or uid,
        password,
        email,
        name,
        json.dumps(groups),
    )
    if not collections:
        return
    calendar = shelves.create(
        store,
        uid,
        "calendar",
        DEFAULT_CALENDAR,
        {"{DAV:}displayname": "Personal", "{http://apple.com/ns/ical/}calendar-color": "#0082c9"},
        ("VEVENT", "VTODO", "VJOURNAL"),
    )
    book = shelves.create(store, uid, "addressbook", DEFAULT_BOOK, {"{DAV:}displayname": "Contacts"})
    system = shelves.create(
        store, uid, "addressbook", shelves.SYSTEM_BOOK, {"{DAV:}displayname": "Accounts"}, read_only=True
    )
    shelves.put(store, system, f"Database:{uid}.vcf", uid, "VCARD", _card(uid, name, email))
    if examples:
        _add_examples(store, calendar, book)


def _add_examples(store: Store, calendar: shelves.Collection, book: shelves.Collection) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    uid = str(uuid.uuid4())
    event = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Nextcloud//Example Event//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
        "SUMMARY:Example event - open me!",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    shelves.put(store, calendar, f"{uid}.ics", uid, "VEVENT", "".join(fold(line) for line in event).encode())
    contact = _card(str(uuid.uuid4()), "Leon Green", "leon@example.com")
    tree = parse(contact.decode())
    shelves.put(store, book, "example.vcf", tree.text("UID") or "", "VCARD", contact)
    birthdays.follow(store, book, "example.vcf", tree)


def _card(uid: str, name: str, email: str | None) -> bytes:
    given, _, family = name.partition(" ")
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "PRODID:-//Sabre//Sabre VObject 4.5.6//EN",
        f"UID:{uid}",
        f"FN:{name}",
        f"N:{family};{given};;;",
        *([f"EMAIL;TYPE=OTHER:{email}"] if email else []),
        "END:VCARD",
    ]
    return "".join(fold(line) for line in lines).encode()
