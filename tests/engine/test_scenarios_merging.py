"""Who is whom, and whose word counts: rules 16 to 19 of docs/architecture.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, titled
from lab.chaos.wire import Crash, When, raising
from syncapp.items import Event
from syncapp.items.values import Email, Phone, ZonedTime
from syncapp.models import Link
from syncapp.side import SideName, Unreachable

BOTH_WAYS = pytest.mark.parametrize("here", SideName)


def in_vienna(title: str) -> Event:
    """An event whose zone Exchange knows under another name."""
    plain = event(title)
    assert isinstance(plain.start, ZonedTime)
    assert isinstance(plain.end, ZonedTime)
    return replace(
        plain,
        start=ZonedTime(plain.start.wall, "Europe/Vienna"),
        end=ZonedTime(plain.end.wall, "Europe/Vienna"),
    )


def test_what_one_side_would_hold_of_the_other_is_agreed(town: Town) -> None:
    """Rule 16: agreed without equal values; both bases are set, each from its own side."""
    town.phone.create(town.folder(NEXTCLOUD), in_vienna("Budget"), uid="same")
    town.outlook.create(town.folder(EXCHANGE), event("Budget"), uid="same")
    assert town.sync().writes == ()
    assert town.sync().writes == ()
    town.outlook.edit(town.only(EXCHANGE).id, placed("Raum 3"))
    town.settle()
    assert town.event(NEXTCLOUD) == replace(in_vienna("Budget"), location="Raum 3")


def test_labels_that_exchange_cannot_hold_are_no_conflict(town: Town) -> None:
    """Rule 16, for members of a list."""
    town.phone.create(
        town.folder(NEXTCLOUD, CONTACT), replace(contact("Anna"), emails=(Email("a@lab.example", "home"),))
    )
    town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna", "A@lab.example"))
    assert town.sync().writes == ()
    town.settle()
    assert town.card(NEXTCLOUD).emails == (Email("a@lab.example", "home"),)


@BOTH_WAYS
@pytest.mark.parametrize("error", [Unreachable("no answer"), Crash()])
def test_after_a_lost_answer_a_conflict_goes_to_the_source_of_that_write(
    town: Town, here: SideName, error: BaseException
) -> None:
    """Rule 17: what stands on the target is an older word of the same person."""
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(made.id, titled("Haushalt"))
    town.world.wire.at("update", When.AFTER, raising(error), side=here.other)
    town.sync()
    assert town.titles(here.other) == ["Haushalt"]
    town.person(here).edit(made.id, titled("Etat"))
    town.settle()
    assert town.both() == ["Etat"]


def test_an_href_with_another_uid_is_another_item(town: Town) -> None:
    """Rule 18: the old item is gone and the object is a new half-link."""
    for number in range(10):
        town.outlook.create(town.folder(EXCHANGE), event(f"Termin {number}", day=number + 1))
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    town.phone.give_another_uid(made.id, "another")
    town.phone.edit(made.id, titled("Haushalt"))
    town.settle()
    titles = town.both()
    assert titles.count("Haushalt") == 1
    assert "Budget" not in titles


def test_a_uid_that_is_taken_on_nextcloud_is_replaced_there(town: Town) -> None:
    """Rule 18: UIDs are kept per side; a copy in Exchange may share one."""
    made = town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.settle()
    copy = town.outlook.copy(made.id, town.folder(EXCHANGE), uid=made.uid)
    town.outlook.edit(copy.id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Budget", "Haushalt"]
    assert len({each.uid for each in town.living(NEXTCLOUD)}) == 2


def test_the_same_uid_in_two_collections_stays_two_items(town: Town) -> None:
    """Rule 18: UIDs are not unique across the collections of a person."""
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.phone.copy(made.id, town.folder(NEXTCLOUD, number=2), uid=made.uid)
    town.settle()
    assert town.both() == ["Budget", "Budget"]


def test_the_same_uid_is_the_same_item(town: Town) -> None:
    """Rule 19: adopt before creating."""
    town.outlook.create(town.folder(EXCHANGE), event("Budget"), uid="same")
    town.phone.create(town.folder(NEXTCLOUD), event("Budget", location="Raum 3"), uid="same")
    town.sync()
    assert town.world.wire.named("create") == []
    town.settle()
    assert town.both() == ["Budget"]
    assert town.event(EXCHANGE).location == "Raum 3"


def test_a_uid_counts_more_than_the_same_content(town: Town) -> None:
    """Rule 19: the same UID in the pairing comes first."""
    town.outlook.create(town.folder(EXCHANGE), event("Haushalt"), uid="one")
    town.outlook.create(town.folder(EXCHANGE), event("Budget"), uid="two")
    town.phone.create(town.folder(NEXTCLOUD), event("Budget", location="Raum 3"), uid="one")
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"), uid="three")
    town.settle()
    assert len(town.both()) == 2
    by_uid = {each.uid: each.item for each in town.living(EXCHANGE) if isinstance(each.item, Event)}
    assert by_uid["one"].location == "Raum 3"
    assert by_uid["two"].location == ""


def test_twins_on_both_sides_are_paired_one_to_one(town: Town) -> None:
    """Rule 19: several candidates on both sides, in a stable order."""
    for _ in range(3):
        town.outlook.create(town.folder(EXCHANGE), event("Budget"))
        town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    assert town.sync().writes == ()
    assert Link.objects.count() == 3
    town.settle()


def test_one_more_twin_on_one_side_is_created_on_the_other(town: Town) -> None:
    """Rule 19: never an object that already has a complete link."""
    for _ in range(2):
        town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    for _ in range(3):
        town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    assert town.both() == ["Budget"] * 3


def test_the_same_content_is_adopted_at_first_contact_only(town: Town) -> None:
    """Rule 19 [r]: later, two people who write the same have written two items."""
    town.settle()
    town.outlook.create(town.folder(EXCHANGE), event("Anlass"))
    town.settle()
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    assert town.both() == ["Anlass", "Budget", "Budget"]


def test_a_contact_is_adopted_by_name_and_one_shared_handle(town: Town) -> None:
    """Step 3, "First contact"."""
    phones = (Phone("+49 30 1234", "work"),)
    town.outlook.create(town.folder(EXCHANGE, CONTACT), replace(contact("Anna", "a@lab.example"), phones=phones))
    town.phone.create(
        town.folder(NEXTCLOUD, CONTACT), replace(contact("Anna"), phones=(Phone("+49 (30) 1234", "home"),))
    )
    town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Bob", "b@lab.example"))
    town.phone.create(town.folder(NEXTCLOUD, CONTACT), contact("Bob", "other@lab.example"))
    town.settle()
    assert town.both(CONTACT) == ["Anna", "Bob", "Bob"]


@BOTH_WAYS
def test_without_a_base_an_empty_value_never_wins(town: Town, here: SideName) -> None:
    """Step 3, "First contact"."""
    town.person(here).create(town.folder(here), event("Budget", location="Raum 3"), uid="same")
    town.person(here.other).create(town.folder(here.other), event("Budget", description="Zahlen"), uid="same")
    town.settle()
    assert town.both() == ["Budget"]
    assert (town.event(here).location, town.event(here).description) == ("Raum 3", "Zahlen")


@BOTH_WAYS
def test_nothing_is_created_before_both_listings_are_complete(town: Town, here: SideName) -> None:
    """Rule 19 [r]: what is not listed yet may be the same."""
    town.world.server(here).page = 2
    for number in range(5):
        for name in SideName:
            town.person(name).create(town.folder(name), event(f"Termin {number}", day=number + 1))
    town.world.wire.at("changes", When.BEFORE, raising(Unreachable("no answer")), side=here, skip=1)
    assert isinstance(town.sync().error, Unreachable)
    assert town.world.wire.writes() == []
    town.settle()
    assert town.world.wire.writes() == []
    assert len(town.both()) == 5
