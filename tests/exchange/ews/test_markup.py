"""Whatever somebody wrote into an item, a request is XML that says it, less what XML can't say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncapp.exchange.ews.markup import as_is, joined, m, t
from syncapp.exchange.ews.xml import MESSAGES, TYPES, legal
from tests.exchange.ews import wire

# Surrogates included: a text from JSON may hold one of a pair, which no UTF-8 can.
texts = st.text(st.characters(exclude_categories=()) | st.sampled_from("&<>\"'\r\n\t\x00\x0b\ufffe]"))


@given(texts)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert (wire.element(t("Subject", text)).text or "") == legal(text)


@given(texts)
def test_an_attribute_is_read_as_it_was_written(text: str) -> None:
    assert wire.element(t("ItemId", Id=text)).get("Id") == legal(text)


@given(texts, texts)
def test_a_text_never_becomes_an_element(first: str, second: str) -> None:
    found = wire.element(
        m("Items", t("Subject", first), None, joined([t("Location", second), t("Body", as_is("e30="))]))
    )
    assert found.tag == f"{{{MESSAGES}}}Items"
    assert [each.tag for each in found] == [f"{{{TYPES}}}{name}" for name in ("Subject", "Location", "Body")]
    assert [each.text or "" for each in found] == [legal(first), legal(second), "e30="]
    assert len(list(found.iter())) == 4


def test_what_is_made_of_markup_by_other_means_is_a_text_again() -> None:
    inside = t("Location", "Room 3")
    assert wire.element(t("Subject", inside + "")).text == "<t:Location>Room 3</t:Location>"
