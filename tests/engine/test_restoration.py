"""Put back from history: a version is written again as a person would do it, and the other side follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from django.db import transaction
from pytest_django import Settings

from lab.chaos.commits import Edge, watching
from lab.chaos.server import Stored
from lab.chaos.town import CONTACT, EVENT, EXCHANGE, NEXTCLOUD, Town, contact, event, placed, titled
from lab.chaos.wire import Call, Crash, Late, When, raising
from syncapp.items import Kind
from syncapp.items.values import Photo
from syncapp.models import Enrollment, History, Hold, Link, Pairing, Restoration, Tomb
from syncapp.side import Refused, SideName, Throttled, Unreachable
from tests.engine.test_scenarios_absence import many
from tests.engine.test_scenarios_restores import one_way

BOTH_WAYS = pytest.mark.parametrize("here", SideName)
KINDS = pytest.mark.parametrize("kind", [EVENT, CONTACT])
State = Restoration.State


def wish(town: Town, title: str, side: SideName | None = None) -> Restoration:
    """Ask for the version of that title or name that was kept last."""
    kept = [
        each
        for each in History.objects.order_by("pk")
        if str(each.label).split(",")[0] == title and side in (None, each.side)
    ][-1]
    return ask(town, kept)


def ask(town: Town, kept: History) -> Restoration:
    """Ask for this version."""
    return Restoration.objects.create(
        enrollment=town.enrollment,
        history=kept,
        key=kept.key,
        kind=kept.kind,
        side=kept.side,
        at=town.clock.now(),
    )


def came_of(row: Restoration) -> tuple[str, str]:
    """State and text."""
    row.refresh_from_db()
    return row.state, row.text


def new(town: Town, here: SideName, title: str, kind: Kind = EVENT) -> Stored:
    """Something new of a kind."""
    item = event(title, location="Raum 1") if kind is EVENT else contact(title, f"{title}@lab.example", company="GmbH")
    return town.person(here).create(town.folder(here, kind), item)


def company(town: Town, kind: Kind) -> None:
    """Others, so that no guard looks at one deletion."""
    for number in range(12):
        new(town, NEXTCLOUD, f"Termin {number:02}", kind)


def overwritten(town: Town, here: SideName, kind: Kind = EVENT) -> None:
    """Side ``here`` had "Budget", which was overwritten with "Haushalt"."""
    company(town, kind)
    made = new(town, here.other, "Budget", kind)
    town.settle()
    town.person(here.other).edit(made.id, titled("Haushalt"))
    town.settle()


def deleted(town: Town, here: SideName, kind: Kind = EVENT, *, for_good: bool) -> None:
    """Side ``here`` had "Budget", which we deleted there because a person did so across."""
    company(town, kind)
    made = new(town, here.other, "Budget", kind)
    town.settle()
    town.person(here.other).delete(made.id)
    town.settle()
    if for_good:
        for name in SideName:
            town.person(name).empty_bin()


# Where it is ---------------------------------------------------------------------------------------------------------


@BOTH_WAYS
@KINDS
def test_an_overwritten_version_is_put_back_and_travels(town: Town, here: SideName, kind: Kind) -> None:
    overwritten(town, here, kind)
    row = wish(town, "Budget")
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    titles = town.both(kind)
    assert (titles.count("Budget"), titles.count("Haushalt"), len(titles)) == (1, 0, 13)
    kept = {(each.side, each.reason) for each in History.objects.all() if str(each.label).startswith("Haushalt")}
    assert kept == {(here, History.Reason.RESTORED), (here.other, History.Reason.OVERWRITTEN)}


@BOTH_WAYS
@KINDS
def test_what_lies_in_the_bin_is_taken_out_of_it_and_written_over(town: Town, here: SideName, kind: Kind) -> None:
    deleted(town, here, kind, for_good=False)
    row = wish(town, "Budget", here)
    ran = town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    assert town.both(kind).count("Budget") == 1
    assert len(town.both(kind)) == 13
    has_bin = here is EXCHANGE or kind is EVENT
    # Made by a person, a contact in Exchange has no id by which it is found in the bin; this one is of our making.
    assert ("restore" in ran.writes) == has_bin


@BOTH_WAYS
@KINDS
def test_what_is_gone_for_good_is_created_again(town: Town, here: SideName, kind: Kind) -> None:
    deleted(town, here, kind, for_good=True)
    uid = History.objects.get(side=here).uid
    row = wish(town, "Budget", here)
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    assert town.both(kind).count("Budget") == 1
    assert town.find(here, "Budget", kind).uid == uid
    assert not Tomb.objects.filter(key=row.key).exists()
    assert Link.objects.filter(key=row.key).count() == 1


@BOTH_WAYS
def test_a_contact_without_any_id_is_created_again(town: Town, here: SideName) -> None:
    """Made by a person in Exchange, deleted on either side."""
    company(town, CONTACT)
    new(town, EXCHANGE, "Anna", CONTACT)
    town.settle()
    town.person(here.other).delete(town.find(here.other, "Anna", CONTACT).id)
    town.settle()
    row = wish(town, "Anna", here)
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    assert town.both(CONTACT).count("Anna") == 1


@BOTH_WAYS
@KINDS
@pytest.mark.parametrize("situation", ["overwritten", "binned", "gone"])
def test_asking_twice_is_harmless(town: Town, here: SideName, kind: Kind, situation: str) -> None:
    if situation == "overwritten":
        overwritten(town, here, kind)
    else:
        deleted(town, here, kind, for_good=situation == "gone")
    kept = History.objects.get(side=here, reason__in=(History.Reason.OVERWRITTEN, History.Reason.DELETED))
    ask(town, kept)
    town.settle()
    before = town.both(kind)
    again = ask(town, kept)
    assert town.sync().writes == ()
    assert came_of(again) == (State.DONE, "")
    town.settle()
    assert town.both(kind) == before
    assert before.count("Budget") == 1


@BOTH_WAYS
@KINDS
def test_both_versions_of_one_item_make_one_item(town: Town, here: SideName, kind: Kind) -> None:
    """One was kept of each side: whoever asks for both gets the one that was asked for last, once."""
    company(town, kind)
    made = new(town, here, "Budget", kind)
    town.settle()
    town.person(here).edit(made.id, titled("Haushalt"))
    town.settle()
    town.person(here.other).delete(town.find(here.other, "Haushalt", kind).id)
    town.settle()
    for name in SideName:
        town.person(name).empty_bin()
    rows = [wish(town, "Haushalt", here), wish(town, "Budget", here.other)]
    for _ in range(3):
        town.sync()
    assert [came_of(row)[0] for row in rows] == [State.DONE, State.DONE]
    town.settle()
    assert town.both(kind).count("Budget") == 1
    assert len(town.both(kind)) == 13


def test_several_versions_are_put_back_in_one_run(town: Town) -> None:
    company(town, EVENT)
    town.settle()
    for number in range(6):
        town.outlook.edit(town.find(EXCHANGE, f"Termin {number:02}").id, placed("XXXX"))
    town.settle()
    for kept in History.objects.filter(side=NEXTCLOUD):
        ask(town, kept)
    since = len(town.world.wire.calls)
    town.sync()
    assert len(town.world.wire.named("update", since)) == 2
    town.settle()
    assert {each.location for each in town.events(EXCHANGE)} == {"Raum 1"}


@BOTH_WAYS
def test_what_no_item_says_is_put_back_too(town: Town, here: SideName) -> None:
    """Nextcloud keeps more than an item says; Exchange is not asked for more."""
    company(town, EVENT)
    made = town.phone.create(town.folder(NEXTCLOUD), event("Budget"), extra="ATTACH:offer.pdf")
    town.settle()
    town.outlook.edit(town.find(EXCHANGE, "Budget").id, titled("Haushalt"))
    town.settle()
    town.phone.edit(made.id, lambda item: item, extra="")
    town.settle()
    if here is EXCHANGE:
        town.outlook.delete(town.find(EXCHANGE, "Haushalt").id)
        town.settle()
        for name in SideName:
            town.person(name).empty_bin()
    wish(town, "Budget", NEXTCLOUD)
    town.sync()
    town.settle()
    assert town.find(NEXTCLOUD, "Budget").extra == "ATTACH:offer.pdf"
    assert "Budget" in town.both()


@BOTH_WAYS
def test_what_it_did_not_have_then_does_not_come_back_from_a_bin(town: Town, here: SideName) -> None:
    """An earlier version without a place: the other side's bin still has one, and is written over altogether."""
    company(town, EVENT)
    made = town.person(here).create(town.folder(here), event("Budget"))
    town.settle()
    town.person(here).edit(made.id, placed("Raum 7"))
    town.settle()
    town.person(here).delete(made.id)
    town.settle()
    kept = History.objects.get(reason=History.Reason.OVERWRITTEN)
    ask(town, kept)
    town.sync()
    town.settle()
    assert "Budget" in town.both()
    assert town.event(here, "Budget").location == ""


