"""What the round trip asks of a kind of item: how files are taken apart, and how an item reads on either server.

A judge uses other people's libraries only: a mistake that it shared with the connector could not be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from exchangelib import Account
from exchangelib.folders import BaseFolder

Span = tuple[datetime, datetime]
"""From a moment to another, both with zones."""

MASTER = ""
"""The name of the part of an item that is the item itself."""


class NotReadable(Exception):
    """The judge can't read this; the text is a sentence that says why."""


@dataclass(frozen=True)
class Reading:
    """What an item says: by part (``MASTER``, or the name of an exception) and by field, a text to be compared.

    A part that another reading lacks is compared with the other's master: an exception that says nothing of its own
    need not exist.
    """

    parts: Mapping[str, Mapping[str, str]]

    def values(self) -> Iterator[tuple[str, str, str]]:
        """Every part, field and value."""
        for part, values in self.parts.items():
            for name, value in values.items():
                yield part, name, value

    def value(self, part: str, name: str) -> str:
        """The value of a field, "" if it says nothing."""
        return self.parts.get(part, self.parts[MASTER]).get(name, "")


@dataclass(frozen=True)
class Shown:
    """When an item happens, as a calendar shows it; ``spans`` are the stretches of time that were looked at."""

    moments: Collection[tuple[str, str]] = field(default_factory=tuple)
    spans: Sequence[Span] = ()


class Judge(Protocol):
    """One kind of item."""

    kind: str
    """The word for ``--kind``."""
    suffixes: frozenset[str]
    """Ends of file names, in lower case, with their dot."""
    fields: Mapping[str, str]
    """The fields that Exchange can represent, by name, with the words for them; all others are counted apart."""

    def split(self, data: bytes) -> list[bytes]:
        """The items of a file, each as an object of its own in Nextcloud. Raises ``NotReadable`` for a broken file."""

    def read(self, text: bytes) -> Reading:
        """An object in Nextcloud. Raises ``NotReadable``."""

    def same(self, name: str, before: str, after: str) -> bool:
        """Whether two values of a field of the objects in Nextcloud are the same to a person."""

    def shown(self, text: bytes) -> Shown:
        """When an object in Nextcloud happens, over ten years. Raises ``NotReadable``."""

    def repeats(self, text: bytes) -> bool:
        """Whether the item shall have a folder of its own in Exchange, so that a view shows nothing else."""

    def read_mailbox(self, account: Account, ids: Sequence[str]) -> list[Reading]:
        """Items in Exchange. Raises what exchangelib raises."""

    def edit(self, account: Account, ids: Sequence[str]) -> bool:
        """Change one thing about items in Exchange, as a person would; False where this kind is not tried.

        Raises as above.
        """

    def lost(self, before: bytes, after: bytes) -> list[str]:
        """What an object in Nextcloud does not say any more, although nobody edited that in Exchange."""

    def new_folder(self, account: Account, name: str) -> BaseFolder:
        """A new folder for such items in a mailbox. Raises as above."""

    def shown_in_mailbox(self, folder: BaseFolder, like: Shown) -> Shown:
        """What the view of a folder shows, in stretches of the time that ``like`` is about. Raises as above."""
