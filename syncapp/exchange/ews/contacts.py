"""Contact (EWS) ⇄ Contact (neutral). Pure."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import Any

from syncapp.exchange.ews.event_writing import body_element, categories_element
from syncapp.exchange.ews.events import read_body
from syncapp.exchange.ews.extended import NAME_PREFIX, OWN_ID, OWN_UID, extended
from syncapp.exchange.ews.held import projected
from syncapp.exchange.ews.markup import Markup, as_is, t
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.properties import (
    ADDRESS_KEYS,
    ADDRESS_PARTS,
    EMAIL_KEYS,
    PHONE_KEYS,
    clear_field,
    indexed,
    path,
    set_field,
)
from syncapp.exchange.ews.times import FIRST_YEAR, format_birthday, parse_birthday
from syncapp.exchange.ews.xml import Element, Properties, child, flag, legal, text
from syncapp.items.contact import Contact
from syncapp.items.fields import address_key, digits, line
from syncapp.items.values import Email, Phone, Photo, PostalAddress
from syncapp.side import Unreadable

_ITEM = "Contact"
_PHOTO_NAME = "ContactPicture.jpg"

_LINES: Mapping[str, str] = {
    "display_name": "DisplayName",
    "given_name": "GivenName",
    "middle_name": "MiddleName",
    "nickname": "Nickname",
    "company": "CompanyName",
    "web_page": "BusinessHomePage",
    "department": "Department",
    "suffix": "Generation",
    "job_title": "JobTitle",
    "surname": "Surname",
}
"""Neutral fields that are one element of text each."""

_ANYWHERE = ""
"""The home of what is the same wherever people are: a contact has no floating times."""
_LABELS = {key: label for label, key in PHONE_KEYS.items()}
_ADDRESS_LABELS = {key: label for label, key in ADDRESS_KEYS.items()}


# Reading ---------------------------------------------------------------------------------------------------------


def read_contact(native: Native, home: str) -> Contact:
    """The contact in a Contact element. Raises ``Unreadable``; ``home`` decides on birthdays at a local midnight."""
    item = native.properties
    try:
        birthday = parse_birthday(item.text("Birthday"), home)
        photo = _read_photo(native)
    except (ValueError, OverflowError):
        raise Unreadable("Exchange holds a contact with a birthday or a photo that can't be read.") from None
    lines = {name: item.text(element) for name, element in _LINES.items()}
    lines["display_name"] = lines["display_name"] or item.text("FileAs")
    return Contact(
        uid=extended(item, OWN_UID),
        prefix=extended(item, NAME_PREFIX),
        emails=tuple(Email(address) for address in email_slots(item).values() if "@" in address),
        phones=tuple(
            Phone(number, _LABELS[key])
            for key, number in _slots(item, "PhoneNumbers").items()
            if key in _LABELS and number
        ),
        addresses=_read_addresses(item),
        birthday=birthday,
        notes=read_body(item),
        categories=tuple([each.text or "" for each in item.children("Categories")]),
        photo=photo,
        **lines,
    )


def _slots(item: Properties, name: str) -> dict[str, str]:
    return {each.get("Key", ""): each.text or "" for each in item.children(name)}


def email_slots(item: Properties) -> dict[str, str]:
    """The mail addresses by the key of their slot; one that is no internet address (RoutingType EX) as it stands."""
    found = _slots(item, "EmailAddresses")
    return {key: found[key] for key in EMAIL_KEYS if found.get(key)}


def _read_addresses(item: Properties) -> tuple[PostalAddress, ...]:
    found = {}
    for entry in item.children("PhysicalAddresses"):
        if label := _ADDRESS_LABELS.get(entry.get("Key", "")):
            parts = Properties(entry)
            found[label] = PostalAddress(label, **{name: parts.text(each) for name, each in ADDRESS_PARTS.items()})
    return tuple(found[label] for label in ADDRESS_KEYS if label in found and _filled(found[label]))


def _filled(address: PostalAddress) -> bool:
    return any(getattr(address, name) for name in ADDRESS_PARTS)


def _read_photo(native: Native) -> Photo | None:
    for attachment in reversed(native.photos):
        data = base64.b64decode("".join(text(attachment, "Content").split()), validate=True)
        if data:
            return Photo(data, media_type_of(data))
    return None


def media_type_of(data: bytes) -> str:
    """The media type that the first bytes of a picture name; Exchange keeps pictures as JPEG."""
    for mark, name in ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"), (b"BM", "image/bmp")):
        if data.startswith(mark):
            return name
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else "image/jpeg"


def photo_attachments(item: Properties) -> list[str]:
    """The ids of the attachments that are a contact's picture, in the order in which they were added."""
    return [
        id_element.get("Id", "")
        for each in item.children("Attachments")
        if _is_photo(each) and (id_element := each.find("{*}AttachmentId")) is not None
    ]


