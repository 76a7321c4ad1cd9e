"""A changed normal form: no write and no conflict comes of it, and edits made before and after it are seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import transaction

from lab.chaos.generate import history
from lab.chaos.player import playing
from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, series, titled
from lab.chaos.wire import Crash, When, raising
from syncapp.engine import intents
from syncapp.items import FIELDS, Event, Item, Kind, fields
from syncapp.items.elements import Element, Part, elements
from syncapp.items.event import Occurrence
from syncapp.items.fingerprint import Base
from syncapp.models import Link, RunLine
from syncapp.side import SideName
from tests.engine.test_scenarios_conflicts import SECOND_WEEK, told

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
HISTORIES = 300 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 15
_MARK = "2:"


@contextmanager
def upgraded(town: Town) -> Iterator[None]:
    """Inside, every field is normalised otherwise, under the next version of the normal forms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fields, "NORMAL_FORM_VERSION", fields.NORMAL_FORM_VERSION + 1)
        # What servers store and people see has nothing to do with our normal forms.
        for stranger in ("server", "model"):
            patch.setattr(f"lab.chaos.{stranger}.elements", _as_before)
        before = [(field, field.normal) for of_kind in FIELDS.values() for field in of_kind]
        for field, normal in before:
            object.__setattr__(field, "normal", _marked(normal))
        _forget_elements(town)
        try:
            yield
        finally:
            for field, normal in before:
                object.__setattr__(field, "normal", normal)
            _forget_elements(town)


def _marked(normal: Callable[[object], str]) -> Callable[[object], str]:
    return lambda value: f"{_MARK}{text}" if (text := normal(value)) else ""


def _as_before(item: Item) -> dict[Element, Part]:
    return {path: Part(part.normal.replace(_MARK, "", 1), part.value) for path, part in elements(item).items()}


def _forget_elements(town: Town) -> None:
    """Items keep their elements once they are found: here, they are others now."""
    for name in SideName:
        objects = town.world.server(name).state.objects
        for id, stored in tuple(objects.items()):
            objects[id] = replace(stored, item=replace(stored.item))


def linked(town: Town) -> None:
    """Items of every sort in step, one of them with a base of its own on either side."""
    exception = Occurrence(SECOND_WEEK, values={"title": "Einmal anders"})
    town.outlook.create(town.folder(EXCHANGE), event("Budget", location="Raum 1", categories=("Rot", "Grün")))
    town.phone.create(town.folder(NEXTCLOUD), series(exceptions=(exception,), description="Und so weiter..."))
    town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Anna", *(f"{each}@lab.example" for each in "abcd")))
    town.settle()
    town.sync()


def forms() -> set[int]:
    """The versions of the normal forms by which bases are remembered."""
    bases = Link.objects.values_list("exchange_base", "nextcloud_base")
    return {Base.unpack(bytes(base)).version for pair in bases for base in pair if base is not None}


def title_and_place(town: Town, name: SideName) -> tuple[str, str]:
    """Of the event that is edited here."""
    [found] = [each for each in town.events(name) if each.recurrence is None]
    return found.title, found.location


def test_it_causes_no_write_and_no_conflict(town: Town) -> None:
    linked(town)
    before = RunLine.objects.count()
    with upgraded(town):
        assert town.sync().writes == ()
        assert town.sync(full=True).writes == ()
        assert town.sync(full=True).writes == ()
        town.settle()
    assert RunLine.objects.count() == before


def test_the_next_full_comparison_renews_all_bases(town: Town) -> None:
    linked(town)
    old = fields.NORMAL_FORM_VERSION
    assert forms() == {old}
    with upgraded(town):
        town.sync()
        assert forms() == {old}
        town.sync(full=True)
        assert forms() == {old + 1}
        since = len(town.world.wire.calls)
        town.sync(full=True)
        # Of the series it can't be known from its revision whether an occurrence changed.
        assert all(len(call.ids) == 1 for call in town.world.wire.named("read", since))


def change_title(item: Event) -> Event:
    """Another title."""
    return replace(item, title="Haushalt")


def remove_place(item: Event) -> Event:
    """No place any more."""
    return replace(item, location="")


def change_categories(item: Event) -> Event:
    """One category less and one more."""
    return replace(item, categories=("Grün", "Blau"))


