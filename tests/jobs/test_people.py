"""What admins decide about people, on the command line, and what the person is told."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from syncapp.jobs import departed, enroll
from syncapp.models import Enrollment, Problem
from syncapp.nextcloud.consent import Person
from tests.jobs.fakes import NOW, enrollment

pytestmark = pytest.mark.django_db

State = Enrollment.State
ALICE = Person("alice", "alice", "sealed", "alice@example.org", "Alice")


def people(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says."""
    capsys.readouterr()
    call_command("people", *words)
    return capsys.readouterr().out


def state() -> str:
    """Alice's state."""
    return Enrollment.objects.get(nextcloud_uid="alice").state


def listed(token: str = "token of alice") -> None:
    """The consent app lists Alice."""
    enroll.take(Enrollment.objects.filter(nextcloud_uid="alice").first(), ALICE, token, NOW)


def test_everybody_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nobody is enrolled. Next:" in people(capsys, "list")
    enrollment()
    assert people(capsys, "list") == "alice: Active, alice@example.org\n"


def test_an_approval_names_the_mailbox(capsys: pytest.CaptureFixture[str]) -> None:
    listed()
    with pytest.raises(CommandError, match="Please look again"):
        call_command("people", "approve", "alice", "director@example.org")
    assert state() == State.WAITING
    assert "kept the same" in people(capsys, "approve", "alice", "Alice@example.org")
    assert state() == State.ACTIVE


def test_a_pause_lasts_until_it_is_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    enrollment(fence=7)
    assert "An administrator has paused the sync" in people(capsys, "pause", "alice")
    assert Enrollment.objects.get().fence == 8, "a worker that is with them commits nothing more"
    listed()
    assert state() == State.PAUSED
    with pytest.raises(CommandError, match="does not sync now: Paused"):
        call_command("people", "pause", "alice")
    people(capsys, "resume", "alice")
    assert state() == State.ACTIVE
    with pytest.raises(CommandError, match="is not paused: Active"):
        call_command("people", "resume", "alice")


def test_whose_address_changed_meanwhile_is_held_when_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    enrollment(state=State.PAUSED, listed_address="director@example.org")
    assert "has changed" in people(capsys, "resume", "alice")
    assert state() == State.HELD


def test_whoever_is_removed_stays_away_until_let_back_in(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.ADDRESSES_ARE_MANAGED = True
    Problem.objects.report("x", level=Problem.Level.ENROLLMENT, code="busy", text="x", enrollment=enrollment())
    assert "You do not take part" in people(capsys, "remove", "alice")
    row = Enrollment.objects.get()
    assert (row.state, row.token, row.problems.count()) == (State.LEFT, "", 0)
    listed()
    assert state() == State.LEFT
    with pytest.raises(CommandError, match="Not done"):
        call_command("people", "remove", "alice")
    people(capsys, "readmit", "alice")
    assert state() == State.NO_CONSENT
    listed()
    # The address is managed, but an admin had removed them.
    assert state() == State.WAITING
    with pytest.raises(CommandError, match="has not left"):
        call_command("people", "readmit", "alice")


def test_whoever_was_forgotten_and_is_let_back_in_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    enrollment(state=State.LEFT, state_since=NOW - dt.timedelta(days=99))
    departed.forget(NOW, {"alice"})
    people(capsys, "readmit", "alice")
    listed()
    row = Enrollment.objects.get()
    assert (row.state, row.mailbox) == (State.WAITING, "alice@example.org")


def test_whoever_consented_on_the_pages_is_invited_again() -> None:
    enrollment(state=State.LEFT, origin=Enrollment.Origin.PAGES)
    with pytest.raises(CommandError, match="invite this user again"):
        call_command("people", "readmit", "alice")


def test_what_happened_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    listed()
    people(capsys, "approve", "alice", "alice@example.org")
    people(capsys, "pause", "alice")
    said = people(capsys, "show", "alice")
    assert "alice: Paused, alice@example.org" in said
    assert "They are told: An administrator has paused the sync." in said
    assert "Nextcloud lists this person" in said
    assert "Approved: account and mailbox belong together. by the command line" in said
    assert said.index("lists this person") < said.index("Approved") < said.index("Paused. by")
