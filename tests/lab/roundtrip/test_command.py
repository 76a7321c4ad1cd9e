"""``manage.py roundtrip`` on a folder of good, broken and foreign files, against running labs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

GOOD = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Test//EN
BEGIN:VEVENT
UID:one
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260105T090000
DTEND;TZID=Europe/Berlin:20260105T100000
RRULE:FREQ=WEEKLY;COUNT=5
EXDATE;TZID=Europe/Berlin:20260119T090000
SUMMARY:Meeting
LOCATION:Room 1
GEO:52.5;13.4
X-FOO:bar
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Soon
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:two
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260105
SUMMARY:All day
END:VEVENT
END:VCALENDAR
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    call_command("roundtrip", *arguments, "--json")
    said = capsys.readouterr().out
    return json.loads(said.strip().splitlines()[-1]), said


def test_what_crosses_is_counted_and_what_is_broken_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.ics").write_text(GOOD)
    (tmp_path / "bad.ics").write_text("BEGIN:VCALENDAR\n")
    (tmp_path / "hourly.ics").write_text(
        GOOD.replace("FREQ=WEEKLY;COUNT=5", "FREQ=HOURLY;COUNT=5").replace("UID:", "UID:hourly-")
    )
    (tmp_path / "other.txt").write_text("not ours")
    figures, said = run(capsys, str(tmp_path), "--details")
    assert figures["files"] == 3
    assert figures["items"] == 5
    assert (figures["unreadable"], figures["refused"], figures["crashed"]) == (1, 1, 0)
    assert figures["retention"] == figures["occurrences_equal"] == figures["stable"] == 100
    assert figures["retention_all"] < 100
    assert figures["fields"]["other GEO"] == {"present": 1, "kept": 0, "representable": False}
    assert "bad.ics #0: unreadable: The file ends in the middle of a component." in said
    assert "hourly.ics #1: refused: Exchange has no pattern" in said


def test_a_path_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no"):
        call_command("roundtrip", str(tmp_path / "missing"))


def test_contacts_cross_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mails = "".join(f"EMAIL:{each}@x.example\r\n" for each in "abcd")
    good = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:Ann Ex\r\nN:Ex;Ann;;;\r\n{mails}X-FOO:bar\r\nEND:VCARD\r\n"
    (tmp_path / "good.vcf").write_text(good + good.replace("UID:one", "UID:two"))
    (tmp_path / "bad.vcf").write_text("BEGIN:VCARD\r\n")
    (tmp_path / "other.ics").write_text(GOOD)
    figures, said = run(capsys, str(tmp_path), "--kind", "contacts", "--details")
    assert (figures["files"], figures["items"]) == (2, 3)
    assert (figures["unreadable"], figures["refused"], figures["crashed"]) == (1, 0, 0)
    assert figures["retention"] == figures["occurrences_equal"] == figures["stable"] == 100
    assert figures["fields"]["further e-mails"] == {"present": 2, "kept": 0, "representable": False}
    assert "bad.vcf #0: unreadable: The file ends in the middle of a card." in said


def test_cards_of_all_programs_cross_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Cards in the shape of exports from Outlook, iOS, Android, Thunderbird and Nextcloud, and strange ones."""
    figures, _ = run(capsys, str(Path(__file__).parent / "cards"), "--kind", "contacts")
    assert figures["items"] == 21
    assert (figures["unreadable"], figures["refused"], figures["crashed"]) == (0, 0, 0)
    assert figures["retention"] == figures["reverse_retention"] == 100
    assert figures["stable"] == figures["untouched"] == 100
    assert figures["fields"]["photo"] == {"present": 4, "kept": 4, "representable": True}
