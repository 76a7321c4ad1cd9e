"""Writing contacts: a neutral contact → a new vCard 3.0, or changes to a stored vCard. Pure.

A stored card is patched in its own version: lines that say nothing about a changed element stay byte for byte.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncapp.items.contact import Contact
from syncapp.items.elements import Element
from syncapp.items.fields import address_key, digits, line
from syncapp.items.values import Email, Phone, Photo, PostalAddress
from syncapp.nextcloud.calendar_values import stamp_text
from syncapp.nextcloud.contacts import (
    ADDRESS_PARTS,
    FIRST_ADDRESS_PART,
    NAME_PARTS,
    Card,
    addresses_of,
    emails_of,
    meaning_of,
    parse,
    phones_of,
    photo_of,
    raw_text,
)
from syncapp.nextcloud.content_lines import Component, Line, Parameters, Text
from syncapp.nextcloud.event_writing import PRODUCT
from syncapp.nextcloud.text_values import constant_line, escape, make_line, sendable, split
from syncapp.side import Refused

PHONE_TYPES: Mapping[str, tuple[str, ...]] = {
    "work": ("WORK", "VOICE"),
    "work-2": ("WORK", "VOICE"),
    "home": ("HOME", "VOICE"),
    "home-2": ("HOME", "VOICE"),
    "mobile": ("CELL",),
    "work-fax": ("WORK", "FAX"),
    "home-fax": ("HOME", "FAX"),
    "other-fax": ("FAX",),
    "pager": ("PAGER",),
    "car": ("CAR",),
    "isdn": ("ISDN",),
    "main": ("X-MAIN",),
    "assistant": ("X-ASSISTANT",),
    "callback": ("X-CALLBACK",),
    "company": ("X-COMPANY",),
    "radio": ("X-RADIO",),
    "telex": ("X-TELEX",),
    "tty": ("X-TTY",),
    "other": ("VOICE",),
}
_ORDER = (
    "name",
    "display_name",
    "nickname",
    "organisation",
    "job_title",
    "emails",
    "phones",
    "addresses",
    "web_page",
    "birthday",
    "notes",
    "categories",
    "photo",
)
_HEADER = (("VERSION", "3.0"), ("PRODID", PRODUCT))
_PLACES = frozenset({"WORK", "HOME", "OTHER"})


def new(contact: Contact, uid: str, now: datetime) -> Text:
    """A new vCard 3.0 for ``contact``; ``now`` is in UTC and becomes its REV."""
    lines: list[Line | Component] = [constant_line(name, value) for name, value in _HEADER]
    lines.append(make_line("UID", escape(uid)))
    card = Component("VCARD", constant_line("BEGIN", "VCARD"), constant_line("END", "VCARD"), lines)
    writer = _Writer(Card(Text(b"", card, b""), "3.0"), contact)
    for name in _ORDER:
        _WRITERS[name](writer)
    return writer.finished(now)


def patch(data: bytes, contact: Contact, changed: Collection[Element], now: datetime) -> Text:
    """The stored card with the ``changed`` elements as they are in ``contact``, everything else as it was.

    Raises Unreadable for a stored object that could not have been read.
    """
    names = {_LINE_OF.get(element[0], element[0]) for element in changed}
    stored = parse(data)
    if not names:
        return stored.text
    writer = _Writer(stored, contact)
    for name in _ORDER:
        if name in names:
            _WRITERS[name](writer)
    return writer.finished(now)


def again(data: bytes, uid: str, now: datetime) -> Text:
    """A former card as it was, to be stored once more with a UID that it may not have had.

    Raises Unreadable for one that could not have been read.
    """
    stored = parse(data)
    writer = _Writer(stored, stored.contact)
    if stored.uid != uid:
        stored.card.put("UID", [writer.line("UID", escape(uid))])
    return writer.finished(now)


def check(contact: Contact, uid: str) -> None:
    """Raise Refused for what Nextcloud is known to answer with an error that says nothing."""
    del contact
    if len(uid) > 255:
        raise Refused("The contact's UID is longer than 255 characters, which Nextcloud can't store.")


def display_name_of(contact: Contact) -> str:
    """What FN says, which must say something: the display name, or what comes closest to it."""
    if line(contact.display_name):
        return contact.display_name
    given_and_surname = " ".join(filter(None, map(line, (contact.given_name, contact.surname))))
    numbers = (*(each.address for each in contact.emails), *(each.number for each in contact.phones))
    candidates = (given_and_surname, contact.company, contact.nickname, *numbers)
    return next((each for each in candidates if line(each)), "?")


@dataclass
class _Writer:
    """Writes the values of ``contact`` into a card, in the card's version and with its line ends."""

    stored: Card
    contact: Contact

    def __post_init__(self) -> None:
        self.card = self.stored.card
        self.line_end = self.card.line_end
        self.old = self.stored.version.startswith("2")

    def finished(self, now: datetime) -> Text:
        """The card with its new REV."""
        self.card.put("REV", [self.line("REV", stamp_text(now))])
        return self.stored.text

    # Lines -------------------------------------------------------------------------------------------------------

    def line(self, name: str, value: str, parameters: Parameters = (), group: str = "") -> Line:
        """A new line; ``value`` holds its escapes. vCard 2.1 has other rules for what is not plain ASCII."""
        value = sendable(value)
        if self.old and not value.isascii():
            value = quopri.encodestring(value.encode(), quotetabs=True).decode("ascii").replace("=\n", "")
            parameters = (*parameters, ("CHARSET", "UTF-8"), ("ENCODING", "QUOTED-PRINTABLE"))
        if not self.old:
            parameters = _merged(parameters)
        return make_line(name, value, parameters, group, self.line_end, folded=not self.old)

    def put(self, name: str, value: str) -> None:
        """Make a property's first line say ``value``, its parameters and group kept; without a value it goes."""
        old = self.card.first(name)
        new_lines: list[Line] = []
        if value:
            kept = tuple(each for each in old.parameters if each[0] not in _ENCODINGS) if old else ()
            new_lines = [self.line(name, value, kept, old.group if old else "")]
        self.card.replace([old] if old else (), new_lines)

    def put_text(self, name: str, text: str) -> None:
        """``put`` for a plain text."""
        self.put(name, escape(text) if line(text) else "")

    def put_parts(self, name: str, values: Mapping[int, str], at_least: int) -> None:
        """Make some parts of a structured value say other texts; parts that say the same keep their spelling."""
        old = self.card.first(name)
        parts = split(raw_text(old), ";") if old else []
        readable = self.stored.parts(name)
        length = max(at_least, len(parts), *(index + 1 for index in values))
        parts += [""] * (length - len(parts))
        readable += [""] * (length - len(readable))
        for index, text in values.items():
            if (new_text := line(text)) != line(readable[index]):
                parts[index] = escape(new_text)
        while len(parts) > at_least and not parts[-1]:
            parts.pop()
        self.put(name, ";".join(parts) if any(parts) or name == "N" else "")

    # Single values -----------------------------------------------------------------------------------------------

    def write_name(self) -> None:
        self.put_parts("N", {index: getattr(self.contact, name) for index, name in enumerate(NAME_PARTS)}, 5)

    def write_display_name(self) -> None:
        self.put("FN", escape(display_name_of(self.contact)))

    def write_nickname(self) -> None:
        self.put_text("NICKNAME", self.contact.nickname)

    def write_organisation(self) -> None:
        values = {0: self.contact.company, 1: self.contact.department}
        self.put_parts("ORG", values, 2 if line(self.contact.department) else 1)

    def write_job_title(self) -> None:
        self.put_text("TITLE", self.contact.job_title)

    def write_web_page(self) -> None:
        # A URI has no escapes in vCard 4.0, and Nextcloud's own client writes none in 3.0.
        self.put("URL", line(self.contact.web_page).replace("\\", "\\\\").replace(" ", "%20"))

    def write_birthday(self) -> None:
        birthday = self.contact.birthday
        old = self.card.first("BDAY")
        value = birthday.isoformat() if birthday else ""
        if self.stored.version.startswith("4"):
            value = value.replace("-", "")
        self.card.replace([old] if old else (), [self.line("BDAY", value)] if value else ())

    def write_notes(self) -> None:
        self.put_text("NOTE", self.contact.notes)

    def write_categories(self) -> None:
        value = ",".join(escape(each) for each in self.contact.categories if line(each))
        self.card.put("CATEGORIES", [self.line("CATEGORIES", value)] if value else ())

    def write_photo(self) -> None:
        photo = self.contact.photo
        old, now_there = photo_of(self.card)
        if photo is None:
            self.card.replace([old] if old else (), ())
            return
        if now_there is not None and now_there.data == photo.data:
            return
        value = base64.b64encode(photo.data).decode("ascii")
        if self.stored.version.startswith("4"):
            new_lines = [self.line("PHOTO", f"data:{photo.media_type};base64,{value}")]
        elif self.old:
            # A blank line ends base64 in vCard 2.1.
            new_lines = [self.line("PHOTO", value, _photo_types(photo, "BASE64")), Line("", "", self.line_end)]
        else:
            new_lines = [self.line("PHOTO", value, _photo_types(photo, "b"))]
        self.card.replace([old] if old else self.card.all("PHOTO"), new_lines)

    # Members of lists --------------------------------------------------------------------------------------------

    def write_emails(self) -> None:
        wanted = {key: each for each in self.contact.emails if (key := address_key(each.address))}
        for stored, email in emails_of(self.card):
            new_one = wanted.pop(address_key(email.address), None)
            if new_one is None:
                self.card.replace([stored], ())
            elif new_one.label != email.label or new_one.address.strip() != email.address:
                # An address is the same in other letters; how it is called in Nextcloud stays unless we are told.
                types = _relabelled(stored, new_one.label) if new_one.label else stored.parameters
                self.card.replace([stored], [self.line("EMAIL", escape(new_one.address), types, stored.group)])
        self._append(
            "EMAIL", [self.line("EMAIL", escape(each.address), _email_types(each)) for each in wanted.values()]
        )

    def write_phones(self) -> None:
        wanted = in_order(self.contact.phones)
        stored_phones = phones_of(self.card)
        known = {(phone.label, digits(phone.number)) for _, phone in stored_phones}
        for stored, phone in stored_phones:
            if wanted.pop((phone.label, digits(phone.number)), None) is not None:
                continue
            # Another number under the same label takes the line's place: of two lines for home the first is "home" and
            # the second "home-2", and its group and parameters are the person's own.
            successor = next((each for each in wanted if each[0] == phone.label and each not in known), None)
            if successor is None:
                self.card.replace([stored], ())
                continue
            kept = tuple(each for each in stored.parameters if each[0] not in _ENCODINGS)
            number = escape(line(wanted.pop(successor).number))
            self.card.replace([stored], [self.line("TEL", number, kept, stored.group)])
        new_lines = [self.line("TEL", escape(line(each.number)), _phone_types(each.label)) for each in wanted.values()]
        self._append("TEL", new_lines)

    def write_addresses(self) -> None:
        wanted = {each.label: each for each in self.contact.addresses if has_parts(each)}
        for stored, address in addresses_of(self.card):
            new_one = wanted.pop(address.label, None)
            if new_one is None:
                self.card.replace([stored], ())
            elif new_one != address:
                parts = [*split(raw_text(stored), ";"), *[""] * 7][:7]
                for index, name in enumerate(ADDRESS_PARTS, FIRST_ADDRESS_PART):
                    if line(getattr(new_one, name)) != line(getattr(address, name)):
                        parts[index] = escape(getattr(new_one, name))
                kept = tuple(each for each in stored.parameters if each[0] not in (*_ENCODINGS, "LABEL"))
                self.card.replace([stored], [self.line("ADR", ";".join(parts), kept, stored.group)])
        self._append("ADR", [self._address(each) for each in wanted.values()])

    def _address(self, address: PostalAddress) -> Line:
        parts = ["", "", *(escape(getattr(address, name)) for name in ADDRESS_PARTS)]
        types = (("TYPE", address.label.upper()),) if address.label in ("home", "work") else ()
        return self.line("ADR", ";".join(parts), types)

    def _append(self, name: str, new_lines: Sequence[Line]) -> None:
        """Put lines behind the last one of that name."""
        old = self.card.all(name)
        if old and new_lines:
            self.card.replace([old[-1]], [old[-1], *new_lines])
        elif new_lines:
            self.card.replace((), new_lines)


