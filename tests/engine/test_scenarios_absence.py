"""What is not there any more: rules 1 to 6 of docs/architecture.md."""

from __future__ import annotations

import pytest

from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, titled
from lab.chaos.wire import Crash, When, raising
from syncapp.models import Hold, Link, Pairing, Sent, Tomb
from syncapp.side import SideName

BOTH_WAYS = pytest.mark.parametrize("here", SideName)


def many(town: Town, count: int = 20) -> None:
    """Company: one deletion among them makes no guard suspicious."""
    for number in range(count):
        town.phone.create(town.folder(NEXTCLOUD), event(f"Termin {number:02}", day=number % 28 + 1))


@BOTH_WAYS
def test_it_does_not_take_a_move_after_the_collect_for_a_deletion(town: Town, here: SideName) -> None:
    """Rule 1: absence is dated."""
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here.other).edit(town.only(here.other).id, titled("Haushalt"))
    town.world.wire.at(
        "read", When.BEFORE, lambda: town.person(here).move(made.id, town.folder(here, number=2)), side=here
    )
    town.sync()
    town.settle()
    assert town.both() == ["Haushalt"]
    assert town.only(here.other).folder == town.folder(here.other, number=2)


@BOTH_WAYS
@pytest.mark.parametrize("source", [1, 2])
def test_it_does_not_take_a_move_between_two_collects_for_a_deletion(town: Town, here: SideName, source: int) -> None:
    """Rule 1: one folder has been asked, the item comes into it, then the other is asked."""
    made = town.person(here).create(town.folder(here, number=source), event("Budget"))
    town.settle()
    target = town.folder(here, number=3 - source)
    town.person(here).create(town.folder(here, number=3 - source), event("Anlass"))
    town.person(here).create(town.folder(here, number=source), event("Anlass"))
    town.world.wire.at("changes", When.BEFORE, lambda: town.person(here).move(made.id, target), side=here, skip=1)
    town.sync()
    assert town.titles(here.other).count("Budget") == 1
    town.settle()
    assert town.both() == ["Anlass", "Anlass", "Budget"]


def test_a_contact_that_moves_after_the_collect_is_not_taken_for_a_deletion(town: Town) -> None:
    """Rule 1: made by a person in Exchange it has no id that stays, so that no search can find it."""
    town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Bob"))
    made = town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna"))
    town.settle()
    card = town.find(NEXTCLOUD, "Anna", CONTACT)
    town.phone.edit(card.id, lambda item: item, extra="X-SPOUSE:Bob")
    town.world.wire.at(
        "read",
        When.BEFORE,
        lambda: town.outlook.move(made.id, town.folder(EXCHANGE, CONTACT, 2)),
        side=EXCHANGE,
    )
    town.sync()
    town.settle()
    assert town.both(CONTACT) == ["Anna", "Bob"]
    assert town.find(NEXTCLOUD, "Anna", CONTACT).extra == "X-SPOUSE:Bob"


def test_a_contact_that_moved_in_exchange_keeps_what_exchange_cannot_hold(town: Town) -> None:
    """Rule 2 and invariant 4: it is recognised by its content, because it has no id that stays."""
    town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Bob"))
    made = town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna"))
    town.settle()
    town.phone.edit(town.find(NEXTCLOUD, "Anna", CONTACT).id, lambda item: item, extra="X-SPOUSE:Bob")
    town.settle()
    town.outlook.move(made.id, town.folder(EXCHANGE, CONTACT, 2))
    town.settle()
    moved = town.find(NEXTCLOUD, "Anna", CONTACT)
    assert (moved.folder, moved.extra) == (town.folder(NEXTCLOUD, CONTACT, 2), "X-SPOUSE:Bob")


def test_of_two_that_are_missing_one_is_what_moved(town: Town) -> None:
    """Rule 2: a copy has the own id of the original; who was found by that is not found by its content, too."""
    for number, name in ((1, "Bob"), (2, "Carl"), (1, "Anna")):
        town.phone.create(town.folder(NEXTCLOUD, CONTACT, number), contact(name))
    town.settle()
    made = town.find(EXCHANGE, "Anna", CONTACT)
    copy = town.outlook.copy(made.id, town.folder(EXCHANGE, CONTACT, 2))
    town.settle()
    town.outlook.move(copy.id, town.folder(EXCHANGE, CONTACT))
    town.world.wire.at("find", When.BEFORE, raising(Crash))
    town.sync()
    town.outlook.delete(made.id)
    town.settle()
    assert town.both(CONTACT) == ["Anna", "Bob", "Carl"]


