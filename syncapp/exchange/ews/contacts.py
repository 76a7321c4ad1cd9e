"""Contact (EWS) ⇄ Contact (neutral). Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from syncapp.exchange.ews.contact_projection import (
    EXTENDED_LINES,
    LINES,
    legal_emails,
    legal_ims,
    media_type_of,
    project_contact,
)
from syncapp.exchange.ews.contact_slots import (
    ITEM,
    address_changes,
    address_entries,
    box_elements,
    email_changes,
    email_entries,
    email_slots,
    im_changes,
    im_entries,
    im_slots,
    phone_changes,
    phone_entries,
    read_addresses,
    read_phones,
)
from syncapp.exchange.ews.event_writing import body_element, categories_element
from syncapp.exchange.ews.events import read_body
from syncapp.exchange.ews.extended import OWN_ID, OWN_UID, extended, extended_values
from syncapp.exchange.ews.markup import Markup, as_is, t
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.properties import clear_field, path, set_field
from syncapp.exchange.ews.times import format_birthday, parse_birthday
from syncapp.exchange.ews.vocabulary import PRIVACY
from syncapp.exchange.ews.xml import Element, Properties, child, flag, text
from syncapp.items.contact import Contact
from syncapp.items.fields import line
from syncapp.items.values import Email, Photo, Privacy
from syncapp.side import Unreadable

_PHOTO_NAME = "ContactPicture.jpg"
_FIELDS = {each.key: name for name, each in EXTENDED_LINES.items()}
_READ_PRIVACY = {name: privacy for privacy, name in PRIVACY.items()}


# Reading ---------------------------------------------------------------------------------------------------------


def read_contact(native: Native, home: str) -> Contact:
    """The contact in a Contact element. Raises ``Unreadable``; ``home`` decides on birthdays at a local midnight."""
    item = native.properties
    try:
        birthday = parse_birthday(item.text("Birthday"), home)
        anniversary = parse_birthday(item.text("WeddingAnniversary"), home)
        photo = _read_photo(native)
    except (ValueError, OverflowError):
        raise Unreadable("Exchange holds a contact with a birthday or a photo that can't be read.") from None
    lines = {name: item.text(element) for name, element in LINES.items()}
    lines |= {_FIELDS[key]: value for key, value in extended_values(item).items() if key in _FIELDS}
    file_as = item.text("FileAs")
    lines["display_name"] = lines["display_name"] or file_as
    return Contact(
        uid=extended(item, OWN_UID),
        file_as="" if file_as == lines["display_name"] or line(file_as) == line(lines["display_name"]) else file_as,
        children=tuple([each.text or "" for each in item.children("Children")]),
        emails=tuple([Email(address) for address in email_slots(item).values() if "@" in address]),
        phones=read_phones(item),
        ims=tuple(im_slots(item).values()),
        addresses=read_addresses(item),
        birthday=birthday,
        anniversary=anniversary,
        notes=read_body(item),
        categories=tuple([each.text or "" for each in item.children("Categories")]),
        privacy=_READ_PRIVACY.get(item.text("Sensitivity"), Privacy.NORMAL),
        photo=photo,
        **lines,
    )


def _read_photo(native: Native) -> Photo | None:
    for attachment in reversed(native.photos):
        data = base64.b64decode("".join(text(attachment, "Content").split()), validate=True)
        if data:
            return Photo(data, media_type_of(data))
    return None


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


# Writing ---------------------------------------------------------------------------------------------------------


def new_contact(contact: Contact, uid: str, own_id: str) -> Markup:
    """The Contact element that creates ``contact`` without its photo."""
    contact = project_contact(contact)
    given = vars(contact)
    texts = {name: t(element, value) for name, element in LINES.items() if (value := given[name])}
    work = next((each for each in contact.addresses if each.office), None)
    return t(
        ITEM,
        t("Sensitivity", PRIVACY[contact.privacy]) if contact.privacy is not Privacy.NORMAL else None,
        body_element(contact.notes) if contact.notes else None,
        categories_element(contact.categories) if contact.categories else None,
        OWN_ID.element(own_id),
        OWN_UID.element(uid),
        *[each.element(value) for name, each in EXTENDED_LINES.items() if (value := given[name])],
        *box_elements(contact.addresses),
        t("FileAs", contact.file_as or contact.display_name) if contact.file_as or contact.display_name else None,
        *map(texts.get, ("display_name", "given_name", "middle_name", "nickname", "company")),
        email_entries(contact.emails),
        address_entries(contact.addresses),
        phone_entries(contact.phones),
        texts.get("assistant"),
        _day("Birthday", contact.birthday),
        texts.get("web_page"),
        _children(contact.children),
        *map(texts.get, ("department", "suffix")),
        im_entries(contact.ims),
        *map(texts.get, ("job_title", "manager")),
        t("OfficeLocation", work.office) if work else None,
        *map(texts.get, ("profession", "spouse", "surname")),
        _day("WeddingAnniversary", contact.anniversary),
    )


def _day(name: str, day: date | None) -> Markup | None:
    return t(name, format_birthday(day)) if day else None


def _children(names: Iterable[str]) -> Markup | None:
    strings = [t("String", each) for each in names]
    return t("Children", *strings) if strings else None


def photo_attachment(photo: Photo) -> Markup:
    """The attachment that is a contact's picture."""
    content = as_is(base64.b64encode(photo.data).decode("ascii"))
    return t("FileAttachment", t("Name", _PHOTO_NAME), t("IsContactPhoto", "true"), t("Content", content))


