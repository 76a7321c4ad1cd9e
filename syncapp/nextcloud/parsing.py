"""Reading iCalendar and vCard texts into components and lines, which keep every byte.

VTIMEZONEs are half of most calendars and the same in all of them: each is read once.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from syncapp.nextcloud.content_lines import FOLD, Component, Head, Line, Text
from syncapp.side import Unreadable

CALENDAR_BYTES = 10 * 1024 * 1024
CARD_BYTES = 5 * 1024 * 1024
"""What Nextcloud takes (docs/server-behaviour.md#section-3)."""
MAX_DEPTH = 8
MAX_LINES = 200_000

_ZONES, _ZONE_BYTES = 256, 16 * 1024
_MOST_HEADS, _SHORT_HEAD = 4096, 80
_BEFORE = re.compile(rb"(?:[ \t]*\r?\n|\xef\xbb\xbf)*")
"""Blank lines and a byte order mark."""
_NAME = re.compile(rb"(?:([A-Za-z0-9_-]+)\.)?([A-Za-z0-9_-]+)[ \t]*(?:;|\Z)")


def parse(data: bytes, name: str, limit: int) -> Text:
    """Read a text whose one component is called ``name`` (VCALENDAR, VCARD).

    Raises Unreadable when it is longer than ``limit`` bytes, or broken in a way that Nextcloud refuses too.
    """
    if len(data) > limit:
        raise Unreadable(f"The object is larger than {limit // 1024 // 1024} MiB.")
    before = _BEFORE.match(data)
    assert before is not None, "nothing at all matches"
    blank, data = before.group(), data[before.end() :]
    try:
        return _text(blank, _with_zones_read(data), name)
    except Unreadable:
        # Something is broken, or unusual. The error shall count the lines as the whole text has them.
        return _text(blank, _lines(data), name)


def _lines(data: bytes) -> list[bytes]:
    """The lines with their ends; a line goes on while the next one begins with a space or a tab."""
    # find(): "in" tries first whether what it is asked for is a number, and that costs three times as much.
    lines = io.BytesIO(data).readlines()
    if data.find(b"\n ") >= 0 or data.find(b"\n\t") >= 0:
        lines = list(_joined_folds(lines))
    if data.find(b"QUOTED-PRINTABLE") >= 0 or data.find(b"quoted-printable") >= 0:
        lines = _joined_soft_breaks(lines)
    return lines


def _joined_folds(lines: list[bytes]) -> Iterator[bytes]:
    pieces = lines[:1]
    for each in lines[1:]:
        if each.startswith((b" ", b"\t")):
            pieces.append(each)
        else:
            yield b"".join(pieces)
            pieces = [each]
    yield b"".join(pieces)


def _with_zones_read(data: bytes) -> list[bytes | Component]:
    """The lines of a text, and each VTIMEZONE in one piece. Raises Unreadable where one is not as it should be."""
    found: list[bytes | Component] = []
    at = 0
    while (start := data.find(b"\nBEGIN:VTIMEZONE", at) + 1) > 0:
        end = b"\r\n" if data.startswith(b"\r\n", start + len(b"BEGIN:VTIMEZONE")) else b"\n"
        last = b"\nEND:VTIMEZONE" + end
        stop = data.find(last, start) + len(last)
        if stop < start or stop - start > _ZONE_BYTES or data.startswith((b" ", b"\t"), stop):
            raise Unreadable("A VTIMEZONE is very long, or does not end where it seems to.")
        found += _lines(data[at:start])
        found.append(_zone(data[start:stop]))
        at = stop
    found += _lines(data[at:])
    return found


@lru_cache(_ZONES)
def _zone(data: bytes) -> Component:
    """A VTIMEZONE; nobody changes one, so that all objects with the same text can share it."""
    return _text(b"", _lines(data), "VTIMEZONE").root


def _text(before: bytes, lines: Sequence[bytes | Component], wanted: str) -> Text:
    """Put lines together to the one component that they are."""
    if len(lines) > MAX_LINES:
        raise Unreadable(f"The object has more than {MAX_LINES} lines.")
    heads = _heads
    open_components: list[Component] = []
    content: list[Line | Component] | None = None
    for index, raw in enumerate(lines):
        if isinstance(raw, Component):
            if len(open_components) != 1:
                raise Unreadable("A VTIMEZONE stands inside of another component.")
            open_components[0].content.append(raw)
            continue
        head = heads.get(raw.partition(b":")[0])
        line = Line(head.name, head.group, raw, head) if head is not None else _line_of_new_sort(raw)
        if line is None:
            number = before.count(b"\n") + index + 1
            raise Unreadable(f"Line {number} is not a content line (name, colon, value).")
        name = line.name
        if name == "BEGIN":
            inner = line.value.strip().upper()
            if content is None and inner != wanted:
                raise Unreadable(f"The text begins with {inner[:40]!r}, not with {wanted}.")
            if len(open_components) >= MAX_DEPTH:
                raise Unreadable(f"Components stand in one another more than {MAX_DEPTH} deep.")
            open_components.append(Component(inner, line, line))
            content = open_components[-1].content
        elif content is None:
            raise Unreadable(f"The text begins outside of the {wanted}.")
        elif name == "END":
            closed = open_components.pop()
            if line.value.strip().upper() != closed.name:
                raise Unreadable(f"What ends does not end the {closed.name[:40]} that was begun.")
            closed.end = line
            if not open_components:
                return Text(before, closed, _blank(lines[index + 1 :], wanted))
            content = open_components[-1].content
            content.append(closed)
        else:
            content.append(line)
    if open_components:
        raise Unreadable(f"The {open_components[-1].name[:40]} does not end: the text is cut off.")
    raise Unreadable(f"There is no {wanted} in the text.")


def _blank(lines: Sequence[bytes | Component], wanted: str) -> bytes:
    """What stands behind the end of a text, which must be nothing that can be seen."""
    blank = [each for each in lines if isinstance(each, bytes) and not each.strip()]
    if len(blank) < len(lines):
        raise Unreadable(f"There is more behind the end of the {wanted}.")
    return b"".join(blank)


_heads: dict[bytes, Head] = {}
"""The heads that were seen before, by their bytes: most lines begin like others."""


def _line_of_new_sort(raw: bytes) -> Line | None:
    """A line whose head was not seen before, or a blank one; None when it is neither."""
    if not raw.strip():
        return Line("", "", raw)
    spelled, colon, _ = raw.partition(b":")
    match = _NAME.match(spelled)
    if match is None and b"\n" in spelled:
        # Folded inside of the name, which is allowed.
        match = _NAME.match(FOLD.sub(b"", spelled))
    if match is None or not colon:
        return None
    group, name = ((each or b"").decode("ascii") for each in match.groups())
    head = None
    if len(spelled) <= _SHORT_HEAD and spelled.isascii() and b'"' not in spelled and b"\n" not in spelled:
        head = Head(name.upper(), group, spelled.decode("ascii"), len(spelled) + 1)
        if len(_heads) >= _MOST_HEADS:
            _heads.clear()
        _heads[spelled] = head
    return Line(name.upper(), group, raw, head)


def _joined_soft_breaks(logical: list[bytes]) -> list[bytes]:
    """Join lines of vCard 2.1 that end in "=": the value goes on in the next line (RFC 2045 section 6.7, rule 5)."""
    joined: list[bytes] = []
    open_line = False
    for raw in logical:
        if open_line:
            joined[-1] += raw
        else:
            joined.append(raw)
        head = joined[-1].partition(b":")[0].upper()
        open_line = b"QUOTED-PRINTABLE" in head and raw.rstrip(b"\r\n").endswith(b"=")
    return joined
