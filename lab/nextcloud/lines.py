"""Content lines (RFC 5545 section 3.1, RFC 6350 section 3.2) as a tree, to look at what was put.

Only for looking: what is stored is always the bytes that came. The few repairs that the real server makes work on
lines, so that everything else of a repaired object stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


class BrokenText(ValueError):
    """The text is not made of content lines, or its components do not nest."""


@dataclass(frozen=True)
class Property:
    """One content line: upper-case name without its group, parameters (upper-case names), raw value."""

    name: str
    parameters: dict[str, str]
    value: str


@dataclass
class Component:
    """What stands between a BEGIN and its END."""

    name: str
    properties: list[Property] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """The first property of that name."""
        return next((entry for entry in self.properties if entry.name == name), None)

    def text(self, name: str) -> str | None:
        """The first such property's value with backslash escapes undone."""
        found = self.first(name)
        return None if found is None else unescape(found.value)

    def all(self, name: str) -> list[Property]:
        """All properties of that name."""
        return [entry for entry in self.properties if entry.name == name]


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def unescape(value: str) -> str:
    """Undo the escapes of a TEXT value (RFC 5545 section 3.3.11)."""
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def unfold(text: str) -> list[str]:
    """The logical lines of a text; continuation lines are joined, empty lines dropped."""
    lines: list[str] = []
    for line in re.split(r"\r?\n", text):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += line[1:]
        elif line:
            lines.append(line)
    return lines


def fold(line: str) -> str:
    """A logical line as physical lines of at most 75 octets, with its line end."""
    parts: list[str] = []
    current = ""
    size = 0
    for character in line:
        width = len(character.encode())
        if size + width > 75:
            parts.append(current)
            current, size = " ", 1
        current += character
        size += width
    return "\r\n".join([*parts, current]) + "\r\n"


def parse_line(line: str) -> Property:
    """One logical line; raises BrokenText."""
    head, quoted = "", False
    for position, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            head, value = line[:position], line[position + 1 :]
            break
    else:
        raise BrokenText(f"a line without a value: {line[:60]!r}")
    name, *parameters = _split_unquoted(head)
    name = name.rpartition(".")[2].upper()
    if not re.fullmatch(r"[A-Z0-9_-]+", name):
        raise BrokenText(f"not a property name: {name[:60]!r}")
    found: dict[str, str] = {}
    for parameter in parameters:
        key, _, content = parameter.partition("=")
        found[key.upper()] = content.strip('"')
    return Property(name, found, value)


def _split_unquoted(head: str) -> Iterator[str]:
    current, quoted = "", False
    for character in head:
        if character == '"':
            quoted = not quoted
        if character == ";" and not quoted:
            yield current
            current = ""
        else:
            current += character
    yield current


def parse(text: str) -> Component:
    """The one component that a text consists of; raises BrokenText."""
    stack: list[Component] = []
    done: list[Component] = []
    for line in unfold(text):
        entry = parse_line(line)
        if entry.name == "BEGIN":
            stack.append(Component(entry.value.strip().upper()))
        elif not stack:
            raise BrokenText("a property outside of any component")
        elif entry.name == "END":
            ended = stack.pop()
            if ended.name != entry.value.strip().upper():
                raise BrokenText(f"{ended.name} ended by {entry.value[:40]!r}")
            (stack[-1].children if stack else done).append(ended)
        else:
            stack[-1].properties.append(entry)
    if stack or len(done) != 1:
        raise BrokenText("not exactly one complete component")
    return done[0]
