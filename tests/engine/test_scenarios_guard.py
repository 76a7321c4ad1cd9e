"""What looks like an accident is held, decided by an admin, and the rest goes on: step 4 of docs/architecture.md."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, title_of, titled
from lab.chaos.wire import Crash, When, raising
from syncapp.engine.collect import STAYS_AWAY
from syncapp.items import Event, Kind
from syncapp.jobs import holds
from syncapp.models import Hold, Link
from syncapp.side import SideName
from tests.engine.test_scenarios_absence import many
from tests.engine.test_scenarios_restores import one_way

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
Deed, Reason, State = Hold.Deed, Hold.Reason, Hold.State


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    """Small numbers, so that waves can be small, too."""
    settings.GUARD_OVERWRITES, settings.GUARD_OVERWRITES_PERCENT = 5, 100
    settings.GUARD_CREATIONS, settings.GUARD_CREATIONS_PERCENT = 5, 100


def in_step(town: Town, number: int) -> None:
    """So many events that both sides have."""
    many(town, number)
    town.settle()


def rewrite(town: Town, here: SideName, titles: Iterable[str], location: str = "XXXX") -> None:
    """A broken client goes over events."""
    for title in titles:
        town.person(here).edit(town.find(here, title).id, placed(location))


def names(*numbers: int) -> list[str]:
    """Titles of the events that ``many`` makes."""
    return [f"Termin {number:02}" for number in numbers]


def locations(town: Town, name: SideName) -> set[str]:
    """What the places of all events of a side are."""
    return {each.location for each in town.events(name)}


def only_reason() -> tuple[str, int]:
    """The one reason for which something is held, and for how many items."""
    [reason] = set(Hold.objects.values_list("reason", flat=True))
    return str(reason), Hold.objects.count()


def decide(state: Hold.State, of: Hold.State = State.WAITING) -> None:
    """The admin decides about everything that waits."""
    Hold.objects.decide(Hold.objects.filter(state=of), state)


# Overwriting ---------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_a_wave_of_overwrites_is_held_before_the_first_and_the_rest_goes_on(town: Town, here: SideName) -> None:
    in_step(town, 20)
    rewrite(town, here, names(*range(12)))
    town.person(here).create(town.folder(here), event("Neu"))
    town.person(here.other).edit(town.find(here.other, "Termin 19").id, titled("Geändert"))
    ran = town.sync()
    assert locations(town, here.other) == {""}
    assert only_reason() == (Reason.OVERWRITES, 12)
    assert "Neu" in town.titles(here.other)
    assert "Geändert" in town.titles(here)
    assert "update" in ran.writes
    assert "held" in town.problems()
    assert town.sync().writes == ()


@BOTH_WAYS
def test_an_approved_wave_is_written(town: Town, here: SideName) -> None:
    in_step(town, 20)
    rewrite(town, here, names(*range(12)))
    town.sync()
    decide(State.APPROVED)
    town.settle()
    assert sorted(each.location for each in town.events(here.other)) == [""] * 8 + ["XXXX"] * 12
    assert (Hold.objects.count(), town.problems()) == (0, [])


@BOTH_WAYS
def test_a_refused_wave_is_undone_where_it_came_from_and_kept_in_history(town: Town, here: SideName) -> None:
    in_step(town, 20)
    rewrite(town, here, names(*range(12)))
    town.sync()
    decide(State.REFUSED)
    town.settle()
    assert locations(town, here) == {""}
    assert len(town.both()) == 20
    assert sum(item.location == "XXXX" for item in town.history() if isinstance(item, Event)) == 12
    assert (Hold.objects.count(), town.problems()) == (0, [])


@BOTH_WAYS
def test_a_refused_wave_leaves_other_edits_of_the_same_items_alone(town: Town, here: SideName) -> None:
    """What the other side says of what the wave changed stands; what it had to say besides travels as ever."""
    in_step(town, 20)
    rewrite(town, here, names(*range(12)))
    town.person(here.other).edit(town.find(here.other, "Termin 03").id, titled("Haushalt"))
    town.sync()
    assert "Haushalt" in town.titles(here)
    decide(State.REFUSED)
    town.settle()
    assert locations(town, here) == {""}
    assert "Haushalt" in town.both()


@BOTH_WAYS
@pytest.mark.parametrize("state", [State.APPROVED, State.REFUSED])
@pytest.mark.parametrize("when", [When.BEFORE, When.DONE, When.AFTER])
def test_a_decision_survives_a_crash(town: Town, here: SideName, state: Hold.State, when: When) -> None:
    in_step(town, 20)
    rewrite(town, here, names(*range(12)))
    town.sync()
    decide(state)
    town.world.wire.at("update", when, raising(Crash()))
    assert isinstance(town.sync().error, Crash)
    town.settle()
    left = {State.APPROVED: {"", "XXXX"}, State.REFUSED: {""}}[state]
    assert (locations(town, here), locations(town, here.other)) == (left, left)
    assert Hold.objects.count() == 0


def test_one_of_a_wave_is_decided_alone(town: Town) -> None:
    in_step(town, 20)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync()
    first = Hold.objects.order_by("pk")[0]
    first.approve()
    town.sync()
    assert [each.location for each in town.events(NEXTCLOUD)].count("XXXX") == 1
    assert Hold.objects.filter(state=State.WAITING).count() == 11


def test_a_hold_of_an_overwrite_lapses_when_the_source_goes_back(town: Town) -> None:
    """Rule 23."""
    in_step(town, 20)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync()
    rewrite(town, EXCHANGE, names(*range(12)), location="")
    town.settle()
    assert (Hold.objects.count(), town.problems()) == (0, [])


def test_a_wave_that_is_written_again_is_held_anew(town: Town) -> None:
    """Rule 23: an approval is for what the admin saw."""
    in_step(town, 20)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync(wait=False)
    decide(State.APPROVED)
    rewrite(town, EXCHANGE, names(*range(12)), location="YYYY")
    town.sync(wait=False)
    assert locations(town, NEXTCLOUD) == {""}
    assert Hold.objects.filter(state=State.WAITING).count() == 12


def test_overwrites_of_a_day_add_up(town: Town) -> None:
    in_step(town, 20)
    for number in range(8):
        rewrite(town, EXCHANGE, names(number))
        town.sync(wait=False)
    assert [each.location for each in town.events(NEXTCLOUD)].count("XXXX") == 5
    assert only_reason() == (Reason.OVERWRITES, 3)
    town.clock.move(timedelta(hours=26))
    rewrite(town, EXCHANGE, names(10))
    town.sync(wait=False)
    assert [each.location for each in town.events(NEXTCLOUD)].count("XXXX") == 6


def test_a_wave_that_was_approved_does_not_count_against_the_next_edit(town: Town) -> None:
    in_step(town, 20)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync(wait=False)
    decide(State.APPROVED)
    town.sync(wait=False)
    rewrite(town, EXCHANGE, names(15))
    town.sync(wait=False)
    assert [each.location for each in town.events(NEXTCLOUD)].count("XXXX") == 13
    assert Hold.objects.count() == 0


@pytest.mark.parametrize("size", [100, 2])
def test_what_is_approved_does_not_hold_up_what_comes_with_it(
    town: Town, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    in_step(town, 20)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync(wait=False)
    decide(State.APPROVED)
    monkeypatch.setattr("syncapp.engine.read.BATCH", size)
    rewrite(town, EXCHANGE, names(15, 16))
    town.sync(wait=False)
    assert [each.location for each in town.events(NEXTCLOUD)].count("XXXX") == 14
    assert Hold.objects.count() == 0


def test_many_small_batches_are_one_wave(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is pending is looked at before the first is written, also what a later batch will bring."""
    in_step(town, 20)
    monkeypatch.setattr("syncapp.engine.read.BATCH", 2)
    rewrite(town, NEXTCLOUD, names(*range(12)))
    town.sync()
    assert locations(town, EXCHANGE) == {""}
    assert only_reason() == (Reason.OVERWRITES, 12)