@BOTH_WAYS
def test_what_stands_in_another_folder_now_is_put_back_there(town: Town, here: SideName) -> None:
    overwritten(town, here)
    town.person(here).move(town.find(here, "Haushalt").id, town.folder(here, number=2))
    town.settle()
    wish(town, "Budget")
    town.settle()
    assert "Budget" in town.both()
    assert town.find(here, "Budget").folder == town.folder(here, number=2)


# Meanwhile -----------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_a_deletion_that_is_held_is_undone_by_it(town: Town, here: SideName) -> None:
    """It is put back as the other side has it first, and then written over."""
    made = new(town, here, "Budget")
    town.settle()
    town.person(here.other).edit(town.only(here.other).id, titled("Haushalt"))
    town.settle()
    town.person(here).delete(made.id)
    town.sync()
    assert Hold.objects.get().reason == Hold.Reason.EMPTY
    row = wish(town, "Budget", here)
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    assert (town.both(), Hold.objects.count()) == (["Budget"], 0)


@BOTH_WAYS
def test_an_edit_across_at_the_same_time_is_merged(town: Town, here: SideName) -> None:
    overwritten(town, here)
    town.person(here.other).edit(town.find(here.other, "Haushalt").id, placed("Raum 9"))
    wish(town, "Budget")
    town.sync()
    town.settle()
    assert town.event(here, "Budget").location == "Raum 9"
    assert "Budget" in town.both()


