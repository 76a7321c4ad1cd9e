"""Everything is compared: why, what that finds, what the log says of it, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lab.chaos.server import Stored
from lab.chaos.town import EXCHANGE, NEXTCLOUD, Town, event, placed, series, titled
from lab.chaos.wire import When
from syncapp.items import Event
from syncapp.items.event import Occurrence
from syncapp.items.values import ZonedTime
from syncapp.models import Link, Run, RunLine
from syncapp.side import SideName
from syncapp.words import sentence
from tests.engine.test_scenarios_poison import requests

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
COMPANY = 20
SECOND_WEEK = ZonedTime(datetime(2026, 3, 17, 9), "Europe/Berlin")


def linked(town: Town) -> None:
    """Items in step, of which everything has been heard."""
    for number in range(COMPANY):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:02}", day=number + 1))
    town.settle()
    town.sync()


def repaired() -> int:
    """What the last run says that it repaired."""
    last = Run.objects.order_by("-pk").first()
    assert last is not None
    assert last.lines.filter(code="repaired").count() == last.repaired
    return last.repaired


# What a server does not tell: it happens past its journal


def edit(town: Town, here: SideName) -> None:
    """Another title and another revision, of which no token tells."""
    stored = town.find(here, "Termin 03")
    assert isinstance(stored.item, Event)
    _put(town, here, replace(stored, item=replace(stored.item, title="Heimlich"), revision="secret"))


def create(town: Town, here: SideName) -> None:
    """A new object."""
    name = f"{town.folder(here)}heimlich.ics" if here is NEXTCLOUD else "AAMkHeimlich="
    _put(town, here, Stored(name, town.folder(here), "secret", event("Heimlich", day=27), "heimlich", name="heimlich"))


def delete(town: Town, here: SideName) -> None:
    """An object that is there no more."""
    del town.world.server(here).state.objects[town.find(here, "Termin 03").id]


def _put(town: Town, here: SideName, stored: Stored) -> None:
    town.world.server(here).state.objects[stored.id] = stored


@BOTH_WAYS
@pytest.mark.parametrize("missed", [edit, create, delete])
def test_it_repairs_what_was_not_told_and_says_so(
    town: Town, here: SideName, missed: Callable[[Town, SideName], None]
) -> None:
    linked(town)
    missed(town, here)
    town.sync()
    with pytest.raises(AssertionError):
        town.compare()
    town.sync(full=True)
    town.compare()
    assert repaired() == 1
    line = RunLine.objects.get(code="repaired")
    assert sentence(line) == f"Found by a full comparison: {here.title()} had not told that this had changed."
    town.sync(full=True)
    assert repaired() == 0
    assert not Link.objects.exclude(untold="").exists()


def test_an_occurrence_that_changed_without_a_new_revision_is_a_repair(town: Town) -> None:
    town.outlook.create(town.folder(EXCHANGE), series())
    linked(town)
    stored = town.find(EXCHANGE, "Jour fixe")
    assert isinstance(stored.item, Event)
    exception = Occurrence(SECOND_WEEK, values={"title": "Einmal anders"})
    _put(town, EXCHANGE, replace(stored, item=replace(stored.item, exceptions=(exception,))))
    town.sync(full=True)
    town.compare()
    assert repaired() == 1
    town.sync(full=True)
    assert repaired() == 0


def test_what_is_told_is_no_repair(town: Town) -> None:
    linked(town)
    town.phone.edit(town.find(NEXTCLOUD, "Termin 01").id, titled("Offen"))
    town.outlook.create(town.folder(EXCHANGE), event("Neu", day=28))
    town.outlook.delete(town.find(EXCHANGE, "Termin 02").id)
    edit(town, EXCHANGE)
    town.sync(full=True)
    town.compare()
    assert repaired() == 1


@BOTH_WAYS
def test_what_happens_during_the_listing_is_no_repair(town: Town, here: SideName) -> None:
    linked(town)
    stored = town.find(here, "Termin 01")
    town.world.wire.at(
        "changes", When.BEFORE, lambda: town.person(here).edit(stored.id, titled("Eben erst")), side=here, skip=1
    )
    town.sync(full=True)
    assert "Eben erst" in town.both()
    assert repaired() == 0


def test_another_revision_of_the_same_content_is_no_repair(town: Town) -> None:
    linked(town)
    for stored in town.living(NEXTCLOUD):
        _put(town, NEXTCLOUD, replace(stored, revision=f"{stored.revision}-moved"))
    assert town.sync(full=True).writes == ()
    assert repaired() == 0
    assert not Link.objects.exclude(untold="").exists()


def test_many_repairs_are_counted_over_all_slices(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is remembered with the links: a comparison may go on in another slice."""
    linked(town)
    for number in range(5, 10):
        stored = town.find(NEXTCLOUD, f"Termin {number:02}")
        assert isinstance(stored.item, Event)
        _put(
            town, NEXTCLOUD, replace(stored, item=replace(stored.item, location="Keller"), revision=f"secret {number}")
        )
    monkeypatch.setattr("syncapp.engine.read.BATCH", 2)
    monkeypatch.setattr("lab.chaos.town.SLICE_SECONDS", 1.0)
    town.world.wire.always("update", When.AFTER, lambda: town.clock.move(timedelta(seconds=2)))
    town.sync(full=True)
    town.compare()
    assert repaired() == 5


