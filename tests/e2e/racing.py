"""The processes of the race tests: the connector's own workers, with servers from the shelf in place of HTTP.

``python -m tests.e2e.racing cluster FOLDER`` is ``manage.py qcluster``. ``... race FOLDER WORKERS SLICES`` forks
workers that serve whoever is due, without a pause, until each has served so many slices. The variable HABIT names
something that workers must not do, by which tests show that they would notice: see ``Habit``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import uuid
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncapp.jobs.sides import Build
    from syncapp.models import Enrollment, ServiceAccount
    from syncapp.side import SidesOf

_DWELL = 0.003
"""What the shortest request takes: otherwise slices would be over before anybody could meet them."""


class Habit(StrEnum):
    """How racing workers may misbehave; they take what others hold once somebody waits at the gate."""

    NONE = "none"
    TAKE_LEASES = "take-leases"
    TAKE_SLOTS = "take-slots"
    FORGET_NEWER_DIRT = "forget-newer-dirt"


def builder(folder: Path) -> Build:
    """Builds the sides of a person from the shelf, and tells the observer when they are there and when they close."""
    from syncapp.jobs.sides import named
    from syncapp.side import SideName, SidesOf
    from tests.e2e.shelf import KIND, Gate, Observer, SharedSide, Shelf

    observer, gate = Observer(folder), Gate(folder)

    class Observed(SharedSide):
        """The last of a person's sides to be closed."""

        left: tuple[str, int, int]

        def close(self) -> None:
            """See ``Side.close``."""
            observer.note("end", *self.left)

    def build(enrollment: Enrollment, account: ServiceAccount) -> list[SidesOf]:
        visit = (uuid.uuid4().hex, enrollment.pk, account.pk)
        observer.note("begin", *visit)
        time.sleep(_DWELL)
        shelf = Shelf(folder, enrollment.nextcloud_uid)
        last = Observed(shelf, SideName.NEXTCLOUD, gate)
        last.left = visit
        return [SidesOf(KIND, named(shelf.side(SideName.EXCHANGE, gate)), named(last))]

    return build


def _forget_newer_dirt() -> None:
    """Clear dirt whatever its counter says (docs/architecture.md, rule 20)."""
    from syncapp.models import Link
    from syncapp.models.link import LinkManager

    def clean(self: LinkManager, read: Iterable[tuple[int, int]]) -> None:
        Link.objects.filter(pk__in=[pk for pk, _ in read]).update(dirty=0)

    LinkManager.clean = clean  # type: ignore[method-assign]


def _take(habit: Habit) -> None:
    """Take what others hold."""
    from syncapp.models import AccountSlot, Enrollment

    if habit is Habit.TAKE_LEASES:
        Enrollment.objects.update(lease_owner="")
    elif habit is Habit.TAKE_SLOTS:
        AccountSlot.objects.update(owner="")


def _race(folder: Path, slices: int, habit: Habit) -> None:
    from django.utils import timezone

    from syncapp.jobs import owners, sync
    from syncapp.models import Enrollment
    from tests.e2e.shelf import Gate

    build, gate, served = builder(folder), Gate(folder), 0
    everybody = list(Enrollment.objects.order_by("pk").values_list("pk", flat=True))
    while served < slices:
        for pk in everybody:
            Enrollment.objects.filter(pk=pk).update(due_at=timezone.now())
        if gate.waiting():
            _take(habit)
        served += sync.serve_one(owners.new_owner(), build)


def race(folder: Path, workers: int, slices: int, habit: Habit) -> int:
    """Fork the workers and wait for them; 1 when one of them failed."""
    from django.db import connections

    if habit is Habit.FORGET_NEWER_DIRT:
        _forget_newer_dirt()
    connections.close_all()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_race, args=(folder, slices, habit)) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return int(any(process.exitcode for process in processes))


def cluster(folder: Path) -> int:
    """``manage.py qcluster``; Nextcloud's list is what is enrolled."""
    from django.conf import settings
    from django.core.management import call_command

    from lab.nextcloud.consent import encrypt
    from syncapp.jobs import refresh, sides
    from syncapp.models import Enrollment
    from syncapp.nextcloud.consent import Person
    from tests.jobs.fakes import FakeConsentApp

    def connect() -> FakeConsentApp:
        return FakeConsentApp([listed(row) for row in Enrollment.objects.order_by("pk")])

    def listed(row: Enrollment) -> Person:
        token = encrypt(str(row.token), settings.SHARED_SECRET)
        return Person(row.nextcloud_uid, row.nextcloud_login, token, str(row.mailbox))

    sides.build = builder(folder)  # type: ignore[assignment]
    refresh.connect = connect
    call_command("qcluster")
    return 0


def main(what: str, folder: str, *numbers: str) -> int:
    """Do what the module's docstring says."""
    import django

    django.setup()
    if what == "cluster":
        return cluster(Path(folder))
    workers, slices = map(int, numbers)
    return race(Path(folder), workers, slices, Habit(os.environ["HABIT"]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
