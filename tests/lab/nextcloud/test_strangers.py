"""Unmodified clients that other people wrote find their way around the lab."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import icalendar
import pytest
from caldav.davclient import DAVClient

from lab.nextcloud.remote import NextcloudControl
from tests.lab.nextcloud.client import Dav, card, event

VDIRSYNCER = Path(sys.executable).with_name("vdirsyncer")


def test_python_caldav_creates_finds_changes_and_deletes(anna: Dav, control: NextcloudControl) -> None:
    with DAVClient(
        f"{control.url}/remote.php/dav/", username="anna", password="anna's password", auth_type="basic"
    ) as client:
        principal = client.principal()  # type: ignore[no-untyped-call]
        assert {calendar.get_display_name() for calendar in principal.calendars()} == {"Personal"}
        work = principal.make_calendar("Work", cal_id="work")
        made = work.save_event(event("a", "RRULE:FREQ=WEEKLY;COUNT=3"))
        assert anna.http.get(f"{anna.calendars}/work/a.ics").status_code == 200
        token = work.objects(load_objects=False).sync_token
        assert "RRULE:FREQ=WEEKLY;COUNT=3" in work.event_by_uid("a").data
        found = work.search(
            event=True,
            expand=True,
            start=datetime(2027, 1, 11, tzinfo=UTC),
            end=datetime(2027, 2, 28, tzinfo=UTC),
        )
        assert [entry.icalendar_component["DTSTART"].dt.day for entry in found] == [17, 24]
        with made.edit_icalendar_instance() as instance:
            instance.subcomponents[0]["SUMMARY"] = icalendar.vText("Changed")
        made.save()
        assert "SUMMARY:Changed" in anna.http.get(f"{anna.calendars}/work/a.ics").text
        changes = list(work.objects_by_sync_token(sync_token=token, load_objects=True))
        assert ["Changed" in entry.data for entry in changes] == [True]
        made.delete()
        assert work.events() == []
        assert len(anna.propfind(f"{anna.calendars}/trashbin/objects", "d:getetag", depth="1").names) == 2


@pytest.fixture
def ben(control: NextcloudControl) -> Dav:
    control.create_user("ben", "ben's password", email="ben@lab.example")
    return Dav(control.url, "ben", "ben's password", "ben")


def _configuration(folder: Path, url: str, pair: str, kind: str, collections: tuple[str, str]) -> str:
    sides = [("anna", "anna's password", collections[0]), ("ben", "ben's password", collections[1])]
    lines = [
        f"[pair {pair}]",
        f'a = "{pair}_anna"',
        f'b = "{pair}_ben"',
        f'collections = [["both", "{collections[0]}", "{collections[1]}"]]',
        'conflict_resolution = "a wins"',
    ]
    for name, password, _ in sides:
        lines += [
            f"[storage {pair}_{name}]",
            f'type = "{kind}"',
            f'url = "{url}/remote.php/dav/"',
            f'username = "{name}"',
            f"password = {json.dumps(password)}",
        ]
    return "\n".join(lines)


def _vdirsyncer(folder: Path, *arguments: str) -> None:
    result = subprocess.run(
        [VDIRSYNCER, "-c", str(folder / "config"), *arguments],
        input="y\n" * 10,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_vdirsyncer_keeps_two_accounts_the_same(anna: Dav, ben: Dav, control: NextcloudControl, tmp_path: Path) -> None:
    general = f'[general]\nstatus_path = "{tmp_path}/status/"\n'
    (tmp_path / "config").write_text(
        general
        + "\n".join(
            [
                _configuration(tmp_path, control.url, "calendars", "caldav", ("personal", "personal")),
                _configuration(tmp_path, control.url, "contacts", "carddav", ("contacts", "contacts")),
            ]
        )
    )
    for number in range(3):
        anna.put(f"{anna.calendar}/a{number}.ics", event(f"a{number}", title=f"From Anna {number}"))
        ben.put(f"{ben.calendar}/b{number}.ics", event(f"b{number}", title=f"From Ben {number}"))
    anna.put(f"{anna.book}/a.vcf", card("card-a", "EMAIL:one@lab.example"))
    ben.put(f"{ben.book}/b.vcf", card("card-b", "EMAIL:two@lab.example"))
    _vdirsyncer(tmp_path, "discover")
    _vdirsyncer(tmp_path, "sync")
    assert _uids(control, "anna-uid") == _uids(control, "ben")
    assert len(_uids(control, "ben")) == 8

    anna.put(f"{anna.calendar}/a0.ics", event("a0", title="Changed by Anna"))
    ben.delete(f"{ben.calendar}/b0.ics")
    anna.delete(f"{anna.book}/a.vcf")
    _vdirsyncer(tmp_path, "sync")
    assert _uids(control, "anna-uid") == _uids(control, "ben")
    assert len(_uids(control, "ben")) == 6
    assert any("Changed by Anna" in entry["data"] for entry in control.objects("ben"))
    ben.http.close()


def _uids(control: NextcloudControl, uid: str) -> set[str]:
    return {
        entry["uid"]
        for entry in control.objects(uid)
        if entry["collection"] in ("personal", "contacts") and entry["deleted_at"] is None
    }
