"""Dry runs by command, and the first sync that waits until its preview was approved."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from lab.chaos.people import Person
from lab.chaos.side import World
from lab.chaos.town import EXCHANGE, NEXTCLOUD, event
from lab.chaos.wire import When
from syncapp.engine.dry_run import DryRun
from syncapp.items import Kind
from syncapp.jobs import dispatch, enroll, owners, places, preview, stopping, sync, troubles
from syncapp.models import AccountSlot, Enrollment, Installation, Link, Pairing, Preview, Problem, Run, RunLine
from syncapp.side import LoginFailed, SideName, Unreachable
from tests.engine.test_dry_run import remembered
from tests.jobs.fakes import HOUR, MINUTE, NOW, account, codes, enrollment
from tests.jobs.test_enroll import ALICE
from tests.leases import claim_now

pytestmark = pytest.mark.django_db

State = Enrollment.State


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> World:
    """Both servers of a person, with an event on each side; sides are built for these."""
    settings.WINDOW_DAYS_BACK = settings.WINDOW_DAYS_AHEAD = 36_500
    world = World()
    Person(world.exchange).create(world.folder(EXCHANGE, Kind.EVENT), event("Budget"))
    Person(world.nextcloud).create(world.folder(NEXTCLOUD, Kind.EVENT), event("Urlaub", day=12))
    monkeypatch.setattr("syncapp.jobs.sides.build", lambda person, used: world.sides())
    account()
    return world


def person(state: Enrollment.State = State.ACTIVE, **values: Any) -> Enrollment:
    """Somebody whose folders are those of the world."""
    values = {"calendar": "1", "address_book": "1", "due_at": timezone.now() - MINUTE, **values}
    return enrollment("anna", state=state, **values)


def without_fences(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Rows as they are, but for the number that every lease raises."""
    fence = [field.attname for field in Enrollment._meta.concrete_fields].index("fence")
    rows["Enrollment"] = [(*row[:fence], *row[fence + 1 :]) for row in rows["Enrollment"]]
    return rows


