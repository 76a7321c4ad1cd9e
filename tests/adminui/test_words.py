"""Times and words of pages."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from adminui import words
from adminui.templatetags.adminui import amount, relative, when
from syncapp.items import Kind
from syncapp.models import Enrollment, Hold, Pairing, Problem, Run

NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86_399, "23 hours ago"),
        (86_400, "1 day ago"),
        (40 * 86_400, "40 days ago"),
        (-1, "in a moment"),
        (-120, "in 2 minutes"),
        (-3600, "in 1 hour"),
        (-2 * 86_400, "in 2 days"),
    ],
)
def test_time_is_told_in_one_unit(seconds: int, said: str) -> None:
    assert relative(NOW - dt.timedelta(seconds=seconds), NOW) == said


def test_the_absolute_time_is_on_hover_in_the_zone_of_the_pages() -> None:
    with timezone.override("Europe/Vienna"):
        html = when(NOW)
    assert 'datetime="2026-11-23T09:00:00+00:00"' in html
    assert 'title="23 Nov 2026, 10:00:00 CET"' in html


def test_what_never_happened_is_never() -> None:
    assert when(None) == "never"


def test_thousands_stand_apart() -> None:
    assert amount(1264) == "1,264"
    assert amount(None) == "0"


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (words.STATES, Enrollment.State.values),
        (words.OUTCOMES, Run.Outcome.values),
        (words.ACTORS, Problem.Actor.values),
        (words.LEVELS, Problem.Level.values),
        (words.KINDS, [kind.value for kind in Kind]),
        (words.DIRECTIONS, Pairing.Direction.values),
        (words.HOLD_REASONS, Hold.Reason.values),
        (words.CONFLICT_RULES, Pairing.ConflictRule.values),
    ],
    ids=["states", "outcomes", "actors", "levels", "kinds", "directions", "holds", "rules"],
)
def test_every_code_has_words(table: dict[str, object], codes: list[str]) -> None:
    assert set(table) == set(codes)
