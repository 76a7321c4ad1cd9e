"""What Nextcloud would hold of a contact: what is read of the card that ``contact_writing.new`` makes of it. Pure.

Nothing is written and read for it, because every contact from the other side is projected; tests hold it to what a
write and a read give.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from syncapp.items.contact import Contact
from syncapp.items.fields import address_key, digits, line
from syncapp.items.values import Email, Phone, Photo, PostalAddress
from syncapp.nextcloud.contact_writing import (
    PHONE_TYPES,
    display_name_of,
    has_parts,
    in_order,
    phone_head,
    photo_head,
)
from syncapp.nextcloud.contacts import (
    ADDRESS_PARTS,
    OMITTED_YEAR,
    PLACES,
    counted,
    meaning_of,
    media_type_of,
    number_of,
    signature_of,
)
from syncapp.nextcloud.text_values import held, held_names, held_text

_PHONE_LABELS = {label: meaning_of(phone_head(label)).phone for label in (*PHONE_TYPES, "")}
_LINES = ("given_name", "middle_name", "surname", "prefix", "suffix", "company", "department")


def project(contact: Contact) -> Contact:
    """The contact as it would be read after it was created; the same object where nothing is lost."""
    values = {
        "display_name": held(display_name_of(contact)),
        **{name: held(line(getattr(contact, name))).strip() for name in _LINES},
        "nickname": held_text(contact.nickname).strip(),
        "job_title": held_text(contact.job_title),
        "emails": _emails(contact.emails),
        "phones": _phones(contact.phones),
        "addresses": _addresses(contact.addresses),
        "web_page": held(line(contact.web_page).replace(" ", "%20")).strip(),
        "birthday": _birthday(contact.birthday),
        "notes": held_text(contact.notes),
        "categories": held_names(contact.categories),
        "photo": _photo(contact.photo),
    }
    different = {name: value for name, value in values.items() if value != getattr(contact, name)}
    return replace(contact, **different) if different else contact  # type: ignore[arg-type]  # each under its own name


def _emails(emails: Iterable[Email]) -> tuple[Email, ...]:
    found: dict[str, Email] = {}
    for key, each in {address_key(each.address): each for each in emails}.items():
        if key and (address := held(each.address).strip()):
            found.setdefault(address_key(address), Email(address, each.label if each.label in PLACES else ""))
    return tuple(found.values())


def _phones(phones: Iterable[Phone]) -> tuple[Phone, ...]:
    found: dict[tuple[str, str], Phone] = {}
    taken: set[str] = set()
    for each in in_order(phones).values():
        number = number_of(held(line(each.number)))
        if key := digits(number):
            label = counted(_PHONE_LABELS.get(each.label, _PHONE_LABELS[""]), taken)
            found.setdefault((label, key), Phone(number, label))
    return tuple(found.values())


def _addresses(addresses: Iterable[PostalAddress]) -> tuple[PostalAddress, ...]:
    found: dict[str, PostalAddress] = {}
    for each in {each.label: each for each in addresses if has_parts(each)}.values():
        label = each.label if each.label in PLACES else "other"
        parts = [held(getattr(each, name)).strip() for name in ADDRESS_PARTS]
        if any(parts):
            found.setdefault(label, PostalAddress(label, *parts))
    return tuple(found.values())


def _birthday(birthday: date | None) -> date | None:
    return None if birthday is None or birthday.year == OMITTED_YEAR else birthday


def _photo(photo: Photo | None) -> Photo | None:
    if photo is None or not photo.data:
        return None
    return Photo(photo.data, signature_of(photo.data) or media_type_of(photo_head(photo)))
