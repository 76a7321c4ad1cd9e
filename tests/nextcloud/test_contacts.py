"""Contacts: a vCard and a neutral contact say the same, and a patch touches nothing else."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date, datetime

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from syncapp.items import Contact
from syncapp.items.elements import Element
from syncapp.items.fields import line
from syncapp.items.values import NO_YEAR, Email, Phone, Photo, PostalAddress, Privacy
from syncapp.nextcloud import contact_writing, contacts
from syncapp.side import Refused, Unreadable
from tests.contract.samples import PICTURE
from tests.contract.suite import content
from tests.nextcloud import strategies

NOW = datetime(2026, 1, 2, 3, 4, 5)
UID = "5f3a@lab.example"


def written(contact: Contact) -> bytes:
    return bytes(contact_writing.new(contact, UID, NOW))


def read(data: bytes) -> Contact:
    return contacts.parse(data).contact


def whole(data: bytes) -> bytes:
    return contacts.whole(contacts.parse(data).text)


def differing(before: Contact, after: Contact) -> frozenset[Element]:
    old, new = content(before), content(after)
    return frozenset(path for path in {*old, *new} if old.get(path) != new.get(path))


def patched(data: bytes, after: Contact) -> bytes:
    return bytes(contact_writing.patch(data, after, differing(read(data), after), NOW))


def card(*lines: str, version: str = "3.0") -> bytes:
    return "\r\n".join(("BEGIN:VCARD", f"VERSION:{version}", f"UID:{UID}", *lines, "END:VCARD", "")).encode()


# Round trips -----------------------------------------------------------------------------------------------------


@strategies.few
@given(strategies.contacts())
def test_a_contact_reads_as_it_was_written(contact: Contact) -> None:
    found = read(written(contact))
    assert content(found) == content(contact)
    notes = contact.notes if line(contact.notes) else ""
    assert (found.uid, found.notes, found.emails) == (UID, notes, contact.emails)


@strategies.few
@given(strategies.contacts())
def test_an_unpatched_card_keeps_its_bytes(contact: Contact) -> None:
    data = written(contact)
    assert bytes(contacts.parse(data).text) == data
    assert bytes(contact_writing.patch(data, read(data), (), NOW)) == data


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_a_name_that_looks_like_an_address_stays_a_name_when_it_takes_anothers_place(version: str) -> None:
    before = replace(read(card(version=version)), spouse="Kim")
    data = patched(card(version=version), before)
    assert read(patched(data, replace(before, spouse="A:0"))).spouse == "A:0"


@strategies.few
@given(strategies.contacts(), strategies.contacts(), st.sampled_from(("2.1", "3.0", "4.0")))
def test_a_patched_card_reads_as_the_new_contact(before: Contact, after: Contact, version: str) -> None:
    data = written(replace(before, photo=None))
    if version != "3.0":
        data = patched(card(version=version), replace(before, photo=None))
    assert content(read(patched(data, after))) == content(after)


@strategies.few
@given(strategies.contacts(), strategies.contacts(), st.sampled_from(("2.1", "3.0", "4.0")))
def test_the_whole_is_known_before_it_is_sent(before: Contact, after: Contact, version: str) -> None:
    text = contact_writing.new(before, UID, NOW)
    assert contacts.whole(text) == whole(bytes(text))
    data = bytes(text).replace(b"VERSION:3.0", b"VERSION:" + version.encode())
    again = contact_writing.patch(data, after, differing(read(data), after), NOW)
    assert contacts.whole(again) == whole(bytes(again))


@strategies.few
@given(strategies.contacts(), strategies.contacts())
def test_a_patch_of_some_fields_leaves_the_lines_of_others(before: Contact, other: Contact) -> None:
    data = written(before)
    stored = read(data)
    after = replace(stored, notes=other.notes, phones=other.phones)
    again = patched(data, after)
    assert content(read(again)) == content(after)
    rest = [line.raw for line in contacts.parse(data).card.lines if line.name not in ("NOTE", "TEL", "REV")]
    assert rest == [line.raw for line in contacts.parse(again).card.lines if line.name not in ("NOTE", "TEL", "REV")]


@strategies.few
@given(strategies.contacts())
def test_vobject_reads_our_cards_alike(contact: Contact) -> None:
    # vobject takes the apostrophe in a TYPE-less value for nothing special, but joins what it splits: names only.
    theirs = vobject.readOne(written(contact).decode())
    ours = read(written(contact))
    assert theirs.fn.value == ours.display_name
    assert [each.value for each in theirs.contents.get("email", [])] == [each.address for each in ours.emails]
    assert [each.value for each in theirs.contents.get("tel", [])] == [each.number for each in ours.phones]
    if contact.photo:
        assert theirs.photo.value == contact.photo.data


@given(st.binary(max_size=200))
def test_no_line_is_answered_with_another_error(junk: bytes) -> None:
    for name in (
        b"",
        b"N:",
        b"BDAY:",
        b"TEL:",
        b"PHOTO;ENCODING=b:",
        b"PHOTO:data:",
        b"NOTE;ENCODING=QUOTED-PRINTABLE:",
    ):
        try:
            found = contacts.parse(card("JUNK").replace(b"JUNK", name + junk))
            contacts.whole(found.text)
            content(found.contact)
        except Unreadable:
            continue


# Versions --------------------------------------------------------------------------------------------------------


def test_version_2_1_is_read() -> None:
    data = card(
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;=C3=84nne",
        "FN;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:=C4nne M=FCller",
        "TEL;WORK;VOICE:+49 30 1",
        "TEL;CELL:0171",
        "EMAIL;INTERNET;PREF:aenne@lab.example",
        "NOTE;ENCODING=QUOTED-PRINTABLE:eine lange=20=\r\nZeile=0D=0Aund eine zweite",
        "ADR;HOME:;;Am Weg 1;Berlin;;10115;",
        "PHOTO;JPEG;ENCODING=BASE64:" + base64.b64encode(PICTURE).decode()[:40] + "\r\n "
        + base64.b64encode(PICTURE).decode()[40:] + "\r\n",
        version="2.1",
    )  # fmt: skip
    found = read(data)
    assert (found.display_name, found.surname, found.given_name) == ("Änne Müller", "Müller", "Änne")
    assert found.phones == (Phone("+49 30 1", "work"), Phone("0171", "mobile"))
    assert found.emails == (Email("aenne@lab.example"),)
    assert found.notes == "eine lange Zeile\r\nund eine zweite"
    assert found.addresses == (PostalAddress("home", "Am Weg 1", "Berlin", "", "10115", ""),)
    assert found.photo == Photo(PICTURE, "image/jpeg")
    assert bytes(contacts.parse(data).text) == data


def test_version_4_0_is_read() -> None:
    found = read(
        card(
            "FN:Anna Berg",
            "N:Berg;Anna;Maria,Luise;;",
            'TEL;VALUE=uri;PREF=1;TYPE="voice,home":tel:+49-30-1',
            "EMAIL;PREF=2;TYPE=work:zwei@lab.example",
            "EMAIL;PREF=1:eins@lab.example",
            "BDAY:19800229",
            "PHOTO:data:image/png;base64,iVBORw0KGgo=",
            version="4.0",
        )
    )
    assert (found.middle_name, found.birthday) == ("Maria, Luise", date(1980, 2, 29))
    assert found.phones == (Phone("+49-30-1", "home"),)
    assert found.emails == (Email("eins@lab.example"), Email("zwei@lab.example", "work"))
    assert found.photo == Photo(b"\x89PNG\r\n\x1a\n", "image/png")


def test_a_list_of_contacts_is_of_another_kind() -> None:
    for kind in ("KIND:group", "X-ADDRESSBOOKSERVER-KIND:group"):
        with pytest.raises(contacts.OtherKind):
            contacts.parse(card(kind))


def test_two_cards_in_one_object_are_unreadable() -> None:
    with pytest.raises(Unreadable, match="more behind the end"):
        contacts.parse(card() + card())


# Fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("TEL:1", "other"),
        ("TEL;TYPE=VOICE:1", "other"),
        ("TEL;TYPE=WORK,VOICE:1", "work"),
        ("TEL;TYPE=HOME;TYPE=VOICE:1", "home"),
        ("TEL;TYPE=WORK,FAX:1", "work-fax"),
        ("TEL;TYPE=HOME,FAX:1", "home-fax"),
        ("TEL;TYPE=FAX:1", "other-fax"),
        ("TEL;TYPE=CELL,WORK:1", "mobile"),
        ("TEL;TYPE=iPhone:1", "mobile"),
        ("TEL;TYPE=WORK,PAGER:1", "pager"),
        ("TEL;TYPE=CAR:1", "car"),
        ("TEL;TYPE=ISDN:1", "isdn"),
        ("TEL;TYPE=X-EVOLUTION-CALLBACK:1", "callback"),
        ("TEL;TYPE=x-assistant:1", "assistant"),
        ("TEL;TYPE=main:1", "main"),
        ("TEL;TYPE=textphone:1", "tty"),
    ],
)
def test_phones_are_labelled_by_their_types(line: str, label: str) -> None:
    assert read(card(line)).phones == (Phone("1", label),)


def test_the_second_number_of_the_office_is_called_so() -> None:
    found = read(card("TEL;TYPE=WORK:1", "TEL;TYPE=WORK:2", "TEL;TYPE=WORK,PREF:3", "TEL;TYPE=HOME:4"))
    assert found.phones == (Phone("3", "work"), Phone("1", "work-2"), Phone("2", "work-2"), Phone("4", "home"))


@pytest.mark.parametrize(
    ("line", "birthday"),
    [
        ("BDAY:1980-02-29", date(1980, 2, 29)),
        ("BDAY;VALUE=date:19800229", date(1980, 2, 29)),
        ("BDAY:1980-02-29T00:00:00Z", date(1980, 2, 29)),
        ("BDAY:--0229", date(NO_YEAR, 2, 29)),
        ("BDAY:--02-29", date(NO_YEAR, 2, 29)),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", date(NO_YEAR, 2, 29)),
        ("BDAY;X-APPLE-OMIT-YEAR=2020:2020-02-29", date(NO_YEAR, 2, 29)),
        ("BDAY:1980-02-30", None),
        ("BDAY;VALUE=text:im Winter", None),
    ],
)
def test_a_birthday_is_a_day_with_or_without_a_year(line: str, birthday: date | None) -> None:
    data = card("FN:x", line)
    assert read(data).birthday == birthday
    again = patched(data, replace(read(data), notes="neu"))
    assert line.encode() in again


@pytest.mark.parametrize(
    "line",
    [
        "PHOTO;VALUE=uri:https://lab.example/anna.jpg",
        "PHOTO:https://lab.example/anna.jpg",
        "PHOTO;ENCODING=b;TYPE=JPEG:%%%",
        "PHOTO:data:image/png,not-base64",
    ],
)
def test_a_picture_elsewhere_is_neither_fetched_nor_touched(line: str) -> None:
    data = card("FN:x", line)
    assert read(data).photo is None
    assert line.encode() in patched(data, replace(read(data), display_name="y"))


def test_the_same_picture_keeps_its_line() -> None:
    picture = "PHOTO;TYPE=jpeg;ENCODING=B:" + base64.b64encode(PICTURE).decode()
    data = card("FN:x", picture)
    assert picture.encode() in bytes(contact_writing.patch(data, read(data), {("photo",)}, NOW))
    gone = patched(data, replace(read(data), photo=None))
    assert b"PHOTO" not in gone


def test_one_address_for_each_label_is_ours() -> None:
    data = card(
        "ADR;TYPE=WORK:;;Weg 1;Berlin;;;",
        "ADR;TYPE=WORK:;;Weg 2;Bonn;;;",
        "ADR:Postfach 7;Hinterhaus;Weg 3;Köln;;;",
    )
    found = read(data)
    assert [(each.label, each.city) for each in found.addresses] == [("work", "Berlin"), ("other", "Köln")]
    work, other = found.addresses
    again = patched(data, replace(found, addresses=(work, replace(other, city="Aachen"))))
    assert b"ADR:Postfach 7;Hinterhaus;Weg 3;Aachen;;;\r\n" in again
    assert b"Bonn" in again
    assert b"Bonn" in patched(data, replace(found, addresses=(other,)))


def test_a_patch_keeps_groups_labels_and_everything_unknown() -> None:
    lines = (
        "FN:Anna",
        "N:Berg;Anna;;;",
        "item1.EMAIL;TYPE=INTERNET;X-A=b:anna@lab.example",
        "item1.X-ABLabel:Verein",
        "item2.ADR;TYPE=HOME:;;Weg 1;Berlin;;;",
        "item2.X-ABADR:de",
        "ORG:Lab;Forschung;Team 3",
        "X-SOCIALPROFILE;TYPE=x:https://lab.example/@anna",
        "IMPP;X-SERVICE-TYPE=Matrix:matrix:u/anna:lab.example",
        "NICKNAME:Anni,Änni",
        "URL:https://eins.example",
        "URL:https://zwei.example",
    )
    data = card(*lines)
    found = read(data)
    assert (found.department, found.nickname, found.web_page) == ("Forschung", "Anni, Änni", "https://eins.example")
    after = replace(
        found,
        emails=(replace(found.emails[0], address="Anna@Lab.Example"),),
        addresses=(replace(found.addresses[0], street="Weg 2"),),
        department="Lehre",
        web_page="https://neu.example",
    )
    changed = differing(found, after) | {("emails", "anna@lab.example")}
    again = bytes(contact_writing.patch(data, after, changed, NOW))
    expected = data
    for old, new in (
        (b"X-A=b:anna@lab.example", b"X-A=b:Anna@Lab.Example"),
        (b"TYPE=INTERNET;X-A=b", b"X-A=b;TYPE=INTERNET"),
        (b"Weg 1", b"Weg 2"),
        (b"Lab;Forschung;Team 3", b"Lab;Lehre;Team 3"),
        (b"https://eins.example", b"https://neu.example"),
        (b"END:VCARD", b"REV:20260102T030405Z\r\nEND:VCARD"),
    ):
        expected = expected.replace(old, new)
    assert again == expected


@pytest.mark.parametrize(
    ("lines", "field", "name"),
    [
        (["RELATED;TYPE=MANAGER:Karl"], "manager", "Karl"),
        (["RELATED;VALUE=text;TYPE=SPOUSE:Kim"], "spouse", "Kim"),
        (["X-MS-ASSISTANT:Jenny"], "assistant", "Jenny"),
        (["X-EVOLUTION-MANAGER:Karl"], "manager", "Karl"),
        (["item1.X-ABRELATEDNAMES:Kim", "item1.X-ABLabel:_$!<Spouse>!$_"], "spouse", "Kim"),
        (["X-MS-CHILD:Ole", "X-MS-CHILD:Ida", "X-MS-CHILD:ole"], "children", ("Ole", "Ida")),
        (["item1.X-ABRELATEDNAMES:Mum", "item1.X-ABLabel:_$!<Mother>!$_"], "manager", ""),
        (["RELATED;TYPE=SPOUSE:urn:uuid:1"], "spouse", ""),
        (["X-MANAGERSNAME;UID=1:1"], "manager", ""),
    ],
)
def test_people_are_named_in_many_ways(lines: list[str], field: str, name: str | tuple[str, ...]) -> None:
    data = card("FN:x", *lines)
    assert getattr(read(data), field) == name
    again = patched(data, replace(read(data), notes="new"))
    assert all(each.encode() in again for each in lines)


def test_another_name_takes_the_place_of_the_one_that_was_there() -> None:
    data = card("FN:x", "item1.X-ABRELATEDNAMES;type=pref:Kim", "item1.X-ABLabel:_$!<Spouse>!$_")
    again = patched(data, replace(read(data), spouse="Kai"))
    assert b"item1.X-ABRELATEDNAMES;TYPE=pref:Kai\r\nitem1.X-ABLabel:_$!<Spouse>!$_" in again
    gone = patched(data, replace(read(data), spouse=""))
    assert b"item1" not in gone
    assert b"RELATED;VALUE=text;TYPE=SPOUSE:Kim\r\n" in written(Contact(display_name="x", spouse="Kim"))
    letters = patched(card("FN:x", "X-MS-CHILD:ole"), replace(read(card("FN:x", "X-MS-CHILD:ole")), children=("Ole",)))
    assert b"X-MS-CHILD:Ole\r\n" in letters


@pytest.mark.parametrize(
    "line",
    [
        "ANNIVERSARY:20000229",
        "X-ANNIVERSARY:2000-02-29",
        "X-MS-ANNIVERSARY:20000229",
        "X-EVOLUTION-ANNIVERSARY:2000-02-29",
        "item1.X-ABDATE:2000-02-29\r\nitem1.X-ABLabel:_$!<Anniversary>!$_",
    ],
)
def test_a_wedding_day_is_found_however_it_is_called(line: str) -> None:
    data = card("FN:x", line)
    assert read(data).anniversary == date(2000, 2, 29)
    assert read(patched(data, replace(read(data), anniversary=date(2001, 3, 4)))).anniversary == date(2001, 3, 4)
    assert b"29" not in patched(data, replace(read(data), anniversary=None))


def test_a_day_without_a_year_is_written_as_each_version_has_it() -> None:
    born = Contact(display_name="x", birthday=date(NO_YEAR, 2, 29))
    assert b"BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29\r\n" in written(born)
    assert b"BDAY:--0229\r\n" in patched(card("FN:x", version="4.0"), born)


def test_the_office_is_the_extended_address_at_work() -> None:
    data = card("ADR;TYPE=WORK:Box 1;Room 5;Weg 1;Berlin;;;", "ADR;TYPE=HOME:Box 2;Rear;Weg 2;Bonn;;;")
    work, home = read(data).addresses
    assert (work.post_box, work.office, home.post_box, home.office) == ("Box 1", "Room 5", "Box 2", "")
    again = patched(data, replace(read(data), addresses=(replace(work, office="Room 6"), replace(home, post_box=""))))
    assert b"ADR;TYPE=WORK:Box 1;Room 6;Weg 1;Berlin;;;\r\nADR;TYPE=HOME:;Rear;Weg 2;Bonn;;;\r\n" in again


def test_pages_at_home_and_others_are_two() -> None:
    data = card(
        "FN:x", "URL;TYPE=HOME:https://home.example", "URL;TYPE=WORK:https://work.example", "URL:https://o.example"
    )
    found = read(data)
    assert (found.web_page, found.personal_page) == ("https://work.example", "https://home.example")
    again = patched(data, replace(found, web_page="", personal_page="https://new.example"))
    assert b"URL;TYPE=HOME:https://new.example\r\nURL:https://o.example\r\n" in again


def test_sensitivity_is_the_class() -> None:
    assert read(card("FN:x")).privacy is Privacy.NORMAL
    assert read(card("FN:x", "CLASS:X-SECRET")).privacy is Privacy.PRIVATE
    for privacy in Privacy:
        assert read(written(Contact(display_name="x", privacy=privacy))).privacy is privacy


# MS-OXVCARD, TEL: "Importing to Contact Objects".
@pytest.mark.parametrize(
    ("lines", "slots"),
    [
        (["TEL;TYPE=home:1", "TEL;TYPE=home:2"], {"home": "1", "home-2": "2"}),
        (["TEL;TYPE=work:1", "TEL;TYPE=work:2"], {"work": "1", "work-2": "2"}),
        (["TEL;TYPE=msg:1"], {"other": "1"}),
        (["TEL;TYPE=voice:1"], {"other": "1"}),
        (["TEL;TYPE=video:1"], {"other": "1"}),
        (["TEL:1"], {"other": "1"}),
        (["TEL;TYPE=cell:1"], {"mobile": "1"}),
        (["TEL;TYPE=pager:1"], {"pager": "1"}),
        (["TEL;TYPE=car:1"], {"car": "1"}),
        (["TEL;TYPE=isdn:1"], {"isdn": "1"}),
        (["TEL;TYPE=home;TYPE=fax:1"], {"home-fax": "1"}),
        (["TEL;TYPE=work;TYPE=fax:1"], {"work-fax": "1"}),
        (["X-MS-TEL;TYPE=ASSISTANT:1"], {"assistant": "1"}),
        (["X-MS-TEL;TYPE=CALLBACK:1"], {"callback": "1"}),
        (["X-MS-TEL;TYPE=COMPANY:1"], {"company": "1"}),
        (["X-MS-TEL;TYPE=RADIO:1"], {"radio": "1"}),
        (["X-MS-TEL;TYPE=TTYTDD:1"], {"tty": "1"}),
    ],
)
def test_numbers_go_where_outlook_puts_them(lines: list[str], slots: dict[str, str]) -> None:
    assert {each.label: each.number for each in read(card(*lines)).phones} == slots


def test_a_card_always_has_a_name() -> None:
    for contact, name in (
        (Contact(given_name="Anna", surname="Berg"), "Anna Berg"),
        (Contact(company="Lab"), "Lab"),
        (Contact(emails=(Email("anna@lab.example"),)), "anna@lab.example"),
        (Contact(), ""),
    ):
        assert read(written(contact)).display_name == name
    assert b"FN:?\r\n" in written(Contact())


def test_the_whole_leaves_out_what_programs_touch() -> None:
    data = card("FN:Anna Berg", "REV:1", "X-A:1")
    same = data.replace(b"REV:1", b"REV:2").replace(b"FN:Anna Berg", b"FN:Anna\r\n  Berg")
    assert whole(same) == whole(data)
    assert whole(data.replace(b"X-A:1", b"X-A:2")) != whole(data)


def test_what_nextcloud_can_not_store_is_refused_before() -> None:
    with pytest.raises(Refused, match="255"):
        contact_writing.check(Contact(), "x" * 256)


def test_another_number_under_a_label_takes_the_line_of_the_one_before() -> None:
    # Behind the other line for home it would become the second number, and the other one the first.
    data = card("item1.TEL;TYPE=HOME,VOICE:030 1", "TEL;TYPE=HOME:030 2")
    stored = read(data)
    after = replace(stored, phones=(Phone("030 3", "home"), Phone("030 2", "home-2")))
    again = patched(data, after)
    assert read(again).phones == after.phones
    assert b"item1.TEL;TYPE=HOME,VOICE:030 3" in again


# A former version ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_former_version_is_stored_again_with_what_no_contact_says(version: str) -> None:
    data = card("FN:Anna", "EMAIL:anna@lab.example", "X-SPOUSE:Bob", "item1.X-ABLABEL:Boot", version=version)
    again = bytes(contact_writing.again(data, UID, NOW))
    assert whole(again) == whole(data)
    assert b"REV:20260102T030405Z" in again


def test_a_former_version_gets_the_uid_that_it_shall_have() -> None:
    again = bytes(contact_writing.again(card("FN:Anna", "X-SPOUSE:Bob"), "an;other", NOW))
    assert contacts.parse(again).uid == "an;other"
    assert b"X-SPOUSE:Bob" in again
