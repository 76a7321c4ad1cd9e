"""What is kept of objects before they are overwritten or deleted, for how long, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from lab.chaos.server import ExchangeServer, Stored
from lab.chaos.side import World
from lab.chaos.town import CONTACT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, title_of, titled
from lab.chaos.wire import Crash, When, raising
from syncapp.items import Event
from syncapp.jobs.dispatch import prune_history
from syncapp.models import History, Pairing, Run
from syncapp.side import SideName
from tests.engine.test_scenarios_absence import many
from tests.engine.test_scenarios_restores import one_way

BOTH_WAYS = pytest.mark.parametrize("here", SideName)


def both(title: str, location: str) -> Callable[[Event], Event]:
    """The edit that gives an event another title and another place."""
    return lambda item: replace(item, title=title, location=location)


@BOTH_WAYS
def test_it_says_when_and_why_and_which_fields(town: Town, here: SideName) -> None:
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(made.id, both("Haushalt", "Raum 1"))
    town.sync()
    kept = History.objects.get()
    assert (kept.reason, kept.side, kept.kind) == (History.Reason.OVERWRITTEN, here.other, "event")
    assert (kept.fields, kept.conflicts, kept.winner) == ("location title", "", "")
    assert kept.label == "Budget, 2026-03-10 09:00"
    assert kept.run_id == Run.objects.order_by("-pk")[0].pk
    assert kept.pairing == town.pairings[made.item.kind, 1]
    assert kept.uid == town.only(here.other).uid
    with connection.cursor() as cursor:
        cursor.execute("SELECT label, content FROM syncapp_history")
        assert all(b"Budget" not in bytes(each) for row in cursor.fetchall() for each in row)


@BOTH_WAYS
def test_it_says_what_was_in_conflict_and_who_won(town: Town, here: SideName) -> None:
    Pairing.objects.update(conflict_rule=here.value)
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(made.id, both("Haushalt", "Raum 1"))
    town.person(here.other).edit(town.only(here.other).id, titled("Etat"))
    town.sync()
    kept = History.objects.get(side=here.other)
    assert (kept.fields, kept.conflicts, kept.winner) == ("location title", "title", here)
    assert "Etat" in town.history_titles()


@BOTH_WAYS
def test_a_deletion_is_kept_before_the_request(town: Town, here: SideName) -> None:
    many(town)
    town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).delete(town.find(here, "Budget").id)
    seen: list[list[str]] = []
    town.world.wire.at("delete", When.BEFORE, lambda: seen.append(town.history_titles()), side=here.other)
    town.sync()
    assert seen == [["Budget"]]
    assert History.objects.get().reason == History.Reason.DELETED


@BOTH_WAYS
def test_what_a_restore_from_the_bin_is_written_over_is_kept(town: Town, here: SideName) -> None:
    """Rule 12: a copy in the bin is restored and written over."""
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(made.id, titled("Etat"))
    town.person(here).delete(made.id)
    town.person(here.other).edit(town.only(here.other).id, titled("Haushalt"))
    town.settle()
    assert town.both() == ["Haushalt"]
    assert "Etat" in town.history_titles()


@BOTH_WAYS
def test_what_a_one_way_pairing_overwrites_and_deletes_is_kept(town: Town, here: SideName) -> None:
    """Rule 24."""
    one_way(town, here)
    for title in ("Bleibt", "Budget", "Urlaub"):
        town.person(here).create(town.folder(here), event(title))
    town.settle()
    town.person(here.other).edit(town.find(here.other, "Budget").id, titled("Etat"))
    town.person(here.other).edit(town.find(here.other, "Urlaub").id, titled("Ferien"))
    town.sync()
    town.person(here).edit(town.find(here, "Budget").id, titled("Haushalt"))
    town.person(here).delete(town.find(here, "Urlaub").id)
    town.sync()
    assert sorted(town.history_titles()) == ["Etat", "Ferien"]


@BOTH_WAYS
def test_the_same_object_is_kept_once_and_from_its_last_overwriting_on(
    town: Town, here: SideName, settings: Settings
) -> None:
    """Rule 15."""
    settings.HISTORY_DAYS = 30
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    for title in ("Haushalt", "Budget"):
        town.person(here).edit(made.id, titled(title))
        town.sync()
    first = History.objects.order_by("pk")[0]
    town.clock.move(timedelta(days=25))
    town.person(here).edit(made.id, placed("Raum 1"))
    town.sync(wait=False)
    town.person(here).edit(made.id, both("Etat", ""))
    town.sync(wait=False)
    town.person(here).edit(made.id, titled("Budget"))
    town.sync(wait=False)
    town.person(here).edit(made.id, titled("Schluss"))
    town.sync(wait=False)
    again = History.objects.get(pk=first.pk)
    assert town.history_titles().count("Budget") == 2
    assert again.at - first.at >= timedelta(days=25)
    town.clock.move(timedelta(days=10))
    prune_history(town.clock.now())
    assert History.objects.filter(pk=first.pk).exists()
    assert "Haushalt" not in town.history_titles()


@BOTH_WAYS
def test_without_days_nothing_is_kept(town: Town, here: SideName, settings: Settings) -> None:
    settings.HISTORY_DAYS = 0
    many(town)
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(made.id, titled("Haushalt"))
    town.settle()
    town.person(here).delete(made.id)
    town.settle()
    assert "Haushalt" not in town.both()
    assert not History.objects.exists()


def test_without_days_an_edit_that_was_binned_is_put_back_all_the_same(town: Town, settings: Settings) -> None:
    """Rule 13: DeleteItem checks no revision."""
    settings.HISTORY_DAYS = 0
    many(town)
    made = town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.settle()
    town.phone.delete(town.find(NEXTCLOUD, "Budget").id)
    town.world.wire.at("delete", When.ITEM, lambda: town.outlook.edit(made.id, titled("Haushalt")), side=EXCHANGE)
    town.sync()
    town.settle()
    assert "Haushalt" in town.both()
    mark = History.objects.get()
    assert (bytes(mark.content), mark.label, mark.uid) == (b"", "", "")


class AlteringServer(ExchangeServer):
    """What lies in its bin has a mark that it did not have before."""

    def bin(self, stored: Stored) -> Stored | None:
        binned = super().bin(stored)
        return replace(binned, extra="binned") if binned else None

    def carry(self, stored: Stored, folder: str, name: str | None = None) -> Stored:
        return super().carry(replace(stored, extra="") if stored.in_bin else stored, folder, name)


def test_without_days_a_server_that_alters_what_it_bins_is_not_fought(db: None, settings: Settings) -> None:
    """Rule 13: it is restored from but once."""
    settings.HISTORY_DAYS = 0
    town = Town(world=World(exchange=AlteringServer()))
    many(town)
    town.outlook.create(town.folder(EXCHANGE), event("Budget"))
    town.settle()
    town.phone.delete(town.find(NEXTCLOUD, "Budget").id)
    town.settle()
    assert "Budget" not in town.both()
    assert len(town.world.wire.named("restore")) == 1


def test_marks_without_content_are_forgotten_after_a_day(town: Town, settings: Settings) -> None:
    settings.HISTORY_DAYS = 0
    for content in (b"", b"sealed"):
        History.objects.create(enrollment=town.enrollment, key=content, kind="event", side="exchange", reason="in-bin",
                               fingerprint=b"f", content=content, at=town.clock.now())  # fmt: skip
    town.clock.move(timedelta(hours=1))
    prune_history(town.clock.now())
    assert [bytes(each.content) for each in History.objects.all()] == [b""]
    town.clock.move(timedelta(days=1))
    prune_history(town.clock.now())
    assert not History.objects.exists()


def test_a_crash_between_history_and_write_keeps_it_once(town: Town) -> None:
    made = town.outlook.create(town.folder(EXCHANGE, CONTACT), contact("Anna"))
    town.settle()
    town.outlook.edit(made.id, titled("Anna B."))
    town.world.wire.at("update", When.BEFORE, raising(Crash()), side=NEXTCLOUD)
    assert isinstance(town.sync().error, Crash)
    town.settle()
    assert [title_of(each) for each in town.history()] == ["Anna"]
