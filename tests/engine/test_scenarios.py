"""The usual days: what everybody expects of a sync, told as histories."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from lab.chaos.town import CONTACT, EVENT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, series, titled
from lab.chaos.wire import Call, Crash, When, raising
from syncapp.items import Contact
from syncapp.items.event import Occurrence
from syncapp.items.values import Attendee, Busy, Email, Photo, ZonedTime
from syncapp.models import Link
from syncapp.side import SideName, Throttled, Unreachable

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
SECOND_WEEK = ZonedTime(datetime(2026, 3, 17, 9), "Europe/Berlin")


# Both ways -----------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_it_copies_what_is_new(town: Town, here: SideName) -> None:
    town.person(here).create(town.folder(here), event("Budget", description="Zahlen"))
    town.person(here).create(town.folder(here, CONTACT, 2), contact("Anna", "anna@lab.example"))
    town.sync()
    assert town.both() == ["Budget"]
    assert town.both(CONTACT) == ["Anna"]
    town.settle()


@BOTH_WAYS
def test_it_carries_an_edit_across(town: Town, here: SideName) -> None:
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.sync()
    town.person(here).edit(made.id, titled("Haushalt"))
    assert town.sync().writes == ("update",)
    assert town.both() == ["Haushalt"]
    town.settle()


@BOTH_WAYS
def test_it_carries_a_deletion_across(town: Town, here: SideName) -> None:
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.person(here).create(town.folder(here), event("Urlaub"))
    town.sync()
    town.person(here).delete(made.id)
    town.sync()
    assert town.both() == ["Urlaub"]
    assert town.history_titles() == ["Budget"]
    town.settle()


@BOTH_WAYS
def test_it_carries_a_move_across(town: Town, here: SideName) -> None:
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.sync()
    town.person(here).move(made.id, town.folder(here, number=2))
    town.settle()
    assert town.both() == ["Budget"]
    assert town.only(here.other).folder == town.folder(here.other, number=2)


@BOTH_WAYS
def test_a_quiet_run_reads_and_writes_nothing(town: Town, here: SideName) -> None:
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    since = len(town.world.wire.calls)
    town.sync()
    assert {call.name for call in town.world.wire.calls[since:]} <= {"epoch", "look", "changes"}


def test_it_merges_edits_of_different_fields(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.sync()
    town.outlook.edit(made.id, titled("Haushalt"))
    town.phone.edit(town.only(NEXTCLOUD).id, placed("Raum 3"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert town.event(EXCHANGE) == replace(event("Haushalt"), location="Raum 3")


def test_in_a_conflict_exchange_wins_and_the_loser_is_kept(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.sync()
    town.outlook.edit(made.id, titled("Haushalt"))
    town.phone.edit(town.only(NEXTCLOUD).id, titled("Etat"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert "Etat" in town.history_titles()


def test_members_of_a_list_merge_one_by_one(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna", "a@lab.example", "b@lab.example"))
    town.sync()
    town.outlook.edit(made.id, lambda item: replace(item, emails=item.emails[1:]))
    town.phone.edit(
        town.only(NEXTCLOUD, CONTACT).id, lambda item: replace(item, emails=(*item.emails, Email("c@lab.example")))
    )
    town.settle()
    town.compare(CONTACT)
    assert [each.address for each in town.card(EXCHANGE).emails] == ["b@lab.example", "c@lab.example"]


def test_exceptions_of_a_series_merge_one_by_one(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE), series())
    town.sync()
    deleted = Occurrence(SECOND_WEEK, deleted=True)
    other = replace(SECOND_WEEK, wall=datetime(2026, 3, 24, 9))
    changed = Occurrence(other, values={"location": "Küche"})
    town.outlook.edit(made.id, lambda item: replace(item, exceptions=(deleted,)))
    town.phone.edit(town.only(NEXTCLOUD).id, lambda item: replace(item, exceptions=(changed,)))
    town.settle()
    town.compare()
    assert town.event(EXCHANGE).exceptions == (deleted, changed)


# What one side can't hold (invariant 4) ------------------------------------------------------------------------------


def test_what_exchange_cannot_hold_survives_an_edit_there(town: Town) -> None:
    """Invariant 4: four addresses with labels, and an unknown property, in a field that Exchange edits."""
    emails = tuple(Email(f"{each}@lab.example", "work") for each in "abcd")
    town.phone.create(
        town.folder(NEXTCLOUD, CONTACT),
        Contact(display_name="Anna", given_name="Anna", emails=emails),
        extra="X-SPOUSE:Bob",
    )
    town.settle()
    town.outlook.edit(town.only(EXCHANGE, CONTACT).id, titled("Anna Groß"))
    town.settle()
    card = town.only(NEXTCLOUD, CONTACT)
    assert card.item == Contact(display_name="Anna Groß", given_name="Anna", emails=emails)
    assert card.extra == "X-SPOUSE:Bob"


def test_a_rewritten_body_does_not_travel_back(town: Town) -> None:
    """Comparing each side with itself is what stops ping-pong."""
    town.phone.create(town.folder(NEXTCLOUD), event(description="Und so weiter..."))
    town.settle()
    assert town.event(NEXTCLOUD).description == "Und so weiter..."
    town.phone.edit(town.only(NEXTCLOUD).id, placed("Raum 3"))
    town.settle()
    assert town.event(NEXTCLOUD).description == "Und so weiter..."


def test_attendees_are_read_from_exchange_and_never_written_there(town: Town) -> None:
    bob = Attendee("bob@lab.example", "Bob")
    town.outlook.create(town.folder(EXCHANGE), event("Einladung", attendees=(bob,)))
    town.phone.create(town.folder(NEXTCLOUD), event("Eigene", attendees=(bob,)))
    town.settle()
    assert [each.attendees for each in town.events(NEXTCLOUD)] == [(bob,), (bob,)]
    assert [each.attendees for each in town.events(EXCHANGE)] == [(), (bob,)]


# Steps of their own --------------------------------------------------------------------------------------------------


def test_a_photo_whose_step_failed_follows_later(town: Town) -> None:
    town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact(photo=Photo(b"picture")))
    town.world.wire.at("create", When.STEP, raising(Unreachable("no answer")), side=EXCHANGE)
    town.sync()
    assert town.card(EXCHANGE).photo is None
    town.settle()
    assert town.card(EXCHANGE).photo == Photo(b"picture")
    assert town.card(NEXTCLOUD).photo == Photo(b"picture")


def test_exceptions_whose_step_failed_follow_later(town: Town) -> None:
    exception = Occurrence(SECOND_WEEK, values={"title": "Einmal anders"})
    town.phone.create(town.folder(NEXTCLOUD), series(exceptions=(exception,)))
    town.world.wire.at("create", When.STEP, raising(Unreachable("no answer")), side=EXCHANGE)
    town.sync()
    town.settle()
    assert town.event(EXCHANGE).exceptions == (exception,) == town.event(NEXTCLOUD).exceptions


# Trouble -------------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_a_refused_item_is_a_problem_of_its_own(town: Town, here: SideName) -> None:
    town.world.server(here.other).refused.add("Unmöglich")
    made = town.person(here).create(town.folder(here), event("Unmöglich"))
    town.person(here).create(town.folder(here), event("Budget"))
    town.sync()
    assert town.titles(here.other) == ["Budget"]
    assert len(town.problems()) == 1
    town.person(here).edit(made.id, titled("Möglich"))
    town.settle()
    assert town.both() == ["Budget", "Möglich"]
    assert town.problems() == []


@BOTH_WAYS
def test_an_unreadable_object_is_a_problem_of_its_own(town: Town, here: SideName) -> None:
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.person(here).create(town.folder(here), event("Urlaub"))
    town.sync()
    town.person(here).damage(made.id)
    town.person(here.other).edit(town.living(here.other)[1].id, placed("Ostsee"))
    town.sync()
    assert len(town.problems()) == 1
    assert town.titles(here.other) == ["Budget", "Urlaub"]
    assert town.event(here, "Urlaub").location == "Ostsee"
    town.person(here).repair(made.id)
    town.settle()
    assert town.problems() == []


def test_an_item_that_kills_its_worker_does_not_stop_the_others_for_ever(town: Town) -> None:
    """Attempts are counted before the work."""

    def die_for_this_one(call: Call, when: When, id: str) -> None:
        if call.name == "create" and when is When.ITEM:
            link = Link.objects.get(nextcloud_id_text=town.find(NEXTCLOUD, "Tödlich").id)
            if id.startswith(bytes(link.key).hex()):
                raise Crash

    town.phone.create(town.folder(NEXTCLOUD), event("Tödlich"))
    town.phone.create(town.folder(NEXTCLOUD), event("Urlaub"))
    town.world.wire.hooks.append(die_for_this_one)
    for _ in range(12):
        town.sync(wait=False)
        if town.titles(EXCHANGE):
            break
    assert town.titles(EXCHANGE) == ["Urlaub"]


@BOTH_WAYS
def test_a_busy_server_ends_the_run_and_nothing_is_lost(town: Town, here: SideName) -> None:
    for number in range(5):
        town.person(here).create(town.folder(here), event(f"Termin {number}", day=number + 1))
    town.world.wire.at("create", When.ITEM, raising(Throttled(30)), skip=2)
    ran = town.sync()
    assert isinstance(ran.error, Throttled)
    assert len(town.living(here.other)) == 2
    town.settle()
    assert len(town.both()) == 5


def test_a_first_sync_does_not_search_for_each_item(town: Town) -> None:
    """Rule 12: right after a complete listing, the listing itself answers for living objects."""
    for number in range(30):
        town.phone.create(town.folder(NEXTCLOUD), event(f"Termin {number:02}", day=1 + number % 28, busy=Busy.FREE))
    town.sync()
    assert len(town.both(EVENT)) == 30
    assert len(town.world.wire.named("find")) <= 4
    assert len(town.world.wire.named("create")) <= 4
