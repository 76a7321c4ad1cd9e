"""The lines of vCards (2.1, 3.0 and 4.0): what their parameters say, and the texts in their values. Pure."""

from __future__ import annotations

import quopri
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from syncapp.nextcloud.content_lines import Component, Head, Line
from syncapp.nextcloud.text_values import split, unescape
from syncapp.side import Unreadable

PLACES = ("work", "home", "other")
"""Labels that postal and mail addresses may have."""

_MAX_MEMBERS = 500
_PREFIXES = ("X-EVOLUTION-", "X-")
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")
# The most telling TYPE first: WORK,FAX is a fax, CELL,WORK a mobile phone.
_PHONE_LABELS = (
    ("PAGER", "pager"),
    ("CELL", "mobile"),
    ("MOBILE", "mobile"),
    ("IPHONE", "mobile"),
    ("CAR", "car"),
    ("ISDN", "isdn"),
    ("TTY", "tty"),
    ("TTY-TDD", "tty"),
    ("TTYTTD", "tty"),
    ("TTYTDD", "tty"),
    ("TEXTPHONE", "tty"),
    ("TELEX", "telex"),
    ("RADIO", "radio"),
    ("CALLBACK", "callback"),
    ("ASSISTANT", "assistant"),
    ("COMPANY", "company"),
    ("MAIN", "main"),
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the parameters of a line say.

    ``types`` are its TYPEs in capitals, without the prefixes that programs give to words of their own. ``preference``
    is 1 for the best and 101 when nothing is said (RFC 6350 section 5.3; vCard 3.0: TYPE=PREF). ``place`` is one of
    PLACES or nothing, ``phone`` what a TEL is called before numbers of one sort are counted.
    """

    types: frozenset[str] = frozenset()
    place: str = ""
    phone: str = "other"
    preference: int = 101
    encoding: str = ""
    charset: str = "utf-8"


_NOTHING = Meaning()


def meaning_of(line: Line) -> Meaning:
    """What the parameters of a line say."""
    head = line.head
    if not head.parameters:
        return _NOTHING
    # Heads of one line only would fill the memory.
    return _meaning_of_known(head) if head.size else _meaning_of(head)


def _meaning_of(head: Head) -> Meaning:
    types: set[str] = set()
    first: dict[str, str] = {}
    for name, value in head.parameters:
        first.setdefault(name, value)
        if name == "TYPE":
            types.update(map(_without_prefix, value.upper().split(",")))
    encoding = "QUOTED-PRINTABLE" if "QUOTED-PRINTABLE" in types else first.get("ENCODING", "").upper()
    pref = first.get("PREF", "")
    preference = min(int(pref[:4]), 100) if pref.isdecimal() else 1 if "PREF" in types else 101
    return Meaning(
        types=frozenset(types),
        place=next((each for each in PLACES if each.upper() in types), ""),
        phone=_phone_label(types),
        preference=preference,
        encoding=encoding,
        charset=first.get("CHARSET") or "utf-8",
    )


_meaning_of_known = lru_cache(maxsize=1024)(_meaning_of)


def _without_prefix(word: str) -> str:
    prefix = next((each for each in _PREFIXES if word.startswith(each)), "")
    return word.removeprefix(prefix).strip()


def raw_text(line: Line) -> str:
    """The value of a line with its escapes, decoded where vCard 2.1 encodes it."""
    if not line.head.parameters:
        return line.value
    meaning = meaning_of(line)
    if meaning.encoding != "QUOTED-PRINTABLE":
        return line.value
    value = re.sub(r"=\r?\n[ \t]?", "", line.value)
    data = quopri.decodestring(value.encode("latin-1", errors="replace"))
    try:
        return data.decode(meaning.charset)
    except (LookupError, UnicodeDecodeError):
        return data.decode("latin-1")


def text_of(line: Line) -> str:
    """The text that a line stands for."""
    return unescape(raw_text(line))


def parts_of(line: Line) -> list[str]:
    """The parts of a structured value, each as one text."""
    return [_one_text(each) for each in split(raw_text(line), ";")]


def _one_text(part: str) -> str:
    if "," not in part and "\\" not in part:
        return part.strip()
    return ", ".join([unescape(each).strip() for each in split(part, ",")]).strip()


def preferred(lines: Sequence[Line]) -> Sequence[Line]:
    """Lines with the preferred first, else in their order. Raises Unreadable for more than anybody has."""
    if len(lines) < 2:
        return lines
    found = sorted(lines, key=lambda line: meaning_of(line).preference)
    if len(found) > _MAX_MEMBERS:
        raise Unreadable(f"The contact has more than {_MAX_MEMBERS} addresses or numbers of one sort.")
    return found


def _phone_label(types: set[str]) -> str:
    if "FAX" in types:
        return "work-fax" if "WORK" in types else "home-fax" if "HOME" in types else "other-fax"
    for word, label in _PHONE_LABELS:
        if word in types:
            return label
    return "work" if "WORK" in types else "home" if "HOME" in types else "other"


def label_of(line: Line, card: Component) -> str:
    """The label that Apple's programs give to a line by another one of the same group, in small letters."""
    if not line.group:
        return ""
    for each in card.all("X-ABLABEL"):
        if each.group.lower() == line.group.lower():
            found = text_of(each).strip().lower()
            return _APPLE_LABEL.sub(r"\1", found)
    return ""
