"""Both sides changed the same item: field by field, lists by their keys, and what the run's log says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lab.chaos.town import CONTACT, EVENT, EXCHANGE, NEXTCLOUD, Town, contact, event, series, titled
from syncapp.engine.case import Case
from syncapp.items import Contact, Event
from syncapp.items.event import Occurrence
from syncapp.items.values import Attendee, Phone, PostalAddress, ZonedTime
from syncapp.models import History, Link, Pairing, RunLine
from syncapp.side import SideName
from syncapp.words import sentence

SECOND_WEEK = ZonedTime(datetime(2026, 3, 17, 9), "Europe/Berlin")
BOTH_WAYS = pytest.mark.parametrize("here", SideName)


def linked(town: Town, item: Event | Contact) -> tuple[str, str]:
    """An item that both sides agree on; its ids in Exchange and Nextcloud."""
    town.outlook.create(town.folder(EXCHANGE, item.kind), item)
    town.settle()
    return town.only(EXCHANGE, item.kind).id, town.only(NEXTCLOUD, item.kind).id


def told(*codes: str) -> list[str]:
    """What the logs of all runs say, as far as it is about these codes."""
    return [sentence(line) for line in RunLine.objects.filter(code__in=codes).order_by("pk")]


# What the log says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Pairing.ConflictRule.EXCHANGE, Pairing.ConflictRule.NEXTCLOUD])
def test_a_conflict_is_told_once_with_what_won_and_why(town: Town, rule: str) -> None:
    Pairing.objects.update(conflict_rule=rule)
    on_exchange, on_nextcloud = linked(town, event("Budget"))
    town.outlook.edit(on_exchange, lambda item: replace(item, title="Haushalt", location="Raum 3"))
    town.phone.edit(on_nextcloud, lambda item: replace(item, title="Etat", description="Zahlen"))
    town.settle()
    winner = SideName(rule)
    assert told("conflict") == [
        f"Both sides changed the title; {winner.title()}'s stands, by this calendar's rule; the other version is in "
        "history."
    ]
    assert ("Etat" if winner is EXCHANGE else "Haushalt") in town.history_titles()
    assert History.objects.exclude(conflicts="").get().conflicts == "title"


def test_differences_at_first_contact_are_told_as_such(town: Town) -> None:
    town.outlook.create(town.folder(EXCHANGE), event("Budget", location="Raum 1", description="Zahlen"), uid="one")
    town.phone.create(town.folder(NEXTCLOUD), event("Budget", location="Raum 2"), uid="one")
    town.settle()
    assert told("conflict") == []
    assert told("differed") == [
        "When both were matched, they differed in the location; Exchange's stands, by this calendar's rule; the other "
        "version is in history."
    ]
    assert [each.location for each in town.history() if isinstance(each, Event)] == ["Raum 2"]


@BOTH_WAYS
def test_an_edit_that_beats_a_deletion_is_told(town: Town, here: SideName) -> None:
    ids = dict(zip(SideName, linked(town, event("Budget")), strict=True))
    town.person(here).destroy(ids[here])
    town.person(here.other).edit(ids[here.other], titled("Haushalt"))
    town.settle()
    assert told("created", "restored")[-1] == (
        f"Created again in {here.title()}: deleted there and edited in {here.other.title()}, and the edit stands."
    )


def test_a_copy_in_the_bin_that_an_edit_brings_back_is_told(town: Town) -> None:
    on_exchange, on_nextcloud = linked(town, event("Budget"))
    town.outlook.delete(on_exchange)
    town.phone.edit(on_nextcloud, titled("Haushalt"))
    town.settle()
    assert told("restored") == [
        "Created again in Exchange: deleted there and edited in Nextcloud, and the edit stands."
    ]


def test_what_a_one_way_pairing_puts_back_is_told(town: Town) -> None:
    Pairing.objects.update(direction=Pairing.Direction.TO_NEXTCLOUD)
    _, on_nextcloud = linked(town, event("Budget"))
    town.phone.destroy(on_nextcloud)
    town.settle()
    assert told("created")[-1] == "Put back in Nextcloud: changes travel one way here, from Exchange."


def test_moves_to_different_folders_are_told(town: Town) -> None:
    third = town.world.exchange.add_folder("event-3", EVENT), town.world.nextcloud.add_folder("/events/u/3/", EVENT)
    Pairing.objects.create(enrollment=town.enrollment, kind=EVENT, exchange_folder=third[0], nextcloud_folder=third[1])
    on_exchange, on_nextcloud = linked(town, event("Budget"))
    town.outlook.move(on_exchange, town.folder(EXCHANGE, number=2))
    town.phone.move(on_nextcloud, third[1])
    town.settle()
    assert town.only(NEXTCLOUD).folder == town.folder(NEXTCLOUD, number=2)
    assert told("conflict") == ["Both sides moved it to different folders; Exchange's stands, by this calendar's rule."]


@pytest.mark.parametrize(
    ("exchange", "nextcloud", "ruling"),
    [
        (8, 9, (NEXTCLOUD, "latest")),
        (9, 8, (EXCHANGE, "latest")),
        (None, 9, (EXCHANGE, "undated")),
        (9, None, (EXCHANGE, "undated")),
    ],
)
def test_the_latest_change_wins_where_that_is_the_rule(
    town: Town, exchange: int | None, nextcloud: int | None, ruling: tuple[SideName, str]
) -> None:
    pairing = town.pairings[EVENT, 1]
    pairing.conflict_rule = Pairing.ConflictRule.LATEST
    work: Any = SimpleNamespace(pairings={pairing.pk: pairing})
    objects: Any = {
        name: SimpleNamespace(modified=None if hour is None else datetime(2026, 3, 2, hour, tzinfo=UTC))
        for name, hour in ((EXCHANGE, exchange), (NEXTCLOUD, nextcloud))
    }
    assert Case(work, Link(pairing_id=pairing.pk), objects).ruling == ruling


# Lists by their keys -------------------------------------------------------------------------------------------------


def test_categories_merge_one_by_one(town: Town) -> None:
    on_exchange, on_nextcloud = linked(town, event("Budget", categories=("Rot", "Grün")))
    town.outlook.edit(on_exchange, lambda item: replace(item, categories=("Rot", "Grün", "Blau")))
    town.phone.edit(on_nextcloud, lambda item: replace(item, categories=("Grün", "gelb")))
    town.settle()
    for name in SideName:
        assert set(town.event(name).categories) == {"Grün", "Blau", "gelb"}
    assert told("conflict") == []


def test_attendees_merge_one_by_one_and_only_to_nextcloud(town: Town) -> None:
    bob, carol, dave = (Attendee(f"{each}@lab.example") for each in ("bob", "carol", "dave"))
    on_exchange, on_nextcloud = linked(town, event("Budget", attendees=(bob, carol)))
    accepted = replace(bob, answer="accepted")
    town.outlook.edit(on_exchange, lambda item: replace(item, attendees=(accepted, carol)))
    town.phone.edit(on_nextcloud, lambda item: replace(item, attendees=(bob, carol, dave), location="Raum 3"))
    town.settle()
    assert town.event(NEXTCLOUD).attendees == (accepted, carol, dave)
    assert town.event(EXCHANGE).attendees == (accepted, carol)
    assert town.event(EXCHANGE).location == "Raum 3"
    assert told("conflict") == []


def test_an_attendee_changed_on_both_sides_is_a_conflict_of_that_attendee(town: Town) -> None:
    bob, carol = (Attendee(f"{each}@lab.example") for each in ("bob", "carol"))
    on_exchange, on_nextcloud = linked(town, event("Budget", attendees=(bob, carol)))
    accepted, declined = (replace(bob, answer=answer) for answer in ("accepted", "declined"))
    town.outlook.edit(on_exchange, lambda item: replace(item, attendees=(accepted, carol)))
    town.phone.edit(on_nextcloud, lambda item: replace(item, attendees=(declined,)))
    town.settle()
    assert town.event(NEXTCLOUD).attendees == (accepted,)
    assert [each.attendees for each in town.history() if isinstance(each, Event)] == [(declined,)]
    assert told("conflict") == [
        "Both sides changed the attendees; Exchange's stands, by this calendar's rule; the other version is in history."
    ]


def test_fields_of_one_exception_merge_and_a_deleted_one_is_a_conflict_as_a_whole(town: Town) -> None:
    fourth = replace(SECOND_WEEK, wall=datetime(2026, 3, 31, 9))
    named = Occurrence(SECOND_WEEK, values={"title": "Einmal anders"})
    other = Occurrence(fourth, values={"title": "Noch einmal anders"})
    on_exchange, on_nextcloud = linked(town, series(exceptions=(named, other)))
    town.outlook.edit(
        on_exchange,
        lambda item: replace(
            item, exceptions=(replace(named, values={"title": "Ganz anders"}), Occurrence(fourth, deleted=True))
        ),
    )
    placed_there = {**named.values, "location": "Küche"}
    moved_there = {**other.values, "location": "Keller"}
    town.phone.edit(
        on_nextcloud,
        lambda item: replace(
            item, exceptions=(replace(named, values=placed_there), replace(other, values=moved_there))
        ),
    )
    town.settle()
    town.compare()
    kept, gone = town.event(EXCHANGE).exceptions
    assert dict(kept.values) == {"title": "Ganz anders", "location": "Küche"}
    assert gone.deleted
    assert told("conflict") == [
        "Both sides changed the single occurrences; Exchange's stands, by this calendar's rule; the other version is "
        "in history."
    ]
    [lost] = [each for each in town.history() if isinstance(each, Event) and "Keller" in repr(each.exceptions)]
    assert lost.exceptions[1].values["location"] == "Keller"


def test_a_number_changed_on_both_sides_is_two_numbers_where_there_is_room(town: Town) -> None:
    """Slots: Nextcloud holds both, and nobody's is lost."""
    on_exchange, on_nextcloud = linked(town, contact(phones=(Phone("+49 1", "work"), Phone("+49 9", "home"))))

    def with_number(number: str) -> Any:
        return lambda item: replace(item, phones=(Phone(number, "work"), *item.phones[1:]))

    town.outlook.edit(on_exchange, with_number("+49 2"))
    town.phone.edit(on_nextcloud, with_number("+49 3"))
    town.settle()
    assert {each.number for each in town.card(NEXTCLOUD).phones} == {"+49 2", "+49 3", "+49 9"}


def test_a_postal_address_changed_on_both_sides_is_a_conflict_of_its_label(town: Town) -> None:
    work, home = PostalAddress("work", city="Wien"), PostalAddress("home", city="Graz")
    on_exchange, on_nextcloud = linked(town, contact(addresses=(work, home)))
    town.outlook.edit(on_exchange, lambda item: replace(item, addresses=(replace(work, city="Linz"), home)))
    town.phone.edit(
        on_nextcloud,
        lambda item: replace(item, addresses=(replace(work, city="Salzburg"), replace(home, city="Bregenz"))),
    )
    town.settle()
    for name in SideName:
        item = town.only(name, CONTACT).item
        assert isinstance(item, Contact)
        assert {each.label: each.city for each in item.addresses} == {"work": "Linz", "home": "Bregenz"}
    assert "Salzburg" in repr(town.history())
    assert told("conflict") == [
        "Both sides changed the address; Exchange's stands, by this address book's rule; the other version is in "
        "history."
    ]
