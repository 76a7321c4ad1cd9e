"""Edits on either side as a person makes them: in Outlook (exchangelib) or in Nextcloud's calendar and contacts apps.

Nothing here sends the headers that keep a server from mailing: a person's client does not either.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import icalendar
import vobject
from exchangelib import Account, Body
from exchangelib.indexed_properties import EmailAddress
from exchangelib.items import SEND_TO_NONE

from lab.scenario.mailbox import connect, moments, write_contacts, write_events
from lab.scenario.people import LabUser
from lab.scenario.plans import ContactPlan, EventPlan, Moment
from lab.scenario.texts import calendar_text, card_text
from lab.seed import Scenario
from lab.webdav import Resource, WebDav

Side = Literal["exchange", "nextcloud"]


class NotThere(LookupError):
    """No item, or more than one, has this title or name; carries it."""


@dataclass(frozen=True)
class EventChange:
    """What to change of an event or series; None leaves a field as it is. Start and end go together."""

    title: str | None = None
    location: str | None = None
    description: str | None = None
    start: Moment | None = None
    end: Moment | None = None


@dataclass(frozen=True)
class ContactChange:
    """What to change of a contact; None leaves a field as it is. ``email`` replaces the first address."""

    job_title: str | None = None
    email: str | None = None
    notes: str | None = None


class Hand(Protocol):
    """One person at work on one side. Items are named by their title or display name; raises NotThere."""

    def events(self) -> list[str]:
        """The titles of all events and series, sorted."""

    def contacts(self) -> list[str]:
        """The names of all contacts, sorted."""

    def create_event(self, plan: EventPlan) -> None:
        """Create an event."""

    def change_event(self, title: str, change: EventChange) -> None:
        """Change an event or a whole series."""

    def delete_event(self, title: str) -> None:
        """Delete an event or a whole series, as a person does: into the bin."""

    def create_contact(self, plan: ContactPlan) -> None:
        """Create a contact."""

    def change_contact(self, name: str, change: ContactChange) -> None:
        """Change a contact."""

    def delete_contact(self, name: str) -> None:
        """Delete a contact."""


@contextmanager
def hand(filled: Scenario, user: LabUser, side: Side) -> Iterator[Hand]:
    """The user at work on that side, logged in with their own password."""
    if side == "exchange":
        account = connect(filled.ews_url, filled.exchange_login(user), user.email, user.zone)
        try:
            yield ExchangeHand(account)
        finally:
            account.protocol.close()
    else:
        login = filled.nextcloud_login(user)
        with WebDav(filled.nextcloud_url, login.name, login.password, user.uid) as dav:
            yield NextcloudHand(dav)


def quick_event(title: str, start: datetime | None = None, minutes: int = 60, **details: Any) -> EventPlan:
    """A plan for a single event, by default in an hour from now; ``details`` are fields of EventPlan."""
    begin = start or datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return EventPlan(str(uuid.uuid4()), title, begin, begin + timedelta(minutes=minutes), **details)


def quick_contact(given_name: str, surname: str, **details: Any) -> ContactPlan:
    """A plan for a contact; ``details`` are fields of ContactPlan."""
    return ContactPlan(str(uuid.uuid4()), given_name, surname, **details)


class ExchangeHand:
    """A person in Outlook."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def events(self) -> list[str]:
        """See Hand."""
        return sorted(self._account.calendar.all().values_list("subject", flat=True))

    def contacts(self) -> list[str]:
        """See Hand."""
        return sorted(self._account.contacts.all().values_list("display_name", flat=True))

    def create_event(self, plan: EventPlan) -> None:
        """See Hand."""
        write_events(self._account, [plan])

    def change_event(self, title: str, change: EventChange) -> None:
        """See Hand."""
        item = self._event(title)
        fields: dict[str, Any] = {}
        if change.title is not None:
            fields["subject"] = change.title
        if change.location is not None:
            fields["location"] = change.location
        if change.description is not None:
            fields["body"] = Body(change.description)
        if change.start is not None and change.end is not None:
            fields |= moments(change.start, change.end)
        _save(item, fields, send_meeting_invitations=SEND_TO_NONE)

    def delete_event(self, title: str) -> None:
        """See Hand."""
        self._event(title).move_to_trash(send_meeting_cancellations=SEND_TO_NONE)

    def create_contact(self, plan: ContactPlan) -> None:
        """See Hand."""
        write_contacts(self._account, [plan])

    def change_contact(self, name: str, change: ContactChange) -> None:
        """See Hand."""
        item = self._contact(name)
        fields: dict[str, Any] = {}
        if change.job_title is not None:
            fields["job_title"] = change.job_title
        if change.notes is not None:
            fields["body"] = Body(change.notes)
        if change.email is not None:
            others = [entry for entry in item.email_addresses or () if entry.label != "EmailAddress1"]
            fields["email_addresses"] = [EmailAddress(label="EmailAddress1", email=change.email), *others]
        _save(item, fields)

    def delete_contact(self, name: str) -> None:
        """See Hand."""
        self._contact(name).move_to_trash()

    def _event(self, title: str) -> Any:
        return _only(title, [item for item in self._account.calendar.all() if item.subject == title])

    def _contact(self, name: str) -> Any:
        return _only(name, [item for item in self._account.contacts.all() if item.display_name == name])


