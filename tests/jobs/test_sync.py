"""A worker's round: who is served, what an outcome does to the due time, and that one's failure is nobody else's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from syncapp.engine.lease import Lease, LeaseLost
from syncapp.engine.look import Looked
from syncapp.engine.slice import SliceResult
from syncapp.jobs import owners, places, resting, sync
from syncapp.models import AccountSlot, Enrollment, Pairing, Problem, Run, ServiceAccount
from syncapp.side import LoginFailed, NotAllowed, SideName, SidesOf
from tests.jobs.fakes import HOUR, MINUTE, FakeSide, account, codes, enrollment, fake_sides
from tests.leases import claim_now

pytestmark = pytest.mark.django_db

State = Enrollment.State


class Engine:
    """Stands in for ``run_slice``: what it answers, and what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bool]] = []
        self.result = SliceResult()
        self.act: Callable[[Lease, Run], None] = lambda lease, run: None

    def __call__(
        self, lease: Lease, run: Run, sides: list[SidesOf], *, seconds: float, full: bool, looked: Looked | None
    ) -> SliceResult:
        """See ``syncapp.engine.slice.run_slice``."""
        self.calls.append((lease.enrollment_id, full))
        self.act(lease, run)
        return self.result


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    fake = Engine()
    monkeypatch.setattr("syncapp.jobs.sync.run_slice", fake)
    return fake


built: list[list[SidesOf]] = []


@pytest.fixture(autouse=True)
def _forget_built() -> Iterator[None]:
    built.clear()
    yield
    built.clear()


def build(person: Enrollment, _account: ServiceAccount) -> list[SidesOf]:
    """Fake sides with a calendar of the person's own."""
    made = fake_sides(owner=person.nextcloud_uid)
    built.append(made)
    return made


def serve() -> bool:
    """Serve one due enrollment."""
    return sync.serve_one(owners.new_owner(), build)


def person(uid: str = "alice", **values: Any) -> Enrollment:
    """An enrollment that has been due for a minute."""
    return enrollment(uid, due_at=timezone.now() - MINUTE, **values)


# A slice that goes well --------------------------------------------------------------------------------------------


def test_a_due_enrollment_is_served_and_due_again_after_the_interval(engine: Engine, settings: Settings) -> None:
    settings.SYNC_INTERVAL = 1000
    row, used = person(), account()
    assert serve()
    row.refresh_from_db()
    assert engine.calls == [(row.pk, False)]
    wait = (row.due_at - timezone.now()).total_seconds()
    assert 880 < wait < 1110
    assert (row.attempts, row.lease_owner, row.account) == (0, "", used)
    assert row.last_success is not None
    assert row.first_sync_done_at is not None
    assert not AccountSlot.objects.exclude(owner="").exists()
    assert not serve()


def test_people_of_another_exchange_do_not_wait_behind_one_that_rests(engine: Engine) -> None:
    tired = account("tired", endpoint="http://127.0.0.1:9/one")
    awake = account("awake", endpoint="http://127.0.0.1:9/two")
    resting.rest_account(tired, timezone.now())
    for number in range(5):
        enrollment(f"waits {number}", due_at=timezone.now() - HOUR, account=tired)
    row = person(account=awake)
    assert serve()
    assert [pk for pk, _ in engine.calls] == [row.pk]
    assert not serve()
    assert Enrollment.objects.filter(account=tired, due_at__lt=timezone.now() - MINUTE).count() == 5


def test_somebody_new_whose_account_is_busy_lets_others_go_first(engine: Engine) -> None:
    account("busy", endpoint="http://127.0.0.1:9/one", domains="example.com", slots=1)
    AccountSlot.objects.update(owner="somebody", until=timezone.now() + HOUR)
    awake = account("awake", endpoint="http://127.0.0.1:9/two")
    new = enrollment("new", mailbox="new@example.com", due_at=timezone.now() - HOUR)
    row = person(account=awake)
    assert serve()
    assert not serve()
    new.refresh_from_db()
    assert new.due_at > timezone.now()
    assert [pk for pk, _ in engine.calls] == [row.pk]


def test_sides_are_closed_whatever_happens(engine: Engine) -> None:
    def fail(lease: Lease, run: Run) -> None:
        raise NotAllowed("no")

    account()
    person()
    engine.act = fail
    serve()
    ((events, contacts),) = built
    for side in (events.exchange, events.nextcloud, contacts.exchange, contacts.nextcloud):
        assert side.closed  # type: ignore[attr-defined]


