"""The neutral contact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from syncapp.items.fields import Field, Shape, address_key, digest, digits, joined, line, paragraphs
from syncapp.items.values import Email, Kind, Phone, Photo, PostalAddress


@dataclass(frozen=True)
class Contact:
    """A person or an organisation in an address book, belonging to neither side."""

    uid: str = ""
    display_name: str = ""
    given_name: str = ""
    middle_name: str = ""
    surname: str = ""
    prefix: str = ""
    suffix: str = ""
    nickname: str = ""
    company: str = ""
    department: str = ""
    job_title: str = ""
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    addresses: tuple[PostalAddress, ...] = ()
    web_page: str = ""
    birthday: date | None = None
    notes: str = ""
    categories: tuple[str, ...] = ()
    photo: Photo | None = None

    kind = Kind.CONTACT


def _normal_address(address: PostalAddress) -> str:
    return joined(*map(line, (address.street, address.city, address.region, address.postal_code, address.country)))


def _normal_date(value: date | None) -> str:
    return value.isoformat() if value else ""


def _normal_photo(photo: Photo | None) -> str:
    return digest(photo.data) if photo else ""


CONTACT_FIELDS: tuple[Field, ...] = (
    Field("display_name", "Display name", "FN", "DisplayName, FileAs", line, "displayName"),
    Field("given_name", "First name", "N", "GivenName", line, "givenName"),
    Field("middle_name", "Middle name", "N", "MiddleName", line, "middleName"),
    Field("surname", "Last name", "N", "Surname", line, "surname"),
    Field("prefix", "Prefix", "N", "extended property PidTagDisplayNamePrefix", line, "title"),
    Field("suffix", "Suffix", "N", "Generation", line, "generation"),
    Field("nickname", "Nickname", "NICKNAME", "Nickname", line, "nickName"),
    Field("company", "Company", "ORG", "CompanyName", line, "companyName"),
    Field("department", "Department", "ORG", "Department", line, "department"),
    Field("job_title", "Job title", "TITLE", "JobTitle", line, "jobTitle"),
    Field(
        "emails",
        "E-mail",
        "EMAIL",
        "EmailAddresses",
        lambda each: address_key(each.address),
        "emailAddresses",
        Shape.KEYED,
        key=lambda each: address_key(each.address),
        note="Exchange has three; the label stays in Nextcloud",
    ),
    Field(
        "phones",
        "Phone",
        "TEL",
        "PhoneNumbers",
        lambda each: digits(each.number),
        "businessPhones, homePhones, mobilePhone",
        Shape.KEYED,
        key=lambda each: f"{each.label} {digits(each.number)}",
        note="Exchange has one slot for each label",
    ),
    Field(
        "addresses",
        "Address",
        "ADR",
        "PhysicalAddresses",
        _normal_address,
        "homeAddress, businessAddress, otherAddress",
        Shape.KEYED,
        key=lambda each: each.label,
        note="Exchange has one each for work, home and other",
    ),
    Field("web_page", "Web page", "URL", "BusinessHomePage", line, "businessHomePage"),
    Field("birthday", "Birthday", "BDAY", "Birthday", _normal_date, "birthday", note="Exchange needs a year"),
    Field("notes", "Notes", "NOTE", "Body", paragraphs, "personalNotes"),
    Field(
        "categories",
        "Categories",
        "CATEGORIES",
        "Categories",
        line,
        "categories",
        Shape.KEYED,
        key=lambda each: line(each).casefold(),
    ),
    Field("photo", "Photo", "PHOTO", "FileAttachment (IsContactPhoto)", _normal_photo, "photo"),
)
