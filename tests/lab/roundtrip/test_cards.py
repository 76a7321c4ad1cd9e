"""Files of vCards become cards, and what a card says is read as vobject takes it apart."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from lab.roundtrip.card_reading import read_card
from lab.roundtrip.card_text import split_cards
from lab.roundtrip.kinds import MASTER, NotReadable
from lab.roundtrip.pictures import picture_text, same_picture


def card(*lines: str, version: str = "3.0") -> bytes:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]).encode()


def said(*lines: str, version: str = "3.0") -> dict[str, str]:
    return dict(read_card(card(*lines, version=version)).parts[MASTER])


def picture(kind: str, colour: str = "orange", size: tuple[int, int] = (200, 100)) -> bytes:
    image = Image.new("RGB", size, colour)
    image.paste("navy", (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def test_every_card_of_a_file_is_a_card_of_its_own() -> None:
    one, other = split_cards(b"\xef\xbb\xbf" + card("FN:One") + b"\r\n" + card("FN:Other").replace(b"\r\n", b"\r\r\n"))
    assert b"FN:One\r\n" in one
    assert b"FN:Other\r\n" in other


def test_a_card_in_a_card_stays_there() -> None:
    [one] = split_cards(card("FN:One", "AGENT:", "BEGIN:VCARD", "FN:Inner", "END:VCARD"))
    assert read_card(one).parts[MASTER]["display_name"] == "One"


@pytest.mark.parametrize("broken", [b"", b"hello", b"BEGIN:VCARD\r\nFN:One\r\n"])
def test_a_broken_file_says_what_is_wrong(broken: bytes) -> None:
    with pytest.raises(NotReadable, match=r"\.$"):
        split_cards(broken)


def test_the_slots_of_exchange_are_filled_by_preference() -> None:
    found = said(
        *(f"EMAIL:{each}@x.example" for each in "abc"), "EMAIL;TYPE=PREF:d@x.example", "TEL;CELL:1", "TEL;CELL:2"
    )
    assert found["emails"] == "a@x.example\nb@x.example\nd@x.example"
    assert found["further e-mails"] == "c@x.example"
    assert (found["phones"], found["further phones"]) == ("mobile 1", "mobile 2")


def test_labels_of_apple_and_words_of_other_programs_mean_the_same() -> None:
    apple = said("item1.X-ABRELATEDNAMES:Jenny", "item1.X-ABLabel:_$!<Spouse>!$_", "X-PHONETIC-LAST-NAME:Dow")
    assert apple["spouse"] == said("X-MS-SPOUSE:Jenny")["spouse"] == said("X-EVOLUTION-SPOUSE:Jenny")["spouse"]
    assert apple["phonetic_surname"] == "Dow"


@pytest.mark.parametrize("text", ["BDAY:--0203", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-03", "BDAY:1604-02-03"])
def test_a_birthday_without_a_year_is_one_however_it_is_written(text: str) -> None:
    assert said(text)["birthday"] == "any year 02 03"


def test_bytes_are_put_together_before_they_become_characters() -> None:
    folded = card("FN:Müller").replace("ü".encode(), b"\xc3\r\n \xbc")
    assert read_card(folded).parts[MASTER]["display_name"] == "Müller"
    quoted = said("FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:M=C3=BC=\r\nller", version="2.1")
    assert quoted["display_name"] == "Müller"


def test_pictures_are_the_same_when_they_show_the_same() -> None:
    png, jpeg = picture_text(picture("PNG")), picture_text(picture("JPEG"))
    assert same_picture(png, jpeg)
    assert same_picture(png, picture_text(picture("JPEG", size=(100, 50))))
    assert not same_picture(png, picture_text(picture("JPEG", "green")))
    assert not same_picture(png, picture_text(picture("JPEG", size=(100, 100))))
    assert not same_picture(png, picture_text(b"no picture"))
    assert not same_picture(png, "")


@pytest.mark.parametrize("form", ["PHOTO;ENCODING=b;TYPE=PNG:{}", "PHOTO:data:image/png;base64,{}", "PHOTO;BASE64:{}"])
def test_a_photo_is_found_in_every_form(form: str) -> None:
    data = picture("PNG")
    assert said(form.format(base64.b64encode(data).decode()))["photo"] == picture_text(data)
