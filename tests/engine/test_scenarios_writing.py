"""Writes that are answered late, wrongly or not at all: rules 7 to 15 of docs/architecture.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.chaos.commits import Edge, watching
from lab.chaos.server import Stored
from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, title_of, titled
from lab.chaos.wire import Crash, Late, When, raising
from syncapp.items.values import Photo
from syncapp.side import SideName, Unreachable
from tests.engine.test_scenarios_absence import many

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
LOST = [When.DONE, When.AFTER]


def linked(town: Town, title: str = "Budget") -> None:
    """An item that both sides hold, in company."""
    many(town)
    town.outlook.create(town.folder(EXCHANGE), event(title))
    town.settle()


def dying_at(number: int, edge: Edge) -> Callable[[Edge], None]:
    """Die at the ``number``-th commit."""
    left = number

    def meet(at: Edge) -> None:
        nonlocal left
        if at is edge:
            left -= 1
            if left < 0:
                raise Crash

    return meet


def test_what_a_person_deletes_before_the_read_back_stays_deleted(town: Town) -> None:
    """Rule 7: the bases are set with the answer, not with the read-back."""
    linked(town)
    town.phone.edit(town.find(NEXTCLOUD, "Budget").id, titled("Haushalt"))

    def delete_it() -> None:
        town.outlook.delete(town.find(EXCHANGE, "Haushalt").id)

    town.world.wire.at("update", When.AFTER, lambda: town.world.wire.at("read", When.BEFORE, delete_it), side=EXCHANGE)
    town.sync()
    town.settle()
    assert not {"Budget", "Haushalt"} & set(town.both())


def test_an_edit_before_the_read_back_travels(town: Town) -> None:
    """Rule 8: a read-back speaks of our write only if its revision is the one that the write returned."""
    linked(town)
    town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
    town.world.nextcloud.silent = True

    def edit_it() -> None:
        town.phone.edit(town.find(NEXTCLOUD, "Haushalt").id, placed("Raum 3"))

    town.world.wire.at("update", When.AFTER, edit_it, side=NEXTCLOUD)
    town.sync()
    town.settle()
    town.compare()
    assert town.event(EXCHANGE, "Haushalt").location == "Raum 3"


@BOTH_WAYS
def test_the_same_field_edited_before_the_read_back_travels(town: Town, here: SideName) -> None:
    """Rule 8: what was written and reads differently is an edit, unless it is a known alteration."""
    linked(town)
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))
    town.world.server(here).silent = True

    def edit_it() -> None:
        town.person(here).edit(town.find(here, "Haushalt").id, titled("Etat"))

    town.world.wire.at("update", When.AFTER, edit_it, side=here)
    town.sync()
    town.settle()
    assert "Etat" in town.both()
    assert not {"Budget", "Haushalt"} & set(town.both())


def test_a_rewritten_body_is_no_edit_where_no_read_can_prove_it(town: Town) -> None:
    """Rules 8 and 17: the server's version of what we sent never wins over what its source says since."""
    town.world.exchange.silent = True
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget", description="Eins..."))

    def edit_it() -> None:
        town.phone.edit(made.id, lambda item: replace(item, description="Zwei..."))

    town.world.wire.at("create", When.AFTER, edit_it, side=EXCHANGE)
    town.sync()
    town.settle()
    assert town.event(NEXTCLOUD).description.startswith("Zwei")


@BOTH_WAYS
@pytest.mark.parametrize("when", LOST)
def test_a_create_whose_answer_was_lost_is_not_repeated(town: Town, here: SideName, when: When) -> None:
    """Rule 9: unfinished intents are resolved before any new decision."""
    town.person(here.other).create(town.folder(here.other), event("Budget"))
    town.world.wire.at("create", when, raising(Unreachable("no answer")), side=here)
    town.sync()
    town.settle()
    assert town.both() == ["Budget"]
    assert len(town.world.server(here).binned()) == 0


@BOTH_WAYS
def test_a_crash_at_any_commit_of_a_create_loses_and_doubles_nothing(town: Town, here: SideName) -> None:
    """Rules 7 and 9, invariant 1."""
    for number in range(40):
        for edge in Edge:
            title = f"Budget {number} {edge}"
            town.person(here).create(town.folder(here), event(title, day=number % 28 + 1))
            with watching(dying_at(number, edge)):
                ran = town.sync()
            town.settle()
            assert town.both().count(title) == 1
        if ran.error is None:
            return
    pytest.fail("there is no end to the commits")


