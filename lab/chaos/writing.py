"""What people write: items with values that nobody ever wrote before, and edits of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from syncapp.items import Contact, Event, Item, Kind
from syncapp.items.event import Occurrence
from syncapp.items.values import Email, Frequency, Photo, Recurrence, ZonedTime, moment_key

WEEKS = 6
_FIRST_DAY = datetime(2026, 3, 2)


@dataclass
class Writer:
    """Gives every value once, so that a value found in the end tells who wrote it."""

    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def number(self) -> int:
        """A number that was never given before."""
        return next(self._numbers)

    def word(self) -> str:
        """A value that nobody ever wrote."""
        return f"w{self.number()}"

    def item(self, kind: Kind) -> Item:
        """Something new, with a tag that nobody edits."""
        tag = f"item-{self.number()}"
        if kind is Kind.CONTACT:
            return Contact(display_name=self.word(), nickname=tag, emails=(Email(f"{self.word()}@lab.example"),))
        start = ZonedTime(_FIRST_DAY, "Europe/Vienna")
        event = replace(_shifted(Event(start, start), self), title=self.word(), location=tag)
        weekly = self.number() % 2
        return replace(event, recurrence=Recurrence(Frequency.WEEKLY, count=WEEKS)) if weekly else event


Edit = Callable[[Any, Writer], Item]

EDITS: dict[Kind, dict[str, Edit]] = {
    Kind.EVENT: {
        "title": lambda item, writer: replace(item, title=writer.word()),
        "description": lambda item, writer: replace(item, description=f"{writer.word()}\nund so weiter..."),
        "time": lambda item, writer: _shifted(item, writer),
        "reminder": lambda item, writer: replace(item, reminder=5 if item.reminder is None else None),
        "add-category": lambda item, writer: replace(item, categories=(*item.categories, writer.word())),
        "drop-category": lambda item, writer: replace(item, categories=item.categories[1:]),
        "exception": lambda item, writer: _excepted(item, writer, deleted=False),
        "drop-occurrence": lambda item, writer: _excepted(item, writer, deleted=True),
        "drop-exception": lambda item, writer: replace(item, exceptions=item.exceptions[1:]),
    },
    Kind.CONTACT: {
        "name": lambda item, writer: replace(item, display_name=writer.word()),
        "notes": lambda item, writer: replace(item, notes=f"{writer.word()}..."),
        "company": lambda item, writer: replace(item, company=writer.word()),
        "add-email": lambda item, writer: replace(item, emails=(*item.emails, Email(f"{writer.word()}@lab.example"))),
        "drop-email": lambda item, writer: replace(item, emails=item.emails[1:]),
        "photo": lambda item, writer: replace(item, photo=Photo(writer.word().encode())),
    },
}
MOST_EDITS = max(len(edits) for edits in EDITS.values())


def edited(item: Item, which: int, times: int, writer: Writer) -> Item:
    """``item`` after so many edits, beginning with the one of that number."""
    edits = list(EDITS[item.kind].values())
    for number in range(which, which + times):
        item = edits[number % len(edits)](item, writer)
    return item


def _shifted(item: Event, writer: Writer) -> Event:
    """At another time, which no other event has."""
    assert isinstance(item.start, ZonedTime)
    start = replace(item.start, wall=_FIRST_DAY + timedelta(minutes=writer.number()))
    return replace(item, start=start, end=replace(start, wall=start.wall + timedelta(hours=1)), exceptions=())


def _excepted(item: Event, writer: Writer, *, deleted: bool) -> Event:
    """With one more occurrence changed or deleted, or the same one once more."""
    if item.recurrence is None:
        return item
    assert isinstance(item.start, ZonedTime)
    week = writer.number() % WEEKS
    original = replace(item.start, wall=item.start.wall + timedelta(weeks=week))
    values = {} if deleted else {"title": writer.word()}
    others = [each for each in item.exceptions if moment_key(each.original) != moment_key(original)]
    return replace(item, exceptions=(*others, Occurrence(original, deleted, values)))
