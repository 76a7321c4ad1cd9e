"""Time zones as EWS speaks of them, against the zone data they come from and against exchangelib."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from exchangelib import Account
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from lab.exchange.soap import EwsError, T
from lab.exchange.timezones import CUSTOM, WINDOWS_ZONES, definition, read_zone, tz_of, write_zone
from tests.lab.exchange.events import at, event

STEADY = ["W. Europe Standard Time", "Eastern Standard Time", "AUS Eastern Standard Time", "India Standard Time"]


def foreign(windows_id: str) -> etree._Element:
    """The rules of a zone under a name that nobody knows."""
    element = definition(windows_id, full=True)
    element.set("Id", "Somebody's zone")
    element.set("Name", "Somebody's zone")
    return element


@pytest.mark.parametrize("windows_id", STEADY)
@example(datetime(2028, 3, 26, 0, 0))
@example(datetime(2028, 3, 26, 1, 0))
@example(datetime(2027, 10, 31, 0, 30))
@example(datetime(2027, 10, 31, 1, 30))
@given(st.datetimes(min_value=datetime(2022, 1, 1), max_value=datetime(2029, 12, 31)))
def test_rules_that_are_spelt_out_mean_the_same(windows_id: str, naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    zone = read_zone(foreign(windows_id))
    assert zone["id"] == CUSTOM
    local = moment.astimezone(tz_of(zone))
    known = moment.astimezone(ZoneInfo(WINDOWS_ZONES[windows_id]))
    assert local.utcoffset() == known.utcoffset()
    assert local.replace(tzinfo=None) == known.replace(tzinfo=None)


@pytest.mark.parametrize("windows_id", STEADY)
def test_a_custom_zone_survives_being_written(windows_id: str) -> None:
    zone = read_zone(foreign(windows_id))
    written = write_zone(f"{T}StartTimeZone", zone)
    assert read_zone(written) == zone


def test_a_known_id_wins_over_the_rules_beside_it() -> None:
    assert read_zone(definition("W. Europe Standard Time", full=True))["id"] == "W. Europe Standard Time"


def test_an_unknown_id_without_rules_is_refused() -> None:
    with pytest.raises(EwsError) as refused:
        read_zone(etree.Element(f"{T}StartTimeZone", Id="Nowhere Standard Time"))
    assert refused.value.code == "ErrorCalendarInvalidTimeZone"


def test_exchangelib_reads_the_servers_zones(ada: Account) -> None:
    _ = ada.calendar
    zones = {zone.id: zone for zone in ada.protocol.get_timezones(return_full_timezone_data=True)}
    assert set(zones) == set(WINDOWS_ZONES)
    standard, daylight, period = zones["W. Europe Standard Time"].get_std_and_dst(for_year=2026)
    assert (period.bias_in_minutes, daylight.bias) == (-60, -60)
    assert (standard.iso_month, daylight.iso_month) == (10, 3)


def test_an_event_keeps_the_zones_it_was_given(ada: Account) -> None:
    item = event(ada, start=at(2026, 7, 1, 9), end=at(2026, 7, 1, 10)).save()
    found = ada.calendar.get(id=item.id)
    assert str(found._start_timezone) == "Europe/Berlin"
    assert found.start == datetime(2026, 7, 1, 7, tzinfo=UTC)
