"""Two workers, restored servers, suspicious deletions, one-way pairings: rules 20 to 24 of docs/architecture.md."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lab.chaos.town import EXCHANGE, NEXTCLOUD, Town, event, placed, title_of, titled
from lab.chaos.wire import Call, When
from syncapp.engine.lease import LeaseLost
from syncapp.models import Hold, Link, Pairing
from syncapp.side import SideName
from tests.engine.test_scenarios_absence import many

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
CALLS = ["changes", "read", "update"]


@BOTH_WAYS
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])
def test_an_edit_during_a_run_is_never_forgotten(town: Town, here: SideName, name: str, when: When) -> None:
    """Rule 20: dirty is a counter."""
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(town.find(here, "Budget").id, placed("Raum 1"))
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))

    def edit_again() -> None:
        [stored] = [each for each in town.living(here) if title_of(each.item) in ("Budget", "Haushalt")]
        town.person(here).edit(stored.id, placed("Raum 2"))

    town.world.wire.at(name, when, edit_again)
    town.sync()
    town.settle()
    town.compare()
    assert town.event(here.other, "Haushalt").location == "Raum 2"


def test_what_is_marked_during_a_run_is_worked_on_again(town: Town) -> None:
    """Rule 20: dirt is cleared only if it is still what was read; an admin's approval marks links at any time."""
    made = town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.settle()
    town.outlook.edit(made.id, titled("Haushalt"))
    marked_at: list[int] = []

    def mark() -> None:
        Link.objects.get().mark()
        marked_at.append(len(town.world.wire.calls))

    town.world.wire.at("update", When.AFTER, mark, side=NEXTCLOUD)
    town.sync()
    town.sync()
    assert [call for call in town.world.wire.named("read", marked_at[0], EXCHANGE) if made.id in call.ids]
    assert Link.objects.get().dirty == 0


@BOTH_WAYS
@pytest.mark.parametrize("name", ["look", "read", "create", "update", "delete"])
@pytest.mark.parametrize("when", [When.BEFORE, When.AFTER])
def test_a_worker_that_lost_its_lease_commits_nothing(town: Town, here: SideName, name: str, when: When) -> None:
    """Rule 21: a second worker does the whole run while the first one sleeps."""
    many(town)
    for title in ("Budget", "Urlaub"):
        town.person(here.other).create(town.folder(here.other), event(title))
    town.settle()
    town.person(here.other).create(town.folder(here.other), event("Neu"))
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))
    town.person(here.other).delete(town.find(here.other, "Urlaub").id)
    town.world.wire.at(name, when, town.second_worker(), side=here)
    assert isinstance(town.sync().error, LeaseLost)
    town.settle()
    titles = town.both()
    assert [titles.count(each) for each in ("Neu", "Haushalt", "Budget", "Urlaub")] == [1, 1, 0, 0]


@BOTH_WAYS
def test_absences_on_a_restored_server_recreate_and_never_delete(town: Town, here: SideName) -> None:
    """Rule 22: the server was restored from a backup."""
    many(town, 5)
    town.person(here).create(town.folder(here), event("Alt"))
    town.settle()
    backup = town.world.server(here).snapshot()
    town.person(here).create(town.folder(here), event("Neu"))
    town.person(here).edit(town.find(here, "Alt").id, titled("Geändert"))
    town.settle()
    town.world.server(here).restore_backup(backup)
    town.settle()
    assert "Neu" in town.both()


@BOTH_WAYS
def test_deletions_that_return_with_a_restored_server_are_held(town: Town, here: SideName) -> None:
    """Rule 22: what the ledger still knows as deleted stays deleted, or is held."""
    many(town, 40)
    for number in range(4):
        town.person(here).create(town.folder(here), event(f"Alt {number}"))
    town.settle()
    backup = town.world.server(here).snapshot()
    for number in range(4):
        town.person(here).delete(town.find(here, f"Alt {number}").id)
    town.settle()
    town.world.server(here).restore_backup(backup)
    town.sync()
    town.sync()
    assert not [each for each in town.titles(here.other) if each.startswith("Alt")]


@BOTH_WAYS
def test_a_side_that_turned_empty_is_held(town: Town, here: SideName) -> None:
    """Rule 23, at any count."""
    for title in ("Budget", "Urlaub"):
        town.person(here).create(town.folder(here), event(title))
    town.settle()
    for each in town.living(here):
        town.person(here).delete(each.id)
    town.sync()
    town.sync()
    assert town.titles(here.other) == ["Budget", "Urlaub"]
    assert Hold.objects.filter(state=Hold.State.WAITING).count() == 2
    for hold in Hold.objects.all():
        hold.approve()
    town.settle()
    assert town.both() == []


