"""Items that fail again and again: what they cost, when they are tried, and what a person can do about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, titled
from lab.chaos.wire import Call, Crash, When, raising
from syncapp.jobs import problems
from syncapp.models import Link, Problem, Run
from syncapp.side import SideName, Throttled

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
COMPANY = 5
"""Healthy items beside the poisoned one."""


def linked(town: Town) -> None:
    """Items in step, and one that will be poisoned."""
    for number in range(COMPANY):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number}", day=number + 1))
    town.outlook.create(town.folder(EXCHANGE), event("Gift", day=20))
    town.settle()
    town.sync()


def edit_company(town: Town, name: SideName, place: str) -> None:
    """Something to do that has nothing to do with the poisoned item."""
    for number in range(COMPANY):
        town.person(name).edit(town.find(name, f"Termin {number}").id, placed(place))


def requests(town: Town, act: Callable[[], object]) -> Counter[str]:
    """The requests that were made meanwhile, by name and side."""
    since = len(town.world.wire.calls)
    act()
    return Counter(f"{call.name} {call.side}" for call in town.world.wire.calls[since:])


def all_pks() -> list[int]:
    """Every problem of an item."""
    return list(Problem.objects.filter(level=Problem.Level.ITEM).values_list("pk", flat=True))


# What it costs -------------------------------------------------------------------------------------------------------


def damage(town: Town, here: SideName) -> None:
    """What stands on one side can't be read any more."""
    town.person(here).damage(town.find(here, "Gift").id)


def refuse_update(town: Town, here: SideName) -> None:
    """The server across does not take an edit."""
    town.world.server(here.other).refused.add("Schlecht")
    town.person(here).edit(town.find(here, "Gift").id, titled("Schlecht"))


def refuse_creation(town: Town, here: SideName) -> None:
    """The server across does not take a new item."""
    town.world.server(here.other).refused.add("Neu")
    town.person(here).create(town.folder(here), event("Neu", day=25))


def impossible(town: Town, here: SideName) -> None:
    """The side across knows that its server would not take a new item."""
    town.world.server(here.other).impossible.add("Neu")
    town.person(here).create(town.folder(here), event("Neu", day=25))


@BOTH_WAYS
@pytest.mark.parametrize("poison", [damage, refuse_update, refuse_creation, impossible])
def test_a_poisoned_item_costs_a_run_at_most_one_request(
    town: Town, here: SideName, poison: Callable[[Town, SideName], None]
) -> None:
    """While its delay lasts, and when it is due in a run that has other things to do."""

    def other_work(number: int) -> None:
        edit_company(town, here, f"Raum {number}")
        town.person(here).create(town.folder(here), event(f"Termin 9{number}", day=number))

    linked(town)
    other_work(1)
    healthy = requests(town, town.sync)
    town.sync()
    poison(town, here)
    town.sync()
    assert len(all_pks()) == 1
    town.sync(wait=False)
    other_work(2)
    assert requests(town, lambda: town.sync(wait=False)) == healthy, "its delay lasts"
    town.sync(wait=False)
    other_work(3)
    town.clock.move(timedelta(days=2))
    due = requests(town, lambda: town.sync(wait=False))
    assert Problem.objects.get().count >= 2, "it was tried again"
    assert (due - healthy).total() <= 1, due - healthy


def test_what_is_known_to_be_impossible_is_not_sent_again(town: Town) -> None:
    impossible(town, NEXTCLOUD)
    town.sync()
    since = len(town.world.wire.calls)
    town.sync()
    assert Problem.objects.get().count == 2
    assert not town.world.wire.named("create", since)
    assert not town.world.wire.named("find", since)
    town.world.exchange.impossible.clear()
    town.settle()
    assert town.both() == ["Neu"]


def test_a_full_comparison_does_not_begin_anew_with_what_cannot_be_read(town: Town) -> None:
    linked(town)
    damage(town, EXCHANGE)
    broken = town.outlook.create(town.folder(EXCHANGE), event("Neu", day=25))
    town.outlook.damage(broken.id)
    town.sync()
    tries = set(Link.objects.filter(has_problem=True).values_list("failures", "not_before"))
    assert {failures for failures, _ in tries} == {1}
    town.sync(wait=False, full=True)
    assert set(Link.objects.filter(has_problem=True).values_list("failures", "not_before")) == tries


@BOTH_WAYS
def test_what_cannot_be_read_costs_one_request_alone_too(town: Town, here: SideName) -> None:
    linked(town)
    town.person(here).damage(town.find(here, "Gift").id)
    town.sync()
    town.sync()
    quiet = requests(town, lambda: town.sync(wait=False))
    town.clock.move(timedelta(days=2))
    assert requests(town, lambda: town.sync(wait=False)) - quiet == Counter({f"read {here}": 1})