@BOTH_WAYS
def test_moved_here_and_edited_there_stays_one_item(town: Town, here: SideName) -> None:
    """Rule 2: links belong to the enrollment."""
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).move(made.id, town.folder(here, number=2))
    town.person(here.other).edit(town.only(here.other).id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert town.only(here.other).folder == town.folder(here.other, number=2)


@BOTH_WAYS
def test_moved_and_edited_here_keeps_the_edit_from_there(town: Town, here: SideName) -> None:
    """Rule 2: the base is kept when a moved object is linked again."""
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    moved = town.person(here).move(made.id, town.folder(here, number=2))
    town.person(here).edit(moved.id, titled("Haushalt"))
    town.person(here.other).edit(town.only(here.other).id, placed("Raum 3"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert town.event(here).location == "Raum 3"


def test_what_was_taken_away_and_put_back_is_not_deleted(town: Town) -> None:
    """Rule 3: a living object that is reported gone."""
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    away = town.phone.move(made.id, town.folder(NEXTCLOUD, number=2))
    back = town.phone.move(away.id, town.folder(NEXTCLOUD))
    town.phone.edit(back.id, titled("Haushalt"))
    town.sync()
    assert town.titles(EXCHANGE) == ["Haushalt"]
    town.settle()
    assert town.both() == ["Haushalt"]


def test_a_new_object_that_is_reported_gone_is_found(town: Town) -> None:
    """Rule 3: ids we do not know are confirmed, too."""
    town.settle()
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    away = town.phone.move(made.id, town.folder(NEXTCLOUD, number=2))
    town.phone.move(away.id, town.folder(NEXTCLOUD))
    town.settle()
    assert town.both() == ["Budget"]


@BOTH_WAYS
def test_its_own_unfinished_delete_is_no_deletion_by_a_person(town: Town, here: SideName) -> None:
    """Rule 4: deleted here; we delete there and die; the person restores here."""
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    binned = town.person(here).delete(town.find(here, "Budget").id)
    town.world.wire.at("delete", When.AFTER, raising(Crash()), side=here.other)
    assert isinstance(town.sync().error, Crash)
    assert "Budget" not in town.titles(here.other)
    assert binned is not None
    town.person(here).restore(binned.id)
    town.settle()
    assert "Budget" in town.both()


@BOTH_WAYS
def test_its_own_unfinished_delete_is_finished(town: Town, here: SideName) -> None:
    """Rule 4: nothing comes back, and nothing is asked twice."""
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    town.world.wire.at("delete", When.DONE, raising(Crash()), side=here.other)
    assert isinstance(town.sync().error, Crash)
    town.settle()
    assert "Budget" not in town.both()
    assert town.problems() == []


def test_an_object_with_an_edit_that_cannot_travel_is_not_deleted(town: Town) -> None:
    """Rule 5: the whole object must be unchanged, fields included that the other side can't hold."""
    many(town)
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    town.outlook.delete(town.find(EXCHANGE, "Budget").id)
    town.phone.edit(town.find(NEXTCLOUD, "Budget").id, lambda item: item, extra="ATTACH:offer.pdf")
    town.settle()
    assert "Budget" in town.both()


@BOTH_WAYS
def test_an_edit_beats_a_deletion(town: Town, here: SideName) -> None:
    """Step 3, "Deleted": edited there means that the edit wins."""
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Haushalt"]


@BOTH_WAYS
def test_after_a_lost_token_an_absence_is_still_a_deletion(town: Town, here: SideName) -> None:
    """Rule 6: token lost, ledger kept."""
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    town.person(here).create(town.folder(here), event("Urlaub"))
    town.world.server(here).lose_tokens()
    town.settle()
    assert "Budget" not in town.both()
    assert "Urlaub" in town.both()


@BOTH_WAYS
def test_after_a_lost_ledger_an_absence_is_never_a_deletion(town: Town, here: SideName) -> None:
    """Rule 6 and invariant 7: all our state is gone; nothing is deleted and nothing doubled."""
    many(town, 5)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    for model in (Hold, Link, Sent, Tomb):
        model.objects.all().delete()
    Pairing.objects.update(exchange_token="", nextcloud_token="", exchange_look="", nextcloud_look="")
    Pairing.objects.update(exchange_epoch="", nextcloud_epoch="", first_listed_at=None)
    town.settle()
    assert len(town.both()) == 6
    assert "Budget" in town.both()


def test_a_contact_that_was_deleted_for_good_stays_deleted(town: Town) -> None:
    """Contacts have no bin in Nextcloud."""
    for number in range(20):
        town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact(f"Person {number:02}"))
    made = town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Anna"))
    town.settle()
    town.phone.delete(made.id)
    town.settle()
    assert "Anna" not in town.both(CONTACT)


def test_what_is_new_and_moves_while_it_is_looked_at_is_not_created_across(town: Town) -> None:
    """Rule 1: the same new item is on both sides; one of them moves between the listing and the first read."""
    many(town)
    town.settle()
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.outlook.twin(made, town.folder(EXCHANGE))
    elsewhere = town.folder(NEXTCLOUD, number=2)
    town.world.wire.at("read", When.BEFORE, lambda: town.phone.move(made.id, elsewhere), side=NEXTCLOUD)
    town.sync()
    town.settle()
    assert town.both().count("Budget") == 1
