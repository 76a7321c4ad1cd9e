"""Several real worker processes on one database, SQLite or PostgreSQL, and what they must not do to each other.

The servers are files (``tests.e2e.shelf``): here the database is at stake, HTTP is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django_q.models import Schedule

from adminui.actions import decide
from connector_project.env import BASE_DIR
from lab.chaos.server import Stored
from lab.chaos.town import event, title_of
from syncapp.engine.lease import TAKEOVER_SECONDS
from syncapp.items import Event
from syncapp.jobs import accounts, accounts_file, leases, places, refresh, sync
from syncapp.models import AccountSlot, Enrollment, Heartbeat, Hold, Link, Problem, Run, ServiceAccount
from syncapp.side import SideName
from tests.e2e.racing import Habit
from tests.e2e.shelf import PATIENCE, Gate, Observer, Shelf
from tests.leases import claim_now

pytestmark = pytest.mark.django_db(transaction=True)

EXCHANGE, NEXTCLOUD = SideName.EXCHANGE, SideName.NEXTCLOUD
TROUBLE = re.compile(r"lock(ed)?\b|deadlock|Error|Traceback|failed|sudden death", re.IGNORECASE)


class Place:
    """Enrolled people, their houses, and the worker processes that serve them."""

    def __init__(self, folder: Path, slots: dict[str, int], people: int) -> None:
        self.folder = folder
        self.observer, self.gate = Observer(folder), Gate(folder)
        self._log = folder / "log"
        self._running: list[subprocess.Popen[bytes]] = []
        listed = [{"Name": name, "Username": name, "Password": "pw", "MaxConnections": n} for name, n in slots.items()]
        (folder / "admins.json").write_text(json.dumps(listed))
        (folder / "admins.json").chmod(0o600)
        accounts.import_accounts(accounts_file.read_file(folder / "admins.json"))
        self.people = [self._enroll(f"person{number}") for number in range(people)]
        self.shelves = {row.pk: Shelf(folder, row.nextcloud_uid) for row in self.people}

    def _enroll(self, uid: str) -> Enrollment:
        return Enrollment.objects.create(
            nextcloud_uid=uid, nextcloud_login=uid, token=f"token-of-{uid}", mailbox=f"{uid}@lab.example",
            listed_address=f"{uid}@lab.example", state=Enrollment.State.ACTIVE, due_at=timezone.now(),
        )  # fmt: skip

    # Processes

    def start(self, *arguments: str, habit: Habit = Habit.NONE, workers: int = 4) -> subprocess.Popen[bytes]:
        """Start ``tests.e2e.racing``."""
        what, *rest = arguments
        command = [sys.executable, "-m", "tests.e2e.racing", what, str(self.folder), *rest]
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, cwd=BASE_DIR, env=self._environment(habit, workers),
                                       stdout=log, stderr=log, start_new_session=True)  # fmt: skip
        self._running.append(process)
        return process

    def _environment(self, habit: Habit, workers: int) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "connector_project.settings",
            "DATABASE_URL": database_url(),
            "SERVICE_ACCOUNTS_FILE": str(self.folder / "admins.json"),
            "ADDRESSES_ARE_MANAGED": "yes",
            "WORKERS": str(workers),
            "SYNC_INTERVAL": "1",
            "REFRESH_INTERVAL": "5",
            "WINDOW_DAYS_BACK": "36500",
            "HABIT": habit,
        }

    def race(self, workers: int, slices: int, habit: Habit = Habit.NONE) -> None:
        """Let workers serve so many slices each."""
        assert self.start("race", str(workers), str(slices), habit=habit).wait(PATIENCE) == 0, self.log()[-3000:]

    def end(self) -> None:
        """End whatever still runs, workers of a killed parent included."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self) -> str:
        """What the processes said."""
        return self._log.read_text()

    def trouble(self) -> list[str]:
        """The lines of the log that tell of trouble."""
        return [line for line in self.log().splitlines() if TROUBLE.search(line)]

    def wait_for(self, what: str, happened: Callable[[], object]) -> None:
        """Wait until something has happened; the log says what did instead."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s\n{self.log()[-3000:]}"
            time.sleep(0.1)

    # People

    def create(self, person: Enrollment, name: SideName, *titles: str) -> None:
        """Let a person create events."""
        shelf = self.shelves[person.pk]
        with shelf.open() as house:
            for title in titles:
                house.person(name).create(shelf.folders[name], event(title))

    def rename(self, person: Enrollment, name: SideName, old: str, new: str) -> None:
        """Let a person give an event another title."""
        with self.shelves[person.pk].open() as house:
            [stored] = [each for each in house.living(name) if title_of(each.item) == old]
            house.person(name).edit(stored.id, lambda item: replace(item, title=new))

    def titles(self, person: Enrollment, name: SideName) -> list[str]:
        """The titles of a person's events, sorted."""
        with self.shelves[person.pk].open() as house:
            return sorted(title_of(each.item) for each in house.living(name))

    def in_step(self, person: Enrollment) -> bool:
        """Whether both sides hold the same, and nothing is left to be done."""
        rest = Link.objects.filter(enrollment=person).exclude(Link.in_step()).exists()
        return not rest and self.titles(person, EXCHANGE) == self.titles(person, NEXTCLOUD)


