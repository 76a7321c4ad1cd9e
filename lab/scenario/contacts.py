"""Planned contacts: deterministic for a user, some with small photos."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from datetime import date
from itertools import count

from PIL import Image, ImageDraw

from lab.scenario.people import CONTACTS_EACH, LabUser
from lab.scenario.plans import AddressPlan, ContactPlan, Placement

GIVEN = (
    "Aiko", "Bjørn", "Carmen", "David", "Élodie", "Farid", "Greta", "Hanna", "Igor", "Jürgen", "Karin", "Luis",
    "Marta", "Naoki", "Olga", "Paul", "Quentin", "Rosa", "Søren", "Tamar", "Ursula", "Victor", "Wanda", "Xenia",
)  # fmt: skip
FAMILY = (
    "Almeida", "Böhm", "Castillo", "Dvořák", "Eriksson", "Fischer", "García", "Hansen", "Ito", "Jansen", "Kowalski",
    "Lindqvist", "Müller", "Nakamura", "O'Neill", "Petrov", "Quinn", "Rossi", "Schmidt", "Takahashi", "van Dijk",
)  # fmt: skip
COMPANIES = (("", ""), ("Acme GmbH", "Sales"), ("Blau & Söhne", ""), ("Contoso", "R&D"), ("Daikoku KK", "Legal"))
JOBS = ("", "Engineer", "Head of Sales", "Architect", "Notary", "Teacher")
STREETS = ("Hauptstraße 5", "12 Elm Street", "Via Roma 7", "1-2-3 Ginza", "Rue de l'Église 9")
CITIES = (
    ("Berlin", "10115", "Germany", ""),
    ("Portland", "97201", "United States", "Oregon"),
    ("Torino", "10121", "Italy", "TO"),
    ("Tokyo", "104-0061", "Japan", ""),
)
NOTES = (
    "",
    "",
    "Met at the fair in Hannover.",
    "Prefers e-mail.\nNot before ten.",
    "Allergic to nuts; likes tea, no milk.",
)
PHONES = ("mobile", "work", "home", "fax")


def plan_contacts(user: LabUser, number: int = CONTACTS_EACH, photo_every: int = 6) -> list[ContactPlan]:
    """All contacts of a user, each with a name of its own, one in ``photo_every`` with a photo."""
    source = random.Random(f"contacts of {user.email}")
    names = [(given, family) for given in GIVEN for family in FAMILY]
    chosen = source.sample(names, number)
    return [
        _plan(source, at, given, family, placement, with_photo=at % photo_every == 1)
        for at, (given, family), placement in zip(count(1), chosen, _placements(), strict=False)
    ]


def _placements() -> Iterator[Placement]:
    for number in count():
        if number % 10 == 4:
            yield Placement.BOTH
        else:
            yield Placement.EXCHANGE if number % 2 else Placement.NEXTCLOUD


def _plan(
    source: random.Random, number: int, given: str, family: str, placement: Placement, *, with_photo: bool
) -> ContactPlan:
    company, department = source.choice(COMPANIES)
    mailbox = f"contact{number}.{source.getrandbits(24):06x}"
    emails = [f"{mailbox}@mail.example", f"{mailbox}@work.example", f"{mailbox}@old.example"]
    return ContactPlan(
        uid=f"contact-{number:03d}-{source.getrandbits(64):016x}",
        given_name=given,
        surname=family,
        middle_name=source.choice(("", "", "", "Maria", "J.")),
        nickname=source.choice(("", "", "", given[:3])),
        company=company,
        department=department,
        job_title=source.choice(JOBS) if company else "",
        emails=tuple(emails[: source.choice((1, 1, 2, 3))]),
        phones=tuple(
            (label, f"+49 {source.randint(30, 999)} {source.randint(100000, 9999999)}")
            for label in sorted(source.sample(PHONES, source.randint(0, 4)))
        ),
        addresses=tuple((label, _address(source)) for label in source.sample(("work", "home"), source.randint(0, 2))),
        web_page=source.choice(
            (
                "",
                "",
                "",
                f"https://www.{family.encode('ascii', 'ignore').decode().lower().replace(' ', '')[:5]}.example/",
            )
        ),
        birthday=_birthday(source) if source.random() < 0.4 else None,
        notes=source.choice(NOTES),
        categories=tuple(sorted(source.sample(("Friends", "Business", "Club"), source.choice((0, 0, 1, 2))))),
        photo=_photo(source, given[0] + family[0]) if with_photo else None,
        placement=placement,
    )


def _address(source: random.Random) -> AddressPlan:
    city, code, country, region = source.choice(CITIES)
    return AddressPlan(source.choice(STREETS), city, code, country, region)


def _birthday(source: random.Random) -> date:
    return date(source.randint(1940, 2005), source.randint(1, 12), source.randint(1, 28))


def _photo(source: random.Random, initials: str) -> bytes:
    """A small real JPEG: initials on a coloured ground."""
    colour = tuple(source.randint(40, 200) for _ in range(3))
    picture = Image.new("RGB", (96, 96), colour)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((8, 8, 88, 88), outline="white", width=3)
    pen.text((40, 42), initials.encode("ascii", "replace").decode(), fill="white")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()