def test_a_crash_at_any_commit_of_an_update_loses_nothing(town: Town) -> None:
    """Rule 7, invariant 1: edits of two fields on two sides are both there in the end."""
    linked(town)
    for number in range(40):
        for edge in Edge:
            title, place = f"Budget {number} {edge}", f"Raum {number} {edge}"
            [stored] = [each for each in town.living(EXCHANGE) if title_of(each.item).startswith("Budget")]
            there = town.find(NEXTCLOUD, title_of(stored.item)).id
            town.outlook.edit(stored.id, titled(title))
            town.phone.edit(there, placed(place))
            with watching(dying_at(number, edge)):
                ran = town.sync()
            town.settle()
            assert town.event(EXCHANGE, title).location == place
            town.compare()
        if ran.error is None:
            return
    pytest.fail("there is no end to the commits")


@BOTH_WAYS
def test_a_crash_at_any_commit_of_a_delete_leaves_nothing_half(town: Town, here: SideName) -> None:
    """Rule 4, invariants 1 and 3."""
    many(town, 100)
    for number in range(40):
        for edge in Edge:
            town.person(here).create(town.folder(here), event("Budget"))
            town.settle()
            town.person(here).delete(town.find(here, "Budget").id)
            with watching(dying_at(number, edge)):
                ran = town.sync()
            town.settle()
            assert "Budget" not in town.both()
        if ran.error is None:
            return
    pytest.fail("there is no end to the commits")


@BOTH_WAYS
@pytest.mark.parametrize("error", [Unreachable("no answer"), Crash()])
def test_what_a_person_edits_after_a_lost_create_travels(town: Town, here: SideName, error: BaseException) -> None:
    """Rule 10: found alive, the base becomes what was sent."""
    town.person(here.other).create(town.folder(here.other), event("Budget"))
    town.world.wire.at("create", When.AFTER, raising(error), side=here)
    town.sync()
    town.person(here).edit(town.only(here).id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Haushalt"]


@BOTH_WAYS
@pytest.mark.parametrize("error", [Unreachable("no answer"), Crash()])
def test_what_a_person_deletes_after_a_lost_create_stays_deleted(
    town: Town, here: SideName, error: BaseException
) -> None:
    """Rule 10: found in the bin with this attempt's id, or its href reported as gone."""
    many(town)
    town.settle()
    town.person(here.other).create(town.folder(here.other), event("Budget"))
    town.world.wire.at("create", When.AFTER, raising(error), side=here)
    town.sync()
    town.person(here).delete(town.find(here, "Budget").id)
    town.settle()
    assert "Budget" not in town.both()


def test_a_contact_deleted_after_a_lost_create_and_the_collect_stays_deleted(town: Town) -> None:
    """Rule 10: it was listed, and it is not there when it is looked at; Nextcloud has no bin for contacts."""
    for name in ("Bob", "Carla"):
        town.outlook.create(town.folder(EXCHANGE, CONTACT), contact(name))
    town.settle()
    town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna"))
    town.world.wire.at("create", When.AFTER, raising(Crash()), side=NEXTCLOUD)
    town.sync()
    made = town.find(NEXTCLOUD, "Anna", CONTACT)
    town.world.wire.at("read", When.BEFORE, lambda: town.phone.delete(made.id), side=NEXTCLOUD)
    town.sync()
    town.settle()
    assert town.both(CONTACT) == ["Bob", "Carla"]


def test_a_late_copy_of_an_earlier_version_is_removed(town: Town) -> None:
    """Rule 11: each attempt is compared with what was sent in it."""
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=EXCHANGE)
    town.sync()
    town.phone.edit(made.id, placed("Raum 3"))
    town.sync()
    town.world.exchange.land()
    town.settle()
    assert town.both() == ["Budget"]


@BOTH_WAYS
@pytest.mark.parametrize("error", [Unreachable("no answer"), Crash()])
def test_what_a_person_deletes_across_after_a_lost_create_stays_deleted(
    town: Town, here: SideName, error: BaseException
) -> None:
    """Rules 5 and 10: what we created holds no more than what was sent."""
    many(town)
    town.settle()
    made = town.person(here.other).create(town.folder(here.other), event("Budget"))
    town.world.wire.at("create", When.AFTER, raising(error), side=here)
    town.sync()
    town.person(here.other).delete(made.id)
    town.settle()
    assert "Budget" not in town.both()


