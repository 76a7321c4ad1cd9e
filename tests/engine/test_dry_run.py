"""A dry run announces what the run then does, and writes nothing anywhere."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from lab.chaos.generate import history
from lab.chaos.player import Deed, Player, playing
from lab.chaos.server import Stored
from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, series, titled
from lab.chaos.wire import When
from syncapp.engine.at_once import one_by_one
from syncapp.engine.dry_run import Announced, DryRun, Pair, Stopped, dry_run
from syncapp.engine.dry_side import DrySide
from syncapp.engine.lease import LeaseLost
from syncapp.items import Item, Kind
from syncapp.items.elements import elements
from syncapp.items.event import Occurrence
from syncapp.models import History, Hold, Pairing, Run, RunLine, aside
from syncapp.side import Side, SideName, SidesOf, Unreachable
from tests.engine.test_restoration import ask
from tests.engine.test_scenarios_conflicts import SECOND_WEEK, linked

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
HISTORIES = 300 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 15


def remembered() -> dict[str, list[Any]]:
    """Every row of the connector's tables."""
    models = apps.get_app_config("syncapp").get_models()
    return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in models}


def states(town: Town) -> list[tuple[Any, ...]]:
    """Everything that the servers hold."""
    found = [town.world.server(name).state for name in SideName]
    return [(dict(each.objects), dict(each.folders), each.sequence) for each in found]


def rehearse(town: Town, *, full: bool = False, pair: Pair = lambda sides: sides) -> DryRun:
    """A dry run, of which it is checked that it writes nothing."""
    lease = town.claim()
    rows, held, calls = remembered(), states(town), len(town.world.wire.calls)
    result = dry_run(
        lease,
        town.world.sides(town.kinds),
        pair=pair,
        tend=lambda: None,
        clock=town.clock,
        full=full,
        at_once=one_by_one,
    )
    assert remembered() == rows
    assert states(town) == held
    assert not town.world.wire.writes(calls)
    lease.release(town.clock.now())
    return result


def said(result: DryRun, *codes: str) -> list[tuple[str, str, str]]:
    """What was announced, as (code, side, label)."""
    return sorted((each.code, each.side, each.label) for each in result.announced if not codes or each.code in codes)


# By example ----------------------------------------------------------------------------------------------------------


def test_a_first_sync_is_announced_item_by_item(town: Town) -> None:
    town.outlook.create(town.folder(EXCHANGE), event("Budget", location="Raum 1"))
    town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Anna", "anna@lab.example"))
    town.outlook.create(town.folder(EXCHANGE), event("Urlaub", day=12), uid="both")
    town.phone.create(town.folder(NEXTCLOUD), event("Urlaub", day=12, location="Ostsee"), uid="both")
    result = rehearse(town)
    assert said(result) == [
        ("adopted", "", "Urlaub"),
        ("created", "exchange", "Anna"),
        ("created", "nextcloud", "Budget"),
        ("updated", "exchange", "Urlaub"),
    ]
    by_label = {each.label: each for each in result.announced if each.count in ("created", "updated")}
    assert by_label["Budget"] == Announced(
        "created", "nextcloud", "event", "Budget", "2026-03-10 09:00 Europe/Berlin", "end location start title", "",
        "created",
    )  # fmt: skip
    assert by_label["Anna"].fields == "display_name emails given_name"
    assert by_label["Urlaub"].fields == "location"
    assert (result.in_step, result.left, result.pending) == (3, 0, 0)
    assert not result.problems


def test_later_changes_are_announced(town: Town) -> None:
    for number in range(20):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:02}", day=number + 1))
    town.settle()
    town.outlook.edit(town.find(EXCHANGE, "Termin 00").id, titled("Haushalt"))
    town.phone.delete(town.find(NEXTCLOUD, "Termin 01").id)
    town.outlook.move(town.find(EXCHANGE, "Termin 02").id, town.folder(EXCHANGE, number=2))
    both = town.find(EXCHANGE, "Termin 03"), town.find(NEXTCLOUD, "Termin 03")
    town.outlook.edit(both[0].id, placed("Raum 1"))
    town.phone.edit(both[1].id, placed("Raum 2"))
    assert said(rehearse(town)) == [
        ("conflict", "nextcloud", "Termin 03"),
        ("deleted", "exchange", "Termin 01"),
        ("moved", "nextcloud", "Termin 02"),
        ("relinked", "exchange", "Termin 02"),
        ("updated", "nextcloud", "Termin 00"),
        ("updated", "nextcloud", "Termin 03"),
    ]


