"""Files of iCalendar taken apart into objects, as Nextcloud does on import: one for each UID, without METHOD.

Works on lines and keeps them byte for byte; nothing is understood beyond BEGIN, END, UID, RECURRENCE-ID and TZID.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.roundtrip.kinds import NotReadable

_HEADER = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Import//EN\r\nCALSCALE:GREGORIAN\r\n"
_TZID = re.compile(rb';TZID="?([^":;,]+)', re.IGNORECASE)


@dataclass
class _Block:
    """A component with all that is in it; ``own`` are the lines that are not a component's inside of it."""

    name: bytes
    lines: list[bytes]
    own: list[bytes] = field(default_factory=list)

    def value(self, name: bytes) -> bytes | None:
        """The value of the first property of this name."""
        for line in self.own:
            head, _, value = line.partition(b":")
            if head.partition(b";")[0].strip().upper() == name:
                return value.strip()
        return None

    @property
    def text(self) -> bytes:
        """The lines as they were, each with its end."""
        return b"".join(line.rstrip(b"\r\n") + b"\r\n" for line in self.lines)


def split_calendar(data: bytes) -> list[bytes]:
    """The events of a text, each as a calendar object with the zones that it names.

    Raises NotReadable for what is no iCalendar, or ends in the middle.
    """
    objects: list[bytes] = []
    for blocks in _calendars(data):
        zones: dict[bytes, _Block] = {}
        for block in blocks:
            if block.name == b"VTIMEZONE":
                zones.setdefault(block.value(b"TZID") or b"", block)
        for group in _groups([block for block in blocks if block.name == b"VEVENT"]):
            body = b"".join(each.text for each in group)
            wanted = {match.group(1).strip() for match in _TZID.finditer(_unfolded(body))}
            defined = b"".join(zone.text for tzid, zone in zones.items() if tzid in wanted)
            objects.append(_HEADER + defined + body + b"END:VCALENDAR\r\n")
    return objects


def _groups(events: list[_Block]) -> Iterator[list[_Block]]:
    """Events that belong together: the same UID, one of them the series; a second one of a UID stands for itself."""
    by_uid: dict[bytes, list[_Block]] = {}
    for event in events:
        uid = event.value(b"UID")
        if not uid:
            yield [event]
            continue
        by_uid.setdefault(uid, []).append(event)
    for group in by_uid.values():
        masters = [each for each in group if each.value(b"RECURRENCE-ID") is None]
        exceptions = [each for each in group if each.value(b"RECURRENCE-ID") is not None]
        yield [*masters[:1], *exceptions]
        for each in masters[1:]:
            yield [each]


def _calendars(data: bytes) -> Iterator[list[_Block]]:
    """The components of each VCALENDAR; components that stand in none are taken as if they stood in one."""
    lines = _logical(_utf8(data))
    begins = [line.strip().upper() for line in lines if line[:6].upper() == b"BEGIN:"]
    if not begins:
        raise NotReadable("There is no calendar in the file.")
    if b"BEGIN:VCALENDAR" not in begins:
        lines = [b"BEGIN:VCALENDAR\r\n", *lines, b"END:VCALENDAR\r\n"]
    blocks: list[_Block] = []
    open_names: list[bytes] = []
    for line in lines:
        word, _, name = line.strip().upper().partition(b":")
        if not open_names:
            if line.strip().upper() == b"BEGIN:VCALENDAR":
                blocks, open_names = [], [name]
        elif word == b"BEGIN":
            if len(open_names) == 1:
                blocks.append(_Block(name, []))
            blocks[-1].lines.append(line)
            open_names.append(name)
        elif word == b"END":
            if open_names.pop() != name:
                raise NotReadable("A component ends that was not begun.")
            if not open_names:
                yield blocks
            else:
                blocks[-1].lines.append(line)
        elif len(open_names) > 1:
            blocks[-1].lines.append(line)
            if len(open_names) == 2:
                blocks[-1].own.append(_unfolded(line))
    if open_names:
        raise NotReadable("The file ends in the middle of a component.")


def _utf8(data: bytes) -> bytes:
    """The text as Nextcloud stores it: what is no UTF-8 is taken for Latin-1 (sabre/dav, StringUtil::ensureUTF8)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode()
    return data


def _logical(data: bytes) -> list[bytes]:
    """Lines with those that continue them."""
    found: list[bytes] = []
    for line in data.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True):
        if line[:1] in (b" ", b"\t") and found:
            found[-1] += line
        elif line.strip():
            found.append(line)
    return found


def _unfolded(text: bytes) -> bytes:
    return re.sub(rb"\r?\n[ \t]", b"", text)