_WRITERS: Mapping[str, Callable[[_Writer], None]] = {
    "name": _Writer.write_name,
    "display_name": _Writer.write_display_name,
    "nickname": _Writer.write_nickname,
    "organisation": _Writer.write_organisation,
    "job_title": _Writer.write_job_title,
    "emails": _Writer.write_emails,
    "phones": _Writer.write_phones,
    "addresses": _Writer.write_addresses,
    "web_page": _Writer.write_web_page,
    "birthday": _Writer.write_birthday,
    "notes": _Writer.write_notes,
    "categories": _Writer.write_categories,
    "photo": _Writer.write_photo,
}
_LINE_OF = dict.fromkeys(NAME_PARTS, "name") | dict.fromkeys(("company", "department"), "organisation")
"""Fields that share a line with others."""
_ENCODINGS = frozenset({"ENCODING", "CHARSET", "VALUE"})


def in_order(phones: Iterable[Phone]) -> dict[tuple[str, str], Phone]:
    """The phone numbers that say something, each once, in the order that tells the second of a sort from the first.

    By their labels and digits.
    """
    found: dict[tuple[str, str], Phone] = {}
    for each in sorted(phones, key=lambda each: each.label.endswith("-2")):
        if key := digits(each.number):
            found.setdefault((each.label, key), each)
    return found