@BOTH_WAYS
def test_an_edit_just_before_it_is_written_is_kept_in_history(town: Town, here: SideName) -> None:
    """The precondition fails; the next attempt sees the edit."""
    overwritten(town, here)
    row = wish(town, "Budget")
    stored = town.find(here, "Haushalt")
    town.world.wire.at("update", When.ITEM, lambda: town.person(here).edit(stored.id, titled("Etat")), side=here)
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    assert "Budget" in town.both()
    assert "Etat" in town.history_titles()


@BOTH_WAYS
def test_an_edit_after_a_lost_answer_stands(town: Town, here: SideName) -> None:
    """Nobody can tell whether they had seen what was put back: they have the last word."""
    overwritten(town, here)
    row = wish(town, "Budget")
    town.world.wire.at("update", When.AFTER, raising(Unreachable("no answer")), side=here)
    assert isinstance(town.sync().error, Unreachable)
    town.person(here).edit(town.find(here, "Budget").id, titled("Etat"))
    town.settle()
    assert "Etat" in town.both()
    state, text = came_of(row)
    assert state == State.FAILED
    assert "at the same time" in text


@BOTH_WAYS
@KINDS
def test_what_lands_after_its_retry_is_no_second_one(town: Town, here: SideName, kind: Kind) -> None:
    """Rule 11."""
    deleted(town, here, kind, for_good=True)
    row = wish(town, "Budget", here)
    town.world.wire.at("create", When.ITEM, raising(Late()), side=here)
    assert isinstance(town.sync().error, Unreachable)
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.world.server(here).land()
    town.settle()
    assert town.both(kind).count("Budget") == 1


@BOTH_WAYS
@pytest.mark.parametrize("situation", ["overwritten", "gone"])
def test_a_refusal_is_told(town: Town, here: SideName, situation: str) -> None:
    if situation == "overwritten":
        overwritten(town, here)
    else:
        deleted(town, here, for_good=True)
    row = wish(town, "Budget", here)
    town.world.server(here).refused.add("Budget")
    town.sync()
    assert came_of(row) == (State.FAILED, "the server does not take this")
    assert "Budget" not in town.titles(here)
    town.settle()
    assert len(town.both()) == (13 if situation == "overwritten" else 12)


def test_a_busy_server_is_asked_again(town: Town) -> None:
    company(town, CONTACT)
    made = new(town, NEXTCLOUD, "Anna", CONTACT)
    town.settle()
    town.phone.edit(made.id, titled("Anna B."))
    town.settle()
    row = wish(town, "Anna", EXCHANGE)
    town.world.wire.at("update", When.BEFORE, raising(Throttled(30)), side=EXCHANGE)
    assert isinstance(town.sync().error, Throttled)
    assert came_of(row)[0] == State.WAITING
    town.sync()
    assert came_of(row) == (State.DONE, "")


