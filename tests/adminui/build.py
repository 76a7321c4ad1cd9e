"""Rows for tests of pages, made with plain constructors; every argument that matters to a test is stated there."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from syncapp.items import Kind
from syncapp.jobs import places
from syncapp.models import Enrollment, Heartbeat, Hold, Link, Pairing, Problem, Run, ServiceAccount

PASSWORD = "a password of tests"


def ago(**span: float) -> dt.datetime:
    """A moment in the past."""
    return timezone.now() - dt.timedelta(**span)


def admin(name: str = "ada") -> User:
    """An administrator of the connector."""
    return User.objects.create_user(name, password=PASSWORD, is_staff=True)


def heartbeat(at: dt.datetime | None = None) -> None:
    """The signs of life of the dispatcher and of a worker."""
    for name in (places.DISPATCHER, places.place_name(1)):
        Heartbeat.objects.create(name=name, at=at or timezone.now())


def account(name: str = "Exchange 2019") -> ServiceAccount:
    """A service account."""
    return ServiceAccount.objects.create(
        name=name, endpoint="https://mail.example.org/EWS/Exchange.asmx", username="svc", password="secret"
    )


def user(uid: str, *, state: str = Enrollment.State.ACTIVE, **values: Any) -> Enrollment:
    """An enrollment that succeeded a minute ago."""
    values = {
        "nextcloud_login": uid,
        "display_name": uid.title(),
        "mailbox": f"{uid}@example.org",
        "listed_address": f"{uid}@example.org",
        "token": "a token",
        "due_at": timezone.now() + dt.timedelta(minutes=4),
        "last_success": ago(minutes=1),
        "first_sync_done_at": ago(days=2),
        **values,
    }
    return Enrollment.objects.create(nextcloud_uid=uid, state=state, **values)


def waiting(uid: str, **values: Any) -> Enrollment:
    """An enrollment that waits for approval."""
    values = {"last_success": None, "first_sync_done_at": None, "due_at": timezone.now(), **values}
    return user(uid, state=Enrollment.State.WAITING, **values)


def links(enrollment: Enrollment, in_step: int, dirty: int = 0, left_out: int = 0) -> None:
    """Items of an enrollment: agreed ones, ones with something to do, ones outside the window."""
    base = {"exchange_base": b"e", "nextcloud_base": b"n"}
    Link.objects.bulk_create(
        [Link(enrollment=enrollment, kind=Kind.EVENT, **base) for _ in range(in_step)]
        + [Link(enrollment=enrollment, kind=Kind.EVENT, dirty=1, **base) for _ in range(dirty)]
        + [Link(enrollment=enrollment, kind=Kind.EVENT) for _ in range(left_out)]
    )


def pairing(enrollment: Enrollment, kind: Kind = Kind.EVENT) -> Pairing:
    """A pairing of the user's default folders."""
    return Pairing.objects.create(
        enrollment=enrollment,
        kind=kind.value,
        exchange_folder=f"folder of {kind.value}s",
        nextcloud_folder=f"/{kind.value}s/{enrollment.nextcloud_uid}/",
        first_listed_at=ago(days=2),
    )


def run(enrollment: Enrollment, **values: Any) -> Run:
    """A run that ended well two minutes ago, unless ``values`` say otherwise."""
    started_at = values.pop("started_at", ago(minutes=2))
    values = {
        "started_at": started_at,
        "finished_at": started_at + dt.timedelta(seconds=4),
        "outcome": Run.Outcome.DONE,
        **values,
    }
    return Run.objects.create(enrollment=enrollment, **values)


def running(enrollment: Enrollment, **values: Any) -> Run:
    """A run under way."""
    return run(enrollment, **{"started_at": ago(seconds=20), "finished_at": None, "outcome": "", **values})


def problem(key: str, code: str = "login-failed", **values: Any) -> Problem:
    """A problem that an administrator must solve, unless ``values`` say otherwise."""
    values = {
        "level": Problem.Level.ENROLLMENT,
        "text": f"Something about {code} is wrong.",
        "remedy": f"Do this about {code}.",
        **values,
    }
    return Problem.objects.report(key, code=code, **values)


def holds(enrollment: Enrollment, count: int) -> list[Hold]:
    """Deletions of calendar items on Nextcloud that wait for a decision."""
    of = enrollment.pairings.filter(kind=Kind.EVENT).first() or pairing(enrollment)
    return [
        Hold.objects.create(
            enrollment=enrollment,
            pairing=of,
            link=Link.objects.create(enrollment=enrollment, kind=Kind.EVENT),
            side="nextcloud",
            reason=Hold.Reason.MANY,
            survivor=b"survivor",
            at=timezone.now(),
        )
        for _ in range(count)
    ]
