"""Cards with more than Exchange has slots for: what an edit on either side does to the other, by the real codecs."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from datetime import datetime

import pytest
from PIL import Image

from syncapp.engine.decide import Decision, View, decide
from syncapp.exchange.ews.contact_projection import project_contact
from syncapp.exchange.ews.contacts import contact_changes, new_contact, read_contact
from syncapp.exchange.ews.native import Native
from syncapp.items import Contact
from syncapp.items.fingerprint import Fingerprinter
from syncapp.items.values import Photo
from syncapp.nextcloud import contact_projection, contact_writing, contacts
from syncapp.side import SideName
from tests.exchange.ews import wire

PRINTS = Fingerprinter(b"k" * 32, b"s" * 16)
NOW = datetime(2026, 1, 2, 3, 4, 5)
LINES = (
    "BEGIN:VCARD",
    "VERSION:3.0",
    "UID:one",
    "FN:Anna Berg",
    "N:Berg;Anna;;;",
    "EMAIL;TYPE=HOME:a@x.example",
    "item1.EMAIL:b@x.example",
    "item1.X-ABLabel:Choir",
    "EMAIL:c@x.example",
    "item2.EMAIL;X-NOTE=d:d@x.example",
    "item2.X-ABLabel:Club",
    "EMAIL:e@x.example",
    "TEL;TYPE=CELL:1",
    "item3.TEL;TYPE=CELL:2",
    "item3.X-ABLabel:Boat",
    "IMPP;X-SERVICE-TYPE=Jabber:xmpp:a@x.example",
    "IMPP:sip:b",
    "X-SKYPE:c",
    "IMPP:matrix:d",
    "ADR;TYPE=HOME:Box 1;Rear;Weg 1;Ulm;;;",
    "ADR;TYPE=HOME:;;Weg 2;Ulm;;;",
    "URL:https://one.example",
    "URL:https://two.example/a,b;c",
    "X-FOO;X-BAR=baz:\\qux, ;  kept",
    "GEO:1;2",
    "END:VCARD",
)
CARD = "\r\n".join((*LINES, "")).encode()


def read(data: bytes) -> Contact:
    return contacts.parse(data).contact


def merge(exchange: Contact, nextcloud: Contact) -> Decision:
    """What is decided when both sides last agreed on CARD."""
    before = read(CARD)
    held = PRINTS.item(project_contact(before))
    views = {
        SideName.EXCHANGE: View(exchange, held, project_contact),  # type: ignore[arg-type]  # contacts only
        SideName.NEXTCLOUD: View(nextcloud, PRINTS.item(before), contact_projection.project),  # type: ignore[arg-type]
    }
    return decide(views, PRINTS, winner=SideName.EXCHANGE)


def after_edit_in_exchange(exchange: Contact) -> list[str]:
    """The lines of CARD once the edit has arrived, without REV."""
    write = merge(exchange, read(CARD)).writes[SideName.NEXTCLOUD]
    assert isinstance(write.item, Contact)
    text = bytes(contact_writing.patch(CARD, write.item, write.changed, NOW)).decode()
    return [each for each in text.split("\r\n") if each and not each.startswith("REV")]


HELD = project_contact(read(CARD))


def test_exchange_holds_the_first_of_each() -> None:
    assert [each.address for each in HELD.emails] == ["a@x.example", "b@x.example", "c@x.example"]
    assert [each.number for each in HELD.phones] == ["1"]
    assert HELD.ims == ("xmpp:a@x.example", "sip:b", "matrix:d")
    assert [each.street for each in HELD.addresses] == ["Weg 1"]


def test_another_order_is_no_change() -> None:
    lines = list(LINES)
    lines[5], lines[11] = lines[11], lines[5]
    lines[15], lines[17] = lines[17], lines[15]
    assert not merge(HELD, read("\r\n".join((*lines, "")).encode())).writes


def test_an_edit_of_something_else_leaves_every_other_line() -> None:
    assert after_edit_in_exchange(replace(HELD, job_title="Lead")) == [*LINES[:-1], "TITLE:Lead", LINES[-1]]


@pytest.mark.parametrize(
    ("edited", "gone"),
    [
        (replace(HELD, emails=HELD.emails[1:]), LINES[5:6]),
        (replace(HELD, emails=(HELD.emails[0], HELD.emails[2])), LINES[6:8]),
        (replace(HELD, phones=()), LINES[12:13]),
        (replace(HELD, ims=HELD.ims[1:]), LINES[15:16]),
        (replace(HELD, web_page=""), LINES[21:22]),
    ],
)
def test_a_slot_emptied_in_exchange_removes_exactly_that_entry(edited: Contact, gone: tuple[str, ...]) -> None:
    assert after_edit_in_exchange(edited) == [each for each in LINES if each not in gone]


def test_an_address_removed_in_exchange_leaves_what_exchange_has_no_place_for() -> None:
    found = after_edit_in_exchange(replace(HELD, addresses=()))
    assert "ADR;TYPE=HOME:;Rear;;;;;" in found
    assert LINES[20] in found


def test_a_freed_slot_takes_the_next_one_and_the_others_keep_their_places() -> None:
    stored = wire.stored(new_contact(HELD, "one", "own.1"))
    without_b = read(CARD.replace(b"item1.EMAIL:b@x.example\r\nitem1.X-ABLabel:Choir\r\n", b""))
    write = merge(HELD, without_b).writes[SideName.EXCHANGE]
    assert isinstance(write.item, Contact)
    changes = contact_changes(Native(stored), write.item, {element[0] for element in write.changed})
    found = read_contact(Native(wire.apply(stored, changes)), "UTC")
    assert [each.address for each in found.emails] == ["a@x.example", "d@x.example", "c@x.example"]


def test_a_recompressed_picture_is_no_change() -> None:
    image = Image.linear_gradient("L").convert("RGB")
    pictures = []
    for kind, quality in (("PNG", 0), ("JPEG", 95), ("JPEG", 50)):
        out = io.BytesIO()
        image.save(out, kind, quality=quality)
        pictures.append(out.getvalue())
    png, _, recompressed = pictures
    line = f"PHOTO;ENCODING=b;TYPE=PNG:{base64.b64encode(png).decode()}\r\n".encode()
    nextcloud = read(CARD.replace(b"END:VCARD", line + b"END:VCARD"))
    decision = merge(replace(HELD, photo=Photo(recompressed)), nextcloud)
    assert not decision.writes
    assert not decision.conflicts
    other = io.BytesIO()
    image.rotate(90).save(other, "JPEG")
    assert merge(replace(HELD, photo=Photo(other.getvalue())), nextcloud).writes
