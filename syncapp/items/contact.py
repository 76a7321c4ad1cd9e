"""The neutral contact."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from syncapp.items.fields import Field, Shape, address_key, digest, digits, joined, line, paragraphs
from syncapp.items.pictures import alike
from syncapp.items.values import Email, Kind, Phone, Photo, PostalAddress, Privacy

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?://)?")


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
    phonetic_given_name: str = ""
    phonetic_surname: str = ""
    phonetic_company: str = ""
    file_as: str = ""
    """The name to sort by, where it is another than the one to show."""
    company: str = ""
    department: str = ""
    job_title: str = ""
    profession: str = ""
    manager: str = ""
    assistant: str = ""
    spouse: str = ""
    children: tuple[str, ...] = ()
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    ims: tuple[str, ...] = ()
    """Addresses of instant messaging, as they are written: with a scheme (``xmpp:``) or without."""
    addresses: tuple[PostalAddress, ...] = ()
    web_page: str = ""
    personal_page: str = ""
    birthday: date | None = None
    """In ``values.NO_YEAR`` where only the day is known; so is ``anniversary``."""
    anniversary: date | None = None
    notes: str = ""
    categories: tuple[str, ...] = ()
    privacy: Privacy = Privacy.NORMAL
    photo: Photo | None = None

    kind = Kind.CONTACT


def _normal_address(address: PostalAddress) -> str:
    usual = (address.street, address.city, address.region, address.postal_code, address.country)
    unusual = (address.post_box, address.office) if address.post_box or address.office else ()
    return joined(*map(line, usual + unusual))


def _normal_date(value: date | None) -> str:
    return value.isoformat() if value else ""


def im_key(value: str) -> str:
    """An address of instant messaging for comparing: case and the scheme do not matter.

    >>> im_key("xmpp:Anna@Lab.Example")
    'anna@lab.example'
    """
    return _SCHEME.sub("", line(value).casefold())


def _key_of_line(value: str) -> str:
    return line(value).casefold()


def _normal_privacy(privacy: Privacy) -> str:
    return "" if privacy is Privacy.NORMAL else privacy.value


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
    Field(
        "phonetic_given_name",
        "First name as it sounds",
        "X-PHONETIC-FIRST-NAME",
        "extended property PidLidYomiFirstName",
        line,
        "yomiGivenName",
    ),
    Field(
        "phonetic_surname",
        "Last name as it sounds",
        "X-PHONETIC-LAST-NAME",
        "extended property PidLidYomiLastName",
        line,
        "yomiSurname",
    ),
    Field(
        "phonetic_company",
        "Company as it sounds",
        "X-PHONETIC-ORG",
        "extended property PidLidYomiCompanyName",
        line,
        "yomiCompanyName",
    ),
    Field(
        "file_as", "Filed as", "X-EVOLUTION-FILE-AS", "FileAs", line, "fileAs", note="where it is not the display name"
    ),
    Field("company", "Company", "ORG", "CompanyName", line, "companyName"),
    Field("department", "Department", "ORG", "Department", line, "department"),
    Field("job_title", "Job title", "TITLE", "JobTitle", line, "jobTitle"),
    Field("profession", "Role", "ROLE", "Profession", line, "profession"),
    Field("manager", "Manager", "RELATED (TYPE=MANAGER)", "Manager", line, "manager"),
    Field("assistant", "Assistant", "RELATED (TYPE=ASSISTANT)", "AssistantName", line, "assistantName"),
    Field("spouse", "Spouse", "RELATED (TYPE=SPOUSE)", "SpouseName", line, "spouseName"),
    Field(
        "children",
        "Children",
        "RELATED (TYPE=CHILD)",
        "Children",
        line,
        "children",
        Shape.KEYED,
        key=_key_of_line,
    ),
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
        "ims",
        "Instant messaging",
        "IMPP",
        "ImAddresses",
        im_key,
        "imAddresses",
        Shape.KEYED,
        key=im_key,
        note="Exchange has three; the service stays in Nextcloud",
    ),
    Field(
        "addresses",
        "Address",
        "ADR",
        "PhysicalAddresses, OfficeLocation, extended properties for post boxes",
        _normal_address,
        "homeAddress, businessAddress, otherAddress",
        Shape.KEYED,
        key=lambda each: each.label,
        note="Exchange has one each for work, home and other, and an office for the one at work",
    ),
    Field("web_page", "Web page", "URL", "BusinessHomePage", line, "businessHomePage"),
    Field(
        "personal_page",
        "Personal web page",
        "URL (TYPE=HOME)",
        "extended property PidTagPersonalHomePage",
        line,
    ),
    Field(
        "birthday",
        "Birthday",
        "BDAY",
        "Birthday",
        _normal_date,
        "birthday",
        note="Exchange shows the year 1604 for one without a year",
    ),
    Field("anniversary", "Anniversary", "ANNIVERSARY", "WeddingAnniversary", _normal_date, note="as the birthday"),
    Field(
        "notes",
        "Notes",
        "NOTE",
        "Body",
        paragraphs,
        "personalNotes",
        note="the words of formatted notes; their formatting stays in Exchange until somebody changes the words",
    ),
    Field(
        "categories",
        "Categories",
        "CATEGORIES",
        "Categories",
        line,
        "categories",
        Shape.KEYED,
        key=_key_of_line,
    ),
    Field("privacy", "Privacy", "CLASS", "Sensitivity", _normal_privacy),
    Field(
        "photo",
        "Photo",
        "PHOTO",
        "FileAttachment (IsContactPhoto)",
        _normal_photo,
        "photo",
        alike=lambda one, other: alike(one.data, other.data),
        note="in Exchange a JPEG of at most 1 MiB; compared by what it shows",
    ),
)

ONLY_IN_NEXTCLOUD: tuple[tuple[str, str], ...] = (
    ("EMAIL and IMPP beyond the third, and their types", "Exchange has three of each, without types"),
    ("TEL beyond the slots", "Exchange has two for work and for home, and one for each other sort"),
    ("ADR, a second one of a sort; the extended part of one that is not at work", "Exchange has one of each sort"),
    ("URL beyond one, and one at home", "Exchange has these two"),
    ("ORG below the department; NOTE beyond the first", "Exchange has one each"),
    ("RELATED and X-ABRELATEDNAMES of other sorts, or with the address of a card", "no property of Exchange"),
    ("X-ABDATE other than the anniversary; BDAY in words, before 1602 or after 4499", "no date of Exchange"),
    (
        "PHOTO that is on the net, broken, or of more than 20 million pixels",
        "nothing is fetched, nor opened at any cost",
    ),
    ("GENDER, LANG, GEO, TZ, KEY, SOUND, LOGO, AGENT", "no property of Exchange that a person sees"),
    (
        "X-ABLabel and whatever else belongs to a group",
        "Exchange has no labels; one goes with the entry that it is for",
    ),
    ("X-... and whatever else nobody knows", "no property of Exchange"),
)
"""What a vCard says and Exchange has no place for: it stays in the Nextcloud object, byte for byte."""

REFUSED: tuple[tuple[str, str], ...] = (
    ("a list of contacts (KIND:group, X-ADDRESSBOOKSERVER-KIND:group)", "lists are not synced, in neither direction"),
    ("more than 5 MiB, two cards in one object, lines that are none", "Nextcloud takes none of these"),
    ("more than 500 addresses or numbers of one sort", "nobody has so many"),
)
"""Cards that are not synced, and why."""
