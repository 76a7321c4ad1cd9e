"""Is it well? The sentence for each situation, and which situation wins."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from adminui.health import Facts, Tone, judge
from syncapp.jobs.health import SILENT_AFTER

NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
WELL = Facts(
    heartbeat_at=NOW - dt.timedelta(seconds=30),
    accounts=1,
    users=12,
    active=12,
    waiting=0,
    held=0,
    stale=0,
    first_syncs=0,
    admin_problems=0,
    user_problems=0,
    self_healing_problems=0,
)


def code(**changes: object) -> str:
    """What is said when these facts differ from those of a well installation."""
    return judge(replace(WELL, **changes), NOW).code  # type: ignore[arg-type]


def test_it_is_well_and_nobody_has_to_do_anything() -> None:
    verdict = judge(WELL, NOW)
    assert verdict.tone is Tone.GOOD
    assert verdict.sentence == "All is well with 12 users."
    assert "nobody has to do anything" in verdict.meaning


def test_silent_workers_come_before_everything_else() -> None:
    long_ago = NOW - SILENT_AFTER - dt.timedelta(seconds=1)
    everything_wrong = replace(WELL, heartbeat_at=long_ago, admin_problems=3, waiting=2, accounts=0)
    verdict = judge(everything_wrong, NOW)
    assert verdict.tone is Tone.BAD
    assert verdict.sentence == "The workers are silent: nothing syncs."
    assert "python manage.py qcluster" in verdict.meaning


def test_a_heartbeat_just_in_time_is_no_silence() -> None:
    assert code(heartbeat_at=NOW - SILENT_AFTER) == "well"


def test_workers_that_never_ran_are_told_apart() -> None:
    assert judge(replace(WELL, heartbeat_at=None), NOW).sentence == "No worker has ever reported: nothing syncs."


@pytest.mark.parametrize(("count", "sentence"), [(1, "1 problem needs you."), (2, "2 problems need you.")])
def test_problems_for_admins_are_counted(count: int, sentence: str) -> None:
    verdict = judge(replace(WELL, admin_problems=count, waiting=1), NOW)
    assert verdict.tone is Tone.BAD
    assert verdict.sentence == sentence


def test_no_account_yet_is_a_step_to_do_and_no_alarm() -> None:
    verdict = judge(replace(WELL, accounts=0, users=0, active=0), NOW)
    assert verdict.code == "no-account"
    assert verdict.tone is Tone.INFO


def test_no_users_yet_says_how_they_come() -> None:
    verdict = judge(replace(WELL, users=0, active=0), NOW)
    assert verdict.sentence == "Ready, but nobody has enrolled yet."
    assert "consent in Nextcloud" in verdict.meaning


def test_who_waits_and_who_is_held_needs_a_decision() -> None:
    assert judge(replace(WELL, waiting=1), NOW).sentence == "1 user waits for your decision."
    assert judge(replace(WELL, waiting=1, held=2), NOW).sentence == "3 users wait for your decision."


def test_users_that_fell_behind_without_a_problem_are_not_called_well() -> None:
    verdict = judge(replace(WELL, stale=2), NOW)
    assert verdict.tone is Tone.WARN
    assert verdict.sentence == "2 users have not been in step for more than an hour."


def test_problems_of_users_do_not_alarm_the_admin_but_are_named() -> None:
    verdict = judge(replace(WELL, user_problems=1), NOW)
    assert verdict.tone is Tone.GOOD
    assert "something to do themselves" in verdict.meaning


def test_what_heals_itself_is_said_to() -> None:
    assert "tried again by themselves" in judge(replace(WELL, self_healing_problems=1), NOW).meaning


def test_a_first_sync_is_not_called_in_step() -> None:
    verdict = judge(replace(WELL, first_syncs=1), NOW)
    assert verdict.tone is Tone.GOOD
    assert "1 first sync is still to be finished" in verdict.meaning


def test_users_without_anybody_active_are_not_called_well() -> None:
    assert code(active=0) == "nobody-active"
    assert code(active=0, user_problems=1) == "nobody-active"
