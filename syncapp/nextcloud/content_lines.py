"""iCalendar and vCard texts as content lines, without loss.

A text is read into components and lines that keep the bytes they came in: folding, order, spelling of parameters,
groups, line ends. A text that nobody changed is given back as it was; a changed one differs in the changed lines only
(RFC 5545 section 3.1, RFC 6350 section 3.3). Values stay text here; what they mean is for the codecs to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from syncapp.side import Unreadable

CALENDAR_BYTES = 10 * 1024 * 1024
CARD_BYTES = 5 * 1024 * 1024
"""What Nextcloud takes (docs/server-behaviour.md#section-3)."""
MAX_DEPTH = 8
MAX_LINES = 200_000
FOLD_AT = 75

Parameters = tuple[tuple[str, str], ...]
"""Names in capitals and values, in order; a parameter with several values stands once for each value."""

# A line goes on while the next one begins with a space or a tab.
_LOGICAL = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*\n?")
_NAME = re.compile(rb"(?:([A-Za-z0-9_-]+)\.)?([A-Za-z0-9_-]+)[ \t]*(?=[;:])")
_FOLD = re.compile(rb"\r?\n[ \t]")
_PARAMETER = re.compile(r';[ \t]*([^=;:"]+)(?:=((?:"[^"]*"|[^";:])*))?')
_PARAMETER_VALUE = re.compile(r'"([^"]*)"|([^,"]+)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# What no text may hold (RFC 5545 section 3.1: CONTROL is all but HTAB), and what XML, which carries it, refuses.
_UNSENDABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Line:
    """One content line: ``name`` in capitals, ``group`` ("" for none) and the bytes it stands in."""

    __slots__ = ("_head", "_text", "_value", "group", "name", "raw")

    def __init__(self, name: str, group: str, raw: bytes) -> None:
        self.name = name
        self.group = group
        self.raw = raw
        self._text: str | None = None
        self._head: str | None = None
        self._value = ""

    @property
    def text(self) -> str:
        """The whole line, unfolded, without its end."""
        if self._text is None:
            raw = self.raw
            stripped = raw.rstrip(b"\r\n")
            if b"\n" in stripped:
                stripped = _FOLD.sub(b"", stripped)
            self._text = _decoded(stripped)
        return self._text

    def _split(self) -> str:
        if self._head is None:
            text = self.text
            head, _, value = text.partition(":")
            if '"' in head:
                # A quoted parameter may hold the colon.
                at = _end_of_head(text)
                head, value = text[:at], text[at + 1 :]
            self._head, self._value = head, value
        return self._head

    @property
    def value(self) -> str:
        """Everything after the colon, escapes and all."""
        self._split()
        return self._value

    @property
    def parameters(self) -> Parameters:
        """The parameters; one without "=" (vCard 2.1) is read as a TYPE."""
        head = self._split()
        if ";" not in head:
            return ()
        found: list[tuple[str, str]] = []
        for match in _PARAMETER.finditer(head, head.index(";")):
            name, values = match.group(1).strip().upper(), match.group(2)
            if values is None:
                found.append(("TYPE", name))
            elif '"' not in values and "," not in values:
                found.append((name, _unescaped_parameter(values.strip())))
            else:
                found.extend(
                    (name, _unescaped_parameter(quoted or plain.strip()))
                    for quoted, plain in _PARAMETER_VALUE.findall(values)
                )
        return tuple(found)

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((value for key, value in self.parameters if key == name), default)

    def __repr__(self) -> str:
        return f"<Line {self.name}>"


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        # Written in a Western 8-bit set, as vCard 2.1 may be; Latin-1 knows every byte.
        return line.decode("latin-1")


def _end_of_head(text: str) -> int:
    quoted = False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            return at
    raise Unreadable("A line has a quoted parameter that does not end.")


@dataclass(slots=True)
class Component:
    """A BEGIN line, what stands in it, and its END line. ``name`` is in capitals."""

    name: str
    begin: Line
    end: Line
    content: list[Line | Component] = field(default_factory=list)

    @property
    def lines(self) -> Iterator[Line]:
        """The lines that stand directly in this component."""
        return (each for each in self.content if isinstance(each, Line))

    @property
    def components(self) -> Iterator[Component]:
        """The components that stand directly in this one."""
        return (each for each in self.content if isinstance(each, Component))

    def all(self, name: str) -> list[Line]:
        """The lines with this name."""
        return [each for each in self.content if isinstance(each, Line) and each.name == name]

    def first(self, name: str) -> Line | None:
        """The first line with this name."""
        for each in self.content:
            if isinstance(each, Line) and each.name == name:
                return each
        return None

    @property
    def line_end(self) -> bytes:
        """How lines end here; new ones follow suit."""
        return b"\r\n" if self.begin.raw.endswith(b"\r\n") else b"\n"

    def put(self, name: str, new: Iterable[Line]) -> None:
        """Make ``new`` the only lines with this name, in the place of the first, or after the last line."""
        self.replace([each for each in self.lines if each.name == name], new)

    def replace(self, old: Iterable[Line], new: Iterable[Line]) -> None:
        """Take ``old`` lines out and put ``new`` ones in the place of the first, or after the last line."""
        gone = {id(each) for each in old}
        at = next((index for index, each in enumerate(self.content) if id(each) in gone), None)
        kept_before = self.content[:at] if at is not None else self.content
        kept_after = [each for each in self.content[at:] if id(each) not in gone] if at is not None else []
        if at is None:
            # New lines stand before the first inner component: some readers want it so.
            at = next((index for index, each in enumerate(self.content) if isinstance(each, Component)), None)
            if at is not None:
                kept_before, kept_after = self.content[:at], self.content[at:]
        self.content = [*kept_before, *new, *kept_after]

    def add(self, line: Line) -> None:
        """Put one more line after the last one."""
        self.replace((), (line,))

    def remove(self, component: Component) -> None:
        """Take an inner component out."""
        self.content = [each for each in self.content if each is not component]

    def insert_after(self, component: Component | None, new: Component) -> None:
        """Put an inner component behind another, or at the end."""
        at = len(self.content)
        if component is not None:
            at = next(index for index, each in enumerate(self.content) if each is component) + 1
        self.content.insert(at, new)

    def raw(self) -> Iterator[bytes]:
        """The bytes of the component, line by line."""
        yield self.begin.raw
        for each in self.content:
            if isinstance(each, Line):
                yield each.raw
            else:
                yield from each.raw()
        yield self.end.raw


@dataclass(slots=True)
class Text:
    """A whole text: one component, and what stood around it (blank lines, a byte order mark)."""

    before: bytes
    root: Component
    after: bytes

    def __bytes__(self) -> bytes:
        return b"".join((self.before, *self.root.raw(), self.after))


def parse(data: bytes, name: str, limit: int) -> Text:
    """Read a text whose one component is called ``name`` (VCALENDAR, VCARD).

    Raises Unreadable when it is longer than ``limit`` bytes, or broken in a way that Nextcloud refuses too.
    """
    if len(data) > limit:
        raise Unreadable(f"The object is larger than {limit // 1024 // 1024} MiB.")
    logical = _LOGICAL.findall(data)
    if len(logical) > MAX_LINES:
        raise Unreadable(f"The object has more than {MAX_LINES} lines.")
    if b"QUOTED-PRINTABLE" in data or b"quoted-printable" in data:
        logical = _joined_soft_breaks(logical)
    before, root, at = _component(logical, name)
    after = logical[at:]
    if any(each.strip() for each in after):
        raise Unreadable(f"There is more behind the end of the {name}.")
    return Text(before, root, b"".join(after))


def _component(logical: list[bytes], wanted: str) -> tuple[bytes, Component, int]:
    """The first component of a text, what stood before it, and the index of the line behind it."""
    before: list[bytes] = []
    open_components: list[Component] = []
    match_name = _NAME.match
    for index, raw in enumerate(logical):
        match = match_name(raw)
        if match is None and b"\n" in raw.rstrip():
            # Folded inside of the name, which is allowed.
            match = match_name(_FOLD.sub(b"", raw))
        if match is None:
            if not open_components and not raw.strip(b"\xef\xbb\xbf \t\r\n"):
                before.append(raw)
                continue
            if not raw.strip():
                if not raw:
                    break
                open_components[-1].content.append(Line("", "", raw))
                continue
            match = match_name(raw, 3) if raw.startswith(b"\xef\xbb\xbf") and not open_components else None
            if match is None:
                raise Unreadable(f"Line {index + 1} is not a content line (name, colon, value).")
            before.append(raw[:3])
            raw = raw[3:]
        group, name = match.groups()
        name_text = name.upper().decode("ascii")
        line = Line(name_text, group.decode("ascii") if group else "", raw)
        if b":" not in raw:
            raise Unreadable(f"Line {index + 1} is not a content line (name, colon, value).")
        if name_text == "BEGIN":
            inner = line.value.strip().upper()
            if not open_components and inner != wanted:
                raise Unreadable(f"The text begins with {inner[:40]!r}, not with {wanted}.")
            if len(open_components) >= MAX_DEPTH:
                raise Unreadable(f"Components stand in one another more than {MAX_DEPTH} deep.")
            open_components.append(Component(inner, line, line))
        elif not open_components:
            raise Unreadable(f"Line {index + 1} stands outside of the {wanted}.")
        elif name_text == "END":
            closed = open_components.pop()
            if line.value.strip().upper() != closed.name:
                raise Unreadable(f"Line {index + 1} does not end the {closed.name[:40]} that was begun.")
            closed.end = line
            if not open_components:
                return b"".join(before), closed, index + 1
            open_components[-1].content.append(closed)
        else:
            open_components[-1].content.append(line)
    if open_components:
        raise Unreadable(f"The {open_components[-1].name[:40]} does not end: the text is cut off.")
    raise Unreadable(f"There is no {wanted} in the text.")


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


# Writing ---------------------------------------------------------------------------------------------------------


def make_line(
    name: str, value: str, parameters: Parameters = (), group: str = "", line_end: bytes = b"\r\n", folded: bool = True
) -> Line:
    """A new line, folded; ``value`` is written as it is (see ``escape``), parameters are quoted where they must be.

    A parameter that follows one of the same name is written as its next value; ``folded=False`` is for vCard 2.1,
    which knows no such lists.
    """
    texts = [f"{group}.{name}" if group else name]
    before = ""
    for key, text in parameters:
        texts.append(f",{_quoted(text)}" if folded and key == before else f";{key}={_quoted(text)}")
        before = key
    encoded = "".join((*texts, ":", sendable(value))).encode()
    raw = fold(encoded, line_end) if folded else encoded
    return Line(name, group, raw + line_end)


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


def sendable(text: str) -> str:
    """``text`` with spaces for the characters that neither format may hold; line breaks are written "\\n"."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return _UNSENDABLE.sub(" ", text)


def _quoted(text: str) -> str:
    # RFC 6868: a circumflex writes what a parameter can't hold.
    text = sendable(text.replace("^", "^^").replace("\r\n", "\n").replace("\n", "^n").replace('"', "^'"))
    return f'"{text}"' if any(each in text for each in ";:,") or text != text.strip() else text


def _unescaped_parameter(text: str) -> str:
    if "^" not in text:
        return text
    return re.sub(r"\^([n'^])", lambda match: {"n": "\n", "'": '"', "^": "^"}[match.group(1)], text)


# Text values -----------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """A text as it stands in a value (RFC 5545 section 3.3.11)."""
    return sendable(text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,"))


def unescape(value: str) -> str:
    """The text that a value stands for."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: "\n" if match.group(1) in "nN" else match.group(1), value)


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


def whole(root: Component, volatile: frozenset[str], skip: Callable[[Component], bool]) -> bytes:
    """The content of a component without its folding, without ``volatile`` lines and components to ``skip``.

    Equal for two readings of an object that nobody edited, also when the server wrote a line anew in between.
    """
    found: list[str] = []

    def walk(component: Component) -> None:
        found.append(f"BEGIN:{component.name}")
        for each in component.content:
            if isinstance(each, Component):
                if not skip(each):
                    walk(each)
            elif each.name and each.name not in volatile:
                found.append(each.text)
        found.append(f"END:{component.name}")

    walk(root)
    return "\n".join(found).encode(errors="surrogatepass")
