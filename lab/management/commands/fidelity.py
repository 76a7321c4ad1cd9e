"""Writes ``docs/fidelity.md``: its tables from the field tables, its figures from round trips."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lab.process import REPOSITORY
from syncapp.items import contact
from syncapp.items.contact import CONTACT_FIELDS
from syncapp.items.event import EVENT_FIELDS, ONLY_IN_NEXTCLOUD, OTHER_WORDS, REFUSED
from syncapp.items.fields import Field

PAGE = REPOSITORY / "docs" / "fidelity.md"
_TABLES = ("<!-- tables: written by manage.py fidelity -->", "<!-- end of tables -->")
_CONTACT_TABLES = ("<!-- tables of contacts: written by manage.py fidelity -->", "<!-- end of tables of contacts -->")
_FIGURES = ("<!-- figures: written by manage.py fidelity --figures -->", "<!-- end of figures -->")
_CONTACT_FIGURES = (
    "<!-- figures of contacts: written by manage.py fidelity --figures -->",
    "<!-- end of figures of contacts -->",
)
_COLUMNS = (
    ("files", "Files"),
    ("items", "Items"),
    ("unreadable", "Unreadable"),
    ("refused", "Refused"),
    ("crashed", "Crashed"),
    ("retention", "Kept, %"),
    ("retention_all", "Kept of all, %"),
    ("occurrences_equal", "Happen when they did, %"),
    ("stable", "At rest, %"),
    ("untouched", "Untouched by other edits, %"),
    ("reverse_retention", "From Exchange and back, %"),
)


class Command(BaseCommand):
    """Run it after a change of a field table; a test says when that was forgotten."""

    help = "Write the tables of docs/fidelity.md from the field tables; with --figures its figures, too."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Figures come from files that hold what ``roundtrip --json`` printed last."""
        parser.add_argument(
            "--figures",
            nargs="+",
            metavar="NAME=FILE",
            default=(),
            help="names of what was put through, and files with the JSON line that roundtrip --json printed",
        )

    def handle(self, *args: Any, figures: Sequence[str], **options: Any) -> None:
        """Raises CommandError for figures that can't be read."""
        page = between(PAGE.read_text(), _TABLES, tables())
        page = between(page, _CONTACT_TABLES, contact_tables())
        if figures:
            try:
                rows = [
                    (name, json.loads(Path(path).read_text()))
                    for name, _, path in (each.partition("=") for each in figures)
                ]
            except (OSError, ValueError) as error:
                raise CommandError(f"These figures can't be read: {error}") from error
            for kind, marks in (("events", _FIGURES), ("contacts", _CONTACT_FIGURES)):
                if some := [(name, found) for name, found in rows if found["kind"] == kind]:
                    page = between(page, marks, _figures(some))
        PAGE.write_text(page)
        self.stdout.write(f"{PAGE.relative_to(REPOSITORY)} is written.")


def between(page: str, marks: tuple[str, str], lines: Iterable[str]) -> str:
    """A page with other lines between two marks. Raises ValueError where it has none."""
    before, rest = page.split(marks[0])
    _, after = rest.split(marks[1])
    return "\n".join([before + marks[0], "", *lines, "", marks[1] + after])


def tables() -> Iterator[str]:
    """The tables, as they stand in the page."""
    yield "### What crosses"
    yield ""
    yield "| field | Nextcloud | Exchange | of single dates | remark |"
    yield "|---|---|---|---|---|"
    yield from map(_row, EVENT_FIELDS)
    for title, first, second, rows in (
        ("What crosses in other words", "iCalendar says", "Exchange has", OTHER_WORDS),
        ("What stays in Nextcloud", "property", "why", ONLY_IN_NEXTCLOUD),
        ("What is refused", "event", "why", REFUSED),
    ):
        yield ""
        yield f"### {title}"
        yield ""
        yield f"| {first} | {second} |"
        yield "|---|---|"
        yield from (f"| {one} | {other} |" for one, other in rows)


def contact_tables() -> Iterator[str]:
    """The tables of contacts."""
    yield "### What of a contact crosses"
    yield ""
    yield "| field | Nextcloud | Exchange | remark |"
    yield "|---|---|---|---|"
    yield from (f"| {each.label} | {each.text} | {each.ews} | {each.note} |" for each in CONTACT_FIELDS)
    for title, first, rows in (
        ("What of a contact stays in Nextcloud", "property", contact.ONLY_IN_NEXTCLOUD),
        ("What is refused of contacts", "card", contact.REFUSED),
    ):
        yield ""
        yield f"### {title}"
        yield ""
        yield f"| {first} | why |"
        yield "|---|---|"
        yield from (f"| {one} | {other} |" for one, other in rows)


def _row(field: Field) -> str:
    note = "; ".join(filter(None, [field.note, "never written to Exchange" if field.read_only else ""]))
    return f"| {field.label} | {field.text} | {field.ews} | {'yes' if field.per_occurrence else ''} | {note} |"


def _figures(rows: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    # A kind of item that nothing was edited of has no figure for that.
    columns = [(key, label) for key, label in _COLUMNS if all(key in found for _, found in rows)]
    yield "| | " + " | ".join(label for _, label in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, found in rows:
        yield f"| {name} | " + " | ".join(f"{found[key]:g}" for key, _ in columns) + " |"