def _save(item: Any, fields: dict[str, Any], **options: Any) -> None:
    for name, value in fields.items():
        setattr(item, name, value)
    item.save(update_fields=list(fields), **options)


class NextcloudHand:
    """A person in Nextcloud's apps."""

    def __init__(self, dav: WebDav) -> None:
        self._dav = dav

    def events(self) -> list[str]:
        """See Hand."""
        return sorted(_title(resource) for resource in self._dav.read(self._dav.calendar))

    def contacts(self) -> list[str]:
        """See Hand."""
        return sorted(_name(resource) for resource in self._dav.read(self._dav.book))

    def create_event(self, plan: EventPlan) -> None:
        """See Hand."""
        self._dav.create(self._dav.calendar, plan.uid, calendar_text(plan))

    def change_event(self, title: str, change: EventChange) -> None:
        """See Hand."""
        resource = self._event(title)
        calendar = icalendar.Calendar.from_ical(resource.text)
        master = _master(calendar)
        for name, text in (
            ("SUMMARY", change.title),
            ("LOCATION", change.location),
            ("DESCRIPTION", change.description),
        ):
            if text is not None:
                master.pop(name, None)
                master.add(name, text)
        if change.start is not None and change.end is not None:
            for name, moment in (("DTSTART", change.start), ("DTEND", change.end)):
                master.pop(name, None)
                master.add(name, moment)
            master.pop("DURATION", None)
        for name in ("LAST-MODIFIED", "DTSTAMP"):
            master.pop(name, None)
            master.add(name, datetime.now(UTC))
        calendar.add_missing_timezones()
        self._dav.replace(resource, calendar.to_ical().decode())

    def delete_event(self, title: str) -> None:
        """See Hand."""
        self._dav.delete(self._event(title))

    def create_contact(self, plan: ContactPlan) -> None:
        """See Hand."""
        self._dav.create(self._dav.book, plan.uid, card_text(plan))

    def change_contact(self, name: str, change: ContactChange) -> None:
        """See Hand."""
        resource = self._contact(name)
        card = vobject.readOne(resource.text)
        for key, text in (("title", change.job_title), ("email", change.email), ("note", change.notes)):
            if text is not None:
                entry = card.contents[key][0] if key in card.contents else card.add(key)
                entry.value = text
        self._dav.replace(resource, card.serialize())

    def delete_contact(self, name: str) -> None:
        """See Hand."""
        self._dav.delete(self._contact(name))

    def _event(self, title: str) -> Resource:
        found: Resource = _only(title, [each for each in self._dav.read(self._dav.calendar) if _title(each) == title])
        return found

    def _contact(self, name: str) -> Resource:
        found: Resource = _only(name, [each for each in self._dav.read(self._dav.book) if _name(each) == name])
        return found


def _master(calendar: Any) -> Any:
    """The event or series itself; where there are only exceptions, the first of them."""
    events = calendar.walk("VEVENT")
    return next((event for event in events if "RECURRENCE-ID" not in event), events[0])


def _title(resource: Resource) -> str:
    return str(_master(icalendar.Calendar.from_ical(resource.text)).get("SUMMARY", ""))


def _name(resource: Resource) -> str:
    return str(vobject.readOne(resource.text).fn.value)


def _only(name: str, found: list[Any]) -> Any:
    if len(found) != 1:
        raise NotThere(f"{len(found)} items are called {name!r}")
    return found[0]
