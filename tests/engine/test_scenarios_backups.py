"""Backups that are put back, of a server and of our own database: rules 6, 19 and 22, invariants 3 and 7."""

from __future__ import annotations

import pytest

from lab.chaos import backup
from lab.chaos.lies import Lie
from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, titled
from lab.chaos.wire import Crash, When, raising
from syncapp.side import SideName
from tests.engine.test_scenarios_absence import many

BOTH_WAYS = pytest.mark.parametrize("here", SideName)


# Servers -------------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_what_a_restored_server_lost_is_put_back_even_if_nothing_else_tells(town: Town, here: SideName) -> None:
    """Rule 6: the token is lost, no known object shows an earlier revision, and no bin knows what is missing."""
    many(town)
    town.settle()
    saved = town.world.server(here).snapshot()
    town.person(here.other).create(town.folder(here.other), event("Budget"))
    town.sync()
    town.world.server(here).restore_backup(saved)
    town.settle()
    assert "Budget" in town.both()


@BOTH_WAYS
def test_a_restored_server_that_moved_on_is_found_out_by_a_full_comparison(town: Town, here: SideName) -> None:
    """Rules 6 and 22: its token holds by now, and tells nothing of what the backup took away."""
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    saved = town.world.server(here).snapshot()
    town.person(here.other).create(town.folder(here.other), event("Urlaub"))
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Haushalt"))
    town.settle()
    town.world.server(here).restore_backup(saved)
    for number in range(5):
        town.person(here).create(town.folder(here), event(f"Neu {number}"))
    town.sync()
    town.settle()
    titles = town.both()
    assert [titles.count(each) for each in ("Budget", "Haushalt", "Urlaub", "Neu 4")] == [0, 1, 1, 1]


@BOTH_WAYS
def test_what_a_full_comparison_alone_misses_was_deleted_if_the_bin_says_so(town: Town, here: SideName) -> None:
    """Rule 6: a change that a server never told of."""
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    town.world.server(here).lies.append((Lie.TOKEN_LOST, 0))
    town.settle()
    assert "Budget" not in town.both()


@BOTH_WAYS
def test_what_is_deleted_during_a_full_comparison_stays_deleted(town: Town, here: SideName) -> None:
    """Rule 6: the next changes tell of what happened after the ones before the listing, for the token is theirs."""
    many(town)
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    # The first call asks for changes, the second one lists.
    town.world.wire.at("changes", When.BEFORE, lambda: town.person(here).destroy(made.id), side=here, skip=1)
    town.sync(full=True)
    town.settle()
    assert "Budget" not in town.both()


def test_what_a_restored_server_has_under_the_name_of_another_item_deletes_nothing(town: Town) -> None:
    """Rules 6 and 18: that the other item is gone shows only in a listing, and the bin knows nothing of it."""
    many(town)
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    saved = town.world.nextcloud.snapshot()
    town.phone.put_over(made.id, event("Haushalt"))
    town.settle()
    town.world.nextcloud.restore_backup(saved)
    town.settle()
    titles = town.both()
    assert (titles.count("Budget"), titles.count("Haushalt")) == (1, 1)


def test_what_a_token_told_once_stays_told(town: Town) -> None:
    """Rules 6 and 18: another item was put over one, a run dies, and a full comparison sees it again."""
    many(town)
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"))
    town.settle()
    town.phone.put_over(made.id, event("Haushalt"))
    town.world.wire.at("read", When.BEFORE, raising(Crash()), side=NEXTCLOUD)
    assert isinstance(town.sync().error, Crash)
    town.settle()
    assert (town.both().count("Budget"), town.both().count("Haushalt")) == (0, 1)


def test_what_is_put_under_the_name_of_another_item_is_not_that_item(town: Town) -> None:
    """Rule 18: on Nextcloud an own id is but a name. Here the same new item comes to both sides by itself."""
    many(town)
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.settle()
    town.phone.replace(town.find(NEXTCLOUD, "Budget").id, event("Haushalt"))
    town.outlook.twin(town.find(NEXTCLOUD, "Haushalt"), town.folder(EXCHANGE))
    town.settle()
    assert (town.both().count("Budget"), town.both().count("Haushalt")) == (0, 1)


# Our database --------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_after_our_database_was_restored_nothing_is_doubled(town: Town, here: SideName) -> None:
    """Rule 19: what we created since the backup has an own id that we do not know, and is adopted by its content."""
    many(town)
    town.person(here).create(town.folder(here, CONTACT), contact("Bob", "bob@lab.example"))
    town.settle()
    saved = backup.back_up()
    town.person(here).create(town.folder(here, CONTACT), contact("Anna", "anna@lab.example"))
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    backup.put_back(saved)
    town.settle()
    assert town.both(CONTACT) == ["Anna", "Bob"]
    assert "Budget" in town.both()


@BOTH_WAYS
def test_after_our_database_was_restored_a_deletion_stays_one(town: Town, here: SideName) -> None:
    """Invariant 3: both sides lack it, whatever the ledger thinks."""
    many(town)
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    saved = backup.back_up()
    town.person(here).delete(made.id)
    town.settle()
    backup.put_back(saved)
    town.settle()
    assert "Budget" not in town.both()


def test_a_backup_of_our_database_is_put_back_as_it_was(town: Town) -> None:
    """The test bed itself."""
    saved = backup.back_up()
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.sync()
    backup.put_back(saved)
    assert backup.back_up() == saved
    assert town.titles(NEXTCLOUD) == ["Budget"]
