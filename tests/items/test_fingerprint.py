"""What the database remembers of an item."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncapp.items import Contact, Item
from syncapp.items.elements import elements
from syncapp.items.fields import NORMAL_FORM_VERSION
from syncapp.items.fingerprint import Base, Fingerprinter
from syncapp.items.values import Email, Phone, PostalAddress
from tests.items.strategies import items, pairs

KEY, SALT = b"k" * 32, b"s" * 16
PRINTS = Fingerprinter(KEY, SALT)

hashes = st.dictionaries(st.binary(min_size=6, max_size=6), st.binary(min_size=8, max_size=8), max_size=20)


@given(pairs)
def test_items_have_the_same_hashes_exactly_when_their_elements_agree(pair: tuple[Item, Item]) -> None:
    one, two = ({path: part.normal for path, part in elements(each).items()} for each in pair)
    assert (PRINTS.item(pair[0]) == PRINTS.item(pair[1])) == (one == two)


@given(items)
def test_each_element_has_its_own_hash(item: Item) -> None:
    assert len(PRINTS.item(item)) == len(elements(item))


def test_the_same_text_hashes_differently_in_another_element() -> None:
    assert PRINTS.value(("title",), "Budget") != PRINTS.value(("location",), "Budget")


@pytest.mark.parametrize("other", [Fingerprinter(b"x" * 32, SALT), Fingerprinter(KEY, b"x" * 16)])
def test_another_key_or_another_link_gives_other_hashes(other: Fingerprinter) -> None:
    contact = Contact(display_name="Anna")
    assert not set(PRINTS.item(contact)) & set(other.item(contact))
    assert not set(PRINTS.item(contact).values()) & set(other.item(contact).values())
    assert PRINTS.whole(b"content") != other.whole(b"content")


@given(hashes, st.integers(0, 255))
def test_a_base_comes_back_as_it_was_packed(rows: dict[bytes, bytes], version: int) -> None:
    assert Base.unpack(Base(rows, version).pack()) == Base(rows, version)


@given(hashes.filter(bool), st.data())
def test_a_base_that_was_cut_short_is_refused(rows: dict[bytes, bytes], data: st.DataObject) -> None:
    packed = Base(rows).pack()
    cut = data.draw(st.integers(0, len(packed) - 1).filter(lambda at: at == 0 or (at - 1) % 14))
    with pytest.raises(ValueError, match="cut short"):
        Base.unpack(packed[:cut])


def test_a_new_base_names_the_version_of_its_normal_forms() -> None:
    assert Base.unpack(Base({}).pack()).version == NORMAL_FORM_VERSION


def test_both_bases_of_a_usual_contact_fit_in_500_bytes() -> None:
    contact = Contact(
        display_name="Anna Groß",
        given_name="Anna",
        surname="Groß",
        company="Lab",
        job_title="Leiterin",
        emails=(Email("a@lab.example"), Email("b@lab.example")),
        phones=(Phone("+49 30 1", "work"), Phone("+49 171 1", "mobile")),
        addresses=(PostalAddress("work", "Am Weg 1", "Berlin"),),
        birthday=date(1980, 2, 29),
        notes="Kennt Bob",
    )
    assert 2 * len(Base(PRINTS.item(contact)).pack()) <= 500


def test_a_base_holds_nothing_to_read() -> None:
    contact = Contact(display_name="Anna", emails=(Email("anna@lab.example"),))
    packed = Base(PRINTS.item(contact)).pack()
    assert b"Anna" not in packed
    assert b"anna" not in packed
    assert packed != Base(PRINTS.item(replace(contact, display_name="Bob"))).pack()