def _is_photo(attachment: Element) -> bool:
    """By the flag, else by the name that Outlook gives: some servers keep no flag."""
    if child(attachment, "IsContactPhoto") is None:
        return text(attachment, "Name") == _PHOTO_NAME
    return flag(attachment, "IsContactPhoto")


# What Exchange would hold ----------------------------------------------------------------------------------------


def project_contact(contact: Contact) -> Contact:
    """``contact`` as Exchange would give it back after it was created from it."""
    return projected(contact, _ANYWHERE, _project)


def _project(contact: Contact, _: str) -> Contact:
    lines: dict[str, Any] = {name: legal(getattr(contact, name)) for name in (*_LINES, "prefix", "notes")}
    emails = {address_key(each.address): Email(legal(each.address).strip()) for each in reversed(contact.emails)}
    phones = {each.label: legal(each.number) for each in reversed(contact.phones) if digits(legal(each.number))}
    addresses = {each.label: each for each in map(_legal_address, reversed(contact.addresses)) if _filled(each)}
    categories = {each.casefold(): each for each in map(_category, reversed(contact.categories)) if each}
    held = tuple([each for each in reversed(emails.values()) if "@" in each.address])[: len(EMAIL_KEYS)]
    lines["display_name"] = lines["display_name"] if line(lines["display_name"]) else _name_of(lines, held)
    return Contact(
        uid=contact.uid,
        **lines,
        emails=held,
        phones=tuple([Phone(phones[label], label) for label in PHONE_KEYS if label in phones]),
        addresses=tuple([addresses[label] for label in ADDRESS_KEYS if label in addresses]),
        categories=tuple(reversed(categories.values())),
        birthday=contact.birthday if contact.birthday and contact.birthday.year > FIRST_YEAR else None,
        photo=contact.photo and Photo(contact.photo.data, media_type_of(contact.photo.data)),
    )


def _name_of(lines: Mapping[str, str], emails: tuple[Email, ...]) -> str:
    """A name to show for a contact that has none: some servers make one up, others show an empty line in lists."""
    names = line(f"{lines['given_name']} {lines['surname']}")
    return names or line(lines["company"]) or (emails[0].address if emails else "")


def _category(name: str) -> str:
    return legal(name).strip()


def _legal_address(address: PostalAddress) -> PostalAddress:
    return PostalAddress(address.label, **{name: legal(getattr(address, name)) for name in ADDRESS_PARTS})


# Writing ---------------------------------------------------------------------------------------------------------


def new_contact(contact: Contact, uid: str, own_id: str) -> Markup:
    """The Contact element that creates ``contact`` without its photo."""
    contact = project_contact(contact)
    prefix = NAME_PREFIX.element(contact.prefix) if contact.prefix else None
    texts = {name: t(element, getattr(contact, name)) for name, element in _LINES.items() if getattr(contact, name)}
    emails = zip(EMAIL_KEYS, contact.emails, strict=False)
    phones = {PHONE_KEYS[each.label]: each.number for each in contact.phones}
    return t(
        _ITEM,
        body_element(contact.notes) if contact.notes else None,
        categories_element(contact.categories) if contact.categories else None,
        OWN_ID.element(own_id),
        OWN_UID.element(uid),
        prefix,
        t("FileAs", contact.display_name) if contact.display_name else None,
        *map(texts.get, ("display_name", "given_name", "middle_name", "nickname", "company")),
        t("EmailAddresses", *(_entry(key, each.address) for key, each in emails)) if contact.emails else None,
        t("PhysicalAddresses", *map(_address_entry, contact.addresses)) if contact.addresses else None,
        t("PhoneNumbers", *(_entry(key, phones[key]) for key in sorted(phones))) if phones else None,
        t("Birthday", format_birthday(contact.birthday)) if contact.birthday else None,
        *map(texts.get, ("web_page", "department", "suffix", "job_title", "surname")),
    )


def _entry(key: str, value: str) -> Markup:
    return t("Entry", value, Key=key)


def _address_entry(address: PostalAddress) -> Markup:
    parts = (t(element, getattr(address, name)) for name, element in ADDRESS_PARTS.items() if getattr(address, name))
    return t("Entry", *parts, Key=ADDRESS_KEYS[address.label])


