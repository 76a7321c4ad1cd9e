"""Contacts as Exchange sends them, and what is written for a change."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from datetime import date

import pytest
from PIL import Image

from syncapp.exchange.ews.contact_projection import project_contact
from syncapp.exchange.ews.contacts import (
    contact_changes,
    new_contact,
    photo_attachments,
    read_contact,
)
from syncapp.exchange.ews.extended import OWN_ID, extended
from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.xml import TYPES, Element, Properties, local
from syncapp.items.contact import Contact
from syncapp.items.values import NO_YEAR, Email, Phone, Photo, PostalAddress, Privacy
from syncapp.side import Unreadable
from tests.exchange.ews import samples, wire

HOME = "Europe/Berlin"
BORN = "1980-02-29T11:59:00Z"


def person(birthday: str = BORN) -> Element:
    return samples.contact(samples.PERSON.replace("{birthday}", birthday))


def targets(changes: list[Markup]) -> list[str]:
    return [
        " ".join(filter(None, (local(each), each[0].get("FieldURI"), each[0].get("FieldIndex"))))
        for each in map(wire.element, changes)
    ]


def test_a_contact_is_read() -> None:
    picture = b"\x89PNG\r\n\x1a\n..."
    item = person()
    assert read_contact(wire.with_photo(item, picture), HOME) == Contact(
        display_name="Brian Johnson",
        given_name="Brian",
        surname="Johnson",
        prefix="Dr.",
        file_as="Johnson, Brian",
        company="AdventureWorks",
        # What is no internet address stays where it is, unseen.
        emails=(Email("brian@lab.example"),),
        phones=(Phone("+49 171 1", "mobile"),),
        addresses=(PostalAddress("work", "Main 1", "Ulm", "", "", "Germany"),),
        birthday=date(1980, 2, 29),
        notes="Met in Ulm",
        photo=Photo(picture, "image/png"),
    )
    # GUIDs and tags are written in several ways.
    assert extended(Properties(item), OWN_ID) == "abc.1"


def test_only_its_picture_is_a_contacts_photo() -> None:
    assert photo_attachments(Properties(person())) == ["AAMkPic="]


def test_a_picture_without_a_flag_is_known_by_its_name() -> None:
    content = samples.PERSON.replace("<t:IsContactPhoto>true</t:IsContactPhoto>", "")
    assert photo_attachments(Properties(samples.contact(content.replace("{birthday}", BORN)))) == ["AAMkPic="]


@pytest.mark.parametrize(
    ("stored", "home", "day"),
    [
        ("1980-02-29T11:59:00Z", "America/New_York", date(1980, 2, 29)),
        ("1980-02-29T00:00:00Z", "America/New_York", date(1980, 2, 29)),
        ("1980-02-28T23:00:00Z", "Europe/Berlin", date(1980, 2, 29)),
        ("1980-02-29T05:00:00Z", "America/New_York", date(1980, 2, 29)),
        ("1980-02-28T11:00:00Z", "Pacific/Auckland", date(1980, 2, 29)),
        ("1980-02-28T23:00:00Z", "UTC", date(1980, 2, 29)),
        ("4501-01-01T00:00:00Z", "UTC", None),
    ],
)
def test_a_birthday_is_the_day_that_was_meant(stored: str, home: str, day: date | None) -> None:
    assert read_contact(Native(person(stored)), home).birthday == day


def test_a_broken_birthday_makes_a_contact_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_contact(Native(person("yesterday")), HOME)


def test_a_broken_picture_makes_a_contact_unreadable() -> None:
    native = wire.with_photo(person(), b"x")
    native.photos[0][1].text = "*"
    with pytest.raises(Unreadable):
        read_contact(native, HOME)


def test_an_address_keeps_its_slot_and_a_hidden_one_stays() -> None:
    item = person()
    after = replace(read_contact(Native(item), HOME), emails=(Email("new@lab.example"), Email("BRIAN@lab.example")))
    changes = contact_changes(Native(item), after, {"emails"})
    assert targets(changes) == ["SetItemField contacts:EmailAddress EmailAddress3"]


def test_an_address_that_is_gone_frees_its_slot() -> None:
    item = person()
    changes = contact_changes(Native(item), Contact(), {"emails"})
    assert targets(changes) == ["DeleteItemField contacts:EmailAddress EmailAddress1"]


def test_only_the_changed_part_of_an_address_is_set() -> None:
    item = person()
    before = read_contact(Native(item), HOME)
    after = replace(before, addresses=(replace(before.addresses[0], city="", region="BW"),))
    assert targets(contact_changes(Native(item), after, {"addresses"})) == [
        "DeleteItemField contacts:PhysicalAddress:City Business",
        "SetItemField contacts:PhysicalAddress:State Business",
    ]


def test_a_filing_name_of_its_own_stays() -> None:
    item = person()
    after = replace(read_contact(Native(item), HOME), display_name="B. Johnson")
    assert targets(contact_changes(Native(item), after, {"display_name"})) == ["SetItemField contacts:DisplayName"]


def test_a_filing_name_that_is_the_name_follows_it() -> None:
    item = wire.stored(new_contact(Contact(display_name="Ada"), "uid", "own.1"))
    assert targets(contact_changes(Native(item), Contact(display_name="Eve"), {"display_name"})) == [
        "SetItemField contacts:DisplayName",
        "SetItemField contacts:FileAs",
    ]


def test_phones_go_by_their_label() -> None:
    item = person()
    after = Contact(phones=(Phone("1", "work"), Phone("2", "work"), Phone("3", "fax machine")))
    assert targets(contact_changes(Native(item), after, {"phones"})) == [
        "SetItemField contacts:PhoneNumber BusinessPhone",
        "DeleteItemField contacts:PhoneNumber MobilePhone",
    ]


def test_what_does_not_fit_is_not_held() -> None:
    many = Contact(
        emails=tuple(Email(f"{number}@lab.example", "work") for number in range(5)),
        phones=(Phone("1", "work"), Phone("2", "work")),
        addresses=(PostalAddress("work", "A"), PostalAddress("work", "B")),
    )
    held = project_contact(many)
    assert [each.address for each in held.emails] == ["0@lab.example", "1@lab.example", "2@lab.example"]
    assert [each.number for each in held.phones] == ["1"]
    assert [each.street for each in held.addresses] == ["A"]


def test_a_contact_without_a_name_gets_one_to_show() -> None:
    assert project_contact(Contact(given_name="Ada", surname="Berg")).display_name == "Ada Berg"
    assert project_contact(Contact(company="Lab")).display_name == "Lab"
    assert project_contact(Contact(emails=(Email("a@lab.example"),))).display_name == "a@lab.example"


FULL = Contact(
    display_name="Ada Berg",
    file_as="Berg, Ada",
    phonetic_given_name="Eida",
    phonetic_surname="Berk",
    phonetic_company="Laab",
    company="Lab",
    profession="Chemist",
    manager="Karl",
    assistant="Jenny",
    spouse="Kim",
    children=("Ole", "Ida"),
    ims=("sip:ada@lab.example", "xmpp:ada@home.example"),
    addresses=(
        PostalAddress("work", "Main 1", "Ulm", post_box="7", office="Room 5"),
        PostalAddress("home", "Weg 2", post_box="8"),
        PostalAddress("other", post_box="9"),
    ),
    personal_page="https://ada.example",
    birthday=date(NO_YEAR, 2, 29),
    anniversary=date(2001, 3, 4),
    privacy=Privacy.CONFIDENTIAL,
)


def test_everything_that_outlook_has_a_field_for_is_written_and_read() -> None:
    item = wire.stored(new_contact(FULL, "", "own.1"))
    assert read_contact(Native(item), HOME) == FULL
    assert project_contact(FULL) == FULL
    fields = {name for name in vars(FULL) if getattr(FULL, name) and not name.startswith("_")}
    emptied = wire.apply(item, contact_changes(Native(item), Contact(), fields))
    assert read_contact(Native(emptied), HOME) == Contact()
    again = wire.apply(emptied, contact_changes(Native(emptied), FULL, fields))
    assert read_contact(Native(again), HOME) == FULL


def test_a_filing_name_that_is_taken_away_gives_way_to_the_name() -> None:
    item = wire.stored(new_contact(FULL, "", "own.1"))
    changes = contact_changes(Native(item), replace(FULL, file_as=""), {"file_as"})
    assert targets(changes) == ["SetItemField contacts:FileAs"]
    assert read_contact(Native(wire.apply(item, changes)), HOME).file_as == ""


def test_formatted_notes_keep_their_formatting_until_their_words_change() -> None:
    item = person()
    for body in item.findall(f"{{{TYPES}}}Body"):
        item.remove(body)
    item.append(wire.element(t("Body", "<html><body><p>Met <b>in</b> Ulm</p></body></html>", BodyType="HTML")))
    before = read_contact(Native(item), HOME)
    assert before.notes == "Met in Ulm"
    assert "item:Body" not in str(contact_changes(Native(item), replace(before, job_title="Lead"), {"job_title"}))
    assert targets(contact_changes(Native(item), replace(before, notes="New"), {"notes"})) == ["SetItemField item:Body"]


def test_what_is_too_long_is_cut_where_exchange_cuts_it() -> None:
    held = project_contact(Contact(display_name="x", company="long " * 60, web_page="https://x.example/" + "y" * 300))
    assert held.company == ("long " * 51).strip()
    assert len(held.web_page) > 300


@pytest.mark.parametrize(("year", "held"), [(1, False), (1601, False), (1602, True), (4499, True), (9999, False)])
def test_only_days_that_exchange_counts_are_held(year: int, held: bool) -> None:
    projected = project_contact(Contact(display_name="x", birthday=date(year, 1, 1), anniversary=date(year, 1, 1)))
    assert [projected.birthday is not None, projected.anniversary is not None] == [held, held]


def test_a_picture_is_held_as_jpeg() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    held = project_contact(Contact(display_name="x", photo=Photo(out.getvalue(), "image/png"))).photo
    assert held is not None
    assert held.media_type == "image/jpeg"
    assert held.data.startswith(b"\xff\xd8")
    assert project_contact(Contact(display_name="x", photo=Photo(b"no picture"))).photo is None


def test_a_packed_contact_unpacks_with_its_picture() -> None:
    native = wire.with_photo(person(), base64.b64decode("aGVsbG8="))
    again = Native.unpack(native.pack())
    assert read_contact(again, HOME) == read_contact(native, HOME)
    assert again.whole() == native.whole()
