"""Reading contacts: a vCard (2.1, 3.0 or 4.0) → a neutral contact. Pure.

``contact_writing`` has the other direction. Which lines stand for which element is decided here once, by
``emails_of``, ``phones_of`` and their like, so that a patch changes the line that was read.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from syncapp.items.contact import Contact
from syncapp.items.fields import address_key, digits
from syncapp.items.values import Email, Phone, Photo, PostalAddress
from syncapp.nextcloud import content_lines
from syncapp.nextcloud.content_lines import Component, Line, split, unescape
from syncapp.side import Unreadable

VOLATILE = frozenset({"REV", "PRODID"})
"""Lines that programs touch by themselves: they say nothing about whether a person edited the contact."""

NAME_PARTS = ("surname", "given_name", "middle_name", "prefix", "suffix")
"""The parts of N in their order (RFC 6350 section 6.2.2)."""
ADDRESS_PARTS = ("street", "city", "region", "postal_code", "country")
"""The parts of ADR behind the post box and the extended address (RFC 6350 section 6.3.1)."""
FIRST_ADDRESS_PART = 2

_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)
_OMITTED_YEAR = 1604
"""What Apple writes for a birthday without a year."""
_MAX_MEMBERS = 500
_PREFIXES = ("X-EVOLUTION-", "X-")
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
    ("TEXTPHONE", "tty"),
    ("TELEX", "telex"),
    ("RADIO", "radio"),
    ("CALLBACK", "callback"),
    ("ASSISTANT", "assistant"),
    ("COMPANY", "company"),
    ("MAIN", "main"),
)
_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"BM", "image/bmp"),
)


class OtherKind(Unreadable):
    """The object is no person or organisation (a list of contacts): nothing of ours, and no problem."""


@dataclass
class Card:
    """A parsed vCard."""

    text: content_lines.Text
    version: str

    @property
    def card(self) -> Component:
        """The VCARD."""
        return self.text.root

    @cached_property
    def uid(self) -> str:
        """The UID, "" without one."""
        return self.value("UID").strip()

    def value(self, name: str) -> str:
        """The text of the first line with this name, "" without one."""
        line = self.card.first(name)
        return "" if line is None else text_of(line)

    @cached_property
    def contact(self) -> Contact:
        """The neutral contact. Raises Unreadable."""
        card = self.card
        company, department = (*self.parts("ORG"), "", "")[:2]
        name = dict(zip(NAME_PARTS, (*self.parts("N"), "", "", "", "", ""), strict=False))
        return Contact(
            uid=self.uid,
            display_name=self.value("FN"),
            nickname=", ".join(filter(None, self.listed("NICKNAME"))),
            company=company,
            department=department,
            job_title=self.value("TITLE"),
            emails=tuple(email for _, email in emails_of(card)),
            phones=tuple(phone for _, phone in phones_of(card)),
            addresses=tuple(address for _, address in addresses_of(card)),
            web_page=self.value("URL").strip(),
            birthday=self._birthday(),
            notes=self.value("NOTE"),
            categories=self._categories(),
            photo=photo_of(card)[1],
            **name,
        )

    def parts(self, name: str) -> list[str]:
        """The parts of a structured value such as N or ORG; a part with several values is one text (``N``'s names)."""
        line = self.card.first(name)
        return [] if line is None else parts_of(line)

    def listed(self, name: str) -> list[str]:
        """The values of a list such as NICKNAME."""
        line = self.card.first(name)
        return [] if line is None else [unescape(each).strip() for each in split(raw_text(line), ",")]

    def _categories(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for line in self.card.all("CATEGORIES"):
            for each in split(raw_text(line), ","):
                if name := unescape(each).strip():
                    found[name] = None
        return tuple(found)

    def _birthday(self) -> date | None:
        """The birthday, None for one without a year: that one stays where it is."""
        match = _DATE.fullmatch(self.value("BDAY").strip())
        line = self.card.first("BDAY")
        if match is None or line is None or line.parameter("X-APPLE-OMIT-YEAR") == match.group(1):
            return None
        try:
            found = date(*map(int, match.groups()))
        except ValueError:
            # A day that does not exist; the line is left alone, as are birthdays in words.
            return None
        return found if found.year != _OMITTED_YEAR else None


def parse(data: bytes) -> Card:
    """Read a vCard. Raises Unreadable, and its subclass OtherKind for a list of contacts."""
    text = content_lines.parse(data, "VCARD", content_lines.CARD_BYTES)
    if any(True for _ in text.root.components):
        raise Unreadable("The vCard holds another one.")
    version = text.root.first("VERSION")
    kind = text.root.first("KIND") or text.root.first("X-ADDRESSBOOKSERVER-KIND")
    if kind is not None and kind.value.strip().lower() == "group":
        raise OtherKind("The object is a list of contacts.")
    return Card(text, version.value.strip() if version else "3.0")


def whole(text: content_lines.Text) -> bytes:
    """The content that only people change."""
    return content_lines.whole(text.root, VOLATILE, lambda _: False)


# Texts -----------------------------------------------------------------------------------------------------------


def raw_text(line: Line) -> str:
    """The value of a line with its escapes, decoded where vCard 2.1 encodes it."""
    encoding = line.parameter("ENCODING").upper()
    quoted_printable = encoding == "QUOTED-PRINTABLE" or ("TYPE", "QUOTED-PRINTABLE") in line.parameters
    if not quoted_printable:
        return line.value
    value = re.sub(r"=\r?\n[ \t]?", "", line.value)
    data = quopri.decodestring(value.encode("latin-1", errors="replace"))
    try:
        return data.decode(line.parameter("CHARSET") or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return data.decode("latin-1")


def text_of(line: Line) -> str:
    """The text that a line stands for."""
    return unescape(raw_text(line))


def parts_of(line: Line) -> list[str]:
    """The parts of a structured value, each as one text."""
    return [", ".join(map(unescape, split(each, ","))).strip() for each in split(raw_text(line), ";")]


def types_of(line: Line) -> frozenset[str]:
    """The TYPEs of a line in capitals, without the prefixes that programs give to words of their own."""
    found = set()
    for name, value in line.parameters:
        if name == "TYPE":
            for word in value.upper().split(","):
                prefix = next((each for each in _PREFIXES if word.startswith(each)), "")
                found.add(word.removeprefix(prefix).strip())
    return frozenset(found)


def _preference(line: Line) -> int:
    """How much a line is preferred: 1 is best, 101 says nothing (RFC 6350 section 5.3; vCard 3.0: TYPE=PREF)."""
    pref = line.parameter("PREF")
    if pref.isdecimal():
        return min(int(pref[:4]), 100)
    return 1 if "PREF" in types_of(line) else 101


def _preferred(lines: Iterable[Line]) -> list[Line]:
    found = sorted(lines, key=_preference)
    if len(found) > _MAX_MEMBERS:
        raise Unreadable(f"The contact has more than {_MAX_MEMBERS} addresses or numbers of one sort.")
    return found


# Members of lists, with the lines that they stand in -------------------------------------------------------------


def emails_of(card: Component) -> list[tuple[Line, Email]]:
    """The mail addresses, the preferred first, each once."""
    found: dict[str, tuple[Line, Email]] = {}
    for line in _preferred(card.all("EMAIL")):
        address = text_of(line).strip()
        if address:
            found.setdefault(address_key(address), (line, Email(address, _place(line, ""))))
    return list(found.values())


def phones_of(card: Component) -> list[tuple[Line, Phone]]:
    """The phone numbers, the preferred first; the second of the office or of home is called so."""
    found: dict[tuple[str, str], tuple[Line, Phone]] = {}
    taken: set[str] = set()
    for line in _preferred(card.all("TEL")):
        number = text_of(line).strip()
        if number[:4].lower() == "tel:":
            number = number[4:]
        label = phone_label(line)
        if label in ("work", "home") and label in taken:
            label += "-2"
        if digits(number):
            taken.add(label)
            found.setdefault((label, digits(number)), (line, Phone(number, label)))
    return list(found.values())


def phone_label(line: Line) -> str:
    """What a TEL is called by its TYPEs, before numbers of one sort are counted."""
    types = types_of(line)
    if "FAX" in types:
        return "work-fax" if "WORK" in types else "home-fax" if "HOME" in types else "other-fax"
    for word, label in _PHONE_LABELS:
        if word in types:
            return label
    return "work" if "WORK" in types else "home" if "HOME" in types else "other"


def addresses_of(card: Component) -> list[tuple[Line, PostalAddress]]:
    """One postal address for each label, the preferred; further ones are not ours to touch."""
    found: dict[str, tuple[Line, PostalAddress]] = {}
    for line in _preferred(card.all("ADR")):
        parts = [*parts_of(line), *[""] * 7][FIRST_ADDRESS_PART:7]
        label = _place(line, "other")
        if any(parts):
            found.setdefault(label, (line, PostalAddress(label, *parts)))
    return list(found.values())


def _place(line: Line, default: str) -> str:
    types = types_of(line)
    return next((each for each in ("work", "home", "other") if each.upper() in types), default)


def photo_of(card: Component) -> tuple[Line | None, Photo | None]:
    """The picture that stands in the card; one that is somewhere on the net is not fetched and not ours to touch."""
    for line in card.all("PHOTO"):
        value = line.value.strip()
        encoding = line.parameter("ENCODING").upper()
        media_type = ""
        if value[:5].lower() == "data:":
            head, _, value = value[5:].partition(",")
            media_type, _, mode = head.partition(";")
            if "base64" not in mode.lower():
                continue
        elif encoding not in ("B", "BASE64") and ("TYPE", "BASE64") not in line.parameters:
            continue
        data = _base64(value)
        if data:
            return line, Photo(data, _media_type(data) or media_type.lower() or _typed(line))
    return None, None


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"[\s\\]", "", value), validate=True)
    except (binascii.Error, ValueError):
        # A damaged picture is no picture, and no reason to leave the contact behind.
        return b""


def _media_type(data: bytes) -> str:
    return next((media for signature, media in _SIGNATURES if data.startswith(signature)), "")


def _typed(line: Line) -> str:
    words = types_of(line) - {"BASE64", "PREF"}
    word = next(iter(sorted(words)), "jpeg").lower()
    return word if "/" in word else f"image/{word}"