def said(command: str, *args: str, **options: Any) -> dict[str, Any]:
    """What a command prints as JSON."""
    out = StringIO()
    call_command(command, "anna", *args, json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return told


def queued() -> list[tuple[str, tuple[int, ...]]]:
    """The tasks in the queue: function and arguments."""
    return [(row.task["func"], row.task["args"]) for row in OrmQ.objects.order_by("pk")]


def made_by_a_worker() -> None:
    """Let a worker find that a preview is to be made, and another one make it."""
    sync._hand_over(1)
    [(name, (number, pk))] = queued()
    assert name == "syncapp.jobs.preview.make"
    assert OrmQ.objects.get().task["timeout"] == preview.TASK_SECONDS
    OrmQ.objects.all().delete()
    preview.make(number, pk)


# A dry run by command ------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_everything_and_leaves_no_trace(world: World) -> None:
    person(due_at=NOW)
    Installation.get()
    before = without_fences(remembered())
    told = said("sync", "--dry-run")
    assert without_fences(remembered()) == before
    assert not world.wire.writes()
    assert told["counts"] == {"created": {"exchange": 1, "nextcloud": 1}}
    assert [(each["code"], each["side"], each["label"]) for each in told["items"]] == [
        ("created", "exchange", "Urlaub"),
        ("created", "nextcloud", "Budget"),
    ]
    assert (told["user"], told["in_step"], told["left"], told["pending"]) == ("anna", 2, 0, 0)


def test_a_dry_run_is_told_in_words(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    person()
    call_command("sync", "anna", "--dry-run")
    out = capsys.readouterr().out
    assert "       1  create in Nextcloud" in out
    assert '- create in Nextcloud  event "Budget", 2026-03-10 09:00 Europe/Berlin: Title, Start, End' in out
    assert "Nothing was written for this." in out


def test_what_a_dry_run_tells_is_what_the_command_then_does(world: World) -> None:
    person()
    told = said("sync", "--dry-run")
    call_command("sync", "anna")
    run = Run.objects.get()
    assert (run.created, run.adopted) == (sum(told["counts"]["created"].values()), 0)
    assert Link.objects.filter(Link.in_step()).count() == told["in_step"]
    assert said("sync", "--dry-run")["items"] == []


def test_a_dry_run_tells_of_a_missing_collection(world: World) -> None:
    person()
    del world.nextcloud.state.folders[world.folder(NEXTCLOUD, Kind.EVENT)]
    told = said("sync", "--dry-run")
    assert [each["code"] for each in told["problems"]] == ["folder-missing"]
    assert codes() == []


def test_a_collection_of_somebody_else_is_not_paired_in_a_dry_run_either(world: World) -> None:
    bob = enrollment("bob")
    Pairing.objects.create(
        enrollment=bob,
        kind=Kind.EVENT,
        exchange_folder="theirs",
        nextcloud_folder=world.folder(NEXTCLOUD, Kind.EVENT),
    )
    person()
    assert "already synced for another user" in said("sync", "--dry-run")["problems"][0]["text"]


def test_trouble_ends_a_dry_run_with_a_sentence_and_no_problem(world: World) -> None:
    def fail() -> None:
        error = Unreachable("Nobody answers.")
        error.side = SideName.EXCHANGE
        raise error

    row = person()
    world.wire.always("changes", When.BEFORE, fail)
    with pytest.raises(CommandError, match=r"Not found out. Exchange: Nobody answers\."):
        call_command("sync", "anna", "--dry-run")
    row.refresh_from_db()
    assert (codes(), row.attempts, row.lease_owner) == ([], 0, "")
    assert not AccountSlot.objects.exclude(owner="").exists()


def test_a_dry_run_waits_for_nobody(world: World) -> None:
    claim_now(person().pk, "a worker", 60)
    with pytest.raises(CommandError, match="A worker is serving"):
        call_command("sync", "anna", "--dry-run")


@pytest.mark.parametrize("state", [each for each in State if each not in Enrollment.SERVED])
def test_only_people_who_may_be_synced_are_looked_into(world: World, state: Enrollment.State) -> None:
    person(state)
    with pytest.raises(CommandError, match="does not sync now"):
        call_command("sync", "anna", "--dry-run")
    assert not world.wire.calls


# The state -----------------------------------------------------------------------------------------------------------


def test_new_people_wait_for_a_preview_where_that_is_wanted(settings: Settings) -> None:
    settings.ADDRESSES_ARE_MANAGED = True
    settings.PREVIEW_FIRST = True
    enroll.take(None, ALICE, "t1", NOW)
    row = Enrollment.objects.get()
    assert (row.state, row.preview_first) == (State.PREVIEW, True)
    settings.PREVIEW_FIRST = False
    enroll.take(row, ALICE, "t2", NOW)
    row.refresh_from_db()
    assert row.state == State.PREVIEW, "what was decided for a person stays"


@pytest.mark.parametrize("state", [State.ABSENT, State.NO_CONSENT])
def test_whoever_comes_back_still_waits_for_the_preview(settings: Settings, state: Enrollment.State) -> None:
    settings.ADDRESSES_ARE_MANAGED = True
    row = enrollment(state=state, preview_first=True)
    enroll.take(row, ALICE, "another", NOW)
    row.refresh_from_db()
    assert row.state == State.PREVIEW


def test_a_changed_address_holds_whoever_waits_for_a_preview() -> None:
    row = enrollment(state=State.PREVIEW, preview_first=True, listed_address="alice@example.org")
    enroll.take(row, dataclasses.replace(ALICE, email="other@example.org"), "t1", NOW)
    row.refresh_from_db()
    assert row.state == State.HELD
    enroll.take(row, ALICE, "t1", NOW)
    row.refresh_from_db()
    assert row.state == State.PREVIEW


def test_a_refused_token_ends_the_consent_of_whoever_waits_for_a_preview() -> None:
    row = enrollment(state=State.PREVIEW, token_refused_at=NOW - HOUR)
    enrollment("bob")
    error = LoginFailed("no")
    error.side = SideName.NEXTCLOUD
    troubles.met(error, row, account(), NOW)
    row.refresh_from_db()
    assert row.state == State.NO_CONSENT


def test_a_preview_can_be_required_until_the_first_sync_begins(world: World) -> None:
    row = person()
    call_command("preview", "anna", "--require")
    row.refresh_from_db()
    assert (row.state, row.preview_first) == (State.PREVIEW, True)
    Enrollment.objects.update(state=State.ACTIVE, preview_first=False)
    call_command("sync", "anna")
    with pytest.raises(CommandError, match="has begun already"):
        call_command("preview", "anna", "--require")


def test_a_preview_can_be_required_of_whoever_waits_for_approval() -> None:
    row = person(State.WAITING)
    assert preview.require(row.pk, NOW)
    row.refresh_from_db()
    assert (row.state, row.preview_first) == (State.WAITING, True)


# From the worker to the first sync -----------------------------------------------------------------------------------


def test_the_first_sync_begins_when_its_preview_was_approved(world: World) -> None:
    row = person(State.PREVIEW, preview_first=True)
    assert not sync.serve_one(owners.new_owner())
    made_by_a_worker()
    assert queued() == [("syncapp.jobs.sync.drain", (1,))], "the place is given back"
    row.refresh_from_db()
    assert (row.state, row.attempts, row.lease_owner) == (State.PREVIEW, 0, "")
    assert not Link.objects.exists()
    assert not Run.objects.exists()
    assert preview.next_waiting(timezone.now()) is None
    assert not sync.serve_one(owners.new_owner())
    call_command("preview", "anna", "--approve")
    row.refresh_from_db()
    assert (row.state, row.preview_first) == (State.ACTIVE, False)
    assert sync.serve_one(owners.new_owner())
    assert Link.objects.filter(Link.in_step()).count() == 2


def test_a_preview_keeps_numbers_in_clear_and_a_sample_sealed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.preview.SAMPLE", 2)
    for number in range(5):
        Person(world.exchange).create(world.folder(EXCHANGE, Kind.EVENT), event(f"Termin {number}"))
    person(State.PREVIEW, preview_first=True)
    made_by_a_worker()
    kept = said("preview")
    assert kept["counts"] == {"created": {"exchange": 1, "nextcloud": 6}}
    assert len(kept["items"]) == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM syncapp_preview")
        [row] = cursor.fetchall()
    assert "Termin" not in str([bytes(each) if isinstance(each, memoryview) else each for each in row])


def test_the_command_makes_a_preview_that_is_not_there_yet(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    row = person(State.PREVIEW, preview_first=True)
    with pytest.raises(CommandError, match="no preview yet"):
        call_command("preview", "anna", "--approve")
    call_command("preview", "anna")
    out = capsys.readouterr().out
    assert "create in Nextcloud" in out
    assert "preview anna --approve" in out
    asked = len(world.wire.calls)
    call_command("preview", "anna")
    assert len(world.wire.calls) == asked, "what is kept is shown"
    call_command("preview", "anna", "--again")
    assert len(world.wire.calls) > asked
    assert Preview.objects.filter(enrollment=row).count() == 1


def test_a_preview_that_was_made_anew_is_not_approved_unseen(world: World) -> None:
    row = person(State.PREVIEW, preview_first=True)
    seen = preview.store(row, DryRun(NOW))
    preview.store(row, DryRun(NOW + HOUR))
    assert not preview.approve(seen, NOW)
    assert preview.approve(Preview.objects.get(), NOW)
    assert not preview.approve(Preview.objects.get(), NOW), "nobody waits any more"


def test_whoever_does_not_wait_has_no_preview(world: World) -> None:
    person()
    with pytest.raises(CommandError, match="sync anna --dry-run"):
        call_command("preview", "anna")


def test_trouble_puts_a_preview_off(world: World) -> None:
    def fail() -> None:
        error = LoginFailed("no")
        error.side = SideName.EXCHANGE
        raise error

    row = person(State.PREVIEW, preview_first=True)
    world.wire.always("changes", When.BEFORE, fail)
    made_by_a_worker()
    row.refresh_from_db()
    assert (row.attempts, row.lease_owner, codes()) == (1, "", ["exchange-login"])
    assert not Preview.objects.exists()


def test_an_unexpected_failure_puts_a_preview_off_with_growing_delays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = person(State.PREVIEW, preview_first=True, attempts=5)
    monkeypatch.setattr("syncapp.jobs.preview.dry_run", _raise(RuntimeError("a bug")))
    made_by_a_worker()
    row.refresh_from_db()
    assert row.attempts == 6
    assert row.due_at > timezone.now() + 10 * MINUTE
    assert codes() == ["internal"]


def _raise(error: Exception) -> Callable[..., DryRun]:
    def fail(*args: Any, **kwargs: Any) -> DryRun:
        raise error

    return fail


def test_a_preview_that_takes_too_long_is_a_problem_with_a_way_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = person(State.PREVIEW, preview_first=True)
    monkeypatch.setattr("syncapp.jobs.preview._SECONDS", dt.timedelta(seconds=-1))
    monkeypatch.setattr("syncapp.jobs.preview.dry_run", _tending)
    made_by_a_worker()
    row.refresh_from_db()
    assert row.due_at > timezone.now() + HOUR
    assert "python manage.py preview anna" in Problem.objects.get().remedy


def _tending(*args: Any, tend: Callable[[], None], **kwargs: Any) -> DryRun:
    tend()
    raise AssertionError("it went on")


def test_a_worker_that_shall_stop_leaves_the_preview_to_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = person(State.PREVIEW, preview_first=True)
    monkeypatch.setattr("syncapp.jobs.preview.dry_run", _tending)
    sync._hand_over(1)
    [(_, (number, pk))] = queued()
    OrmQ.objects.all().delete()
    monkeypatch.setattr(stopping.Stopping, "requested", lambda self: True)
    preview.make(number, pk)
    row.refresh_from_db()
    assert (row.attempts, row.lease_owner, codes(), queued()) == (0, "", [], [])
    assert preview.next_waiting(timezone.now()) == row.pk


def test_one_preview_is_made_at_a_time(world: World) -> None:
    first = person(State.PREVIEW, preview_first=True)
    enrollment("bob", state=State.PREVIEW, due_at=timezone.now() - HOUR)
    assert preview.next_waiting(timezone.now()) is not None
    claim_now(first.pk, "a worker", 60)
    assert preview.next_waiting(timezone.now()) is None


def test_a_task_that_the_queue_brings_twice_does_nothing_the_second_time(world: World) -> None:
    row = person(State.PREVIEW, preview_first=True)
    places.take(1, "another worker", timezone.now())
    preview.make(1, row.pk)
    assert (queued(), world.wire.calls) == ([], [])


def test_a_preview_is_forgotten_with_the_runs_of_its_time() -> None:
    old = timezone.now() - dt.timedelta(days=91)
    preview.store(enrollment(), DryRun(old))
    preview.store(enrollment("bob", state=State.PREVIEW), DryRun(old))
    dispatch.tick()
    assert [each.enrollment.nextcloud_uid for each in Preview.objects.all()] == ["bob"]


def test_logs_of_runs_stay_empty(world: World) -> None:
    person(State.PREVIEW, preview_first=True)
    made_by_a_worker()
    assert not RunLine.objects.exists()
