"""Reading contacts: a vCard (2.1, 3.0 or 4.0) → a neutral contact. Pure.

``contact_writing`` has the other direction. Which lines stand for which element is decided here once, by
``emails_of``, ``phones_of`` and their like, so that a patch changes the line that was read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from syncapp.items.contact import Contact
from syncapp.items.fields import address_key, digits
from syncapp.items.fields import line as plain
from syncapp.items.once import once
from syncapp.items.values import NO_YEAR, Email, Phone, Photo, PostalAddress, Privacy
from syncapp.nextcloud import content_lines, parsing
from syncapp.nextcloud.card_lines import meaning_of, parts_of, preferred, raw_text, text_of
from syncapp.nextcloud.card_spellings import (
    RARE,
    TEXTS,
    anniversary_line,
    ims_of,
    pages_of,
    relations_of,
    text_line,
)
from syncapp.nextcloud.content_lines import Component, Line
from syncapp.nextcloud.text_values import split, unescape
from syncapp.side import Unreadable

VOLATILE = frozenset({"REV", "PRODID"})
"""Lines that programs touch by themselves: they say nothing about whether a person edited the contact."""

NAME_PARTS = ("surname", "given_name", "middle_name", "prefix", "suffix")
"""The parts of N in their order (RFC 6350 section 6.2.2)."""
ADDRESS_PARTS = ("post_box", "office", "street", "city", "region", "postal_code", "country")
"""The parts of ADR in their order (RFC 6350 section 6.3.1). The extended address is the office in the one at work, as
MS-OXVCARD has it for ADR, and not ours to touch in others."""
NO_NAME = "?"
"""What FN says, which must say something, where there is nothing to say."""
CLASSES = {
    "PUBLIC": Privacy.NORMAL,
    "X-PERSONAL": Privacy.PERSONAL,
    "PRIVATE": Privacy.PRIVATE,
    "CONFIDENTIAL": Privacy.CONFIDENTIAL,
}
"""CLASS (RFC 2426 section 3.7.1)."""

_RARE_TEXTS = tuple(field for field in TEXTS if field != "job_title")
_DATE = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)
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
        name: dict[str, Any] = dict(zip(NAME_PARTS, (*self.parts("N"), "", "", "", "", ""), strict=False))
        web_page, personal_page = pages_of(card)
        return Contact(
            uid=self.uid,
            display_name="" if (name_to_show := self.value("FN")) == NO_NAME else name_to_show,
            nickname=", ".join(filter(None, self.listed("NICKNAME"))),
            company=company,
            department=department,
            job_title=self.value("TITLE"),
            emails=tuple(email for _, email in emails_of(card)),
            phones=tuple(phone for _, phone in phones_of(card)),
            addresses=tuple(address for _, address in addresses_of(card)),
            web_page=page_of(web_page),
            personal_page=page_of(personal_page),
            birthday=date_of(card.first("BDAY")),
            notes=self.value("NOTE"),
            categories=self._categories(),
            photo=photo_of(card)[1],
            **name,
            **(self._rare() if card.has_any(RARE) else {}),
        )

    def _rare(self) -> dict[str, Any]:
        """The values of fields that most cards say nothing about."""
        card = self.card
        people = relations_of(card)
        children: dict[str, str] = {}
        for _, name in people.get("children", ()):
            children.setdefault(plain(name).casefold(), name)
        return {
            **{field: text_of(line) for field in _RARE_TEXTS if (line := text_line(card, field)) is not None},
            **{field: named[0][1] for field, named in people.items() if field != "children"},
            "children": tuple(children.values()),
            "ims": tuple([text for _, text in ims_of(card)]),
            "anniversary": date_of(anniversary_line(card)),
            "privacy": self._privacy(),
        }

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

    def _privacy(self) -> Privacy:
        """CLASS; a class that nobody knows is private (RFC 5545 section 3.8.1.3)."""
        line = self.card.first("CLASS")
        word = "" if line is None else line.value.strip().upper()
        return CLASSES.get(word, Privacy.PRIVATE) if word else Privacy.NORMAL


def page_of(line: Line | None) -> str:
    """The web page that a line names."""
    return "" if line is None else text_of(line).strip()


def date_of(line: Line | None) -> date | None:
    """The day that a line names, in NO_YEAR where it says no year; None for one in words, or that does not exist."""
    if line is None:
        return None
    match = _DATE.fullmatch(text_of(line).strip())
    if match is None:
        return None
    year, month, day = match.groups()
    no_year = year == "--" or line.parameter("X-APPLE-OMIT-YEAR") == year
    try:
        return date(NO_YEAR if no_year else int(year), int(month), int(day))
    except ValueError:
        # The line is left alone, as are birthdays in words.
        return None


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


# Members of lists, with the lines that they stand in -------------------------------------------------------------


def emails_of(card: Component) -> list[tuple[Line, Email]]:
    """The mail addresses, the preferred first, each once."""
    found: dict[str, tuple[Line, Email]] = {}
    for line in preferred(card.all("EMAIL")):
        address = text_of(line).strip()
        if address:
            found.setdefault(address_key(address), (line, Email(address, meaning_of(line).place)))
    return list(found.values())


def phones_of(card: Component) -> list[tuple[Line, Phone]]:
    """The phone numbers, the preferred first; the second of the office or of home is called so."""
    found: dict[tuple[str, str], tuple[Line, Phone]] = {}
    taken: set[str] = set()
    for line in preferred(phone_lines(card)):
        number = number_of(text_of(line))
        if key := digits(number):
            label = counted(meaning_of(line).phone, taken)
            found.setdefault((label, key), (line, Phone(number, label)))
    return list(found.values())


def phone_lines(card: Component) -> Sequence[Line]:
    """The lines with phone numbers; Outlook has one of its own for those that TEL has no TYPE for."""
    others = card.all("X-MS-TEL")
    return [*card.all("TEL"), *others] if others else card.all("TEL")


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


def addresses_of(card: Component) -> list[tuple[Line, PostalAddress]]:
    """One postal address for each label, the preferred; further ones are not ours to touch."""
    found: dict[str, tuple[Line, PostalAddress]] = {}
    for line in preferred(card.all("ADR")):
        label = meaning_of(line).place or "other"
        if label not in found:
            address = _address(label, parts_of(line))
            if any(getattr(address, name) for name in ADDRESS_PARTS):
                found[label] = (line, address)
    return list(found.values())


def _address(label: str, parts: list[str]) -> PostalAddress:
    values = dict(zip(ADDRESS_PARTS, parts, strict=False))
    if label != "work":
        values.pop("office", None)
    return PostalAddress(label, **values)


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