def photo_attachment(photo: Photo) -> Markup:
    """The attachment that is a contact's picture."""
    content = as_is(base64.b64encode(photo.data).decode("ascii"))
    return t("FileAttachment", t("Name", _PHOTO_NAME), t("IsContactPhoto", "true"), t("Content", content))


def contact_changes(native: Native, after: Contact, changed: Collection[str]) -> list[Markup]:
    """The changes to a stored contact that set the fields named in ``changed``; the photo is not written here.

    Slots that hold what they shall hold are left alone: an address keeps its place, and what a slot holds that we
    can't show stays.
    """
    item = native.properties
    held = project_contact(after)
    found: list[Markup] = []
    for name in [each for each in _LINES if each in changed]:
        found += _line_changes(item, name, getattr(held, name))
    if "prefix" in changed:
        where, value = NAME_PREFIX.path, NAME_PREFIX.element(held.prefix)
        found.append(set_field(where, _ITEM, value) if held.prefix else clear_field(where))
    if "notes" in changed:
        found.append(set_field(path("item:Body"), _ITEM, body_element(held.notes)))
    if "categories" in changed:
        where, categories = path("item:Categories"), held.categories
        found.append(set_field(where, _ITEM, categories_element(categories)) if categories else clear_field(where))
    if "birthday" in changed:
        where = path("contacts:Birthday")
        day = held.birthday
        found.append(set_field(where, _ITEM, t("Birthday", format_birthday(day))) if day else clear_field(where))
    if "emails" in changed:
        found += _email_changes(item, after.emails)
    if "phones" in changed:
        found += _phone_changes(item, held.phones)
    if "addresses" in changed:
        found += _address_changes(item, held.addresses)
    return found


def _line_changes(item: Properties, name: str, value: str) -> list[Markup]:
    names = [_LINES[name]]
    if name == "display_name" and item.text("FileAs") in ("", item.text("DisplayName")):
        # Somebody who files a contact under a name of its own keeps that.
        names.append("FileAs")
    where = [path(f"contacts:{each}") for each in names]
    if not value:
        return [clear_field(each) for each in where]
    return [set_field(each, _ITEM, t(element, value)) for each, element in zip(where, names, strict=True)]


def _slot_changes(uri: str, container: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Markup]:
    found = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            found.append(clear_field(indexed(uri, key)))
        elif after[key] != before.get(key):
            found.append(set_field(indexed(uri, key), _ITEM, t(container, _entry(key, after[key]))))
    return found


def _email_changes(item: Properties, emails: tuple[Email, ...]) -> list[Markup]:
    before = email_slots(item)
    wanted = {
        address_key(each.address): legal(each.address).strip() for each in reversed(emails) if "@" in each.address
    }
    order = list(reversed(wanted))
    after = {key: held for key, held in before.items() if "@" not in held or address_key(held) in wanted}
    placed = {address_key(held) for held in after.values()}
    free = [key for key in EMAIL_KEYS if key not in after]
    waiting = [wanted[each] for each in order if each not in placed]
    after |= dict(zip(free, waiting, strict=False))
    return _slot_changes("contacts:EmailAddress", "EmailAddresses", before, after)


def _phone_changes(item: Properties, phones: tuple[Phone, ...]) -> list[Markup]:
    before = {key: number for key, number in _slots(item, "PhoneNumbers").items() if key in _LABELS and number}
    after = {PHONE_KEYS[each.label]: each.number for each in phones}
    return _slot_changes("contacts:PhoneNumber", "PhoneNumbers", before, after)


def _address_changes(item: Properties, addresses: tuple[PostalAddress, ...]) -> list[Markup]:
    before = {each.label: each for each in _read_addresses(item)}
    after = {each.label: each for each in addresses}
    found = []
    for label in sorted(before.keys() | after.keys()):
        old, new = before.get(label, PostalAddress(label)), after.get(label, PostalAddress(label))
        for name, element in ADDRESS_PARTS.items():
            found += _part_change(ADDRESS_KEYS[label], element, getattr(old, name), getattr(new, name))
    return found


def _part_change(key: str, element: str, old: str, new: str) -> list[Markup]:
    where = indexed(f"contacts:PhysicalAddress:{element}", key)
    if new == old:
        return []
    if not new:
        return [clear_field(where)]
    return [set_field(where, _ITEM, t("PhysicalAddresses", t("Entry", t(element, new), Key=key)))]
