"""Normal forms: equal for what a person would call the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncapp.items import FIELDS, Kind
from syncapp.items.fields import Shape, address_key, digits, joined, line, number, paragraphs

anything = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("normal", [line, paragraphs, digits, address_key])
@given(value=anything)
def test_a_normal_form_is_its_own_normal_form(normal: object, value: str) -> None:
    assert callable(normal)
    assert normal(normal(value)) == normal(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Bücher", "Bu\u0308cher"), ("a  b", "a\tb"), (" a", "a\u00a0"), ("a\x00b", "a b"), ("a\r\nb", "a b")],
)
def test_one_line_of_text_is_the_same(one: str, other: str) -> None:
    assert line(one) == line(other)


def test_one_line_of_text_keeps_its_case() -> None:
    assert line("Anna") != line("anna")


@pytest.mark.parametrize(
    ("one", "other"),
    [("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("a \nb", "a\nb"), ("\n\na\n", "a"), ("a\n\n\n\nb", "a\n\nb")],
)
def test_text_with_lines_is_the_same(one: str, other: str) -> None:
    assert paragraphs(one) == paragraphs(other)


def test_text_with_lines_keeps_its_lines() -> None:
    assert paragraphs("a\nb") != paragraphs("a b")


def test_a_phone_number_keeps_its_extension() -> None:
    assert digits("+49 (30) 123–456 x7") == "+4930123456x7"


def test_number_zero_is_something() -> None:
    assert (number(0), number(None)) == ("0", "")


def test_joined_parts_do_not_run_together() -> None:
    assert joined("ab", "") != joined("a", "b")
    assert joined("", "") == ""


@pytest.mark.parametrize("kind", Kind)
def test_fields_are_declared_once_and_keyed_ones_have_a_key(kind: Kind) -> None:
    names = [field.name for field in FIELDS[kind]]
    assert len(set(names)) == len(names)
    assert all((field.shape is Shape.KEYED) == (field.key is not None) for field in FIELDS[kind])
