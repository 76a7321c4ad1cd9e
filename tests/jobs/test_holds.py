"""Waves of held writes: gathered, decided on the command line, lapsed when nobody decides."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.utils import timezone
from pytest_django import Settings

from syncapp.items import Kind
from syncapp.jobs import dispatch, holds
from syncapp.models import Enrollment, Hold, Link, Pairing, Problem
from tests.jobs.fakes import enrollment

pytestmark = pytest.mark.django_db

Reason, State = Hold.Reason, Hold.State


def paired(person: Enrollment, kind: Kind = Kind.EVENT) -> Pairing:
    """A pairing of a person."""
    folders = {"exchange_folder": f"{kind}", "nextcloud_folder": f"/{person.nextcloud_uid}/{kind}/"}
    found, _ = Pairing.objects.get_or_create(enrollment=person, kind=kind, defaults=folders)
    return found


def hold(person: Enrollment, reason: Hold.Reason = Reason.MANY, kind: Kind = Kind.EVENT, **values: object) -> Hold:
    """Something that is held of a person."""
    of = paired(person, kind)
    link = Link.objects.create(enrollment=person, kind=kind, pairing=of)
    fields = {"side": "nextcloud", "survivor": b"", "at": timezone.now(), "label": f"Termin {link.pk}"} | values
    return Hold.objects.create(enrollment=person, pairing=of, link=link, reason=reason, **fields)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says."""
    call_command("holds", *words)
    return capsys.readouterr().out


def test_waves_are_gathered_by_person_kind_side_and_reason() -> None:
    anna, bob = enrollment("anna"), enrollment("bob")
    for person, reason, kind in ((anna, Reason.MANY, Kind.EVENT), (anna, Reason.EMPTY, Kind.CONTACT)):
        for _ in range(2):
            hold(person, reason, kind)
    hold(bob, Reason.OVERWRITES)
    hold(bob, Reason.OVERWRITES, state=State.APPROVED)
    found = holds.waves(Hold.objects.all())
    assert [(wave.enrollment_id, wave.kind, wave.reason, wave.count) for wave in found] == [
        (anna.pk, "contact", "empty", 2),
        (anna.pk, "event", "many", 2),
        (bob.pk, "event", "overwrites", 1),
    ]
    assert found[1].holds.count() == 2


def test_list_says_what_each_decision_means(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna")
    at = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
    hold(anna, at=at)
    hold(anna, Reason.OVERWRITES, side="exchange", at=at)
    hold(anna, Reason.CREATIONS, Kind.CONTACT, at=at, state=State.LAPSED)
    said = run(capsys, "list")
    assert "anna: Calendar, 1 to be deleted in Nextcloud, held since 2026-03-02 08:00: Many deletions at once." in said
    assert "Approved: they are deleted in Nextcloud. Refused: they are put back in Exchange." in said
    assert "If nobody decides until 2026-03-16 08:00: they are put back in Exchange." in said
    assert "Approved: Exchange gets what Nextcloud says. Refused: Nextcloud gets back what Exchange says." in said
    assert "If nobody decides until 2026-03-16 08:00: both sides are left as they are." in said
    assert "Address book, 1 to be created in Nextcloud" in said
    assert "Nobody decided in time: both sides are left as they are." in said
    assert "Termin" not in said


def test_list_says_what_refusing_means_where_one_side_is_never_written(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna")
    hold(anna)
    Pairing.objects.update(direction=Pairing.Direction.TO_NEXTCLOUD)
    assert "Refused: Nextcloud keeps them as they are there, and nothing is written to Exchange." in run(capsys, "list")


def test_list_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    enrollment("anna")
    assert run(capsys, "list", "anna") == "Nothing is held.\n"


def test_show_has_a_sample_or_everything(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna")
    made = [hold(anna, Reason.OVERWRITES, becomes="Anders", fields="title") for _ in range(12)]
    said = run(capsys, "show", "anna")
    assert f"{made[0].pk}: {made[0].label} -> Anders (title)" in said
    assert made[11].label not in said
    assert "and 2 more: --all" in said
    assert str(made[11].label) in run(capsys, "show", "anna", "--all")


def test_a_whole_wave_is_approved_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna", due_at=timezone.now() + dt.timedelta(hours=1))
    for _ in range(3):
        hold(anna)
    hold(anna, Reason.CREATIONS)
    Hold.objects.report(anna.pk)
    said = run(capsys, "approve", "anna", "--reason", "many", "--kind", "event", "--side", "nextcloud")
    assert "Calendar, 3 to be deleted in Nextcloud: they are deleted in Nextcloud." in said
    assert "python manage.py sync anna" in said
    assert sorted(Hold.objects.values_list("state", flat=True)) == ["approved"] * 3 + ["waiting"]
    assert sorted(Link.objects.values_list("dirty", flat=True)) == [0, 1, 1, 1]
    anna.refresh_from_db()
    assert anna.due_at <= timezone.now()
    assert "1 new items" in Problem.objects.get().text


def test_single_ones_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna")
    made = [hold(anna) for _ in range(3)]
    run(capsys, "refuse", "anna", "--hold", str(made[0].pk), "--hold", str(made[2].pk))
    assert [each.state for each in Hold.objects.order_by("pk")] == ["refused", "waiting", "refused"]


def test_what_lapsed_can_be_decided_after_all(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna")
    hold(anna, Reason.CREATIONS, state=State.LAPSED)
    run(capsys, "approve", "anna")
    assert Hold.objects.get().state == State.APPROVED


@pytest.mark.parametrize("words", [("approve",), ("approve", "anna"), ("refuse", "nobody"), ("show", "nobody")])
def test_what_can_not_be_decided_ends_with_a_sentence(words: tuple[str, ...]) -> None:
    enrollment("anna")
    hold(enrollment("bob"))
    with pytest.raises(CommandError, match="python manage"):
        call_command("holds", *words)
    assert Hold.objects.get().state == State.WAITING


def test_nobody_elses_holds_are_decided() -> None:
    anna, bob = enrollment("anna"), enrollment("bob")
    hold(anna)
    other = hold(bob)
    assert holds.decide(anna.pk, Q(), False, timezone.now()) == 1
    other.refresh_from_db()
    assert other.state == State.WAITING


def test_what_nobody_decides_lapses_into_what_is_safe(settings: Settings) -> None:
    settings.HOLD_DAYS = 14
    anna = enrollment("anna", due_at=timezone.now() + dt.timedelta(hours=1))
    old = timezone.now() - dt.timedelta(days=15)
    deletion, overwrite, creation = (
        hold(anna, reason, at=old) for reason in (Reason.EMPTY, Reason.OVERWRITES, Reason.EPOCH)
    )
    young = hold(anna)
    Hold.objects.report(anna.pk)
    dispatch.tick()
    states = {each.pk: each.state for each in Hold.objects.all()}
    assert states == {
        deletion.pk: State.REFUSED,
        overwrite.pk: State.LAPSED,
        creation.pk: State.LAPSED,
        young.pk: State.WAITING,
    }
    assert {link.pk for link in Link.objects.filter(dirty__gt=0)} == {deletion.link_id}
    assert Problem.objects.get().text.endswith("1 deletions.")
    anna.refresh_from_db()
    assert anna.due_at <= timezone.now()


def test_without_days_nothing_lapses(settings: Settings) -> None:
    settings.HOLD_DAYS = 0
    held = hold(enrollment("anna"), at=timezone.now() - dt.timedelta(days=1000))
    dispatch.tick()
    held.refresh_from_db()
    assert (held.state, held.lapses_at) == (State.WAITING, None)