# Why -----------------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_a_lost_token_leads_to_one(town: Town, here: SideName) -> None:
    linked(town)
    edit(town, here)
    town.world.server(here).lose_tokens()
    town.sync()
    town.compare()
    assert RunLine.objects.filter(code="token-lost", side=here).exists()
    assert repaired() == 0, "nobody can say what the token would have told"


@BOTH_WAYS
def test_a_token_from_the_future_leads_to_one(town: Town, here: SideName) -> None:
    """Rule 22: the server was restored, and is ahead of nothing that we know."""
    linked(town)
    backup = town.world.server(here).snapshot()
    town.person(here).edit(town.find(here, "Termin 01").id, placed("Keller"))
    town.settle()
    town.world.server(here).restore_backup(backup)
    town.settle()
    assert town.event(EXCHANGE, "Termin 01").location == town.event(NEXTCLOUD, "Termin 01").location == "Keller"


@BOTH_WAYS
def test_another_epoch_leads_to_one(town: Town, here: SideName) -> None:
    linked(town)
    edit(town, here.other)
    edit_told = town.find(here.other, "Termin 05")
    town.person(here.other).edit(edit_told.id, placed("Keller"))
    town.world.server(here).epoch = "another store"
    since = len(town.world.wire.calls)
    town.sync()
    assert len(town.world.wire.named("changes", since, here)) >= 1
    assert town.event(here, "Termin 05").location == "Keller"
    assert RunLine.objects.filter(code="distrusted", side=here).exists()


# What it costs -------------------------------------------------------------------------------------------------------

MANY = 1000


def test_a_comparison_of_a_thousand_items_is_cheap_when_nothing_changed(town: Town) -> None:
    for number in range(MANY // 4):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:03}", day=1 + number % 28, description="x"))
    town.sync()
    town.sync()
    with CaptureQueriesContext(connection) as few:
        town.sync(full=True)
    for number in range(MANY // 4, MANY):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:03}", day=1 + number % 28, description="x"))
    town.sync()
    town.sync()
    with CaptureQueriesContext(connection) as many:
        asked = requests(town, lambda: town.sync(full=True))
    assert asked == Counter(
        {
            # Of each kind, and for each of two folders: what the token tells, and the listing.
            **{f"epoch {name}": 2 for name in SideName},
            **{f"look {name}": 2 for name in SideName},
            **{f"changes {name}": 8 for name in SideName},
        }
    )
    assert len(many) <= len(few) + 2 * MANY // 500, "one query per five hundred items and side"
    assert repaired() == 0
