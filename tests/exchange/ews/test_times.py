"""Moments between EWS and items: no instant is lost on its way, in whichever zone it is kept."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from syncapp.exchange.ews.times import format_instant, parse_instant, zoned
from syncapp.items.values import ZonedTime

instants = st.datetimes(datetime(1602, 1, 1), datetime(4499, 12, 30)).map(
    lambda each: each.replace(microsecond=0, tzinfo=UTC)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])


@given(instants, zones)
def test_an_instant_is_kept_in_its_zone_or_where_a_clock_reads_twice_in_utc(instant: datetime, zone: str) -> None:
    found = zoned(instant, zone)
    assert found.instant == instant
    assert found in (ZonedTime(instant.replace(tzinfo=None), "UTC").in_zone(zone), zoned(instant, "UTC"))


def test_the_second_of_two_readings_is_kept_in_utc() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert zoned(first, "Europe/Berlin") == ZonedTime(datetime(2026, 10, 25, 2, 30), "Europe/Berlin")
    assert zoned(second, "Europe/Berlin") == ZonedTime(datetime(2026, 10, 25, 1, 30), "UTC")


@given(instants)
def test_an_instant_is_read_as_it_was_written(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant
