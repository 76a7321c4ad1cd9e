"""Zones that have rules and no name."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncapp.items.values import ZonedTime
from syncapp.items.zone_rules import LAST, Change, ZoneRules, is_rules, rules_of, zone_info

BERLIN = ZoneRules(
    timedelta(hours=1),
    timedelta(hours=2),
    Change(3, LAST, 6, timedelta(hours=2)),
    Change(10, LAST, 6, timedelta(hours=3)),
)
offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
changes = st.builds(
    Change,
    st.integers(1, 12),
    st.integers(1, LAST),
    st.integers(0, 6),
    st.integers(0, 23).map(lambda hours: timedelta(hours=hours)),
)


@given(st.builds(ZoneRules, offsets, offsets, changes, changes))
def test_the_name_of_a_zone_is_its_rules(rules: ZoneRules) -> None:
    assert is_rules(rules.name)
    assert rules_of(rules.name) == rules
    assert zone_info(rules.name).key == rules.name


@pytest.mark.parametrize("month", range(1, 13))
def test_clocks_go_by_the_rules(month: int) -> None:
    at = datetime(2026, month, 28, 12)
    assert (
        at.replace(tzinfo=zone_info(BERLIN.name)).utcoffset()
        == at.replace(tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
    )


def test_times_may_be_in_such_a_zone() -> None:
    assert ZonedTime(datetime(2026, 7, 1, 9), BERLIN.name).in_zone("UTC").wall == datetime(2026, 7, 1, 7)


@pytest.mark.parametrize("name", ["Europe/Berlin", "<", "<+0100>-1", "<+0100>-1<+0200>-2,J60,J300"])
def test_other_names_have_no_rules(name: str) -> None:
    with pytest.raises(ValueError, match="no rules"):
        rules_of(name)
