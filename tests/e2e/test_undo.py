"""Held, decided and put back over HTTP: both labs, the commands, and a connector that is configured for them."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from pytest_django import Settings

from lab.edit import ContactChange, EventChange, Side, hand, quick_contact
from syncapp.models import Hold, Restoration
from tests.e2e.conftest import ANNA, Town, problems

SIDES: tuple[Side, Side] = ("exchange", "nextcloud")
BOTH_WAYS = pytest.mark.parametrize("here", SIDES)


def across(side: Side) -> Side:
    """The other side."""
    return "nextcloud" if side == "exchange" else "exchange"


@pytest.fixture
def running(town: Town) -> Town:
    """Anna has a calendar of her own and some company for what is done to "Budget"."""
    town.refresh()
    for number in range(12):
        town.create(ANNA, f"Termin {number:02}")
    town.create(ANNA, "Budget")
    town.sync()
    town.sync()  # hears of what the first one wrote
    return town


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command says."""
    call_command(*words)
    return capsys.readouterr().out


def restore(capsys: pytest.CaptureFixture[str], side: Side, text: str) -> None:
    """Find the only version with a text that was kept of a side, and ask for it."""
    [id] = said(capsys, "history", "list", ANNA.uid, "--side", side, "--search", text, "--ids").split()
    assert text in said(capsys, "history", "show", id)
    said(capsys, "history", "restore", id)


@BOTH_WAYS
def test_an_overwritten_event_is_put_back(running: Town, here: Side, capsys: pytest.CaptureFixture[str]) -> None:
    with hand(running.filled, ANNA, across(here)) as at:
        at.change_event("Budget", EventChange(title="Haushalt"))
    running.sync()
    restore(capsys, here, "Budget")
    running.sync()
    running.sync()
    assert "Done" in said(capsys, "history", "restores", ANNA.uid)
    for side in SIDES:
        titles = running.titles(ANNA, side)
        assert (titles.count("Budget"), titles.count("Haushalt"), len(titles)) == (1, 0, 13)
    assert problems() == []


@BOTH_WAYS
def test_a_deleted_event_is_put_back(running: Town, here: Side, capsys: pytest.CaptureFixture[str]) -> None:
    """Both bins hold it: it is taken out of them and not doubled."""
    with hand(running.filled, ANNA, across(here)) as at:
        at.delete_event("Budget")
    running.sync()
    restore(capsys, here, "Budget")
    running.sync()
    running.sync()
    for side in SIDES:
        assert running.titles(ANNA, side).count("Budget") == 1
    assert Restoration.objects.get().state == Restoration.State.DONE
    assert problems() == []


@BOTH_WAYS
def test_a_deleted_contact_is_put_back(running: Town, here: Side, capsys: pytest.CaptureFixture[str]) -> None:
    """Nextcloud has no bin for contacts, and this one was made in Exchange, where it has no id of ours."""
    with hand(running.filled, ANNA, "exchange") as at:
        for name in ("Clara", "Doris"):
            at.create_contact(quick_contact(name, "Berger"))
    running.sync()
    running.sync()
    with hand(running.filled, ANNA, across(here)) as at:
        at.change_contact("Clara Berger", ContactChange(job_title="Boss"))
    running.sync()
    with hand(running.filled, ANNA, across(here)) as at:
        at.delete_contact("Clara Berger")
    running.sync()
    restore(capsys, here, "Boss")
    running.sync()
    running.sync()
    for side in SIDES:
        with hand(running.filled, ANNA, side) as at:
            assert at.contacts() == ["Clara Berger", "Doris Berger"]
    assert problems() == []


def test_a_wave_of_changes_is_held_and_undone(
    running: Town, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.GUARD_OVERWRITES = 5
    with hand(running.filled, ANNA, "nextcloud") as at:
        for number in range(12):
            at.change_event(f"Termin {number:02}", EventChange(title=f"Gekapert {number:02}"))
    running.sync()
    assert not [title for title in running.titles(ANNA) if title.startswith("Gekapert")]
    assert problems() == [("enrollment", "held")]
    shown = said(capsys, "holds", "show", ANNA.uid, "--all")
    assert "Calendar, 12 to be overwritten in Exchange" in shown
    assert shown.count("-> Gekapert") == 12
    said(capsys, "holds", "refuse", ANNA.uid)
    running.sync()
    running.sync()
    for side in SIDES:
        titles = running.titles(ANNA, side)
        assert len([title for title in titles if title.startswith("Termin")]) == 12
    assert not Hold.objects.exists()
    assert problems() == []
    assert len(said(capsys, "history", "list", ANNA.uid, "--search", "Gekapert", "--ids").split()) == 12
