"""What Nextcloud would hold of a contact: what is read of the card that ``contact_writing.new`` makes of it. Pure.

Nothing is written and read for it, because every contact from the other side is projected; tests hold it to what a
write and a read give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from syncapp.items.contact import Contact, im_key
from syncapp.items.fields import address_key, digits, line
from syncapp.items.values import Email, Phone, Photo, PostalAddress
from syncapp.nextcloud.card_lines import PLACES, meaning_of
from syncapp.nextcloud.card_spellings import RELATIONS, TEXTS
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
    NO_NAME,
    counted,
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
        "display_name": "" if (name_to_show := display_name_of(contact)) == NO_NAME else held(name_to_show),
        **{name: held(line(getattr(contact, name))).strip() for name in _LINES},
        "nickname": held_text(contact.nickname).strip(),
        "job_title": held_text(contact.job_title),
        "emails": _emails(contact.emails),
        "phones": _phones(contact.phones),
        "addresses": _addresses(contact.addresses),
        "web_page": _page(contact.web_page),
        "notes": held_text(contact.notes),
        "categories": held_names(contact.categories),
        "photo": _photo(contact.photo),
    }
    given = vars(contact)
    values |= {name: hold(given[name]) for name, hold in _RARE.items() if given[name]}
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


def _children(names: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for each in {line(each).casefold(): each for each in names}.values():
        name = held(line(each)).strip()
        if line(name):
            found.setdefault(line(name).casefold(), name)
    return tuple(found.values())


def _ims(ims: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for each in {key: each for each in ims if (key := im_key(each))}.values():
        text = held(line(each)).strip()
        if key := im_key(text):
            found.setdefault(key, text)
    return tuple(found.values())


def _page(page: str) -> str:
    return page and held(line(page).replace(" ", "%20")).strip()


def _addresses(addresses: Iterable[PostalAddress]) -> tuple[PostalAddress, ...]:
    found: dict[str, PostalAddress] = {}
    for each in {each.label: each for each in addresses if has_parts(each)}.values():
        label = each.label if each.label in PLACES else "other"
        parts = {name: held(getattr(each, name)).strip() for name in ADDRESS_PARTS}
        if label != "work":
            parts["office"] = ""
        if any(parts.values()):
            found.setdefault(label, PostalAddress(label, **parts))
    return tuple(found.values())


def _photo(photo: Photo | None) -> Photo | None:
    if photo is None or not photo.data:
        return None
    return Photo(photo.data, signature_of(photo.data) or media_type_of(photo_head(photo)))


def _name(name: str) -> str:
    return held(line(name)).strip()


_RARE: Mapping[str, Callable[[Any], Any]] = {
    **{field: held_text for field in TEXTS if field != "job_title"},
    **{field: _name for field in RELATIONS if field != "children"},
    "children": _children,
    "ims": _ims,
    "personal_page": _page,
}
"""What becomes of fields that most contacts have nothing in."""
