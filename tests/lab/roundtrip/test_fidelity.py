"""The page on fidelity says what the field tables say, and the judge knows the same fields."""

from __future__ import annotations

import pytest

from lab.management.commands import fidelity
from lab.roundtrip.contacts import ContactJudge
from lab.roundtrip.events import EventJudge
from syncapp.items.contact import CONTACT_FIELDS
from syncapp.items.event import EVENT_FIELDS


def test_the_page_has_the_tables_of_today() -> None:
    """Otherwise: .venv/bin/python manage.py fidelity"""
    page = fidelity.PAGE.read_text()
    assert fidelity.between(page, fidelity._TABLES, fidelity.tables()) == page
    assert fidelity.between(page, fidelity._CONTACT_TABLES, fidelity.contact_tables()) == page


def test_the_judge_counts_every_field_as_one_that_exchange_can_represent() -> None:
    labels = set(EventJudge.fields.values())
    told_otherwise = {"Recurrence", "Organizer", "Attendees"}
    assert {each.label for each in EVENT_FIELDS} - told_otherwise <= labels


def test_the_judge_of_contacts_knows_every_field() -> None:
    judged = " ".join(ContactJudge.fields.values())
    told_otherwise = {"Phone", "Address", "Instant messaging"}
    assert {each.label for each in CONTACT_FIELDS if each.label not in judged} <= told_otherwise


def test_a_page_without_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="unpack"):
        fidelity.between("nothing", ("a mark", "another"), [])