# Crashes -------------------------------------------------------------------------------------------------------------


def at_every(kind: Kind, play: Callable[[Town], None], die: Callable[[Town, int], bool]) -> int:
    """Play a story anew with a death one moment later each time, until none comes any more. How many there were.

    In the end the item is there once, as it was.
    """
    for number in count():
        with transaction.atomic():
            Enrollment.objects.all().delete()
            town = Town((kind,))
            play(town)
            died = die(town, number)
            town.settle()
            assert sorted(town.both(kind)) == ["Bleibt", "Budget"]
            assert Restoration.objects.get().state == State.DONE
            transaction.set_rollback(True)
        if not died:
            return number
    raise AssertionError("never")


def die_at_commit(edge: Edge, until: str) -> Callable[[Town, int], bool]:
    """Die at a commit of the next run, before a call of that name."""

    def die(town: Town, number: int) -> bool:
        left, over = number, False

        def meet(here: Edge) -> None:
            nonlocal left
            if here is edge and not over:
                left -= 1
                if left == -1:
                    raise Crash

        def end() -> None:
            nonlocal over
            over = True

        town.world.wire.at(until, When.BEFORE, end)
        with watching(meet):
            return isinstance(town.sync().error, Crash)

    return die


def die_in_call(town: Town, number: int) -> bool:
    """Die at a moment of a call of the next run, before anything is collected."""
    left = number

    def hook(call: Call, _when: When, _id: str) -> None:
        nonlocal left
        if call.name == "look":
            town.world.wire.hooks.remove(hook)
        elif left:
            left -= 1
        else:
            raise Crash

    town.world.wire.hooks.append(hook)
    return isinstance(town.sync().error, Crash)


def story(here: SideName, kind: Kind, situation: str) -> Callable[[Town], None]:
    """An item, its company, and a wish for a version of it."""

    def play(town: Town) -> None:
        new(town, here, "Bleibt", kind)
        made = new(town, here.other, "Budget", kind)
        town.sync()
        town.sync()
        if situation == "overwritten":
            town.person(here.other).edit(made.id, titled("Haushalt"))
        else:
            town.person(here.other).delete(made.id)
        town.sync()
        town.sync()
        if situation == "gone":
            for name in SideName:
                town.person(name).empty_bin()
        wish(town, "Budget", here)

    return play


SITUATIONS = pytest.mark.parametrize(
    ("kind", "situation"), [(EVENT, "overwritten"), (EVENT, "binned"), (EVENT, "gone"), (CONTACT, "gone")]
)


@BOTH_WAYS
@SITUATIONS
@pytest.mark.parametrize("edge", Edge)
def test_it_survives_a_death_at_every_commit(db: None, here: SideName, kind: Kind, situation: str, edge: Edge) -> None:
    assert at_every(kind, story(here, kind, situation), die_at_commit(edge, "look")) >= 3


@pytest.mark.parametrize("here", SideName)
def test_what_follows_survives_a_death_at_every_commit(db: None, here: SideName) -> None:
    """Until both sides are the same again it is an edit like any other."""
    assert at_every(EVENT, story(here, EVENT, "overwritten"), die_at_commit(Edge.AFTER, "never")) > 8


@BOTH_WAYS
@SITUATIONS
def test_it_survives_a_death_at_every_moment_of_every_call(
    db: None, here: SideName, kind: Kind, situation: str
) -> None:
    assert at_every(kind, story(here, kind, situation), die_in_call) >= 6


# What can't be done --------------------------------------------------------------------------------------------------


def test_what_is_no_longer_kept_can_not_be_put_back(town: Town) -> None:
    overwritten(town, EXCHANGE)
    row = wish(town, "Budget")
    History.objects.all().delete()
    assert town.sync().writes == ()
    assert came_of(row) == (State.FAILED, "This version is no longer kept.")


def test_what_can_not_be_read_can_not_be_put_back(town: Town) -> None:
    overwritten(town, EXCHANGE)
    row = wish(town, "Budget")
    History.objects.update(content=History.sealed(b"garbage"))
    town.sync()
    assert came_of(row) == (State.FAILED, "this was never packed")