def test_what_changed_without_saying_anything_new_is_no_wave(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that touches everything holds up nobody's edit."""
    in_step(town, 20)
    monkeypatch.setattr("syncapp.engine.read.BATCH", 2)
    for each in town.living(EXCHANGE):
        town.outlook.edit(each.id, lambda item: item)
    rewrite(town, EXCHANGE, names(3))
    town.settle()
    assert [each.location for each in town.events(NEXTCLOUD)].count("XXXX") == 1
    assert Hold.objects.count() == 0


def test_what_lies_beyond_the_survey_is_estimated(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(town, 20)
    monkeypatch.setattr("syncapp.engine.read.BATCH", 2)
    monkeypatch.setattr("syncapp.engine.survey._MOST", 2)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync()
    assert locations(town, NEXTCLOUD) == {""}


def test_a_wrong_estimate_lets_no_more_through_than_is_allowed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(town, 20)
    monkeypatch.setattr("syncapp.engine.read.BATCH", 2)
    monkeypatch.setattr("syncapp.engine.survey._MOST", 2)
    order = [link.nextcloud_id_text for link in Link.objects.order_by("pk")]
    first, *touched = (title_of(town.world.nextcloud.get(id).item) for id in order[:4])
    for title in touched:
        town.outlook.edit(town.find(EXCHANGE, title).id, lambda item: item)
    rewrite(town, EXCHANGE, (each for each in names(*range(20)) if each not in touched))
    assert first not in touched
    town.sync()
    assert 1 <= [each.location for each in town.events(NEXTCLOUD)].count("XXXX") <= 5
    assert only_reason()[0] == Reason.OVERWRITES


def test_an_item_that_waits_for_a_decision_is_deleted_like_any_other(town: Town) -> None:
    in_step(town, 20)
    rewrite(town, EXCHANGE, names(*range(12)))
    town.sync()
    town.phone.delete(town.find(NEXTCLOUD, "Termin 00").id)
    town.sync()
    # Rule 5: the edit beats the deletion.
    assert town.find(NEXTCLOUD, "Termin 00").item.location == "XXXX"  # type: ignore[union-attr]


@BOTH_WAYS
def test_one_way_a_refused_wave_leaves_the_source_alone(town: Town, here: SideName) -> None:
    """Rule 24: nothing is written to the source; its next edit travels."""
    one_way(town, here)
    for number in range(12):
        town.person(here).create(town.folder(here), event(f"Termin {number:02}", day=number + 1))
    town.settle()
    rewrite(town, here, names(*range(12)))
    town.sync()
    decide(State.REFUSED)
    assert town.sync().writes == ()
    assert (locations(town, here), locations(town, here.other)) == ({"XXXX"}, {""})
    assert Hold.objects.count() == 0
    rewrite(town, here, names(3), location="Raum 3")
    town.sync()
    assert locations(town, here.other) == {"", "Raum 3"}


def test_what_is_held_has_a_label_and_says_what_would_happen(town: Town) -> None:
    in_step(town, 20)
    for number in range(12):
        town.outlook.edit(town.find(EXCHANGE, f"Termin {number:02}").id, titled(f"Gekapert {number}"))
    town.sync()
    [hold] = [each for each in Hold.objects.all() if each.label == "Termin 00, 2026-03-01 09:00"]
    assert hold.becomes == "Gekapert 0, 2026-03-01 09:00"
    assert (hold.fields, hold.side, hold.deed) == ("title", NEXTCLOUD, Deed.UPDATE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT label, becomes FROM syncapp_hold")
        stored = b"".join(bytes(each) for row in cursor.fetchall() for each in row)
    assert b"Termin" not in stored
    assert b"Gekapert" not in stored


# Creating ------------------------------------------------------------------------------------------------------------


def double(town: Town, here: SideName, number: int) -> None:
    """An import gone wrong."""
    for each in range(number):
        town.person(here).create(town.folder(here), event(f"Kopie {each:02}", day=each % 28 + 1))


@BOTH_WAYS
def test_a_first_sync_is_never_held(town: Town, here: SideName) -> None:
    many(town, 20)
    double(town, here, 20)
    for number in range(12):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number:02}", number + 1, description="anders"))
    town.settle()
    assert len(town.both()) == 40
    assert Hold.objects.count() == 0


@BOTH_WAYS
def test_a_wave_of_new_items_is_held_and_the_rest_goes_on(town: Town, here: SideName) -> None:
    in_step(town, 3)
    double(town, here, 8)
    town.person(here).edit(town.find(here, "Termin 01").id, titled("Haushalt"))
    town.sync()
    assert town.titles(here.other) == ["Haushalt", "Termin 00", "Termin 02"]
    assert only_reason() == (Reason.CREATIONS, 8)
    assert "Kopie 00, 2026-03-01 09:00" in {hold.label for hold in Hold.objects.all()}
    assert town.sync().writes == ()


@BOTH_WAYS
def test_approved_new_items_are_created(town: Town, here: SideName) -> None:
    in_step(town, 3)
    double(town, here, 8)
    town.sync()
    decide(State.APPROVED)
    town.settle()
    assert len(town.both()) == 11
    assert Hold.objects.count() == 0


@BOTH_WAYS
def test_refused_new_items_stay_where_they_are_until_somebody_edits_them(town: Town, here: SideName) -> None:
    in_step(town, 3)
    double(town, here, 8)
    town.sync()
    decide(State.REFUSED)
    town.clock.move(timedelta(days=2))
    town.settle()
    assert (len(town.titles(here)), len(town.titles(here.other))) == (11, 3)
    town.person(here).edit(town.find(here, "Kopie 03").id, titled("Echt"))
    town.settle()
    assert "Echt" in town.titles(here.other)
    assert len(town.titles(here.other)) == 4


def test_a_doubled_folder_is_held_by_its_share(town: Town, settings: Settings) -> None:
    settings.GUARD_CREATIONS, settings.GUARD_CREATIONS_PERCENT = 500, 40
    in_step(town, 101)
    double(town, NEXTCLOUD, 101)
    town.sync()
    assert only_reason() == (Reason.CREATIONS, 101)


def test_filling_an_empty_folder_is_no_doubling(town: Town, settings: Settings) -> None:
    settings.GUARD_CREATIONS, settings.GUARD_CREATIONS_PERCENT = 500, 40
    in_step(town, 1)
    double(town, NEXTCLOUD, 101)
    town.settle()
    assert len(town.both()) == 102


def test_held_new_items_that_appear_across_are_adopted(town: Town) -> None:
    in_step(town, 3)
    double(town, NEXTCLOUD, 8)
    town.sync()
    for each in town.living(NEXTCLOUD):
        if each.uid not in {other.uid for other in town.living(EXCHANGE)}:
            town.outlook.create(town.folder(EXCHANGE), each.item, uid=each.uid)
    town.settle()
    assert len(town.both()) == 11
    assert Hold.objects.count() == 0


# Deleting ------------------------------------------------------------------------------------------------------------


def delete_all(town: Town, here: SideName, titles: Iterable[str]) -> None:
    """Somebody, or something, deletes events."""
    for title in titles:
        town.person(here).delete(town.find(here, title).id)


def test_deletions_that_were_approved_do_not_count_against_the_next_one(town: Town) -> None:
    in_step(town, 60)
    delete_all(town, EXCHANGE, names(*range(30)))
    town.sync(wait=False)
    decide(State.APPROVED)
    town.sync(wait=False)
    delete_all(town, EXCHANGE, names(40))
    town.sync(wait=False)
    assert len(town.both()) == 29


def test_a_wave_that_nobody_decides_holds_up_deletions_for_a_day_only(town: Town) -> None:
    in_step(town, 60)
    delete_all(town, EXCHANGE, names(*range(30)))
    town.sync(wait=False)
    delete_all(town, EXCHANGE, names(40))
    town.sync(wait=False)
    assert "Termin 40" in town.titles(NEXTCLOUD)
    town.clock.move(timedelta(hours=26))
    delete_all(town, EXCHANGE, names(41))
    town.sync(wait=False)
    assert "Termin 41" not in town.titles(NEXTCLOUD)
    assert "Termin 00" in town.titles(NEXTCLOUD)


@BOTH_WAYS
def test_one_way_a_refused_deletion_leaves_the_item_to_the_target(town: Town, here: SideName) -> None:
    """Rule 24: it is not put back on the source, and it is not deleted later either."""
    one_way(town, here)
    for title in ("Budget", "Urlaub"):
        town.person(here).create(town.folder(here), event(title))
    town.settle()
    delete_all(town, here, ["Budget", "Urlaub"])
    town.sync()
    decide(State.REFUSED)
    town.settle()
    town.person(here.other).edit(town.find(here.other, "Budget").id, placed("Raum 1"))
    town.settle()
    assert (town.titles(here), town.titles(here.other)) == ([], ["Budget", "Urlaub"])
    assert Hold.objects.count() == 0


@BOTH_WAYS
def test_refused_deletions_are_put_back_whatever_the_guard_says_of_new_items(town: Town, here: SideName) -> None:
    in_step(town, 60)
    delete_all(town, here, names(*range(30)))
    town.sync()
    decide(State.REFUSED)
    town.person(here).empty_bin()
    town.world.wire.at("create", When.DONE, raising(Crash()), skip=3)
    assert isinstance(town.sync().error, Crash)
    town.settle()
    assert len(town.both()) == 60
    assert Hold.objects.count() == 0


# Folders and stores --------------------------------------------------------------------------------------------------


def take_folder(town: Town, here: SideName, kind: Kind = Kind.EVENT) -> object:
    """The folder vanishes with all that is in it."""
    server, folder = town.world.server(here), town.folder(here, kind)
    for each in server.living(folder=folder):
        server.state.objects.pop(each.id)
    return server.state.folders.pop(folder)


@BOTH_WAYS
def test_a_vanished_folder_is_reported_and_its_items_are_held_once_it_stays_away(town: Town, here: SideName) -> None:
    in_step(town, 4)
    take_folder(town, here)
    town.sync(wait=False)
    assert town.problems() == ["folder-missing"]
    assert (Hold.objects.count(), len(town.titles(here.other))) == (0, 4)
    town.clock.move(STAYS_AWAY)
    town.sync(wait=False)
    assert only_reason() == (Reason.FOLDER, 4)
    assert town.problems() == ["folder-missing", "held"]
    decide(State.APPROVED)
    town.sync(wait=False)
    assert town.titles(here.other) == []


@BOTH_WAYS
def test_a_folder_that_comes_back_with_its_items_is_as_before(town: Town, here: SideName) -> None:
    in_step(town, 4)
    server = town.world.server(here)
    backup = server.snapshot()
    take_folder(town, here)
    town.sync()
    town.sync()
    assert only_reason() == (Reason.FOLDER, 4)
    server.restore_backup(backup)
    town.settle()
    assert (len(town.both()), Hold.objects.count(), town.problems()) == (4, 0, [])


@BOTH_WAYS
def test_a_folder_that_comes_back_empty_is_filled_by_refusing(town: Town, here: SideName) -> None:
    in_step(town, 4)
    folder = take_folder(town, here)
    town.sync()
    town.sync()
    decide(State.REFUSED)
    assert town.sync().writes == ()
    town.world.server(here).state.folders[town.folder(here)] = folder  # type: ignore[assignment]
    town.settle()
    assert (len(town.both()), Hold.objects.count(), town.problems()) == (4, 0, [])


@BOTH_WAYS
def test_what_a_folder_lacks_that_comes_back_was_lost(town: Town, here: SideName) -> None:
    """Rule 6: no token told that anybody deleted it, and no bin has it."""
    in_step(town, 12)
    server = town.world.server(here)
    backup = server.snapshot()
    take_folder(town, here)
    town.sync()
    town.sync()
    server.restore_backup(backup)
    for each in server.living()[:3]:
        server.state.objects.pop(each.id)
    town.settle()
    assert (len(town.both()), Hold.objects.count()) == (12, 0)


def test_what_was_told_before_a_folder_was_away_for_a_while_stays_told(town: Town) -> None:
    """Rule 6: contacts have no bin in Nextcloud, so that nothing but the token has told of the deletion."""
    made = town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Anna", "anna@lab.example"))
    town.settle()
    town.phone.delete(made.id)
    town.sync()
    assert only_reason() == (Reason.EMPTY, 1)
    folder = take_folder(town, NEXTCLOUD, CONTACT)
    town.sync()
    town.world.nextcloud.state.folders[town.folder(NEXTCLOUD, CONTACT)] = folder  # type: ignore[assignment]
    town.sync()
    decide(State.APPROVED)
    town.settle()
    assert town.both(CONTACT) == []


@BOTH_WAYS
def test_a_vanished_folder_stands_in_the_way_of_no_other(town: Town, here: SideName) -> None:
    many(town, 4)
    for number in range(12):
        town.person(here).create(town.folder(here, number=2), event(f"Zweites {number:02}"))
    town.settle()
    take_folder(town, here)
    town.sync()
    town.sync()
    town.person(here).delete(town.find(here, "Zweites 03").id)
    town.person(here.other).create(town.folder(here.other), event("Wartet"))
    town.person(here.other).create(town.folder(here.other, number=2), event("Neu"))
    town.sync()
    assert "Zweites 03" not in town.titles(here.other)
    assert "Neu" in town.titles(here)
    assert len(town.titles(here.other)) == 4 + 11 + 2


@BOTH_WAYS
def test_nothing_is_held_while_both_folders_are_away(town: Town, here: SideName) -> None:
    in_step(town, 4)
    backups = {name: town.world.server(name).snapshot() for name in SideName}
    for name in SideName:
        take_folder(town, name)
    town.sync()
    town.sync()
    for name in SideName:
        town.world.server(name).restore_backup(backups[name])
    town.settle()
    assert (len(town.both()), Hold.objects.count()) == (4, 0)


def other_store(town: Town, here: SideName, titles: Iterable[str]) -> None:
    """Another store answers at the same address, and holds other things."""
    server = town.world.server(here)
    for each in server.living():
        server.state.objects.pop(each.id)
    server.epoch = "another store"
    server.lose_tokens()
    for title in titles:
        town.person(here).create(town.folder(here), event(title))


@BOTH_WAYS
def test_nothing_is_copied_between_strangers(town: Town, here: SideName) -> None:
    """The mailbox of somebody else: neither side gets what the other holds before an admin says so."""
    in_step(town, 3)
    other_store(town, here, ["Fremd 1", "Fremd 2"])
    town.sync()
    assert (town.titles(here), town.titles(here.other)) == (["Fremd 1", "Fremd 2"], names(0, 1, 2))
    assert only_reason() == (Reason.EPOCH, 5)
    decide(State.APPROVED)
    town.settle()
    assert len(town.both()) == 5
    town.person(here).create(town.folder(here), event("Neu"))
    town.settle()
    assert "Neu" in town.both()


@BOTH_WAYS
def test_what_is_refused_after_a_new_epoch_stays_apart(town: Town, here: SideName) -> None:
    in_step(town, 3)
    other_store(town, here, ["Fremd 1", "Fremd 2"])
    town.sync()
    decide(State.REFUSED)
    for _ in range(3):
        assert town.sync(full=True).writes == ()
    assert (town.titles(here), town.titles(here.other)) == (["Fremd 1", "Fremd 2"], names(0, 1, 2))


@BOTH_WAYS
def test_a_new_epoch_with_the_same_items_holds_nothing(town: Town, here: SideName) -> None:
    in_step(town, 8)
    server = town.world.server(here)
    known = [(each.item, each.uid) for each in server.living()]
    other_store(town, here, [])
    for item, uid in known:
        town.person(here).create(town.folder(here), item, uid=uid)
    town.settle()
    assert (len(town.both()), Hold.objects.count()) == (8, 0)


@BOTH_WAYS
def test_contacts_in_another_store_are_adopted_and_not_doubled(town: Town, here: SideName) -> None:
    """Invariant 7: in Exchange they have no id that stays."""
    for name in ("Anna", "Bob", "Carl"):
        town.outlook.create(town.folder(EXCHANGE, CONTACT), contact(name, f"{name}@lab.example"))
    town.settle()
    server = town.world.server(here)
    known = [(each.item, each.uid) for each in server.living()]
    other_store(town, here, [])
    for item, uid in known:
        town.person(here).create(town.folder(here, CONTACT), item, uid=uid)
    town.settle()
    assert (len(town.both(CONTACT)), Hold.objects.count()) == (3, 0)


# What it costs -------------------------------------------------------------------------------------------------------


def test_a_usual_run_pays_one_query_for_the_guard_and_a_first_sync_none(town: Town, settings: Settings) -> None:
    settings.GUARD_OVERWRITES, settings.GUARD_CREATIONS = 200, 500

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            town.sync()
        return [each["sql"] for each in captured if "COUNT(" in each["sql"] and "syncapp_link" in each["sql"]]

    many(town, 40)
    pending = queries()
    assert len(pending) == 1, "what waits at the end of a slice is counted"
    town.sync()
    rewrite(town, EXCHANGE, names(*range(12)))
    town.person(NEXTCLOUD).create(town.folder(NEXTCLOUD), event("Neu"))
    assert len(queries()) == len(pending) + 1


# Nobody decides ------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_deletions_that_nobody_decides_are_undone(town: Town, here: SideName) -> None:
    in_step(town, 60)
    delete_all(town, here, names(*range(30)))
    town.sync()
    town.clock.move(timedelta(days=15))
    holds.lapse(town.clock.now())
    town.settle()
    assert (len(town.both()), Hold.objects.count(), town.problems()) == (60, 0, [])


@BOTH_WAYS
def test_overwrites_that_nobody_decides_leave_both_sides_as_they_are(town: Town, here: SideName) -> None:
    in_step(town, 20)
    rewrite(town, here, names(*range(12)))
    town.sync()
    town.clock.move(timedelta(days=15))
    holds.lapse(town.clock.now())
    assert town.sync(full=True).writes == ()
    assert (locations(town, here), locations(town, here.other)) == ({"", "XXXX"}, {""})
    assert (Hold.objects.count(), town.problems()) == (12, [])
    town.person(here).edit(town.find(here, "Termin 03").id, titled("Haushalt"))
    town.sync()
    assert town.find(here.other, "Haushalt").item.location == "XXXX"  # type: ignore[union-attr]
    decide(State.REFUSED, State.LAPSED)
    town.settle()
    assert sorted(each.location for each in town.events(here)) == [""] * 19 + ["XXXX"]


def test_an_item_changed_on_both_sides_waits_for_one_decision_after_the_other(town: Town, settings: Settings) -> None:
    in_step(town, 1)
    settings.GUARD_OVERWRITES = 0
    town.outlook.edit(town.only(EXCHANGE).id, titled("Haushalt"))
    town.phone.edit(town.only(NEXTCLOUD).id, placed("Raum 1"))
    town.sync()
    first = Hold.objects.get().side
    decide(State.APPROVED)
    town.sync()
    assert (Hold.objects.get().side, Hold.objects.get().state) == (SideName(first).other, State.WAITING)
    decide(State.APPROVED)
    town.settle()
    assert town.both() == ["Haushalt"]
    assert locations(town, EXCHANGE) == {"Raum 1"}