def test_a_slice_that_leaves_more_is_due_at_once_and_goes_on_with_its_run(engine: Engine) -> None:
    account()
    row = person()
    engine.result = SliceResult(more=True)
    serve()
    row.refresh_from_db()
    assert row.due_at <= timezone.now()
    assert row.first_sync_done_at is None
    (run,) = Run.objects.all()
    assert (run.outcome, run.finished_at) == (Run.Outcome.MORE, None)
    engine.result = SliceResult()

    def create(lease: Lease, run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(created=1)

    engine.act = create
    serve()
    run.refresh_from_db()
    assert run.outcome == Run.Outcome.DONE


def test_an_item_to_be_tried_again_makes_the_enrollment_due_sooner(engine: Engine, settings: Settings) -> None:
    settings.SYNC_INTERVAL = 3600
    account()
    row = person()
    soon = timezone.now() + 2 * MINUTE
    engine.result = SliceResult(next_at=soon)
    serve()
    row.refresh_from_db()
    assert row.due_at == soon


def test_an_item_that_stays_due_does_not_make_a_worker_spin(engine: Engine) -> None:
    account()
    row = person()
    engine.result = SliceResult(next_at=timezone.now() - HOUR)
    serve()
    row.refresh_from_db()
    assert row.due_at > timezone.now()


def test_everything_is_compared_every_few_hours(engine: Engine) -> None:
    account()
    person("new")
    person("fresh", full_comparison_at=timezone.now() - HOUR)
    old = person("old", full_comparison_at=timezone.now() - 8 * HOUR)
    while serve():
        pass
    assert {pk for pk, full in engine.calls if full} == {old.pk}
    old.refresh_from_db()
    assert old.full_comparison_at is not None
    assert timezone.now() - old.full_comparison_at < MINUTE


def test_how_often_everything_is_compared_is_a_matter_of_configuration(engine: Engine, settings: Settings) -> None:
    account()
    row = person(full_comparison_at=timezone.now() - 8 * HOUR)
    settings.FULL_COMPARISON_HOURS = 24
    serve()
    Enrollment.objects.update(due_at=timezone.now() - MINUTE)
    settings.FULL_COMPARISON_HOURS = 2
    serve()
    assert engine.calls == [(row.pk, False), (row.pk, True)]


def test_full_comparisons_are_spread_over_the_people(settings: Settings) -> None:
    """Whoever began together does not stay together: each has a time of their own, within a sixth of the interval."""
    settings.FULL_COMPARISON_HOURS = 6
    begun = timezone.now()
    people = [Enrollment(pk=number, full_comparison_at=begun) for number in range(1, 301)]
    due = [
        sum(sync._full_comparison_due(each, begun + minutes * MINUTE) for each in people)
        for minutes in (329, 345, 360, 375, 391)
    ]
    assert due[0] == 0
    assert due[-1] == len(people)
    assert all(60 <= later - earlier <= 90 for earlier, later in pairwise(due))


# Who is served -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in State if state not in Enrollment.SYNCED])
def test_only_active_enrollments_are_served(state: Enrollment.State) -> None:
    account()
    person(state=state)
    assert not serve()


def test_whoever_waited_longest_is_served_first(engine: Engine, settings: Settings) -> None:
    settings.WORKERS = 1
    account()
    late = person("late")
    Enrollment.objects.update(due_at=timezone.now() - HOUR)
    person("later")
    serve()
    assert engine.calls == [(late.pk, False)]


def test_two_workers_never_serve_one_enrollment() -> None:
    account()
    row = person()
    assert claim_now(row.pk, "another", 60) is not None
    assert not serve()


def test_nobody_is_served_while_nextcloud_rests() -> None:
    account()
    person()
    resting.rest_server(resting.NEXTCLOUD, timezone.now(), 60)
    assert not serve()


def test_nobody_is_served_without_a_free_account() -> None:
    account(enabled=False)
    row = person()
    assert not serve()
    row.refresh_from_db()
    assert row.attempts == 0


def test_a_refused_token_is_not_used_before_its_hour_even_if_somebody_asks() -> None:
    account()
    row = person(token_refused_at=timezone.now() - 30 * MINUTE)
    assert not serve()
    Enrollment.objects.filter(pk=row.pk).update(token_refused_at=timezone.now() - 61 * MINUTE)
    assert serve()
    row.refresh_from_db()
    assert row.token_refused_at is None


# Failures ----------------------------------------------------------------------------------------------------------


def test_ones_failure_is_nobody_elses(engine: Engine) -> None:
    account()
    alice, bob = person(), person("bob")

    def fail(lease: Lease, run: Run) -> None:
        if lease.enrollment_id == alice.pk:
            raise RuntimeError("Alice's secret title")

    engine.act = fail
    assert serve()
    assert serve()
    bob.refresh_from_db()
    assert bob.last_success is not None
    alice.refresh_from_db()
    assert alice.due_at > timezone.now()
    assert alice.lease_owner == ""
    assert codes() == ["internal"]
    run = alice.runs.get()
    assert run.outcome == Run.Outcome.FAILED
    assert "secret" not in " ".join(run.lines.values_list("note", flat=True))


def test_a_failing_account_hands_over_to_the_next(engine: Engine) -> None:
    bad, good = account("bad", slots=3), account("good", slots=2)
    row = person()
    used: list[str] = []

    def fail(lease: Lease, run: Run) -> None:
        slot = AccountSlot.objects.exclude(owner="").get()
        used.append(slot.account.name)
        if slot.account == bad:
            error = LoginFailed("no")
            error.side = SideName.EXCHANGE
            raise error

    engine.act = fail
    assert serve()
    assert serve()
    row.refresh_from_db()
    assert (used, row.account) == (["bad", "good"], good)
    assert Problem.objects.get().account == bad


def test_a_persons_trouble_does_not_tire_their_account(engine: Engine) -> None:
    used = account()
    person()

    def fail(lease: Lease, run: Run) -> None:
        error = NotAllowed("no")
        error.side = SideName.EXCHANGE
        raise error

    engine.act = fail
    serve()
    used.refresh_from_db()
    assert used.rests_until is None
    assert codes() == ["exchange-denied"]


def test_attempts_are_counted_and_put_off_before_the_work(engine: Engine) -> None:
    account()
    row = person(attempts=4)
    seen: list[tuple[int, dt.timedelta]] = []

    def look(lease: Lease, run: Run) -> None:
        row.refresh_from_db()
        seen.append((row.attempts, row.due_at - timezone.now()))

    engine.act = look
    serve()
    ((attempts, delay),) = seen
    assert attempts == 5
    assert delay > 5 * MINUTE


def test_a_lost_lease_changes_nothing_any_more(engine: Engine) -> None:
    account()
    row = person()

    def lose(lease: Lease, run: Run) -> None:
        Enrollment.objects.filter(pk=row.pk).update(lease_owner="successor", fence=99)
        raise LeaseLost("gone")

    engine.act = lose
    serve()
    row.refresh_from_db()
    assert (row.lease_owner, row.last_success) == ("successor", None)
    assert codes() == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_lease_that_was_lost_unnoticed_changes_nothing_any_more(engine: Engine, fails: bool) -> None:
    account()
    row = person()

    def lose(lease: Lease, run: Run) -> None:
        Enrollment.objects.filter(pk=row.pk).update(lease_owner="successor", fence=99)
        Run.objects.filter(pk=run.pk).update(outcome=Run.Outcome.LOST)
        if fails:
            error = NotAllowed("no")
            error.side = SideName.EXCHANGE
            raise error

    engine.act = lose
    serve()
    row.refresh_from_db()
    assert (row.lease_owner, row.last_success, row.attempts) == ("successor", None, 1)
    assert Run.objects.get().outcome == Run.Outcome.LOST
    assert codes() == []


def test_who_is_made_due_during_a_slice_is_due_after_it(engine: Engine) -> None:
    account()
    row = person()
    asked = timezone.now()

    def ask(lease: Lease, run: Run) -> None:
        Enrollment.objects.filter(pk=row.pk).update(due_at=asked)

    engine.act = ask
    serve()
    row.refresh_from_db()
    assert (row.due_at, row.last_success is None) == (asked, False)


def test_a_missing_collection_is_a_problem_and_the_rest_syncs(engine: Engine) -> None:
    account()
    row = person()

    def without_calendar(person: Enrollment, used: ServiceAccount) -> list[SidesOf]:
        events, contacts = fake_sides()
        side = events.nextcloud
        assert isinstance(side, FakeSide)
        side.listed = []
        return [events, contacts]

    assert sync.serve_one("me", without_calendar)
    assert engine.calls == [(row.pk, False)]
    assert codes() == ["folder-missing"]
    assert Pairing.objects.count() == 1


def test_without_any_pairing_nothing_runs(engine: Engine) -> None:
    account()
    row = person()
    assert sync.serve_one("me", lambda *_: fake_sides(kinds=[]))
    row.refresh_from_db()
    assert engine.calls == []
    assert row.due_at > timezone.now()
    assert Run.objects.get().outcome == Run.Outcome.FAILED


# Draining ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A worker that comes to its deadline when it has nothing to do; what it did."""
    done: list[str] = []
    time = {"now": 0.0}

    def sleep(seconds: float) -> None:
        done.append("sleep")
        time["now"] += sync.DRAIN_SECONDS

    monkeypatch.setattr("syncapp.jobs.sync.time.monotonic", lambda: time["now"])
    monkeypatch.setattr("syncapp.jobs.sync.time.sleep", sleep)
    monkeypatch.setattr("syncapp.jobs.refresh.refresh_if_due", lambda: done.append("refresh"))
    monkeypatch.setattr("syncapp.jobs.sync.sides.close_unused", lambda: done.append("close unused"))
    monkeypatch.setattr("syncapp.jobs.sync.sides.close_all", lambda: done.append("close all"))
    monkeypatch.setattr("syncapp.jobs.sync.sides.build", build)

    def serve_nobody(owner: str, **_: object) -> bool:
        done.append("serve")
        return False

    monkeypatch.setattr("syncapp.jobs.sync.serve_one", serve_nobody)
    return done


def test_a_worker_refreshes_serves_and_queues_its_successor(quick: list[str]) -> None:
    sync.drain(1)
    assert quick == ["refresh", "serve", "close unused", "sleep", "close all"]
    assert [(row.task["func"], row.task["args"]) for row in OrmQ.objects.all()] == [("syncapp.jobs.sync.drain", (1,))]
    assert places.vacant(timezone.now()) == [1, 2]


def test_a_second_worker_at_the_same_place_ends_at_once(quick: list[str]) -> None:
    places.take(1, "somebody", timezone.now())
    sync.drain(1)
    assert quick == []
    assert not OrmQ.objects.exists()


def test_a_worker_that_shall_stop_queues_no_successor(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.stopping.Stopping.requested", lambda self: True)
    sync.drain(1)
    assert quick == ["close all"]
    assert not OrmQ.objects.exists()
    assert places.vacant(timezone.now()) == [1, 2]


# The command -------------------------------------------------------------------------------------------------------


def test_the_command_syncs_one_person_until_nothing_is_left(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("syncapp.jobs.sync.sides.build", build)
    account()
    row = person()
    more = iter([True, True, False])

    def step(lease: Lease, run: Run) -> None:
        engine.result = SliceResult(more=next(more))
        Run.objects.filter(pk=run.pk).update(created=len(engine.calls))

    engine.act = step
    call_command("sync", "Alice@example.org", "--full")
    assert engine.calls == [(row.pk, True), (row.pk, False), (row.pk, False)]
    assert "Slice 3: 3 created" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("user", "said"), [("nobody", "Nobody of that name"), ("waiting", "does not sync now"), ("busy", "A worker is")]
)
def test_the_command_says_why_it_cannot(user: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.sync.sides.build", build)
    account()
    person("waiting", state=State.WAITING)
    claim_now(person("busy").pk, "worker", 60)
    with pytest.raises(CommandError, match=said):
        call_command("sync", user)


def test_the_command_ends_with_the_reason_of_a_failure(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.sync.sides.build", build)
    account()
    person()

    def fail(lease: Lease, run: Run) -> None:
        error = NotAllowed("The account may not.")
        error.side = SideName.EXCHANGE
        raise error

    engine.act = fail
    with pytest.raises(CommandError, match="The account may not"):
        call_command("sync", "alice")
    assert codes() == ["exchange-denied"]


# First syncs -------------------------------------------------------------------------------------------------------


def test_first_syncs_are_left_to_the_places_for_them(engine: Engine, settings: Settings) -> None:
    settings.WORKERS, settings.FIRST_SYNCS = 3, 2
    account()
    new = person("new")
    assert sync.next_due(timezone.now(), first_syncs=False) is None
    known = person("known", first_sync_done_at=timezone.now())
    found = sync.next_due(timezone.now(), first_syncs=False)
    assert found is not None
    assert found.pk == known.pk
    Enrollment.objects.filter(pk=known.pk).delete()
    found = sync.next_due(timezone.now(), first_syncs=True)
    assert found is not None
    assert found.pk == new.pk


@pytest.mark.parametrize(("limit", "places_for_them"), [(0, [1, 2, 3]), (1, [1]), (2, [1, 2]), (9, [1, 2, 3])])
def test_there_are_as_many_places_for_first_syncs_as_wanted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, limit: int, places_for_them: list[int]
) -> None:
    settings.WORKERS, settings.FIRST_SYNCS = 3, limit
    asked: list[bool] = []

    def serve_one(owner: str, *, first_syncs: bool) -> bool:
        asked.append(first_syncs)
        monkeypatch.setattr("syncapp.jobs.sync.DRAIN_SECONDS", 0.0)
        return True

    monkeypatch.setattr("syncapp.jobs.sync.serve_one", serve_one)
    monkeypatch.setattr("syncapp.jobs.refresh.refresh_if_due", lambda: None)
    for number in (1, 2, 3):
        monkeypatch.setattr("syncapp.jobs.sync.DRAIN_SECONDS", 60.0)
        sync.drain(number)
    assert [number for number, first in zip((1, 2, 3), asked, strict=True) if first] == places_for_them
