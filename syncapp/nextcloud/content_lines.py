"""iCalendar and vCard texts as content lines, without loss.

``parsing`` reads a text into components and lines that keep the bytes they came in: folding, order, spelling of
parameters, groups, line ends. A text that nobody changed is given back as it was; a changed one differs in the changed
lines only (RFC 5545 section 3.1, RFC 6350 section 3.3). Values stay text here; ``text_values`` has what is in them.

Thousands of objects are read in a row, and their lines resemble each other: what depends on the head of a line only is
worked out once for each spelling, and values when somebody asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from syncapp.side import Unreadable

Parameters = tuple[tuple[str, str], ...]
"""Names in capitals and values, in order; a parameter with several values stands once for each value."""

FOLD = re.compile(rb"\r?\n[ \t]")
_PARAMETER = re.compile(r';[ \t]*([^=;:"]+)(?:=((?:"[^"]*"|[^";:])*))?')
_PARAMETER_VALUE = re.compile(r'"([^"]*)"|([^,"]+)')
_CIRCUMFLEX = re.compile(r"\^([n'^])")
_REMEMBERED, _SHORT = 4096, 128

_Text = TypeVar("_Text", str, bytes)
_Result = TypeVar("_Result")


def remembered(read: Callable[[_Text], _Result]) -> Callable[[_Text], _Result]:
    """``read`` with a memory for short texts, as most are that come again; long ones could fill it."""
    known = lru_cache(_REMEMBERED)(read)

    def call(text: _Text) -> _Result:
        return known(text) if len(text) <= _SHORT else read(text)

    return call


class Head:
    """What stands before the colon: name, group ("" for none) and parameters. Many lines share one.

    A parameter without "=" (vCard 2.1) is read as a TYPE.

    ``size`` is how many bytes it takes, the colon included; 0 for one that is a single line's own.
    """

    __slots__ = ("group", "name", "parameters", "size")

    def __init__(self, name: str, group: str, text: str, size: int) -> None:
        self.name = name
        self.group = group
        self.parameters = _parameters_in(text)
        self.size = size


class Line:
    """One content line: ``name`` in capitals, ``group`` ("" for none) and the bytes it stands in. It never changes.

    ``head`` is given where it is known; else the line is taken apart when somebody asks for its value.
    """

    __slots__ = ("_head", "_value", "group", "name", "raw")

    def __init__(self, name: str, group: str, raw: bytes, head: Head | None = None) -> None:
        self.name = name
        self.group = group
        self.raw = raw
        self._head = head
        self._value: str | None = None

    @property
    def head(self) -> Head:
        """Everything before the colon. Raises Unreadable when it has no end."""
        if self._head is None:
            text = _text_of(self.raw)
            at = _end_of_head(text) if '"' in text.partition(":")[0] else text.index(":")
            self._head, self._value = Head(self.name, self.group, text[:at], 0), text[at + 1 :]
        return self._head

    @property
    def value(self) -> str:
        """Everything after the colon, escapes and all. Raises Unreadable when there is no such place."""
        if self._value is None:
            head = self._head or self.head
            # A head of one line only is found out together with the value.
            if self._value is None:
                self._value = _text_of(self.raw[head.size :])
        return self._value

    @property
    def parameters(self) -> Parameters:
        """The parameters; one without "=" (vCard 2.1) is read as a TYPE."""
        return self.head.parameters

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        for key, value in self.head.parameters:
            if key == name:
                return value
        return default

    def __repr__(self) -> str:
        return f"<Line {self.name}>"


def _text_of(raw: bytes) -> str:
    raw = raw.rstrip(b"\r\n")
    # find(): "in" tries first whether what it is asked for is a number, and that costs three times as much.
    if raw.find(b"\n") >= 0:
        raw = FOLD.sub(b"", raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # Written in a Western 8-bit set, as vCard 2.1 may be; Latin-1 knows every byte.
        return raw.decode("latin-1")


def _end_of_head(text: str) -> int:
    quoted = False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            return at
    raise Unreadable("A line has a quoted parameter that does not end.")


def _parameters_in(head: str) -> Parameters:
    if ";" not in head:
        return ()
    found: list[tuple[str, str]] = []
    for match in _PARAMETER.finditer(head, head.index(";")):
        name, values = match.group(1).strip().upper(), match.group(2)
        if values is None:
            found.append(("TYPE", name))
        elif '"' not in values and "," not in values:
            found.append((name, _unescaped(values.strip())))
        else:
            found.extend(
                (name, _unescaped(quoted or plain.strip())) for quoted, plain in _PARAMETER_VALUE.findall(values)
            )
    return tuple(found)


def _unescaped(text: str) -> str:
    if "^" not in text:
        return text
    return _CIRCUMFLEX.sub(lambda match: {"n": "\n", "'": '"', "^": "^"}[match.group(1)], text)


@dataclass(slots=True)
class Component:
    """A BEGIN line, what stands in it, and its END line. ``name`` is in capitals.

    ``content`` is changed by the methods only, which know what was found in it.
    """

    name: str
    begin: Line
    end: Line
    content: list[Line | Component] = field(default_factory=list)
    _found: tuple[dict[str, list[Line]], list[Component]] | None = field(default=None, repr=False, compare=False)

    def _parts(self) -> tuple[dict[str, list[Line]], list[Component]]:
        """The lines that stand directly in this component by their names, and the components that do."""
        if self._found is None:
            lines: dict[str, list[Line]] = {}
            components: list[Component] = []
            for each in self.content:
                if isinstance(each, Component):
                    components.append(each)
                elif each.name in lines:
                    lines[each.name].append(each)
                else:
                    lines[each.name] = [each]
            self._found = lines, components
        return self._found

    @property
    def lines(self) -> list[Line]:
        """The lines that stand directly in this component."""
        return [each for each in self.content if isinstance(each, Line)]

    @property
    def components(self) -> Sequence[Component]:
        """The components that stand directly in this one."""
        return self._parts()[1]

    def all(self, name: str) -> Sequence[Line]:
        """The lines with this name."""
        return (self._found or self._parts())[0].get(name, ())

    def first(self, name: str) -> Line | None:
        """The first line with this name."""
        found = (self._found or self._parts())[0].get(name)
        return found[0] if found else None

    def has_any(self, names: AbstractSet[str]) -> bool:
        """Whether there is a line with one of these names."""
        return not (self._found or self._parts())[0].keys().isdisjoint(names)

    @property
    def line_end(self) -> bytes:
        """How lines end here; new ones follow suit."""
        return b"\r\n" if self.begin.raw.endswith(b"\r\n") else b"\n"

    def put(self, name: str, new: Sequence[Line]) -> None:
        """Make ``new`` the only lines with this name, in the place of the first, or after the last line."""
        old = self.all(name)
        if old or new:
            self.replace(old, new)

    def replace(self, old: Iterable[Line], new: Sequence[Line]) -> None:
        """Take ``old`` lines out and put ``new`` ones in the place of the first, or after the last line."""
        gone = {id(each) for each in old}
        at = next((index for index, each in enumerate(self.content) if id(each) in gone), None) if gone else None
        if at is not None:
            kept = [each for each in self.content if id(each) not in gone]
            self.content = [*kept[:at], *new, *kept[at:]]
            self._found = None
            return
        for each in new:
            self.add(each)

    def add(self, line: Line) -> None:
        """Put one more line after the last one, before the first inner component: some readers want it so."""
        lines, components = self._parts()
        if components:
            self.content.insert(self._index(components[0]), line)
        else:
            self.content.append(line)
        lines.setdefault(line.name, []).append(line)

    def remove(self, component: Component) -> None:
        """Take an inner component out."""
        del self.content[self._index(component)]
        self._found = None

    def insert(self, new: Component, before: Component | None = None) -> None:
        """Put an inner component before another, or at the end."""
        self.content.insert(len(self.content) if before is None else self._index(before), new)
        self._found = None

    def insert_after(self, component: Component, new: Component) -> None:
        """Put an inner component behind another."""
        self.content.insert(self._index(component) + 1, new)
        self._found = None

    def _index(self, component: Component) -> int:
        return next(index for index, each in enumerate(self.content) if each is component)

    def raw(self) -> list[bytes]:
        """The bytes of the component, line by line."""
        found = [self.begin.raw]
        for each in self.content:
            if isinstance(each, Line):
                found.append(each.raw)
            else:
                found += each.raw()
        found.append(self.end.raw)
        return found


@dataclass(slots=True)
class Text:
    """A whole text: one component, and what stood around it (blank lines, a byte order mark)."""

    before: bytes
    root: Component
    after: bytes

    def __bytes__(self) -> bytes:
        return b"".join((self.before, *self.root.raw(), self.after))


def whole(root: Component, volatile: frozenset[str], skipped: str = "") -> bytes:
    """The content of a component without its folding, ``volatile`` lines, and components called ``skipped``.

    Equal for two readings of an object that nobody edited, also when the server wrote a line anew in between.
    """
    found: list[bytes] = []

    def walk(component: Component) -> None:
        found.append(b"BEGIN:" + component.name.encode() + b"\n")
        for each in component.content:
            if isinstance(each, Component):
                if each.name != skipped:
                    walk(each)
            elif each.name and each.name not in volatile:
                found.append(each.raw)
        found.append(b"END:" + component.name.encode() + b"\n")

    walk(root)
    return b"".join(found).replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"")
