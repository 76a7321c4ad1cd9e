"""Zone names: every row of the table holds, and a way through Windows names never moves a clock."""

import doctest
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncapp.items import zones
from syncapp.items.windows_zones import WINDOWS_ZONES

HALF_MONTHS = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=15 * each) for each in range(24 * 3)]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(zones).failed == 0


@pytest.mark.parametrize("windows", sorted(WINDOWS_ZONES))
def test_every_zone_keeps_its_clock_on_the_way_through_exchange(windows: str) -> None:
    expected = zones.windows_to_iana(windows)
    assert expected is not None
    for iana in WINDOWS_ZONES[windows].split():
        assert zones.iana_to_windows(iana) == windows
        assert zones.canonical(iana) == expected
        before, after = ZoneInfo(iana), ZoneInfo(expected)
        assert [each.astimezone(before).utcoffset() for each in HALF_MONTHS] == [
            each.astimezone(after).utcoffset() for each in HALF_MONTHS
        ]


def test_zones_without_a_windows_zone_are_not_guessed() -> None:
    assert zones.iana_to_windows("Antarctica/Troll") is None
    assert zones.iana_to_windows("Mars/Olympus") is None
    assert zones.windows_to_iana("Customized Time Zone") is None
    assert zones.windows_to_iana("tzone://Microsoft/Custom") is None


def test_windows_ids_are_found_whatever_their_case() -> None:
    assert zones.windows_to_iana("w. europe standard time ") == "Europe/Berlin"
    assert zones.windows_to_iana("tzone://Microsoft/Utc") == "UTC"