def database_url() -> str:
    """The database of the tests, as other processes name it."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    server, _, _ = os.environ["TEST_DATABASE_URL"].rpartition("/")
    return f"{server}/{connection.settings_dict['NAME']}"


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes the place of a test; its processes end with it."""
    made: list[Place] = []

    def make(people: int = 1, slots: dict[str, int] | None = None) -> Place:
        made.append(Place(tmp_path, slots or {"account": 8}, people))
        return made[-1]

    yield make
    for place in made:
        place.end()


MakePlace = Callable[..., Place]


# One enrollment, one worker ------------------------------------------------------------------------------------------


def test_workers_share_enrollments_and_slots_without_a_collision(make_place: MakePlace) -> None:
    place = make_place(people=3, slots={"wide": 2, "narrow": 1})
    for person in place.people:
        place.create(person, EXCHANGE, *(f"Exchange {number}" for number in range(5)))
        place.create(person, NEXTCLOUD, *(f"Nextcloud {number}" for number in range(5)))
    workers = meet(place, workers=5, slices=12, others=20)
    assert workers.wait(PATIENCE) == 0
    assert len(place.observer.stays()) == 60
    assert place.observer.most_at_one_enrollment() == 1
    for account in ServiceAccount.objects.all():
        assert place.observer.most_with_account(account.pk) <= account.max_connections
    assert place.trouble() == []
    assert all(place.in_step(person) for person in place.people)
    assert Link.objects.count() == 30
    assert_all_is_given_back()


def test_the_observer_sees_workers_who_take_the_leases_of_others(make_place: MakePlace) -> None:
    place = make_place(people=1)
    workers = meet(place, workers=2, slices=2, others=1, habit=Habit.TAKE_LEASES)
    assert workers.wait(PATIENCE) == 0
    assert place.observer.most_at_one_enrollment() > 1


def test_the_observer_sees_workers_who_take_the_slots_of_others(make_place: MakePlace) -> None:
    place = make_place(people=2, slots={"account": 1})
    workers = meet(place, workers=2, slices=2, others=1, habit=Habit.TAKE_SLOTS)
    assert workers.wait(PATIENCE) == 0
    assert place.observer.most_with_account(ServiceAccount.objects.get().pk) > 1
    assert place.observer.most_at_one_enrollment() == 1


def meet(place: Place, *, workers: int, slices: int, others: int, habit: Habit = Habit.NONE) -> subprocess.Popen[bytes]:
    """Let workers race, one of which stays in the middle of its slice until the others have begun so many."""
    place.gate.close("exchange epoch")
    racing = place.start("race", str(workers), str(slices), habit=habit)
    place.wait_for("a worker in its slice", place.gate.waiting)
    place.wait_for("the others", lambda: len(place.observer.stays()) > others)
    place.gate.open()
    return racing


# Dirt ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("habit", [Habit.NONE, Habit.FORGET_NEWER_DIRT])
def test_dirt_that_another_process_adds_during_a_slice_is_worked_on(make_place: MakePlace, habit: Habit) -> None:
    place = make_place()
    [person] = place.people
    place.create(person, EXCHANGE, "First")
    place.race(workers=1, slices=2)
    place.rename(person, EXCHANGE, "First", "Second")

    place.gate.close("nextcloud update")
    worker = place.start("race", "1", "3", habit=habit)
    place.wait_for("the worker writes", place.gate.waiting)
    change_unheard(place, person, "Third")
    Link.objects.get().mark()
    place.gate.open()

    assert worker.wait(PATIENCE) == 0
    expected = "Third" if habit is Habit.NONE else "Second"
    assert place.titles(person, NEXTCLOUD) == [expected]
    assert place.trouble() == []


def change_unheard(place: Place, person: Enrollment, title: str) -> None:
    """A change of which no token tells: only a dirty mark leads to it."""
    with place.shelves[person.pk].open() as house:
        [stored] = house.living(EXCHANGE)
        assert isinstance(stored.item, Event)
        changed: Stored = replace(stored, item=replace(stored.item, title=title), revision="unheard of")
        house.exchange.state.objects[stored.id] = changed


# Clusters ------------------------------------------------------------------------------------------------------------


