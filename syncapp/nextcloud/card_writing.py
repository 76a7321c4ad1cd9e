"""Lines that are put into cards: how they are written, and what goes along with one that is taken out. Pure."""

from __future__ import annotations

import quopri
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncapp.items.fields import line
from syncapp.nextcloud.calendar_values import stamp_text
from syncapp.nextcloud.card_lines import raw_text
from syncapp.nextcloud.contacts import Card
from syncapp.nextcloud.content_lines import Line, Parameters, Text
from syncapp.nextcloud.text_values import escape, make_line, sendable, split

ENCODINGS = frozenset({"ENCODING", "CHARSET", "VALUE"})
"""Parameters that say how a value is written; a new value is written anew."""
_LABELS = frozenset({"X-ABLABEL", "X-ABADR"})
"""Lines that say something of another one of their group."""


@dataclass
class CardWriter:
    """Puts lines into a card, in the card's version and with its line ends."""

    stored: Card

    def __post_init__(self) -> None:
        self.card = self.stored.card
        self.line_end = self.card.line_end
        self.old = self.stored.version.startswith("2")

    def finished(self, now: datetime) -> Text:
        """The card with its new REV."""
        self.card.put("REV", [self.line("REV", stamp_text(now))])
        return self.stored.text

    # Lines -------------------------------------------------------------------------------------------------------

    def line(self, name: str, value: str, parameters: Parameters = (), group: str = "") -> Line:
        """A new line; ``value`` holds its escapes. vCard 2.1 has other rules for what is not plain ASCII."""
        value = sendable(value)
        if self.old and not value.isascii():
            value = quopri.encodestring(value.encode(), quotetabs=True).decode("ascii").replace("=\n", "")
            parameters = (*parameters, ("CHARSET", "UTF-8"), ("ENCODING", "QUOTED-PRINTABLE"))
        if not self.old:
            parameters = merged(parameters)
        return make_line(name, value, parameters, group, self.line_end, folded=not self.old)

    def again(self, old: Line, value: str) -> Line:
        """A line that says another value under the same name, in the same group and with the same parameters."""
        return self.line(old.name, value, without_encodings(old), old.group)

    def remove(self, old: Line) -> None:
        """Take a line out, and the labels that Apple's programs gave to it."""
        gone = [old]
        if old.group:
            group = [each for each in self.card.lines if each.group.lower() == old.group.lower() and each is not old]
            gone += group if all(each.name in _LABELS for each in group) else []
        self.card.replace(gone, ())

    def append(self, name: str, new_lines: Sequence[Line]) -> None:
        """Put lines behind the last one of that name."""
        old = self.card.all(name)
        if old and new_lines:
            self.card.replace([old[-1]], [old[-1], *new_lines])
        elif new_lines:
            self.card.replace((), new_lines)

    def put(self, name: str, value: str) -> None:
        """Make a property's first line say ``value``, its parameters and group kept; without a value it goes."""
        old = self.card.first(name)
        new_lines: list[Line] = []
        if value:
            new_lines = [self.again(old, value) if old else self.line(name, value)]
        self.card.replace([old] if old else (), new_lines)

    def put_text(self, name: str, text: str) -> None:
        """``put`` for a plain text."""
        self.put(name, escape(text) if line(text) else "")

    def put_parts(self, name: str, values: Mapping[int, str], at_least: int) -> None:
        """Make some parts of a structured value say other texts; parts that say the same keep their spelling."""
        old = self.card.first(name)
        parts = split(raw_text(old), ";") if old else []
        readable = self.stored.parts(name)
        length = max(at_least, len(parts), *(index + 1 for index in values))
        parts += [""] * (length - len(parts))
        readable += [""] * (length - len(readable))
        for index, text in values.items():
            if (new_text := line(text)) != line(readable[index]):
                parts[index] = escape(new_text)
        while len(parts) > at_least and not parts[-1]:
            parts.pop()
        self.put(name, ";".join(parts) if any(parts) or name == "N" else "")


def without_encodings(line: Line) -> Parameters:
    """The parameters of a line that hold for another value, too."""
    return tuple(each for each in line.parameters if each[0] not in ENCODINGS)


def merged(parameters: Parameters) -> Parameters:
    """Parameters with all of their TYPEs side by side, for ``make_line`` to write as one list."""
    if len(parameters) < 2:
        return parameters
    return tuple(sorted(parameters, key=lambda each: each[0] == "TYPE"))
