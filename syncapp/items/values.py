"""The parts that neutral items are made of: moments, recurrences, people, slots of a contact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from syncapp.items.once import once
from syncapp.items.zone_rules import zone_info


class Kind(StrEnum):
    """What sort of item a pairing keeps the same."""

    EVENT = "event"
    CONTACT = "contact"


_FIRST_YEAR, _LAST_YEAR = datetime.min.year, datetime.max.year


@dataclass(frozen=True, init=False)
class ZonedTime:
    """A point in time as a person wrote it: a wall clock reading and the zone it was read in.

    ``zone`` is an IANA name, or the rules of a zone that has none (``zone_rules``); the empty string means floating
    (RFC 5545 section 3.3.5, form 1).
    ``wall`` is naive and has whole seconds: Exchange keeps no fractions. Raises ValueError in the first and the last
    year that a ``datetime`` can hold, because their edges have no instant.
    """

    wall: datetime
    zone: str

    def __init__(self, wall: datetime, zone: str) -> None:
        if wall.tzinfo is not None:
            raise ValueError("wall is naive; the zone stands beside it")
        if not _FIRST_YEAR < wall.year < _LAST_YEAR:
            raise ValueError(f"the year {wall.year} is out of range")
        if wall.microsecond or wall.fold:
            # Comparing ignores ``fold`` where reading the instant would not: the same time would have two instants.
            wall = wall.replace(microsecond=0, fold=0)
        # As a frozen dataclass would do it, at a third of the price: every event has several of these.
        self.__dict__.update(wall=wall, zone=zone)

    @once
    def instant(self) -> datetime:
        """The moment in UTC; a floating time is read as if in UTC.

        A wall time that a spring change skips is read with the offset before the change, and one that an
        autumn change repeats is the first of the two (RFC 5545 section 3.3.5).
        """
        if self.zone in ("", "UTC"):
            return self.wall.replace(tzinfo=UTC)
        return self.wall.replace(tzinfo=zone_info(self.zone)).astimezone(UTC)

    @once
    def key(self) -> str:
        """See ``moment_key``."""
        text = (self.instant if self.zone else self.wall).isoformat()[:19].replace("-", "").replace(":", "")
        return text + "Z" if self.zone else text

    def in_zone(self, zone: str) -> ZonedTime:
        """The same instant, read off a clock in ``zone`` (an IANA name)."""
        return ZonedTime(self.instant.astimezone(zone_info(zone)).replace(tzinfo=None, fold=0), zone)


Moment = ZonedTime | date
"""When something happens: a point in time, or a whole day (all-day means dates)."""


def moment_key(moment: Moment) -> str:
    """The name of a moment that is the same in whichever zone it was written.

    >>> moment_key(date(2026, 1, 5))
    '20260105'
    >>> moment_key(ZonedTime(datetime(2026, 1, 5, 9), "Europe/Berlin"))
    '20260105T080000Z'
    """
    if not isinstance(moment, ZonedTime):
        return moment.isoformat().replace("-", "")
    return moment.key


class Frequency(StrEnum):
    """How often a series recurs (RFC 5545 section 3.3.10, FREQ)."""

    SECONDLY = "SECONDLY"
    MINUTELY = "MINUTELY"
    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True)
class Weekday:
    """A weekday, ``ordinal`` counted within the month or year when not 0 (RFC 5545 BYDAY)."""

    day: str
    ordinal: int = 0


@dataclass(frozen=True)
class Recurrence:
    """The pattern of a series in the words of RFC 5545 section 3.3.10.

    ``until`` is the last moment that may still be an occurrence (inclusive). ``others`` keeps the parts that no side
    but iCalendar knows (BYWEEKNO, BYHOUR, ...) as sorted (name, value) pairs, ``dates`` the RDATEs.
    """

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[Weekday, ...] = ()
    month_days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: str = "MO"
    count: int | None = None
    until: Moment | None = None
    others: tuple[tuple[str, str], ...] = ()
    dates: tuple[Moment, ...] = ()


class Busy(StrEnum):
    """What a colleague who looks for a free slot sees (MS-OXOCAL PidLidBusyStatus)."""

    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OUT_OF_OFFICE = "out-of-office"
    ELSEWHERE = "working-elsewhere"


class Privacy(StrEnum):
    """Who may see the details (MS-OXCMSG PidTagSensitivity)."""

    NORMAL = "normal"
    PERSONAL = "personal"
    PRIVATE = "private"
    CONFIDENTIAL = "confidential"


class Importance(StrEnum):
    """How much an event matters (MS-OXCMSG PidTagImportance)."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True)
class Person:
    """Somebody with a mail address, as organizer of an event."""

    address: str
    name: str = ""


@dataclass(frozen=True)
class Attendee:
    """Somebody invited.

    ``role`` is required, optional or resource; ``answer`` is none, accepted, tentative or declined.
    """

    address: str
    name: str = ""
    role: str = "required"
    answer: str = "none"


@dataclass(frozen=True)
class Email:
    """A mail address of a contact. ``label`` is home, work, other or empty."""

    address: str
    label: str = ""


@dataclass(frozen=True)
class Phone:
    """A phone number of a contact.

    ``label`` is one of: work, work-2, home, home-2, mobile, work-fax, home-fax, other-fax, pager, car, isdn, main,
    assistant, callback, company, radio, telex, tty, other. It names one of the keys that Exchange has for phones.
    """

    number: str
    label: str = "other"


@dataclass(frozen=True)
class PostalAddress:
    """A postal address of a contact. ``label`` is home, work or other; only the one at work has an ``office``."""

    label: str
    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    post_box: str = ""
    office: str = ""


NO_YEAR = 1604
"""The year of a birthday of which only the day is known: what Apple and Exchange write, a leap year."""


@dataclass(frozen=True)
class Photo:
    """A picture of a contact: the bytes of the file, and its media type (``image/jpeg``)."""

    data: bytes
    media_type: str = "image/jpeg"