def test_two_clusters_that_start_at_once_serve_everybody_together(make_place: MakePlace) -> None:
    place = make_place(people=4, slots={"account": 3})
    clusters = [place.start("cluster"), place.start("cluster")]
    place.wait_for("the first slices", lambda: Enrollment.objects.filter(last_success=None).count() == 0)
    for number in range(6):
        for person in place.people:
            place.create(person, EXCHANGE if number % 2 else NEXTCLOUD, f"Event {number}")
            Enrollment.objects.filter(pk=person.pk).update(due_at=timezone.now())
        for pk in Link.objects.values_list("pk", flat=True):
            Link.objects.filter(pk=pk).update(dirty=F("dirty") + 1)
        refresh.import_file()
    place.wait_for("everything to be in step", lambda: all(map(place.in_step, place.people)))
    for cluster in clusters:
        cluster.terminate()
    assert [cluster.wait(PATIENCE) for cluster in clusters] == [0, 0]

    assert all(place.titles(person, NEXTCLOUD) == [f"Event {n}" for n in range(6)] for person in place.people)
    assert Link.objects.count() == 24
    assert place.observer.most_at_one_enrollment() == 1
    assert place.observer.most_with_account(ServiceAccount.objects.get().pk) <= 3
    assert place.trouble() == []
    assert not Problem.objects.exists()
    assert Schedule.objects.count() == 1
    assert_all_is_given_back()


def test_the_workers_of_a_killed_parent_do_no_harm(make_place: MakePlace) -> None:
    place = make_place()
    [person] = place.people
    titles = [f"Event {number}" for number in range(6)]
    place.create(person, NEXTCLOUD, *titles)
    place.gate.close("exchange create")
    killed = place.start("cluster", workers=1)
    place.wait_for("a worker writes", place.gate.waiting)
    orphan = place.gate.waiting()
    killed.kill()
    killed.wait()
    fence = Enrollment.objects.get().fence

    let_the_place_lapse()
    successor = place.start("cluster", workers=1)
    place.wait_for("the place to be taken", lambda: f":{orphan}:" not in only_place().owner)
    taken = only_place().at
    place.wait_for("a look for work", lambda: only_place().at > taken + timedelta(seconds=sync.IDLE_SECONDS))
    assert Enrollment.objects.get().fence == fence, "the lease of a living orphan was taken"

    let_the_lease_lapse()
    place.wait_for("the successor's sync", lambda: place.titles(person, EXCHANGE) == titles)
    place.wait_for("the successor's end", lambda: place.in_step(person))
    os.kill(orphan, 0)
    place.gate.open()
    place.wait_for("the orphan's end", lambda: "lease lost" in place.log())
    Enrollment.objects.update(due_at=timezone.now())
    place.wait_for("late copies to go", lambda: place.titles(person, EXCHANGE) == titles and place.in_step(person))
    successor.terminate()
    assert successor.wait(PATIENCE) == 0
    assert place.titles(person, NEXTCLOUD) == titles
    assert Link.objects.count() == len(titles)
    assert Run.objects.filter(outcome=Run.Outcome.LOST).count() == 1
    assert not Problem.objects.exists()


def let_the_place_lapse() -> None:
    """As much time passes as the place of a silent worker is kept for it."""
    Heartbeat.objects.filter(pk=only_place().pk).update(at=timezone.now() - 2 * places.STALE_AFTER)


def let_the_lease_lapse() -> None:
    """As much time passes as the lease of a silent worker lasts."""
    past = timezone.now() - timedelta(seconds=2 * TAKEOVER_SECONDS)
    Enrollment.objects.update(lease_until=past, due_at=past)


def only_place() -> Heartbeat:
    """The place of the only worker."""
    return Heartbeat.objects.get(name=places.place_name(1))


# Decisions -----------------------------------------------------------------------------------------------------------


def test_an_admin_who_decides_during_a_workers_commit_waits_for_its_end(make_place: MakePlace) -> None:
    place = make_place()
    [person] = place.people
    place.create(person, EXCHANGE, "Held")
    place.race(workers=1, slices=1)
    link = Link.objects.get()
    assert link.pairing_id is not None
    held = Hold.objects.create(enrollment=person, pairing_id=link.pairing_id, link=link, side=EXCHANGE,
                               reason=Hold.Reason.MANY, survivor=b"", at=timezone.now())  # fmt: skip
    lease = claim_now(person.pk, "a worker", leases.LEASE_SECONDS)
    assert lease is not None
    with ThreadPoolExecutor(1) as admin:
        with transaction.atomic():
            lease.hold()
            decided = admin.submit(in_a_thread, decide, person.pk, Q(), True, timezone.now(), 1)
            place.wait_for("the admin to wait", somebody_waits)
            held.delete()
        assert decided.result(PATIENCE) == 0


def in_a_thread(work: Callable[..., int], *arguments: object) -> int:
    """Do it with a connection of the thread's own."""
    try:
        return work(*arguments)
    finally:
        connection.close()


def somebody_waits() -> bool:
    """Whether a connection waits for a lock; SQLite, where all writers wait for each other, does not tell."""
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


# What is left --------------------------------------------------------------------------------------------------------


def assert_all_is_given_back() -> None:
    """Nobody holds anything after everybody went home."""
    assert not Enrollment.objects.exclude(lease_owner="").exists()
    assert not AccountSlot.objects.exclude(owner="").exists()
    assert not Heartbeat.objects.exclude(owner="").exists()
    assert not Run.objects.filter(outcome="").exists()
