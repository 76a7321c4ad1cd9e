"""What an event or a contact of the lab should look like, in a form that belongs to neither server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

Moment = datetime | date
Busy = Literal["free", "tentative", "busy", "oof"]
Privacy = Literal["normal", "private", "confidential"]
Frequency = Literal["daily", "weekly", "monthly", "yearly"]
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Placement(StrEnum):
    """Where an item is before the first sync."""

    EXCHANGE = "exchange"
    NEXTCLOUD = "nextcloud"
    BOTH = "both"
    """On both sides with the same UID (contacts: the same name and address)."""
    TWIN = "twin"
    """On both sides with the same content but different UIDs."""


@dataclass(frozen=True)
class Rule:
    """A recurrence that both servers can hold.

    Monthly with ``ordinal`` (1 to 4, or -1 for the last) means that weekday of the month, without it the day of the
    month of the start. Ends after ``count`` occurrences, with the occurrence on ``until``, or never.
    """

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[str, ...] = ()
    ordinal: int | None = None
    count: int | None = None
    until: date | None = None


@dataclass(frozen=True)
class ChangedOccurrence:
    """An occurrence that somebody moved or renamed; what is None is as in the series."""

    original: Moment
    start: Moment
    end: Moment
    title: str | None = None
    location: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class EventPlan:
    """An event or a series. All-day events have dates, ``end`` being the day after the last."""

    uid: str
    title: str
    start: Moment
    end: Moment
    location: str = ""
    description: str = ""
    html: bool = False
    reminder: int | None = None
    categories: tuple[str, ...] = ()
    busy: Busy = "busy"
    privacy: Privacy = "normal"
    rule: Rule | None = None
    changed: tuple[ChangedOccurrence, ...] = ()
    deleted: tuple[Moment, ...] = ()
    placement: Placement = Placement.NEXTCLOUD

    @property
    def all_day(self) -> bool:
        """Whether the event is about days."""
        return not isinstance(self.start, datetime)

    @property
    def length(self) -> timedelta:
        """From start to end, by the clock on the wall."""
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            return self.end - self.start
        return timedelta(days=self.end.toordinal() - self.start.toordinal())


@dataclass(frozen=True)
class AddressPlan:
    """A postal address."""

    street: str
    city: str
    postal_code: str
    country: str
    region: str = ""


@dataclass(frozen=True)
class ContactPlan:
    """A person in an address book; phones and addresses are keyed by ``mobile``, ``work``, ``home``, ``fax``."""

    uid: str
    given_name: str
    surname: str
    middle_name: str = ""
    nickname: str = ""
    company: str = ""
    department: str = ""
    job_title: str = ""
    emails: tuple[str, ...] = ()
    phones: tuple[tuple[str, str], ...] = ()
    addresses: tuple[tuple[str, AddressPlan], ...] = ()
    web_page: str = ""
    birthday: date | None = None
    notes: str = ""
    categories: tuple[str, ...] = ()
    photo: bytes | None = None
    placement: Placement = Placement.NEXTCLOUD

    @property
    def display_name(self) -> str:
        """The name as it is shown."""
        return " ".join(part for part in (self.given_name, self.middle_name, self.surname) if part)
