"""What a run's log says in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncapp.items import FIELDS
from syncapp.words import CODES, field_names, sentence

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Told:
    """A line of a log."""

    code: str
    side: str = ""
    fields: str = ""
    note: str = ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            Told("conflict", "nextcloud", "title", "exchange rule event"),
            "Both sides changed the title; Exchange's stands, by this calendar's rule; the other version is in "
            "history.",
        ),
        (
            Told("conflict", "exchange", "end start title", "nextcloud latest event"),
            "Both sides changed the title, start and end; Nextcloud's stands, because it was changed last, which is "
            "this calendar's rule; the other version is in history.",
        ),
        (
            Told("conflict", "exchange", "emails", "nextcloud older contact"),
            "Both sides changed the e-mail; Nextcloud's stands, because the other one is an older version; the other "
            "version is in history.",
        ),
        (
            Told("conflict", "nextcloud", "folder", "exchange rule contact"),
            "Both sides moved it to different folders; Exchange's stands, by this address book's rule.",
        ),
        (
            Told("differed", "nextcloud", "location", "exchange rule event"),
            "When both were matched, they differed in the location; Exchange's stands, by this calendar's rule; the "
            "other version is in history.",
        ),
        (
            Told("differed", "exchange", "recurrence", "nextcloud filled event"),
            "When both were matched, the recurrence stood in Nextcloud only: kept, because the other side had nothing "
            "there.",
        ),
        (Told("created", "exchange"), "Created in Exchange."),
        (
            Told("created", "exchange", note="edited"),
            "Created again in Exchange: deleted there and edited in Nextcloud, and the edit stands.",
        ),
        (
            Told("restored", "nextcloud", note="edited"),
            "Created again in Nextcloud: deleted there and edited in Exchange, and the edit stands.",
        ),
        (Told("restored", "nextcloud"), "Restored from the bin in Nextcloud."),
        (Told("updated", "nextcloud", "exceptions"), "Updated in Nextcloud: single occurrences."),
        (Told("deleted", "nextcloud"), "Deleted in Nextcloud, because it was deleted in Exchange."),
        (
            Told("held", "exchange", note="many"),
            "Its deletion in Exchange waits for a decision: so many at once look like a mistake.",
        ),
        (Told("failed", "exchange", note="refused"), "Failed: Exchange does not take it."),
        (Told("failed", "", note="The server is busy."), "Failed: The server is busy."),
        (Told("folder-missing", "exchange"), "The folder in Exchange is missing."),
        (Told("brand-new", note="with a note"), "brand-new with a note"),
    ],
)
def test_a_line_in_words(line: Told, said: str) -> None:
    assert sentence(line) == said


def test_every_field_has_a_name_that_people_use() -> None:
    for fields in FIELDS.values():
        for field in fields:
            assert field_names(field.name) == [field.label]


def test_every_code_that_a_run_notes_has_words() -> None:
    sources = [*(ROOT / "syncapp" / "engine").glob("*.py"), *(ROOT / "syncapp" / "jobs").glob("*.py")]
    noted = {
        code
        for source in sources
        for code in re.findall(r'(?:journal\.note\(|runs\.note\([^"]*)"([a-z-]+)"', source.read_text())
    }
    assert noted
    assert noted <= CODES


@pytest.mark.parametrize("code", sorted(CODES))
def test_words_never_show_a_place_that_was_not_filled(code: str) -> None:
    for note in ("", "exchange rule event", "nextcloud filled contact"):
        said = sentence(Told(code, "exchange", "title", note))
        assert "%" not in said
        assert said[0].isupper()
        assert said.endswith((".", f": {note}"))
