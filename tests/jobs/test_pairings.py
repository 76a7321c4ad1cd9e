"""The pairings that a person starts with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from pytest_django import Settings

from syncapp.items import Kind
from syncapp.jobs import pairings
from syncapp.models import Enrollment, Pairing, Problem
from syncapp.side import Folder, SidesOf
from tests.jobs.fakes import codes, enrollment, fake_sides

pytestmark = pytest.mark.django_db


def ensure(person: Enrollment, sides: Sequence[SidesOf]) -> list[SidesOf]:
    """Make what is missing for somebody whose pairings were just read."""
    return pairings.ensure(person, sides, list(person.pairings.all()))


def without(of: SidesOf, side: str) -> SidesOf:
    """The same sides, one of them without any folder that is the default."""
    found: list[Folder] = getattr(of, side).listed
    found[:] = [dataclasses.replace(folder, default=False) for folder in found]
    return of


def test_default_folders_are_paired_once(settings: Settings) -> None:
    settings.WINDOW_DAYS_BACK = 7
    person = enrollment()
    both = fake_sides()
    assert ensure(person, both) == both
    assert ensure(person, both) == both
    calendar = Pairing.objects.get(kind=Kind.EVENT.value)
    assert (calendar.exchange_folder, calendar.nextcloud_folder) == ("EX-alice-event", "/dav/alice/personal/")
    assert (calendar.days_back, calendar.days_ahead) == (7, 365)
    assert Pairing.objects.count() == 2


@pytest.mark.parametrize("side", ["exchange", "nextcloud"])
def test_a_missing_folder_is_the_persons_problem_and_the_other_kind_goes_on(side: str) -> None:
    person = enrollment()
    events, contacts = fake_sides()
    assert ensure(person, [without(events, side), contacts]) == [contacts]
    problem = Problem.objects.get()
    assert (problem.level, problem.enrollment, problem.code) == ("enrollment", person, "folder-missing")
    assert problem.remedy
    assert len(ensure(person, fake_sides())) == 2
    assert codes() == []


def test_a_collection_that_can_only_be_read_is_a_problem() -> None:
    (events,) = fake_sides(kinds=[Kind.EVENT])
    found: list[Folder] = events.nextcloud.listed  # type: ignore[attr-defined]
    found[:] = [dataclasses.replace(found[0], writable=False)]
    assert ensure(enrollment(), [events]) == []
    assert codes() == ["folder-missing"]


def test_two_people_never_sync_the_same_collection() -> None:
    ensure(enrollment(), fake_sides())
    assert ensure(enrollment("bob"), fake_sides()) == []
    assert Pairing.objects.count() == 2
    assert codes() == ["folder-missing", "folder-missing"]


def test_a_pairing_that_is_switched_off_is_left_alone() -> None:
    person = enrollment()
    ensure(person, fake_sides())
    Pairing.objects.filter(kind=Kind.EVENT.value).update(enabled=False)
    assert [of.kind for of in ensure(person, fake_sides())] == [Kind.CONTACT]


def test_another_choice_in_the_consent_app_is_said_and_not_followed() -> None:
    person = enrollment()
    ensure(person, fake_sides())
    person.calendar = "other"
    assert len(ensure(person, fake_sides())) == 2
    assert codes() == ["choice-changed"]
    assert Pairing.objects.get(kind=Kind.EVENT.value).nextcloud_folder == "/dav/alice/personal/"
    person.calendar = "personal"
    ensure(person, fake_sides())
    assert codes() == []