def test_what_belongs_to_a_folder_that_is_not_kept_the_same_any_more_is_not_put_elsewhere(town: Town) -> None:
    deleted(town, EXCHANGE, for_good=True)
    Pairing.objects.filter(pk=town.pairings[EVENT, 1].pk).update(enabled=False)
    row = wish(town, "Budget", EXCHANGE)
    town.sync()
    assert came_of(row) == (State.FAILED, "Its folder is not kept the same any more.")


def test_nothing_is_put_into_another_store_before_it_was_compared(town: Town) -> None:
    overwritten(town, EXCHANGE)
    row = wish(town, "Budget")
    town.world.exchange.epoch = "another store"
    written: list[bool] = []
    town.world.wire.at("update", When.BEFORE, lambda: written.append(True), side=EXCHANGE)
    town.world.wire.at("changes", When.BEFORE, lambda: written.append(False), side=EXCHANGE)
    town.sync()
    assert written == [False, True]
    assert came_of(row) == (State.DONE, "")


def test_it_gives_up_after_ten_runs(town: Town) -> None:
    overwritten(town, EXCHANGE)
    row = wish(town, "Budget")
    town.world.wire.always("update", When.ITEM, raising(Refused("never")), side=EXCHANGE)
    link = Link.objects.get(key=row.key)
    Link.objects.filter(pk=link.pk).update(intent={"do": "move", "side": "exchange"}, dirty=0)
    town.sync()
    state, text = came_of(row)
    assert state == State.FAILED
    assert "10 runs" in text


# With others ---------------------------------------------------------------------------------------------------------


def test_undoing_a_wave_is_no_wave(town: Town, settings: Settings) -> None:
    settings.GUARD_OVERWRITES = settings.GUARD_CREATIONS = 100
    company(town, EVENT)
    town.settle()
    for each in town.living(EXCHANGE):
        town.outlook.edit(each.id, placed("XXXX"))
    town.settle()
    settings.GUARD_OVERWRITES = 5
    town.clock.move(timedelta(days=2))
    for kept in History.objects.filter(side=NEXTCLOUD):
        ask(town, kept)
    town.settle()
    assert {each.location for each in town.events(EXCHANGE)} == {"Raum 1"}
    assert not Hold.objects.exists()


def test_undoing_a_wave_does_not_hold_up_anybody_else(town: Town, settings: Settings) -> None:
    settings.GUARD_OVERWRITES = 100
    many(town, 20)
    town.settle()
    for number in range(12):
        town.outlook.edit(town.find(EXCHANGE, f"Termin {number:02}").id, placed("XXXX"))
    town.settle()
    settings.GUARD_OVERWRITES = 5
    town.clock.move(timedelta(days=2))
    for kept in History.objects.filter(side=NEXTCLOUD):
        ask(town, kept)
    town.phone.edit(town.find(NEXTCLOUD, "Termin 15").id, titled("Haushalt"))
    town.sync()
    assert "Haushalt" in town.titles(EXCHANGE)
    assert not Hold.objects.exists()


@BOTH_WAYS
def test_one_way_what_is_put_back_on_the_target_stays_until_the_source_changes(town: Town, here: SideName) -> None:
    """Rule 24."""
    one_way(town, here)
    made = new(town, here, "Budget")
    town.settle()
    town.person(here).edit(made.id, titled("Haushalt"))
    town.settle()
    row = wish(town, "Budget", here.other)
    town.sync()
    town.sync(full=True)
    assert came_of(row) == (State.DONE, "")
    assert (town.titles(here), town.titles(here.other)) == (["Haushalt"], ["Budget"])
    town.person(here).edit(made.id, titled("Etat"))
    town.settle()
    assert town.both() == ["Etat"]


def test_contacts_with_photos_are_put_back_with_them(town: Town) -> None:
    """Exchange writes them in requests of their own: one that fails is finished later."""
    company(town, CONTACT)
    made = town.phone.create(town.folder(NEXTCLOUD, CONTACT), replace(contact("Anna"), photo=Photo(b"picture")))
    town.settle()
    town.phone.delete(made.id)
    town.settle()
    for name in SideName:
        town.person(name).empty_bin()
    town.world.wire.at("create", When.STEP, raising(Refused("no pictures today")), side=EXCHANGE)
    row = wish(town, "Anna", EXCHANGE)
    town.sync()
    assert came_of(row) == (State.DONE, "")
    town.settle()
    assert town.find(NEXTCLOUD, "Anna", CONTACT).item.photo == Photo(b"picture")  # type: ignore[union-attr]
