"""Writing contacts: a neutral contact → a new vCard 3.0, or changes to a stored vCard. Pure.

A stored card is patched in its own version: lines that say nothing about a changed element stay byte for byte.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from syncapp.items.contact import Contact, im_key
from syncapp.items.elements import Element
from syncapp.items.fields import address_key, digits, line
from syncapp.items.values import NO_YEAR, Email, Phone, Photo, PostalAddress, Privacy
from syncapp.nextcloud.card_lines import meaning_of, raw_text
from syncapp.nextcloud.card_spellings import (
    RELATED,
    RELATIONS,
    TEXTS,
    anniversary_line,
    ims_of,
    pages_of,
    relations_of,
    text_line,
)
from syncapp.nextcloud.card_writing import CardWriter, without_encodings
from syncapp.nextcloud.contacts import (
    ADDRESS_PARTS,
    CLASSES,
    NAME_PARTS,
    NO_NAME,
    Card,
    addresses_of,
    date_of,
    emails_of,
    page_of,
    parse,
    phones_of,
    photo_of,
)
from syncapp.nextcloud.content_lines import Component, Line, Parameters, Text
from syncapp.nextcloud.event_writing import PRODUCT
from syncapp.nextcloud.text_values import constant_line, escape, make_line, split
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
    "phonetic_given_name",
    "phonetic_surname",
    "phonetic_company",
    "file_as",
    "organisation",
    "job_title",
    "profession",
    "emails",
    "phones",
    "ims",
    "addresses",
    "web_pages",
    "manager",
    "assistant",
    "spouse",
    "children",
    "birthday",
    "anniversary",
    "notes",
    "categories",
    "privacy",
    "photo",
)
_CLASSES = {privacy: word for word, privacy in CLASSES.items()}
_HEADER = (("VERSION", "3.0"), ("PRODID", PRODUCT))
_PLACES = frozenset({"WORK", "HOME", "OTHER"})


def new(contact: Contact, uid: str, now: datetime) -> Text:
    """A new vCard 3.0 for ``contact``; ``now`` is in UTC and becomes its REV."""
    lines: list[Line | Component] = [constant_line(name, value) for name, value in _HEADER]
    lines.append(make_line("UID", escape(uid)))
    card = Component("VCARD", constant_line("BEGIN", "VCARD"), constant_line("END", "VCARD"), lines)
    writer = _Writer(Card(Text(b"", card, b""), "3.0"), contact)
    said = {_LINE_OF.get(field, field) for field, value in vars(contact).items() if value}
    for name in _ORDER:
        if name in said or name in _NAMES:
            writer.write(name)
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
            writer.write(name)
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
    return next((each for each in candidates if line(each)), NO_NAME)


@dataclass
class _Writer(CardWriter):
    """Writes the values of ``contact`` into a card."""

    contact: Contact

    def write(self, name: str) -> None:
        """Write a field, or the fields that share a line."""
        if name in TEXTS:
            self.write_text(name)
        elif name in _WRITERS:
            _WRITERS[name](self)
        else:
            self.write_relation(name)

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

    def write_text(self, field: str) -> None:
        text = getattr(self.contact, field)
        old = text_line(self.card, field)
        self.put(old.name if old else TEXTS[field][0], escape(text) if line(text) else "")

    def write_web_pages(self) -> None:
        # A URI has no escapes in vCard 4.0, and Nextcloud's own client writes none in 3.0.
        pages = (self.contact.web_page, self.contact.personal_page)
        for old, page, types in zip(pages_of(self.card), pages, ((), (("TYPE", "HOME"),)), strict=True):
            value = line(page).replace("\\", "\\\\").replace(" ", "%20")
            if old is None:
                self.append("URL", [self.line("URL", value, types)] if value else ())
            elif not value:
                self.remove(old)
            elif line(page) != page_of(old):
                self.card.replace([old], [self.again(old, value)])

    def write_birthday(self) -> None:
        self._put_date("BDAY", self.card.first("BDAY"), self.contact.birthday)

    def write_anniversary(self) -> None:
        self._put_date("ANNIVERSARY", anniversary_line(self.card), self.contact.anniversary)

    def _put_date(self, name: str, old: Line | None, day: date | None) -> None:
        if day is None:
            if old is not None and date_of(old) is not None:
                self.remove(old)
            return
        parameters: Parameters = ()
        value = day.isoformat()
        if self.stored.version.startswith("4"):
            value = f"--{day:%m%d}" if day.year == NO_YEAR else value.replace("-", "")
        elif day.year == NO_YEAR:
            parameters = (("X-APPLE-OMIT-YEAR", str(NO_YEAR)),)
        new_line = self.line(old.name if old else name, value, parameters, old.group if old else "")
        self.card.replace([old] if old else (), [new_line])

    def write_privacy(self) -> None:
        self.put("CLASS", "" if self.contact.privacy is Privacy.NORMAL else _CLASSES[self.contact.privacy])

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

    # Other people ------------------------------------------------------------------------------------------------

    def write_relation(self, field: str) -> None:
        # Of several that programs wrote, the first is the one that is ours.
        stored = relations_of(self.card).get(field, [])[:1]
        self._put_related([(old, getattr(self.contact, field), name) for old, name in stored])
        if not stored:
            self._add_related(field, [getattr(self.contact, field)])

    def write_children(self) -> None:
        wanted = {line(name).casefold(): name for name in self.contact.children}
        stored = relations_of(self.card).get("children", [])
        self._put_related([(old, wanted.pop(line(name).casefold(), ""), name) for old, name in stored])
        self._add_related("children", wanted.values())

    def _put_related(self, names: Iterable[tuple[Line, str, str]]) -> None:
        """Make lines that name somebody name somebody else, or nobody."""
        for old, name, before in names:
            if not line(name):
                self.remove(old)
            elif line(name) != line(before):
                as_text = (("VALUE", "text"),) if old.name == RELATED else ()
                types = (*as_text, *without_encodings(old))
                self.card.replace([old], [self.line(old.name, escape(line(name)), types, old.group)])

    def _add_related(self, field: str, names: Iterable[str]) -> None:
        types = (("VALUE", "text"), ("TYPE", RELATIONS[field]))
        self.append(RELATED, [self.line(RELATED, escape(line(name)), types) for name in names if line(name)])

    # Members of lists --------------------------------------------------------------------------------------------

    def write_emails(self) -> None:
        wanted = {key: each for each in self.contact.emails if (key := address_key(each.address))}
        for stored, email in emails_of(self.card):
            new_one = wanted.pop(address_key(email.address), None)
            if new_one is None:
                self.remove(stored)
            elif new_one.label != email.label or new_one.address.strip() != email.address:
                # An address is the same in other letters; how it is called in Nextcloud stays unless we are told.
                types = _relabelled(stored, new_one.label) if new_one.label else stored.parameters
                self.card.replace([stored], [self.line("EMAIL", escape(new_one.address), types, stored.group)])
        self.append("EMAIL", [self.line("EMAIL", escape(each.address), _email_types(each)) for each in wanted.values()])

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
                self.remove(stored)
                continue
            self.card.replace([stored], [self.again(stored, escape(line(wanted.pop(successor).number)))])
        new_lines = [self.line("TEL", escape(line(each.number)), _phone_types(each.label)) for each in wanted.values()]
        self.append("TEL", new_lines)

    def write_ims(self) -> None:
        wanted = {key: each for each in self.contact.ims if (key := im_key(each))}
        for stored, im in ims_of(self.card):
            new_one = wanted.pop(im_key(im), None)
            if new_one is None:
                self.remove(stored)
        self.append("IMPP", [self.line("IMPP", escape(line(each))) for each in wanted.values()])

    def write_addresses(self) -> None:
        wanted = {each.label: each for each in self.contact.addresses if has_parts(each)}
        for stored, address in addresses_of(self.card):
            new_one = wanted.pop(address.label, PostalAddress(address.label))
            if new_one == address:
                continue
            parts = [*split(raw_text(stored), ";"), *[""] * 7][:7]
            for index, name in enumerate(ADDRESS_PARTS):
                if line(getattr(new_one, name)) != line(getattr(address, name)):
                    parts[index] = escape(getattr(new_one, name))
            if any(parts):
                kept = tuple(each for each in without_encodings(stored) if each[0] != "LABEL")
                self.card.replace([stored], [self.line("ADR", ";".join(parts), kept, stored.group)])
            else:
                self.remove(stored)
        self.append("ADR", [self._address(each) for each in wanted.values()])

    def _address(self, address: PostalAddress) -> Line:
        held = address if address.label == "work" else replace(address, office="")
        parts = [escape(getattr(held, name)) for name in ADDRESS_PARTS]
        types = (("TYPE", address.label.upper()),) if address.label in ("home", "work") else ()
        return self.line("ADR", ";".join(parts), types)


_WRITERS: Mapping[str, Callable[[_Writer], None]] = {
    "name": _Writer.write_name,
    "display_name": _Writer.write_display_name,
    "nickname": _Writer.write_nickname,
    "organisation": _Writer.write_organisation,
    "emails": _Writer.write_emails,
    "phones": _Writer.write_phones,
    "addresses": _Writer.write_addresses,
    "children": _Writer.write_children,
    "ims": _Writer.write_ims,
    "web_pages": _Writer.write_web_pages,
    "birthday": _Writer.write_birthday,
    "anniversary": _Writer.write_anniversary,
    "privacy": _Writer.write_privacy,
    "notes": _Writer.write_notes,
    "categories": _Writer.write_categories,
    "photo": _Writer.write_photo,
}
_FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "name": NAME_PARTS,
    "organisation": ("company", "department"),
    "web_pages": ("web_page", "personal_page"),
}
"""Fields that are written together, since they share a line, or lines of one name."""
_LINE_OF = {field: name for name, fields in _FIELDS_OF.items() for field in fields}
_NAMES = frozenset({"name", "display_name"})
"""What every card has."""


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


def _relabelled(stored: Line, label: str) -> Parameters:
    """The parameters of a stored line with another place among its TYPEs."""
    kept = tuple(each for each in stored.parameters if each[0] != "TYPE" or each[1].upper() not in _PLACES)
    return (*kept, ("TYPE", label.upper())) if label.upper() not in meaning_of(stored).types else stored.parameters
