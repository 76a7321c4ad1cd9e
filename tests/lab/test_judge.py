"""The judge sees every kind of difference, and none where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.judge.compare import differences, person_differences
from lab.judge.reading import Person, Shown, digits, html_words, moment, one_line, words

EVENT = Shown("Lunch", "2027-01-10 11:00:00 UTC", "2027-01-10 12:00:00 UTC", False)
PERSON = Person("Rosa Petrov", emails=frozenset({"rosa@mail.example"}))


def test_equal_calendars_have_no_differences_whatever_their_order() -> None:
    other = replace(EVENT, title="Dinner")
    twin = replace(EVENT, location="Upstairs")
    assert differences([EVENT, other, twin], [twin, EVENT, other]) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("end", "2027-01-10 13:00:00 UTC"),
        ("all_day", True),
        ("location", "Upstairs"),
        ("description", "Bring soup"),
        ("reminder", 15),
        ("categories", frozenset({"Work"})),
        ("busy", "free"),
        ("privacy", "private"),
    ],
)
def test_a_field_that_differs_is_named_with_both_values(field: str, value: object) -> None:
    [text] = differences([EVENT], [replace(EVENT, **{field: value})])  # type: ignore[arg-type]
    assert text.startswith("'Lunch' at 2027-01-10 11:00:00 UTC: ")
    assert f"{field} is " in text


@pytest.mark.parametrize("change", [{"title": "Brunch"}, {"start": "2027-01-10 11:30:00 UTC"}])
def test_another_title_or_start_is_another_occurrence(change: dict[str, str]) -> None:
    found = differences([EVENT], [replace(EVENT, **change)])  # type: ignore[arg-type]
    assert len(found) == 2
    assert any("1 in Exchange, 0 in Nextcloud" in text for text in found)


def test_a_double_is_seen() -> None:
    assert differences([EVENT], [EVENT, EVENT]) == ["'Lunch' at 2027-01-10 11:00:00 UTC: 1 in Exchange, 2 in Nextcloud"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("given_name", "Rosa"),
        ("company", "Acme"),
        ("birthday", "1989-08-26"),
        ("notes", "Tea"),
        ("emails", frozenset({"other@mail.example"})),
        ("phones", frozenset({("mobile", "+491")})),
        ("addresses", frozenset({("home", "Via Roma 7")})),
        ("has_photo", True),
    ],
)
def test_a_contact_that_differs_is_named(field: str, value: object) -> None:
    [text] = person_differences([PERSON], [replace(PERSON, **{field: value})])  # type: ignore[arg-type]
    assert text.startswith(f"contact 'Rosa Petrov': {field} is ")


def test_texts_are_compared_by_their_words() -> None:
    assert words(" a\r\n b  c\n") == "a b c"
    assert (
        html_words("<html><head><style>p {}</style></head><body><p>a &amp; b</p><p>c<br>d</p></body></html>")
        == "a & b c d"
    )
    assert digits("+49 (30) 12-34") == "+49301234"
    assert one_line("Via  Roma 7", "", None, "Torino") == "Via Roma 7, Torino"


def test_a_moment_without_zone_is_utc() -> None:
    from datetime import UTC, datetime

    assert moment(datetime(2027, 1, 10, 11)) == moment(datetime(2027, 1, 10, 11, tzinfo=UTC))
