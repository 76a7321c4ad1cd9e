"""Contacts: slots, names that Exchange derives, dates, photos."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from exchangelib import Account, Contact, EWSDate, FileAttachment
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress

from tests.lab.exchange.conftest import Lab
from tests.lab.exchange.events import event, raw

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def contact(account: Account, **values: Any) -> Contact:
    """An unsaved contact."""
    given = {"display_name": "Grace Hopper", "file_as": "Hopper, Grace", "given_name": "Grace", "surname": "Hopper"}
    return Contact(account=account, folder=account.contacts, **{**given, **values})


def test_it_returns_what_was_stored(ada: Account) -> None:
    item = contact(
        ada,
        middle_name="Brewster",
        nickname="Amazing",
        generation="Jr.",
        company_name="Navy",
        department="Research",
        job_title="Rear admiral",
        office="B 12",
        manager="Aiken",
        assistant_name="Bob",
        spouse_name="Vincent",
        children=["none", "nobody"],
        profession="Mathematician",
        business_homepage="https://example.org/",
        birthday=EWSDate(1906, 12, 9),
        wedding_anniversary=EWSDate(1930, 6, 15),
        body="COBOL\nand more",
        categories=["Pioneers"],
        email_addresses=[
            EmailAddress(label="EmailAddress1", email="grace@example.org"),
            EmailAddress(label="EmailAddress3", email="hopper@example.net"),
        ],
        phone_numbers=[
            PhoneNumber(label="MobilePhone", phone_number="+1 555 1"),
            PhoneNumber(label="BusinessPhone", phone_number="+1 555 2"),
        ],
        physical_addresses=[
            PhysicalAddress(
                label="Home", street="1 Main St", city="Arlington", state="VA", country="USA", zipcode="22201"
            )
        ],
    ).save()
    found = ada.contacts.get(id=item.id)
    for name in ("middle_name", "nickname", "generation", "company_name", "department", "job_title", "office"):
        assert getattr(found, name) == getattr(item, name)
    for name in ("manager", "assistant_name", "spouse_name", "children", "profession", "business_homepage"):
        assert getattr(found, name) == getattr(item, name)
    assert (found.birthday, found.wedding_anniversary) == (EWSDate(1906, 12, 9), EWSDate(1930, 6, 15))
    assert {slot.label: slot.email for slot in found.email_addresses} == {
        "EmailAddress1": "grace@example.org",
        "EmailAddress3": "hopper@example.net",
    }
    assert {slot.label: slot.phone_number for slot in found.phone_numbers} == {
        "MobilePhone": "+1 555 1",
        "BusinessPhone": "+1 555 2",
    }
    (address,) = found.physical_addresses
    assert (address.street, address.city, address.zipcode) == ("1 Main St", "Arlington", "22201")
    assert found.complete_name.full_name == "Grace Brewster Hopper Jr."
    assert found.body == "COBOL\r\nand more"


def test_it_changes_single_slots(ada: Account) -> None:
    item = contact(
        ada,
        email_addresses=[
            EmailAddress(label="EmailAddress1", email="one@example.org"),
            EmailAddress(label="EmailAddress2", email="two@example.org"),
        ],
        physical_addresses=[PhysicalAddress(label="Home", street="1 Main St", city="Arlington")],
    ).save()
    item.email_addresses = [EmailAddress(label="EmailAddress2", email="new@example.org")]
    item.physical_addresses = [PhysicalAddress(label="Home", street="2 Main St")]
    item.save(update_fields=["email_addresses", "physical_addresses"])
    found = ada.contacts.get(id=item.id)
    assert [(slot.label, slot.email) for slot in found.email_addresses] == [("EmailAddress2", "new@example.org")]
    assert [(slot.label, slot.street, slot.city) for slot in found.physical_addresses] == [("Home", "2 Main St", None)]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("<t:GivenName>Grace</t:GivenName><t:Surname>Hopper</t:Surname>", ("Hopper, Grace", "Grace Hopper")),
        ("<t:CompanyName>Navy</t:CompanyName>", ("Navy", "Navy")),
        (
            "<t:FileAsMapping>FirstSpaceLast</t:FileAsMapping><t:GivenName>Grace</t:GivenName>"
            "<t:Surname>Hopper</t:Surname>",
            ("Grace Hopper", "Grace Hopper"),
        ),
    ],
)
def test_it_derives_names(lab: Lab, ada: Account, fields: str, shown: tuple[str, str]) -> None:
    request = "<m:CreateItem {ns}><m:Items><t:Contact>FIELDS</t:Contact></m:Items></m:CreateItem>"
    assert "NoError" in raw(lab, ada, request.replace("FIELDS", fields))
    (found,) = ada.contacts.all().only("file_as", "display_name", "subject")
    assert (found.file_as, found.display_name) == shown
    assert found.subject == shown[1]


def test_a_name_that_was_set_stays(ada: Account) -> None:
    item = contact(ada).save()
    item.surname = "Murray"
    item.save(update_fields=["surname"])
    found = ada.contacts.get(id=item.id)
    assert (found.file_as, found.display_name) == ("Hopper, Grace", "Grace Hopper")


def test_it_has_one_photo(ada: Account) -> None:
    item = contact(ada).save()
    assert ada.contacts.get(id=item.id).has_picture is False
    key = item.changekey
    item.attach(FileAttachment(name="me.png", content=PIXEL, is_contact_photo=True))
    found = ada.contacts.get(id=item.id)
    assert found.has_picture is True
    assert found.changekey != key
    (photo,) = found.attachments
    assert (photo.content, photo.is_contact_photo) == (PIXEL, True)
    other = PIXEL + b"other"
    found.attach(FileAttachment(name="new.png", content=other, is_contact_photo=True))
    fresh = ada.contacts.get(id=item.id)
    assert [photo.content for photo in fresh.attachments] == [other]
    fresh.detach(fresh.attachments[0])
    assert ada.contacts.get(id=item.id).has_picture is False


def test_only_contacts_have_photos(ada: Account) -> None:
    item = event(ada).save()
    item.attach(FileAttachment(name="me.png", content=PIXEL, is_contact_photo=True))
    assert [found.is_contact_photo for found in ada.calendar.get(id=item.id).attachments] == [False]
    item = event(ada).save()
    item.attach(FileAttachment(name="agenda.txt", content=b"\x00\xff any bytes", content_type="text/plain"))
    (kept,) = ada.calendar.get(id=item.id).attachments
    assert (kept.name, kept.content, kept.is_contact_photo) == ("agenda.txt", b"\x00\xff any bytes", False)
    assert ada.calendar.get(id=item.id).has_attachments is True


def test_it_finds_contacts_by_slot_and_name(ada: Account) -> None:
    contact(ada, email_addresses=[EmailAddress(label="EmailAddress1", email="grace@example.org")]).save()
    contact(ada, given_name="Anita", display_name="Anita Borg", surname="Borg").save()
    by_slot = ada.contacts.filter(email_addresses__contains=["grace@example.org"])
    assert [found.given_name for found in by_slot.only("given_name")] == ["Grace"]
    assert [found.surname for found in ada.contacts.all().order_by("surname").only("surname")] == ["Borg", "Hopper"]
    assert ada.contacts.filter(given_name__icontains="ANI").count() == 1
    assert ada.contacts.filter(given_name__exists=True).exclude(surname="Borg").count() == 1