@BOTH_WAYS
@pytest.mark.parametrize("error", [Unreachable("no answer"), Crash()])
def test_what_a_person_deletes_across_after_a_lost_update_stays_deleted(
    town: Town, here: SideName, error: BaseException
) -> None:
    """Rules 5 and 9: what differs from before is what we wrote ourselves."""
    linked(town)
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))
    town.world.wire.at("update", When.AFTER, raising(error), side=here)
    town.sync()
    town.person(here.other).delete(town.find(here.other, "Haushalt").id)
    town.settle()
    assert not {"Budget", "Haushalt"} & set(town.both())


def test_a_create_that_lands_after_its_own_retry_is_removed(town: Town) -> None:
    """Rule 11: the own id on the Exchange side is (link, nonce)."""
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=EXCHANGE)
    town.sync()
    town.sync()
    assert town.titles(EXCHANGE) == ["Budget"]
    town.world.exchange.land()
    assert town.titles(EXCHANGE) == ["Budget", "Budget"]
    town.settle()
    assert town.both() == ["Budget"]


def test_a_late_copy_that_a_person_edits_at_the_last_moment_is_theirs(town: Town) -> None:
    """Rules 11 and 13: the delete of a late copy checks no revision either."""
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=EXCHANGE)
    town.sync()
    town.sync()
    linked_one = town.only(EXCHANGE).id
    town.world.exchange.land()
    [copy] = [each for each in town.living(EXCHANGE) if each.id != linked_one]
    town.world.wire.at("delete", When.ITEM, lambda: town.outlook.edit(copy.id, titled("Haushalt")), side=EXCHANGE)
    town.sync()
    town.settle()
    assert town.both() == ["Budget", "Haushalt"]


def test_a_late_create_of_something_deleted_meanwhile_is_removed(town: Town) -> None:
    """Rule 11: nonces are remembered even after the link has died."""
    many(town)
    town.settle()
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=EXCHANGE)
    town.sync()
    town.sync()
    town.phone.delete(made.id)
    town.sync()
    town.sync()
    assert "Budget" not in town.titles(EXCHANGE)
    town.world.exchange.land()
    town.settle()
    assert "Budget" not in town.both()


def test_a_late_create_on_nextcloud_is_not_doubled(town: Town) -> None:
    """Rules 9 and 18: an href of ours that turns up after its retry."""
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=NEXTCLOUD)
    town.sync()
    town.sync()
    town.world.nextcloud.land()
    town.settle()
    assert town.both() == ["Budget"]


def test_a_late_create_of_something_moved_meanwhile_is_removed(town: Town) -> None:
    """Rule 11: its link has died, and another link has the same UID."""
    made = town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.world.wire.at("create", When.ITEM, raising(Late()), side=NEXTCLOUD)
    town.sync()
    town.outlook.move(made.id, town.folder(EXCHANGE, number=2))
    town.sync()
    town.world.nextcloud.land()
    town.settle()
    assert town.both() == ["Budget"]