def contact_changes(native: Native, after: Contact, changed: AbstractSet[str]) -> list[Markup]:
    """The changes to a stored contact that set the fields named in ``changed``; the photo is not written here.

    Slots that hold what they shall hold are left alone: an address keeps its place, and what a slot holds that we
    can't show stays.
    """
    item = native.properties
    held = project_contact(after)
    found = [
        _change(f"contacts:{LINES[name]}", t(LINES[name], value) if (value := getattr(held, name)) else None)
        for name in LINES
        if name in changed
    ]
    for name in [each for each in EXTENDED_LINES if each in changed]:
        wanted, value = EXTENDED_LINES[name], getattr(held, name)
        found.append(set_field(wanted.path, ITEM, wanted.element(value)) if value else clear_field(wanted.path))
    if not changed.isdisjoint(("display_name", "file_as")):
        found += _filing_changes(item, held)
    if "notes" in changed:
        found.append(set_field(path("item:Body"), ITEM, body_element(held.notes)))
    if "categories" in changed:
        found.append(_change("item:Categories", categories_element(held.categories) if held.categories else None))
    if "privacy" in changed:
        found.append(_change("item:Sensitivity", t("Sensitivity", PRIVACY[held.privacy])))
    if "children" in changed:
        found.append(_change("contacts:Children", _children(held.children)))
    if "birthday" in changed:
        found.append(_change("contacts:Birthday", _day("Birthday", held.birthday)))
    if "anniversary" in changed:
        found.append(_change("contacts:WeddingAnniversary", _day("WeddingAnniversary", held.anniversary)))
    if "emails" in changed:
        found += email_changes(item, legal_emails(after.emails))
    if "phones" in changed:
        found += phone_changes(item, held.phones)
    if "ims" in changed:
        found += im_changes(item, legal_ims(after.ims))
    if "addresses" in changed:
        found += address_changes(item, held.addresses)
    return found


def _change(uri: str, value: Markup | None) -> Markup:
    return clear_field(path(uri)) if value is None else set_field(path(uri), ITEM, value)


def _filing_changes(item: Properties, held: Contact) -> list[Markup]:
    """What files the contact under its own name, or else under the one to show."""
    wanted = held.file_as or held.display_name
    if wanted == item.text("FileAs"):
        return []
    return [_change("contacts:FileAs", t("FileAs", wanted) if wanted else None)]
