"""Time zones of calendar files, judged by the zone database and by icalendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from syncapp.nextcloud.content_lines import Component
from syncapp.nextcloud.parsing import CALENDAR_BYTES, parse
from syncapp.nextcloud.timezones import is_own, tzid_of, vtimezone, zone_by_name, zone_of
from syncapp.side import Unreadable

JULY = datetime(2026, 7, 1)
ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Moscow",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Nuuk",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Africa/Casablanca",
    "Asia/Kathmandu",
)


def definition(text: bytes) -> Component:
    return parse(text, "VTIMEZONE", CALENDAR_BYTES).root


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("since", [1985, 2024])
def test_a_definition_gives_the_offsets_of_the_zone_database(zone: str, since: int) -> None:
    component: Any = icalendar.Timezone.from_ical(vtimezone(zone, since))
    theirs, ours = component.to_tz(), ZoneInfo(zone)
    at = datetime(since, 1, 1, tzinfo=UTC)
    while at.year < 2037:
        local = at.astimezone(ours)
        if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            assert local.replace(tzinfo=None).replace(tzinfo=theirs).utcoffset() == local.utcoffset(), local
        at += timedelta(hours=101)


@pytest.mark.parametrize(
    ("tzid", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("/mozilla.org/20071231_1/America/New_York", "America/New_York"),
        ("/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Customized Time Zone", None),
        ("", None),
    ],
)
def test_a_zone_is_known_by_its_names(tzid: str, zone: str | None) -> None:
    assert zone_by_name(tzid) == zone


def test_a_private_zone_is_known_by_its_rules() -> None:
    # What Outlook writes: its own name for the zone, rules from 1601 on.
    text = (
        b"BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\n"
        b"BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
        b"RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n"
        b"BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
        b"RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
    )
    zones = {"Customized Time Zone": definition(text)}
    found = ZoneInfo(zone_of("Customized Time Zone", zones, datetime(2026, 7, 1)))
    for month in range(1, 13):
        at = datetime(2026, month, 28, 12)
        assert at.replace(tzinfo=found).utcoffset() == at.replace(tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()


@pytest.mark.parametrize("zone", [each for each in ZONES if each not in ("Europe/Dublin", "Africa/Casablanca")])
def test_every_zone_is_known_again_by_the_rules_we_write(zone: str) -> None:
    tzid = "private"
    zones = {tzid: definition(vtimezone(zone, 2026))}
    found = ZoneInfo(zone_of(tzid, zones, datetime(2026, 7, 1)))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    while at.year == 2026:
        assert at.astimezone(found).utcoffset() == at.astimezone(ZoneInfo(zone)).utcoffset()
        at += timedelta(hours=11)


def private(offset: str, name: str = "x") -> dict[str, Component]:
    """A VTIMEZONE without any change of clocks."""
    text = (
        f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    return {name: definition(text.encode())}


@pytest.mark.parametrize("offset", ["+0017", "+9900"])
def test_an_offset_of_no_known_zone_is_refused(offset: str) -> None:
    with pytest.raises(Unreadable, match="no known zone"):
        zone_of("x", private(offset), JULY)


@pytest.mark.parametrize(
    ("offset", "zone"), [("-0200", "Etc/GMT+2"), ("+1100", "Etc/GMT-11"), ("+0545", "Asia/Kathmandu")]
)
def test_a_private_zone_keeps_its_offset(offset: str, zone: str) -> None:
    found = zone_of("Ours", private(offset, "Ours"), JULY)
    assert JULY.replace(tzinfo=ZoneInfo(found)).utcoffset() == JULY.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    assert not is_own("Ours", private(offset, "Ours"), JULY)


def test_clocks_that_change_as_nowhere_else_are_a_zone_of_its_own() -> None:
    text = (
        "BEGIN:VTIMEZONE\r\nTZID:Ours\r\n"
        "BEGIN:STANDARD\r\nDTSTART:20240101T000000\r\nTZOFFSETFROM:+1000\r\nTZOFFSETTO:+1200\r\nEND:STANDARD\r\n"
        "BEGIN:DAYLIGHT\r\nDTSTART:20240505T080000\r\nTZOFFSETFROM:+1200\r\nTZOFFSETTO:+1000\r\nEND:DAYLIGHT\r\n"
        "END:VTIMEZONE\r\n"
    )
    zones = {"Ours": definition(text.encode())}
    assert zone_of("Ours", zones, datetime(2024, 3, 3, 8)) == "Etc/GMT-12"
    assert zone_of("Ours", zones, datetime(2024, 8, 3, 8)) == "Etc/GMT-10"
    assert is_own("Ours", zones, datetime(2024, 3, 3, 8))


def test_a_name_of_windows_with_other_rules_beside_it_means_these() -> None:
    zones = private("+0100", "New Zealand Standard Time")
    assert zone_of("New Zealand Standard Time", {}, JULY) == "Pacific/Auckland"
    found = zone_of("New Zealand Standard Time", zones, JULY)
    assert JULY.replace(tzinfo=ZoneInfo(found)).utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize("name", ["UTC+11", "GMT+11:00", "utc+1100"])
def test_a_name_that_is_an_offset_means_it(name: str) -> None:
    assert zone_of(name, {}, JULY) == "Etc/GMT-11"


@pytest.mark.parametrize(
    "definitions", [{}, {"Mars/Olympus_Mons": definition(b"BEGIN:VTIMEZONE\r\nEND:VTIMEZONE\r\n")}]
)
def test_a_zone_that_nothing_explains_leaves_the_clock(definitions: dict[str, Component]) -> None:
    assert zone_of("Mars/Olympus_Mons", definitions, JULY) == ""


def test_a_hostile_definition_is_refused_quickly() -> None:
    text = (
        b"BEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nDTSTART:00010101T000000\r\n"
        b"TZOFFSETFROM:+0000\r\nTZOFFSETTO:+9959\r\nRRULE:FREQ=SECONDLY\r\nRDATE:" + b"99991231T235959," * 5000
    ) + b"\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    with pytest.raises(Unreadable):
        zone_of("x", {"x": definition(text)}, JULY)


OLD_EASTERN = (
    "BEGIN:VTIMEZONE\r\nTZID:US-Eastern\r\n"
    "BEGIN:STANDARD\r\nDTSTART:19671029T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\n"
    "TZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:19870405T020000\r\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\r\n"
    "TZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


def test_a_series_in_a_private_zone_goes_by_its_rules() -> None:
    """Those of New York until 2006: a single event in 2005 is in New York, a series that goes on is not."""
    zones = {"US-Eastern": definition(OLD_EASTERN.encode())}
    assert zone_of("US-Eastern", zones, datetime(2005, 7, 1)) == "America/New_York"
    rules = zone_of("US-Eastern", zones, datetime(2005, 7, 1), years=10)
    assert rules == "<-0500>5<-0400>4,M4.1.0/2,M10.5.0/2"
    again = definition(vtimezone(rules, 2005))
    tzid = tzid_of(rules)
    assert again.first("TZID") is not None
    assert zone_of(tzid, {tzid: again}, datetime(2005, 7, 1), years=10) == rules