def test_a_copy_that_a_person_makes_of_our_object_is_a_new_item(town: Town) -> None:
    """Rule 11: the same nonce twice."""
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    made = town.only(EXCHANGE)
    assert made.own_id
    copy = town.outlook.copy(made.id, town.folder(EXCHANGE))
    town.outlook.edit(copy.id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Budget", "Haushalt"]


def test_an_unchanged_copy_of_our_object_is_a_new_item_too(town: Town) -> None:
    """Rule 11: what a person made is never taken for a late copy of ours."""
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    town.outlook.copy(town.only(EXCHANGE).id, town.folder(EXCHANGE))
    town.settle()
    assert town.both() == ["Budget", "Budget"]


def test_a_copy_in_the_bin_is_restored_and_written_over(town: Town) -> None:
    """Rule 12: no twins when the person restores theirs."""
    linked(town)
    town.outlook.delete(town.find(EXCHANGE, "Budget").id)
    town.phone.edit(town.find(NEXTCLOUD, "Budget").id, titled("Haushalt"))
    town.settle()
    assert "Haushalt" in town.both()
    assert town.world.exchange.binned() == []


def test_a_blocked_uid_in_the_trash_bin_is_restored(town: Town) -> None:
    """Rule 12 on Nextcloud: the UID of what lies in the trash bin can't be used anew."""
    linked(town)
    town.phone.delete(town.find(NEXTCLOUD, "Budget").id)
    town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
    town.settle()
    assert "Haushalt" in town.both()
    assert town.problems() == []


def test_what_cannot_come_out_of_the_bin_is_created_with_another_uid(town: Town) -> None:
    """Rule 12: meanwhile something else stands at the href that it had."""
    many(town)
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    town.phone.replace(made.id, event("Urlaub", day=20))
    town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
    town.settle()
    titles = town.both()
    assert [titles.count(each) for each in ("Budget", "Haushalt", "Urlaub")] == [0, 1, 1]


def test_what_is_moved_to_where_its_name_is_taken_gets_another_one(town: Town) -> None:
    """Clients name objects by their UIDs, and a copy of a calendar has the same names."""
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.phone.create(town.folder(NEXTCLOUD), event("Messe", day=25))
    same_name = Stored("", town.folder(NEXTCLOUD, number=2), "", event("Urlaub", day=20), "another-uid", made.name)
    town.world.nextcloud.insert(same_name)
    town.settle()
    town.outlook.move(town.find(EXCHANGE, "Budget").id, town.folder(EXCHANGE, number=2))
    town.settle()
    assert town.both() == ["Budget", "Messe", "Urlaub"]
    assert town.find(NEXTCLOUD, "Budget").folder == town.folder(NEXTCLOUD, number=2)


def test_what_is_edited_between_two_steps_travels_although_we_had_just_written_it(town: Town) -> None:
    """Rule 8: the revision that we were told is that of the last step."""
    made = town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Anna", "anna@lab.example"))
    town.settle()
    town.phone.edit(made.id, lambda item: replace(item, display_name="Anna Berg", photo=Photo(b"new")))
    there = town.only(EXCHANGE, CONTACT)
    town.world.wire.at("update", When.STEP, lambda: town.outlook.edit(there.id, titled("Anna Weber")), side=EXCHANGE)
    town.sync()
    town.settle()
    assert town.both(CONTACT) == ["Anna Weber"]


def test_an_edit_at_the_moment_of_a_delete_is_restored(town: Town) -> None:
    """Rule 13: DeleteItem has no precondition."""
    linked(town)
    town.phone.delete(town.find(NEXTCLOUD, "Budget").id)
    town.world.wire.at(
        "delete",
        When.ITEM,
        lambda: town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt")),
        side=EXCHANGE,
    )
    town.sync()
    town.settle()
    assert "Haushalt" in town.both()


def test_an_edit_at_the_moment_of_a_delete_is_in_history_before_it_is_restored(town: Town) -> None:
    """Rule 13: the one lost edit. Restored, crash, and the person empties the bin."""
    linked(town)
    town.phone.delete(town.find(NEXTCLOUD, "Budget").id)
    town.world.wire.at(
        "delete",
        When.ITEM,
        lambda: town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt")),
        side=EXCHANGE,
    )
    town.world.wire.at("restore", When.BEFORE, raising(Crash()), side=EXCHANGE)
    assert isinstance(town.sync().error, Crash)
    town.outlook.empty_bin()
    town.settle()
    assert "Haushalt" in town.history_titles()
    town.compare()


@BOTH_WAYS
def test_an_old_object_that_reappears_is_linked_with_its_base(town: Town, here: SideName) -> None:
    """Rule 14: the old base is kept until the new object exists."""
    linked(town)
    binned = town.person(here).delete(town.find(here, "Budget").id)
    assert binned is not None
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))
    for name in ("create", "restore"):
        town.world.wire.at(name, When.BEFORE, raising(Unreachable("no answer")), side=here)
    town.sync()
    back = town.person(here).restore(binned.id)
    town.person(here).edit(back.id, placed("Raum 3"))
    town.settle()
    assert town.event(here.other, "Haushalt").location == "Raum 3"
    assert "Budget" not in town.both()


def test_a_failed_winning_write_settles_nothing(town: Town) -> None:
    """Rule 15: neither base moves for that field, and history has each loser once."""
    linked(town)
    town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
    town.phone.edit(town.find(NEXTCLOUD, "Budget").id, titled("Etat"))
    town.world.nextcloud.refused.add("Haushalt")
    for _ in range(3):
        town.sync()
    assert "Etat" in town.titles(NEXTCLOUD)
    assert "Haushalt" in town.titles(EXCHANGE)
    town.world.nextcloud.refused.clear()
    town.settle()
    assert "Haushalt" in town.both()
    assert town.history_titles().count("Etat") == 1
