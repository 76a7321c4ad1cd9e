"""Reading contacts: a vCard (2.1, 3.0 or 4.0) → a neutral contact. Pure.

``contact_writing`` has the other direction. Which lines stand for which element is decided here once, by
``emails_of``, ``phones_of`` and their like, so that a patch changes the line that was read.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from syncapp.items.contact import Contact
from syncapp.items.fields import address_key, digits
from syncapp.items.once import once
from syncapp.items.values import Email, Phone, Photo, PostalAddress
from syncapp.nextcloud import content_lines, parsing
from syncapp.nextcloud.content_lines import Component, Head, Line
from syncapp.nextcloud.text_values import split, unescape
from syncapp.side import Unreadable

VOLATILE = frozenset({"REV", "PRODID"})
"""Lines that programs touch by themselves: they say nothing about whether a person edited the contact."""

NAME_PARTS = ("surname", "given_name", "middle_name", "prefix", "suffix")
"""The parts of N in their order (RFC 6350 section 6.2.2)."""
ADDRESS_PARTS = ("street", "city", "region", "postal_code", "country")
"""The parts of ADR behind the post box and the extended address (RFC 6350 section 6.3.1)."""
FIRST_ADDRESS_PART = 2
PLACES = ("work", "home", "other")
"""Labels that postal and mail addresses may have."""

_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)
OMITTED_YEAR = 1604
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

    @once
    def card(self) -> Component:
        """The VCARD."""
        return self.text.root

    @once
    def uid(self) -> str:
        """The UID, "" without one."""
        return self.value("UID").strip()

    def value(self, name: str) -> str:
        """The text of the first line with this name, "" without one."""
        line = self.card.first(name)
        return "" if line is None else text_of(line)

    @once
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
        return found if found.year != OMITTED_YEAR else None


def parse(data: bytes) -> Card:
    """Read a vCard. Raises Unreadable, and its subclass OtherKind for a list of contacts."""
    text = parsing.parse(data, "VCARD", parsing.CARD_BYTES)
    if any(True for _ in text.root.components):
        raise Unreadable("The vCard holds another one.")
    version = text.root.first("VERSION")
    kind = text.root.first("KIND") or text.root.first("X-ADDRESSBOOKSERVER-KIND")
    if kind is not None and kind.value.strip().lower() == "group":
        raise OtherKind("The object is a list of contacts.")
    return Card(text, version.value.strip() if version else "3.0")


def whole(text: content_lines.Text) -> bytes:
    """The content that only people change."""
    return content_lines.whole(text.root, VOLATILE)


# Texts -----------------------------------------------------------------------------------------------------------


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
    return ", ".join(map(unescape, split(part, ","))).strip()


def _preferred(lines: Sequence[Line]) -> Sequence[Line]:
    if len(lines) < 2:
        return lines
    found = sorted(lines, key=lambda line: meaning_of(line).preference)
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
            found.setdefault(address_key(address), (line, Email(address, meaning_of(line).place)))
    return list(found.values())


def phones_of(card: Component) -> list[tuple[Line, Phone]]:
    """The phone numbers, the preferred first; the second of the office or of home is called so."""
    found: dict[tuple[str, str], tuple[Line, Phone]] = {}
    taken: set[str] = set()
    for line in _preferred(card.all("TEL")):
        number = number_of(text_of(line))
        if key := digits(number):
            label = counted(meaning_of(line).phone, taken)
            found.setdefault((label, key), (line, Phone(number, label)))
    return list(found.values())


def number_of(text: str) -> str:
    """The phone number in what a TEL says."""
    number = text.strip()
    return number[4:] if number[:4].lower() == "tel:" else number


def counted(label: str, taken: set[str]) -> str:
    """What the next number with a label is called when some are ``taken``, which it then is, too."""
    if label in ("work", "home") and label in taken:
        label += "-2"
    taken.add(label)
    return label


def _phone_label(types: set[str]) -> str:
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
        label = meaning_of(line).place or "other"
        if any(parts):
            found.setdefault(label, (line, PostalAddress(label, *parts)))
    return list(found.values())


def photo_of(card: Component) -> tuple[Line | None, Photo | None]:
    """The picture that stands in the card; one that is somewhere on the net is not fetched and not ours to touch."""
    for line in card.all("PHOTO"):
        value = line.value.strip()
        meaning = meaning_of(line)
        media_type = ""
        if value[:5].lower() == "data:":
            head, _, value = value[5:].partition(",")
            media_type, _, mode = head.partition(";")
            if "base64" not in mode.lower():
                continue
        elif meaning.encoding not in ("B", "BASE64") and "BASE64" not in meaning.types:
            continue
        data = _base64(value)
        if data:
            return line, Photo(data, signature_of(data) or media_type.lower() or media_type_of(line))
    return None, None


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.replace("\\", "").split()), validate=True)
    except (binascii.Error, ValueError):
        # A damaged picture is no picture, and no reason to leave the contact behind.
        return b""


def signature_of(data: bytes) -> str:
    """The media type of a picture by how it begins, "" for one that we do not know."""
    return next((media for signature, media in _SIGNATURES if data.startswith(signature)), "")


def media_type_of(line: Line) -> str:
    """The media type of a picture by what its line says."""
    words = meaning_of(line).types - {"BASE64", "PREF"}
    word = next(iter(sorted(words)), "jpeg").lower()
    return word if "/" in word else f"image/{word}"
