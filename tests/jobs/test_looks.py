"""The look before a run: when it is enough, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from syncapp.engine.lease import Lease
from syncapp.engine.look import Looked
from syncapp.engine.slice import SliceResult
from syncapp.items import Kind
from syncapp.jobs import owners, pairings, resting, sync, troubles
from syncapp.models import AccountSlot, Enrollment, Link, Pairing, Problem, Run, ServerRest, ServiceAccount
from syncapp.side import Gone, Look, SideName, SidesOf, Throttled
from tests.jobs.fakes import HOUR, MINUTE, FakeSide, account, codes, enrollment, fake_sides

pytestmark = pytest.mark.django_db

EXCHANGE, NEXTCLOUD = SideName.EXCHANGE, SideName.NEXTCLOUD


class Scene:
    """Somebody with whom everything is in step, the fake servers, and what the engine was asked to do."""

    def __init__(self) -> None:
        now = timezone.now()
        self.account = account()
        self.person = enrollment(
            due_at=now - MINUTE, account=self.account, full_comparison_at=now, first_sync_done_at=now
        )
        self.sides = fake_sides()
        pairings.ensure(self.person, self.sides, [])
        both = {f"{name}_{what}": f"{name} {what}" for name in SideName for what in ("token", "look", "epoch")}
        Pairing.objects.update(first_contact=False, **both | {f"{name}_epoch": f"{name} store" for name in SideName})
        for of in self.sides:
            for name, side in of.by_name.items():
                side.looks = {side.listed[0].id: Look(f"{name} look")}  # type: ignore[attr-defined]
        self.slices: list[Looked | None] = []

    def side(self, name: SideName, kind: Kind = Kind.EVENT) -> FakeSide:
        """One of the fake sides."""
        [side] = [of.by_name[name] for of in self.sides if of.kind is kind]
        assert isinstance(side, FakeSide)
        return side

    def run_slice(
        self, lease: Lease, run: Run, sides: list[SidesOf], *, looked: Looked | None, **_: Any
    ) -> SliceResult:
        """Stands in for the engine."""
        self.slices.append(looked)
        return SliceResult()

    def serve(self) -> Enrollment:
        """Let a worker serve whoever is due; the person afterwards."""
        assert sync.serve_one(owners.new_owner(), lambda *_: self.sides)
        self.person.refresh_from_db()
        return self.person


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()
    monkeypatch.setattr("syncapp.jobs.sync.run_slice", made.run_slice)
    return made


# Enough ------------------------------------------------------------------------------------------------------------


def test_a_look_that_finds_nothing_leaves_nothing_behind(scene: Scene) -> None:
    before = timezone.now()
    person = scene.serve()
    assert scene.slices == []
    assert not Run.objects.exists()
    assert (person.attempts, person.passes, person.fence, person.lease_owner) == (0, 0, 1, "")
    assert person.last_success is not None
    assert person.last_success >= before
    assert person.due_at > before + MINUTE
    assert not AccountSlot.objects.exclude(owner="").exists()
    for of in scene.sides:
        for name in SideName:
            side = scene.side(name, of.kind)
            assert (len(side.asked), side.closed) == (1, True)


def test_a_look_that_finds_nothing_takes_few_statements(scene: Scene) -> None:
    with CaptureQueriesContext(connection) as captured:
        scene.serve()
    written = [each["sql"] for each in captured if "UPDATE" in each["sql"]]
    # Two for the slot, two for the lease; the last statement is the test's own.
    assert (len(written), len(captured) - 1) == (4, 7 + (connection.vendor == "postgresql"))


def test_a_pairing_that_is_switched_off_is_not_looked_at(scene: Scene) -> None:
    Pairing.objects.filter(kind=Kind.EVENT).update(enabled=False, exchange_token="")
    scene.serve()
    assert scene.slices == []
    assert scene.side(EXCHANGE).asked == []
    assert len(scene.side(EXCHANGE, Kind.CONTACT).asked) == 1


def test_who_is_made_due_during_a_look_is_due_after_it(scene: Scene) -> None:
    asked = timezone.now()
    scene.side(NEXTCLOUD).while_asked = lambda: Enrollment.objects.update(due_at=asked)
    person = scene.serve()
    assert (person.due_at, scene.slices) == (asked, [])


def test_an_attempt_is_counted_and_put_off_before_the_look(scene: Scene) -> None:
    seen: list[tuple[int, bool]] = []

    def note() -> None:
        row = Enrollment.objects.get()
        seen.append((row.attempts, row.due_at > timezone.now()))

    scene.side(EXCHANGE).while_asked = note
    scene.serve()
    assert seen == [(1, True)]


def test_a_lease_that_is_lost_during_a_look_changes_nothing_any_more(scene: Scene) -> None:
    scene.side(EXCHANGE).while_asked = lambda: Enrollment.objects.update(lease_owner="successor", fence=99)
    person = scene.serve()
    assert (person.lease_owner, person.last_success, person.attempts) == ("successor", None, 1)
    assert scene.slices == []
    assert not Run.objects.exists()


def test_an_item_that_waits_for_its_next_try_is_nothing_open(scene: Scene) -> None:
    link = Link.objects.create(
        enrollment=scene.person, kind=Kind.EVENT, dirty=1, not_before=timezone.now() + HOUR, has_problem=True
    )
    report(enrollment=scene.person, link_id=link.pk, level=Problem.Level.ITEM)
    scene.serve()
    assert scene.slices == []
    Link.objects.update(not_before=timezone.now())
    Enrollment.objects.update(due_at=timezone.now() - MINUTE)
    scene.serve()
    assert scene.slices == [None]


# Not enough --------------------------------------------------------------------------------------------------------


def report(**values: Any) -> None:
    """Let there be a problem."""
    fields = {"key": "x", "level": Problem.Level.ENROLLMENT, "code": "x", "text": "x"} | values
    Problem.objects.report(**fields)


WAITING: dict[str, Callable[[Scene], object]] = {
    "a dirty link": lambda scene: Link.objects.create(enrollment=scene.person, kind=Kind.CONTACT, dirty=1),
    "a run without an end": lambda scene: Run.objects.create(enrollment=scene.person, started_at=timezone.now()),
    "a run to be continued": lambda scene: Run.objects.create(
        enrollment=scene.person, started_at=timezone.now(), outcome=Run.Outcome.MORE
    ),
    "a problem of the person": lambda scene: report(enrollment=scene.person),
    "a problem of the account": lambda scene: report(account=scene.account),
    "a problem of Exchange": lambda scene: report(key=troubles.server_key(scene.account.endpoint)),
    "a problem of Nextcloud": lambda scene: report(key=troubles.server_key(resting.NEXTCLOUD)),
    "a rest that is over": lambda scene: ServerRest.objects.create(server=resting.NEXTCLOUD, until=timezone.now()),
    "an account that failed": lambda scene: ServiceAccount.objects.update(failures=1),
    "a failed attempt": lambda scene: Enrollment.objects.update(attempts=1),
    "a refused token": lambda scene: Enrollment.objects.update(token_refused_at=timezone.now() - 2 * HOUR),
    "a first sync": lambda scene: Enrollment.objects.update(first_sync_done_at=None),
    "a full comparison": lambda scene: Enrollment.objects.update(full_comparison_at=timezone.now() - 24 * HOUR),
    "a missing pairing": lambda scene: Pairing.objects.filter(kind=Kind.CONTACT).delete(),
    "another choice": lambda scene: Enrollment.objects.update(calendar="another"),
}


@pytest.mark.parametrize("what", WAITING)
def test_with_something_open_no_look_is_enough(scene: Scene, what: str) -> None:
    WAITING[what](scene)
    scene.serve()
    assert scene.slices == [None]
    assert all(scene.side(name).asked == [] for name in SideName), "the slice looks for itself"


MOVED: dict[str, Callable[[Scene], object]] = {
    "another look": lambda scene: scene.side(EXCHANGE).looks.update({"EX-alice-event": Look("moved")}),
    "a look that cannot tell": lambda scene: scene.side(EXCHANGE).looks.update({"EX-alice-event": Look(None)}),
    "a folder that is gone": lambda scene: scene.side(NEXTCLOUD, Kind.CONTACT).looks.clear(),
    "another store": lambda scene: Pairing.objects.filter(kind=Kind.CONTACT).update(exchange_epoch="former store"),
    "no token": lambda scene: Pairing.objects.filter(kind=Kind.EVENT).update(nextcloud_token=""),
    "no look": lambda scene: Pairing.objects.filter(kind=Kind.EVENT).update(nextcloud_look=""),
}


@pytest.mark.parametrize("what", MOVED)
def test_what_may_have_happened_is_synced_with_what_was_seen(scene: Scene, what: str) -> None:
    MOVED[what](scene)
    scene.serve()
    [looked] = scene.slices
    assert looked is not None
    assert set(looked.seen) == {(kind, name) for kind in Kind for name in SideName}


def test_a_look_that_fails_is_the_persons_problem(scene: Scene) -> None:
    error = Gone("no")
    error.side = NEXTCLOUD
    scene.side(NEXTCLOUD).error = error
    person = scene.serve()
    assert scene.slices == []
    assert Run.objects.get().outcome == Run.Outcome.FAILED
    assert (person.attempts, person.last_success, codes()) == (1, None, ["folder-gone"])
    assert all(scene.side(name).closed for name in SideName)


def test_a_server_that_asks_for_rest_when_it_is_looked_at_gets_it(scene: Scene) -> None:
    error = Throttled(seconds=60, whole_server=True)
    error.side = EXCHANGE
    scene.side(EXCHANGE).error = error
    scene.serve()
    assert ServerRest.objects.get().server == scene.account.endpoint
    assert not sync.serve_one(owners.new_owner(), lambda *_: scene.sides)