@BOTH_WAYS
def test_many_deletions_at_once_are_held_and_the_rest_goes_on(town: Town, here: SideName) -> None:
    """Step 4, "Guard"."""
    many(town, 60)
    town.settle()
    for each in town.living(here)[:50]:
        town.person(here).delete(each.id)
    town.person(here).create(town.folder(here), event("Neu"))
    town.sync()
    assert len(town.living(here.other)) == 61
    assert "Neu" in town.titles(here.other)
    for hold in Hold.objects.all():
        hold.refuse()
    town.settle()
    assert len(town.both()) == 61


@BOTH_WAYS
def test_a_hold_lapses_when_the_survivor_changes(town: Town, here: SideName) -> None:
    """Rule 23: the edit beats the deletion that waits."""
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(made.id)
    town.sync()
    assert Hold.objects.count() == 1
    town.person(here.other).edit(town.only(here.other).id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert Hold.objects.count() == 0


def one_way(town: Town, source: SideName) -> None:
    """All pairings go from ``source`` to the other side."""
    direction = Pairing.Direction.TO_NEXTCLOUD if source is EXCHANGE else Pairing.Direction.TO_EXCHANGE
    Pairing.objects.update(direction=direction)


@BOTH_WAYS
def test_one_way_an_edit_on_the_target_is_left_alone_until_the_source_changes(town: Town, here: SideName) -> None:
    """Rule 24."""
    one_way(town, here)
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.sync()
    town.person(here.other).edit(town.only(here.other).id, titled("Etat"))
    town.sync()
    town.sync()
    assert (town.titles(here), town.titles(here.other)) == (["Budget"], ["Etat"])
    town.person(here).edit(made.id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert "Etat" in town.history_titles()


@BOTH_WAYS
def test_one_way_a_deletion_on_the_target_is_undone(town: Town, here: SideName) -> None:
    """Rule 24."""
    one_way(town, here)
    for title in ("Budget", "Urlaub"):
        town.person(here).create(town.folder(here), event(title))
    town.sync()
    town.person(here.other).delete(town.find(here.other, "Budget").id)
    town.settle()
    assert town.both() == ["Budget", "Urlaub"]


@BOTH_WAYS
def test_one_way_what_is_new_on_the_target_stays_there(town: Town, here: SideName) -> None:
    """Rule 24."""
    one_way(town, here)
    town.person(here.other).create(town.folder(here.other), event("Eigenes"))
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    assert town.titles(here) == ["Budget"]
    assert town.titles(here.other) == ["Budget", "Eigenes"]


@BOTH_WAYS
def test_the_window_stops_the_creation_of_what_was_there_before(town: Town, here: SideName) -> None:
    """Rule 24: the window bounds the first load only, and never deletes."""
    town.clock.move(timedelta(days=300))
    town.person(here).create(town.folder(here), event("Alt"))
    town.sync()
    assert town.titles(here.other) == []
    town.person(here).create(town.folder(here), event("Nachgetragen"))
    town.settle()
    assert town.titles(here.other) == ["Nachgetragen"]


@BOTH_WAYS
def test_leaving_the_window_is_no_deletion(town: Town, here: SideName) -> None:
    """Rule 24."""
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.clock.move(timedelta(days=300))
    town.settle()
    assert town.both() == ["Budget"]


@BOTH_WAYS
def test_all_state_gone_and_a_new_epoch_adopt_and_do_not_double(town: Town, here: SideName) -> None:
    """Invariant 7: a new epoch leads to a full comparison with adoption."""
    many(town, 5)
    town.settle()
    before = town.both()
    town.world.server(here).epoch = "another store"
    town.world.server(here).lose_tokens()
    town.settle()
    assert town.both() == before


@pytest.mark.parametrize("name", ["Budget"])
def test_hot_calls_are_seen_by_hooks(town: Town, name: str) -> None:
    """The test bed itself: a hook meets each moment of a write."""
    met: list[str] = []

    def hook(call: Call, when: When, id: str) -> None:
        if call.name == "create":
            met.append(when)

    town.world.wire.hooks.append(hook)
    town.phone.create(town.folder(NEXTCLOUD), event(name))
    town.sync()
    assert met == [When.BEFORE, When.ITEM, When.DONE, When.AFTER]
    assert Link.objects.count() == 1