@BOTH_WAYS
@pytest.mark.parametrize("edit", [change_title, remove_place, change_categories])
@pytest.mark.parametrize("when", ["before", "after", "after a comparison"])
def test_an_edit_is_seen_whenever_it_was_made(
    town: Town, here: SideName, edit: Callable[[Event], Event], when: str
) -> None:
    linked(town)
    id = town.find(here, "Budget").id
    if when == "before":
        town.person(here).edit(id, edit)
    with upgraded(town):
        if when == "after a comparison":
            town.sync(full=True)
        if when != "before":
            town.person(here).edit(id, edit)
        town.sync()
        for name in SideName:
            [found] = [each for each in town.events(name) if each.recurrence is None]
            wanted = edit(event("Budget", location="Raum 1", categories=("Rot", "Grün")))
            assert (found.title, found.location) == (wanted.title, wanted.location)
            assert set(found.categories) == set(wanted.categories)
        assert told("conflict", "differed") == []
        town.settle()


@BOTH_WAYS
def test_a_deletion_is_seen(town: Town, here: SideName) -> None:
    linked(town)
    town.outlook.create(town.folder(EXCHANGE), event("Bleibt", day=20))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    with upgraded(town):
        town.settle()
    assert "Budget" not in town.both()


def test_edits_on_both_sides_after_a_comparison_merge(town: Town) -> None:
    linked(town)
    with upgraded(town):
        town.sync(full=True)
        town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
        town.phone.edit(town.find(NEXTCLOUD, "Budget").id, placed("Raum 2"))
        town.settle()
        assert {title_and_place(town, name) for name in SideName} == {("Haushalt", "Raum 2")}
        assert told("conflict") == []


def test_edits_on_both_sides_before_any_comparison_lose_nothing(town: Town) -> None:
    """Both revisions have moved: nobody can tell which fields were edited. The rule decides, and history has it all."""
    linked(town)
    town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
    town.phone.edit(town.find(NEXTCLOUD, "Budget").id, placed("Raum 2"))
    with upgraded(town):
        town.settle()
        assert {title_and_place(town, name) for name in SideName} == {("Haushalt", "Raum 1")}
        assert len(told("conflict")) == 1
        assert ("Budget", "Raum 2") in [
            (each.title, each.location) for each in town.history() if isinstance(each, Event)
        ]


@BOTH_WAYS
@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])
def test_an_edit_that_was_under_way_arrives(town: Town, here: SideName, when: When) -> None:
    """An intent's hashes say nothing any more; its source wins (rule 17)."""
    linked(town)
    town.person(here).edit(town.find(here, "Budget").id, titled("Haushalt"))
    town.world.wire.at("update", when, raising(Crash()), side=here.other)
    assert isinstance(town.sync().error, Crash)
    [intent] = [intents.unpack(stored) for stored in Link.objects.values_list("intent", flat=True) if stored]
    assert isinstance(intent, intents.Change)
    with upgraded(town):
        assert not intent.is_current
        town.settle()
        assert title_and_place(town, EXCHANGE)[0] == title_and_place(town, NEXTCLOUD)[0] == "Haushalt"


@BOTH_WAYS
@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])
def test_a_creation_that_was_under_way_arrives_once(town: Town, here: SideName, when: When) -> None:
    linked(town)
    town.person(here).create(town.folder(here), event("Neu", day=20))
    town.world.wire.at("create", when, raising(Crash()), side=here.other)
    assert isinstance(town.sync().error, Crash)
    with upgraded(town):
        town.settle()
        assert town.both().count("Neu") == 1


@BOTH_WAYS
def test_a_write_that_was_not_read_back_settles(town: Town, here: SideName) -> None:
    linked(town)
    town.person(here).edit(town.find(here, "Budget").id, titled("Haushalt"))
    town.world.wire.at("read", When.BEFORE, raising(Crash()), side=here.other, skip=1)
    assert isinstance(town.sync().error, Crash)
    with upgraded(town):
        assert town.sync().writes == ()
        town.settle()
        assert "Haushalt" in town.both()


@pytest.mark.django_db
@pytest.mark.parametrize("kind", Kind)
def test_histories_go_on_over_an_upgrade(kind: Kind) -> None:
    """What chaos checks holds, but that an edit may win that is older than one whose base was forgotten."""
    for seed in range(HISTORIES):
        with transaction.atomic(), playing(kind, seed) as player:
            player.play(history(seed, "hot").steps)
            player.town.world.wire.hooks.clear()
            with upgraded(player.town):
                player.play(history(HISTORIES + seed, "hot").steps)
                found = [each for each in player.violations() if not each.startswith("stale win")]
            story = player.story() if found else ""
            transaction.set_rollback(True)
        assert not found, f"seed {seed}\n{found}\n{story}"
