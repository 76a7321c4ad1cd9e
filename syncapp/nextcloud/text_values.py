"""The texts of content lines: escapes and lists in values, parameters, and how a new line is written and folded.

RFC 5545 sections 3.1 and 3.3.11, RFC 6350 section 3, RFC 6868 (circumflexes in parameters).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from syncapp.items.fields import line
from syncapp.nextcloud.content_lines import Line, Parameters, remembered

FOLD_AT = 75

# What no text may hold (RFC 5545 section 3.1: CONTROL is all but HTAB), and what XML, which carries it, refuses.
_UNSENDABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_TEXT = re.compile(r"\\([\\;,Nn])")


# Values ----------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """A text as it stands in a value (RFC 5545 section 3.3.11)."""
    return sendable(text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,"))


def unescape(value: str) -> str:
    """The text that a value stands for."""
    if "\\" not in value:
        return value
    if "\\\\" not in value:
        plain = value.replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";")
        if "\\" not in plain:
            return plain
    return _ESCAPED.sub(lambda match: "\n" if match.group(1) in "nN" else match.group(1), value)


def unescape_text(value: str) -> str:
    """The text that a value of iCalendar stands for.

    A backslash before any other character is just that (RFC 5545 section 3.3.11), as Nextcloud's calendar shows it.
    """
    if "\\" not in value:
        return value
    return _ESCAPED_TEXT.sub(lambda match: "\n" if match.group(1) in "nN" else match.group(1), value)


def held(text: str) -> str:
    """What becomes of a text in a value or a parameter: it is escaped and written, read and unescaped."""
    if text.isprintable():
        return text
    return "\n".join([_UNSENDABLE.sub(" ", each) for each in _one_line_break(text).split("\n")])


def held_text(text: str) -> str:
    """What becomes of a text that is written only if it says something."""
    if text.isprintable():
        return "" if text.isspace() else text
    return held(text) if line(text) else ""


def held_names(names: Iterable[str]) -> tuple[str, ...]:
    """What becomes of a list such as CATEGORIES."""
    return tuple(dict.fromkeys([name for each in names if line(each) and (name := held(each).strip())]))


def split(value: str, separator: str) -> list[str]:
    """The parts of a list or structure, still escaped; a separator behind a backslash does not separate."""
    if "\\" not in value:
        return value.split(separator)
    parts: list[str] = []
    start = at = 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] == separator:
            parts.append(value[start:at])
            start = at + 1
        at += 1
    parts.append(value[start:])
    return parts


def sendable(text: str) -> str:
    """``text`` with spaces for the characters that neither format may hold; line breaks are written "\\n"."""
    if text.isprintable():
        return text
    return _UNSENDABLE.sub(" ", _one_line_break(text).replace("\n", "\\n"))


def _one_line_break(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


# Lines -----------------------------------------------------------------------------------------------------------


def make_line(
    name: str, value: str, parameters: Parameters = (), group: str = "", line_end: bytes = b"\r\n", folded: bool = True
) -> Line:
    """A new line, folded; ``value`` is written as it is (see ``escape``), parameters are quoted where they must be.

    A parameter that follows one of the same name is written as its next value; ``folded=False`` is for vCard 2.1,
    which knows no such lists.
    """
    head = f"{group}.{name}" if group else name
    before = ""
    for key, text in parameters:
        head += f",{_quoted(text)}" if folded and key == before else f";{key}={_quoted(text)}"
        before = key
    raw = f"{head}:{sendable(value)}".encode()
    if folded and len(raw) > FOLD_AT:
        raw = fold(raw, line_end)
    return Line(name, group, raw + line_end)


@lru_cache(maxsize=256)
def constant_line(name: str, value: str, line_end: bytes = b"\r\n") -> Line:
    """A new line of which there are few; one that is written again is the same."""
    return make_line(name, value, line_end=line_end)


def fold(line: bytes, line_end: bytes = b"\r\n") -> bytes:
    """A line in pieces of at most 75 octets, cut between characters (RFC 5545 section 3.1)."""
    if len(line) <= FOLD_AT:
        return line
    pieces: list[bytes] = []
    start, room = 0, FOLD_AT
    while len(line) - start > room:
        end = start + room
        while line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[start:end])
        start, room = end, FOLD_AT - 1
    pieces.append(line[start:])
    return (line_end + b" ").join(pieces)


@remembered
def _quoted(text: str) -> str:
    # RFC 6868: a circumflex writes what a parameter can't hold.
    text = sendable(_one_line_break(text.replace("^", "^^")).replace("\n", "^n").replace('"', "^'"))
    return f'"{text}"' if any(each in text for each in ";:,") or text != text.strip() else text
