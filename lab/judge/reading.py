"""What a server shows of an item, in a form in which two servers can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from html.parser import HTMLParser


@dataclass(frozen=True)
class Shown:
    """One occurrence of an event. Times are instants in UTC; all-day events have dates, ``end`` not included.

    ``reminder`` is in minutes before the start.
    """

    title: str
    start: str
    end: str
    all_day: bool
    location: str = ""
    description: str = ""
    reminder: int | None = None
    categories: frozenset[str] = frozenset()
    busy: str = "busy"
    privacy: str = "normal"


@dataclass(frozen=True)
class Person:
    """One contact. Phones are (label, digits) pairs, addresses (label, one line) pairs."""

    name: str
    given_name: str = ""
    middle_name: str = ""
    surname: str = ""
    nickname: str = ""
    company: str = ""
    department: str = ""
    job_title: str = ""
    web_page: str = ""
    birthday: str = ""
    notes: str = ""
    emails: frozenset[str] = frozenset()
    phones: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    addresses: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    categories: frozenset[str] = frozenset()
    has_photo: bool = False


def moment(value: datetime | date) -> str:
    """A time as an instant in UTC, a date as itself."""
    if isinstance(value, datetime):
        # By way of the timestamp, because exchangelib's date-times insist on zones of their own.
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return f"{datetime.fromtimestamp(aware.timestamp(), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return value.isoformat()


def words(text: str | None) -> str:
    """A text without regard to how its lines are broken and how much space is between its words."""
    return " ".join((text or "").split())


def digits(number: str | None) -> str:
    """A phone number without its punctuation."""
    return re.sub(r"[^0-9+]", "", number or "")


def one_line(*parts: str | None) -> str:
    """A postal address on one line."""
    return ", ".join(word for part in parts if (word := words(part)))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _: object) -> None:
        self._hidden += tag in ("style", "script", "head")
        self.parts.append(" " if tag in ("p", "br", "div", "li", "tr") else "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script", "head")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def html_words(html: str) -> str:
    """The words that a reader of an HTML text sees."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return words("".join(parser.parts))