@BOTH_WAYS
def test_held_deletions_are_announced(town: Town, here: SideName) -> None:
    for number in range(3):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number}", day=number + 1))
    town.settle()
    for stored in town.living(here):
        town.person(here).delete(stored.id)
    assert said(rehearse(town)) == [("held", here.other, f"Termin {number}") for number in range(3)]
    assert not Hold.objects.exists()


def test_what_is_left_out_is_counted(town: Town) -> None:
    town.outlook.create(town.folder(EXCHANGE), event("Lange her", day=1))
    Pairing.objects.update(days_back=0, days_ahead=0)
    result = rehearse(town)
    assert not result.announced
    assert (result.in_step, result.left) == (0, 1)


def test_items_that_a_side_would_refuse_are_announced(town: Town) -> None:
    town.world.exchange.impossible.add("Unmöglich")
    town.phone.create(town.folder(NEXTCLOUD), event("Unmöglich"))
    result = rehearse(town)
    assert [each.code for each in result.announced] == ["failed"]
    [problem] = result.problems
    assert (problem.code, problem.label) == ("refused", "Unmöglich")
    assert town.problems() == []


def test_unreadable_items_are_announced(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE), event("Kaputt"))
    town.outlook.damage(made.id)
    assert [each.code for each in rehearse(town).problems] == ["unreadable"]


def test_a_uid_in_nextclouds_bin_is_announced_as_restored(town: Town) -> None:
    """Rule 12: the server would refuse to create it."""
    old = town.phone.create(town.folder(NEXTCLOUD), event("Budget"), uid="same")
    town.phone.delete(old.id)
    town.outlook.create(town.folder(EXCHANGE), event("Haushalt"), uid="same")
    announced = [each.code for each in rehearse(town).announced]
    assert announced == ["restored", "updated"]
    town.sync(wait=False)
    assert [line.code for line in RunLine.objects.order_by("pk")] == announced


def test_the_series_with_exceptions_is_one_item(town: Town) -> None:
    town.phone.create(town.folder(NEXTCLOUD), series(exceptions=(Occurrence(SECOND_WEEK, deleted=True),)))
    assert said(rehearse(town)) == [("created", "exchange", "Jour fixe")]


@BOTH_WAYS
def test_an_earlier_version_that_is_asked_back_is_announced(town: Town, here: SideName) -> None:
    on = dict(zip(SideName, linked(town, event("Budget")), strict=True))
    town.person(here.other).edit(on[here.other], titled("Etat"))
    town.settle()
    ask(town, History.objects.get(side=here))
    assert said(rehearse(town)) == [("put-back", here.value, "Etat")]


def test_trouble_of_a_server_ends_it(town: Town) -> None:
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.world.wire.at("read", When.BEFORE, _raise_unreachable)
    with pytest.raises(Unreachable):
        rehearse(town)


def _raise_unreachable() -> None:
    raise Unreachable("no answer")