@BOTH_WAYS
def test_a_new_object_that_cannot_be_read_costs_one_request(town: Town, here: SideName) -> None:
    linked(town)
    made = town.person(here).create(town.folder(here), event("Neu", day=25))
    town.person(here).damage(made.id)
    town.sync()
    assert town.problems() == ["unreadable"]
    town.sync()
    quiet = requests(town, lambda: town.sync(wait=False))
    town.clock.move(timedelta(days=2))
    assert requests(town, lambda: town.sync(wait=False)) - quiet == Counter({f"read {here}": 1})


def test_what_kills_its_worker_comes_last_and_alone(town: Town) -> None:
    """Attempts are counted before the work: everybody else is served, and a run within its delay does not touch it."""
    linked(town)
    edit_company(town, NEXTCLOUD, "Raum 1")
    healthy = requests(town, town.sync)
    town.sync()
    deadly = town.find(NEXTCLOUD, "Gift").id
    across = town.find(EXCHANGE, "Gift").id

    def die(call: Call, when: When, id: str) -> None:
        if call.name == "update" and when is When.ITEM and id == across:
            raise Crash

    town.world.wire.hooks.append(die)
    town.phone.edit(deadly, titled("Tödlich"))
    for _ in range(6):
        assert isinstance(town.sync().error, Crash)
    edit_company(town, NEXTCLOUD, "Raum 2")
    ran = requests(town, town.sync)
    assert town.event(EXCHANGE, "Termin 4").location == "Raum 2", "the others were served before"
    assert (ran - healthy)["update exchange"] == 1, "it dies at its first write"
    town.sync(wait=False)  # hears of what the last one wrote
    edit_company(town, NEXTCLOUD, "Raum 3")
    within = requests(town, lambda: town.sync(wait=False))
    assert (within - healthy).total() == 0, within - healthy
    assert town.event(EXCHANGE, "Termin 4").location == "Raum 3"


def test_what_kills_its_worker_is_reported(town: Town) -> None:
    town.phone.create(town.folder(NEXTCLOUD), event("Tödlich"))
    town.world.wire.always("create", When.BEFORE, raising(Crash()))
    for _ in range(4):
        town.sync()
    assert town.problems() == ["deadly"]
    town.world.wire.hooks.clear()
    town.sync()
    assert town.both() == ["Tödlich"]
    assert town.problems() == []


def test_that_a_server_wants_to_rest_is_no_items_fault(town: Town) -> None:
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.world.wire.always("create", When.BEFORE, raising(Throttled(30)))
    for _ in range(5):
        town.sync(wait=False)
    link = Link.objects.get()
    assert (link.attempts, link.failures, link.not_before) == (0, 0, None)
    assert town.problems() == []


# When it is tried ----------------------------------------------------------------------------------------------------


def test_delays_grow_up_to_a_day(town: Town) -> None:
    town.world.exchange.refused.add("Unmöglich")
    town.phone.create(town.folder(NEXTCLOUD), event("Unmöglich"))
    delays = []
    for _ in range(12):
        town.sync(wait=False)
        at = Link.objects.get().not_before
        assert at is not None
        delays.append(round((at - town.clock.now()).total_seconds() / 60))
        town.clock.move(at - town.clock.now())
    assert delays == [8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440, 1440, 1440]
    assert Problem.objects.get().count == 12


@BOTH_WAYS
def test_an_item_that_changes_is_tried_at_once(town: Town, here: SideName) -> None:
    linked(town)
    town.world.server(here.other).refused.add("Schlecht")
    town.person(here).edit(town.find(here, "Gift").id, titled("Schlecht"))
    for _ in range(5):
        town.sync()
    town.person(here).edit(town.find(here, "Schlecht").id, titled("Gut"))
    town.sync(wait=False)
    assert "Gut" in town.both()
    assert town.problems() == []


def test_an_unreadable_item_that_was_mended_is_tried_at_once(town: Town) -> None:
    linked(town)
    broken = town.find(EXCHANGE, "Gift")
    town.outlook.damage(broken.id)
    for _ in range(5):
        town.sync()
    town.outlook.repair(broken.id)
    town.sync(wait=False)
    assert town.problems() == []


def test_a_person_can_have_it_tried_at_once(town: Town) -> None:
    town.world.exchange.refused.add("Unmöglich")
    town.phone.create(town.folder(NEXTCLOUD), event("Unmöglich"))
    for _ in range(5):
        town.sync()
    town.world.exchange.refused.clear()
    town.sync(wait=False)
    assert town.titles(EXCHANGE) == []
    assert problems.retry(all_pks(), town.clock.now()) == 1
    town.sync(wait=False)
    assert town.both() == ["Unmöglich"]
    assert town.problems() == []


