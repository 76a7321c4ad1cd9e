"""What Exchange would hold of a contact. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from syncapp.exchange.ews.extended import NAME_PREFIX, PERSONAL_PAGE, PHONETIC, Extended
from syncapp.exchange.ews.held import projected
from syncapp.exchange.ews.properties import ADDRESS_KEYS, ADDRESS_PARTS, EMAIL_KEYS, IM_KEYS, PHONE_KEYS
from syncapp.exchange.ews.times import FIRST_YEAR, LAST_YEAR
from syncapp.exchange.ews.xml import legal
from syncapp.items.contact import Contact, im_key
from syncapp.items.fields import address_key, digits, line
from syncapp.items.pictures import as_jpeg
from syncapp.items.values import Email, Phone, Photo, PostalAddress

LINES: Mapping[str, str] = {
    "display_name": "DisplayName",
    "given_name": "GivenName",
    "middle_name": "MiddleName",
    "nickname": "Nickname",
    "company": "CompanyName",
    "assistant": "AssistantName",
    "web_page": "BusinessHomePage",
    "department": "Department",
    "suffix": "Generation",
    "job_title": "JobTitle",
    "manager": "Manager",
    "profession": "Profession",
    "spouse": "SpouseName",
    "surname": "Surname",
}
"""Neutral fields that are one element of text each."""

EXTENDED_LINES: Mapping[str, Extended] = {"prefix": NAME_PREFIX, "personal_page": PERSONAL_PAGE, **PHONETIC}
"""Neutral fields that are one extended property of text each."""

_ANYWHERE = ""
"""The home of what is the same wherever people are: a contact has no floating times."""
_WHOLE = (*EXTENDED_LINES, "notes")
_LONG = frozenset({"web_page"})
_ADDRESS_PARTS = (*ADDRESS_PARTS, "post_box", "office")
_LINE_LENGTH = 255
"""What Outlook and Exchange keep of a line."""


def project_contact(contact: Contact) -> Contact:
    """``contact`` as Exchange would give it back after it was created from it."""
    return projected(contact, _ANYWHERE, _project)


def _project(contact: Contact, _: str) -> Contact:
    given = vars(contact)
    lines: dict[str, Any] = {name: _line(name, value) for name in LINES if (value := given[name])}
    lines |= {name: _legal(value) for name in _WHOLE if (value := given[name])}
    phones = {each.label: _legal(each.number) for each in reversed(contact.phones) if digits(_legal(each.number))}
    addresses = {each.label: each for each in map(_legal_address, reversed(contact.addresses)) if _filled(each)}
    emails = tuple(legal_emails(contact.emails)[: len(EMAIL_KEYS)])
    file_as = contact.file_as and _line("file_as", contact.file_as)
    if not line(lines.get("display_name", "")):
        lines["display_name"] = _name_of(lines, emails) or file_as
    return Contact(
        uid=contact.uid,
        **lines,
        file_as="" if file_as and line(file_as) == line(lines["display_name"]) else file_as,
        children=_names(contact.children),
        emails=emails,
        phones=tuple([Phone(phones[label], label) for label in PHONE_KEYS if label in phones]),
        ims=tuple(legal_ims(contact.ims)[: len(IM_KEYS)]),
        addresses=tuple([addresses[label] for label in ADDRESS_KEYS if label in addresses]),
        categories=_names(contact.categories),
        birthday=_day(contact.birthday),
        anniversary=_day(contact.anniversary),
        privacy=contact.privacy,
        photo=_photo(contact.photo),
    )


def _legal(value: str) -> str:
    """``legal``, most of the time for less."""
    return value if value.isprintable() else legal(value)


def _line(name: str, value: str) -> str:
    held = _legal(value)
    return held if len(held) <= _LINE_LENGTH or name in _LONG else held[:_LINE_LENGTH].rstrip()


def _name_of(lines: Mapping[str, str], emails: tuple[Email, ...]) -> str:
    """A name to show for a contact that has none: some servers make one up, others show an empty line in lists."""
    names = line(f"{lines.get('given_name', '')} {lines.get('surname', '')}")
    return names or line(lines.get("company", "")) or (emails[0].address if emails else "")


def legal_emails(emails: Iterable[Email]) -> list[Email]:
    """The mail addresses that a slot can hold, each once."""
    found: dict[str, Email] = {}
    for each in emails:
        if "@" in (address := _legal(each.address).strip()):
            found.setdefault(address_key(address), Email(address))
    return list(found.values())


def legal_ims(ims: Iterable[str]) -> list[str]:
    """The addresses of instant messaging that a slot can hold, each once."""
    found: dict[str, str] = {}
    for each in ims:
        address = legal(each).strip()
        if key := im_key(address):
            found.setdefault(key, address)
    return list(found.values())


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """Names in a list, each once whatever its letters."""
    found: dict[str, str] = {}
    for each in names:
        if name := _legal(each).strip():
            found.setdefault(name.casefold(), name)
    return tuple(found.values())


def _legal_address(address: PostalAddress) -> PostalAddress:
    given = vars(address)
    values = {name: _legal(value) for name in _ADDRESS_PARTS if (value := given[name])}
    if office := values.pop("office", ""):
        values["office"] = _line("office", office) if address.label == "work" else ""
    return PostalAddress(address.label, **values)


def _filled(address: PostalAddress) -> bool:
    return bool(address.post_box or address.office) or any(getattr(address, name) for name in ADDRESS_PARTS)


def _day(day: date | None) -> date | None:
    return day if day and FIRST_YEAR < day.year < LAST_YEAR else None


def _photo(photo: Photo | None) -> Photo | None:
    """The picture as JPEG; Exchange keeps the bytes, but Outlook shows no other format reliably."""
    held = photo and as_jpeg(photo.data)
    if not held or photo is None:
        return None
    return photo if held is photo.data and photo.media_type == "image/jpeg" else Photo(held)


def media_type_of(data: bytes) -> str:
    """The media type that the first bytes of a picture name; Exchange keeps pictures as JPEG."""
    for mark, name in ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"), (b"BM", "image/bmp")):
        if data.startswith(mark):
            return name
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else "image/jpeg"