def test_it_ends_when_the_lease_is_lost_meanwhile(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.engine.dry_run._TEND_SECONDS", 0.01)
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    calls = len(town.world.wire.calls)

    def lose() -> None:
        raise LeaseLost("somebody else has it")

    with pytest.raises(LeaseLost):
        dry_run(town.claim(), town.world.sides(), pair=_wait_until_stopped, tend=lose, clock=town.clock)
    assert len(town.world.wire.calls) == calls, "nothing is asked any more"


def _wait_until_stopped(sides: Sequence[SidesOf]) -> Sequence[SidesOf]:
    while True:
        try:
            sides[0].exchange.read([])
        except Stopped:
            return sides
        time.sleep(0.001)


def test_the_real_database_is_out_of_reach(town: Town) -> None:
    with pytest.raises(RuntimeError, match="opened the real database"), aside.opened([]):
        pass


# Over random histories -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("kind", Kind)
def test_what_is_announced_is_what_a_first_sync_does(kind: Kind) -> None:
    """The same lines, the same counts, and the same objects in the end, over random towns."""
    announced = _compare_many(kind, _before_a_first_sync)
    assert {"created", "updated", "adopted", "differed"} <= set(announced), announced


@pytest.mark.django_db
@pytest.mark.parametrize("kind", Kind)
def test_what_is_announced_is_what_a_later_run_does(kind: Kind) -> None:
    """The same in the middle of random histories with faults, lost tokens and restored servers."""
    announced = _compare_many(kind, _after_some_history)
    assert {"created", "updated", "deleted", "moved"} <= set(announced), announced


def _compare_many(kind: Kind, make: Callable[[Player, int], None]) -> Counter[str]:
    """What was announced in all of them, by code."""
    announced = Counter[str]()
    for seed in range(HISTORIES):
        with transaction.atomic(), playing(kind, seed) as player:
            make(player, seed)
            announced += _compare(player, seed, full=seed % 2 == 1)
            transaction.set_rollback(True)
    return announced


def _before_a_first_sync(player: Player, seed: int) -> None:
    """A town where people have had both sides for long, some items on both, some of them in the bin."""
    random, kind, town = Random(seed), player.kind, player.town
    for _ in range(random.randrange(4, 12)):
        name = random.choice(list(SideName))
        player.create(name, random.choice([1, 1, 2]))
        [made] = town.world.server(name).living()[-1:]
        if random.random() < 0.6:
            across = town.person(name.other)
            uid = made.uid if made.uid and random.random() < 0.5 else None
            copy = across.create(town.folder(name.other, kind, random.choice([1, 1, 2])), made.item, uid=uid)
            player.do(name.other, random.choice([Deed.EDIT, Deed.EDIT, Deed.DELETE]), copy, random.randrange(9))


def _after_some_history(player: Player, seed: int) -> None:
    """A town where much has happened, and more since the last run."""
    random = Random(seed)
    player.play(history(seed, "restores" if seed % 3 == 0 else "hot").steps)
    deeds = [Deed.EDIT, Deed.MOVE, Deed.COPY, Deed.DELETE, Deed.RESTORE]
    for _ in range(random.randrange(16)):
        name = random.choice(list(SideName))
        if random.random() < 0.3:
            player.create(name, random.choice([1, 1, 2]))
        else:
            player.act(name, random.choice(deeds), random.randrange(20), random.randrange(9))
    player.town.rest()


def _compare(player: Player, seed: int, full: bool) -> Counter[str]:
    town = player.town
    town.clock.move(timedelta(days=2))
    dry: list[SidesOf] = []

    def pair(sides: Sequence[SidesOf]) -> Sequence[SidesOf]:
        dry.extend(sides)
        return sides

    result = rehearse(town, full=full, pair=pair)
    foreseen = [standing(town, dry[0].by_name[name]) for name in SideName]
    last = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    ran = town.sync(full=full, wait=False)
    assert ran.error is None
    # Where a look is enough, there is no run.
    run = Run.objects.filter(pk__gt=last).first() or Run()
    story = f"seed {seed}\n{player.story()}"
    assert lines(result.announced) == lines(RunLine.objects.filter(run=run.pk)), story
    counts = Counter(each.count for each in result.announced if each.count)
    assert counts == +Counter({name: getattr(run, name) for name in Run.COUNTS}), story
    for name, objects in zip(SideName, foreseen, strict=True):
        assert objects == content(town, name, town.world.server(name).living()), story
    return Counter(each.code for each in result.announced)


def lines(of: Iterable[Announced | RunLine]) -> Counter[tuple[str, str, str, str]]:
    """Lines of a log, or what was announced of them; what a new object has is told by the announcement only."""
    return Counter((each.code, each.side, "" if each.code == "created" else each.fields, each.note) for each in of)


def standing(town: Town, side: Side) -> Counter[tuple[str, str]]:
    """What would stand on a side after a dry run."""
    assert isinstance(side, DrySide)
    server = town.world.server(side.name)
    objects = {each.id: (each.folder, each.item) for each in server.living(side.kind) if each.id not in side._gone}
    for each in side._stands.values():
        objects.pop(each.id, None)
        if not each.in_bin:
            objects[each.id] = (each.folder, server.held(each.item))
    return Counter(map(_told, objects.values()))


def content(town: Town, name: SideName, living: Iterable[Stored]) -> Counter[tuple[str, str]]:
    """What stands on a side."""
    return Counter(_told((each.folder, each.item)) for each in living)


def _told(of: tuple[str, Item]) -> tuple[str, str]:
    folder, item = of
    return folder, repr(sorted((path, part.normal) for path, part in elements(item).items()))