# Ignored -------------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_an_ignored_item_is_left_alone_on_both_sides(town: Town, here: SideName) -> None:
    """Also by full comparisons, however long."""
    linked(town)
    town.world.server(here.other).refused.add("Schlecht")
    town.person(here).edit(town.find(here, "Gift").id, titled("Schlecht"))
    town.sync()
    assert problems.ignore(all_pks(), town.clock.now()) == 1
    assert problems.ignore(all_pks(), town.clock.now()) == 0, "it is ignored already"
    town.world.server(here.other).refused.clear()
    quiet = requests(town, town.sync)
    assert set(quiet) <= {f"{call} {name}" for call in ("epoch", "look", "changes") for name in SideName}
    town.sync(full=True)
    assert "Gift" in town.titles(here.other)
    assert "Schlecht" in town.titles(here)
    assert Problem.objects.get().is_ignored
    assert not Link.objects.filter(dirty__gt=0).exists()


@BOTH_WAYS
@pytest.mark.parametrize("changes", ["here", "across"])
def test_an_ignored_item_that_changes_counts_again(town: Town, here: SideName, changes: str) -> None:
    linked(town)
    town.world.server(here.other).refused.add("Schlecht")
    town.person(here).edit(town.find(here, "Gift").id, titled("Schlecht"))
    town.sync()
    problems.ignore(all_pks(), town.clock.now())
    name = here if changes == "here" else here.other
    town.person(name).edit(town.find(name, "Schlecht" if changes == "here" else "Gift").id, placed("Raum 9"))
    town.sync(wait=False)
    assert not Problem.objects.get().is_ignored
    town.world.server(here.other).refused.clear()
    town.settle()
    assert "Schlecht" in town.both()
    assert town.event(EXCHANGE, "Schlecht").location == "Raum 9"
    assert town.problems() == []


def test_an_ignored_item_that_is_not_ignored_any_more_is_tried(town: Town) -> None:
    town.world.exchange.refused.add("Unmöglich")
    town.phone.create(town.folder(NEXTCLOUD), event("Unmöglich"))
    town.sync()
    assert problems.unignore(all_pks(), town.clock.now()) == 0, "it is not ignored"
    problems.ignore(all_pks(), town.clock.now())
    town.world.exchange.refused.clear()
    town.sync()
    assert town.titles(EXCHANGE) == []
    assert problems.unignore(all_pks(), town.clock.now()) == 1
    town.sync(wait=False)
    assert town.both() == ["Unmöglich"]
    assert town.problems() == []


def test_an_ignored_item_may_be_deleted_by_people(town: Town) -> None:
    linked(town)
    town.world.nextcloud.refused.add("Schlecht")
    town.outlook.edit(town.find(EXCHANGE, "Gift").id, titled("Schlecht"))
    town.sync()
    problems.ignore(all_pks(), town.clock.now())
    town.outlook.delete(town.find(EXCHANGE, "Schlecht").id)
    town.phone.delete(town.find(NEXTCLOUD, "Gift").id)
    town.settle()
    assert town.problems() == []
    assert Link.objects.count() == COMPANY


def test_an_ignored_unreadable_contact_stays_ignored(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna"))
    town.outlook.damage(made.id)
    town.sync()
    problems.ignore(all_pks(), town.clock.now())
    town.sync()
    town.sync(full=True)
    assert Problem.objects.get().is_ignored
    town.outlook.repair(made.id)
    town.settle()
    assert town.both(CONTACT) == ["Anna"]


def test_ignoring_during_a_run_is_not_undone_by_it(town: Town) -> None:
    """Rule 20: a worker that has read the item before clears no dirt that it did not read, and sets none."""
    town.world.exchange.refused.add("Unmöglich")
    town.phone.create(town.folder(NEXTCLOUD), event("Unmöglich"))
    town.sync()
    town.world.wire.at("create", When.BEFORE, lambda: problems.ignore(all_pks(), town.clock.now()), side=EXCHANGE)
    town.sync()
    assert Problem.objects.get().is_ignored
    since = len(town.world.wire.calls)
    town.sync()
    assert not town.world.wire.named("create", since)


def test_failures_are_counted_per_reason(town: Town) -> None:
    town.world.exchange.refused.update({"Eins", "Zwei"})
    for title in ("Eins", "Zwei"):
        town.phone.create(town.folder(NEXTCLOUD), event(title))
    town.outlook.damage(town.outlook.create(town.folder(EXCHANGE), event("Drei")).id)
    town.sync()
    assert Counter(town.problems()) == {"refused": 2, "unreadable": 1}
    run = Run.objects.get()
    assert run.failed == 3
    assert Counter(run.lines.filter(code="failed").values_list("note", flat=True)) == {"refused": 2, "unreadable": 1}