def has_parts(address: PostalAddress) -> bool:
    """Whether a postal address says anything."""
    return any(line(getattr(address, name)) for name in ADDRESS_PARTS)


def _email_types(email: Email) -> Parameters:
    place = (email.label.upper(),) if email.label in ("home", "work", "other") else ()
    return tuple([("TYPE", each) for each in ("INTERNET", *place)])


def _phone_types(label: str) -> Parameters:
    return tuple([("TYPE", each) for each in PHONE_TYPES.get(label, ("VOICE",))])


def _photo_types(photo: Photo, encoding: str) -> Parameters:
    return (("ENCODING", encoding), ("TYPE", photo.media_type.rpartition("/")[2].upper() or "JPEG"))


def phone_head(label: str) -> Line:
    """A new card's line for a phone number, without the number."""
    return make_line("TEL", "", _phone_types(label))


def photo_head(photo: Photo) -> Line:
    """A new card's line for a picture, without the picture."""
    return make_line("PHOTO", "", _photo_types(photo, "b"))


def _merged(parameters: Parameters) -> Parameters:
    """Parameters with all of their TYPEs side by side, for ``make_line`` to write as one list."""
    if len(parameters) < 2:
        return parameters
    return tuple(sorted(parameters, key=lambda each: each[0] == "TYPE"))


def _relabelled(stored: Line, label: str) -> Parameters:
    """The parameters of a stored line with another place among its TYPEs."""
    kept = tuple(each for each in stored.parameters if each[0] != "TYPE" or each[1].upper() not in _PLACES)
    return (*kept, ("TYPE", label.upper())) if label.upper() not in meaning_of(stored).types else stored.parameters
