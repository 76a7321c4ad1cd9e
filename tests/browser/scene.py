"""A small organisation on an ordinary morning: what the pictures show."""

from __future__ import annotations

import datetime as dt

from django.core.cache import cache

from syncapp.items import Kind
from syncapp.models import Enrollment, Problem, Run, RunLine
from tests.adminui import build

_PEOPLE = (
    ("anna.berger", "Anna Berger", 412, 3),
    ("carlos.ortega", "Carlos Ortega", 388, 11),
    ("dilara.yilmaz", "Dilara Yılmaz", 207, 0),
    ("erik.lindqvist", "Erik Lindqvist", 96, 1),
    ("fatima.haddad", "Fatima Haddad", 1264, 24),
)


def ordinary_morning() -> dict[str, Enrollment]:
    """Five people in step and one in a first sync."""
    cache.clear()  # totals of the empty installation
    build.heartbeat()
    service = build.account()
    found = {}
    for number, (uid, name, items, moved) in enumerate(_PEOPLE, start=1):
        person = build.user(uid, display_name=name, account=service, last_success=build.ago(seconds=50 * number))
        build.links(person, items)
        build.run(person, started_at=build.ago(minutes=number), updated=moved)
        found[uid] = person
    first = build.user(
        "grace.mwangi", display_name="Grace Mwangi", account=service, last_success=None, first_sync_done_at=None
    )
    build.links(first, 318, dirty=204)
    build.running(first, started_at=build.ago(seconds=41), created=281, adopted=37, pending=204)
    return found | {"grace.mwangi": first}


def newcomer() -> Enrollment:
    """Somebody who waits for approval."""
    return build.waiting("henrik.olsen", display_name="Henrik Olsen")


def refused_event(person: Enrollment) -> Problem:
    """One item that a server does not take."""
    return build.problem(
        f"refused:{person.pk}",
        "refused",
        level=Problem.Level.ITEM,
        actor=Problem.Actor.USER,
        text="Nextcloud refuses an event that repeats more than 3500 times.",
        remedy="The user can give the series an end date, in Outlook or in Nextcloud.",
        enrollment=person,
    )


def denied_mailbox(person: Enrollment) -> Problem:
    """One mailbox that the service account may not open."""
    return build.problem(
        f"impersonation:{person.pk}",
        "impersonation-denied",
        text="The service account may not act on this mailbox.",
        remedy="In Exchange, give the account the role ApplicationImpersonation for this mailbox.",
        enrollment=person,
    )


def run_with_log(person: Enrollment) -> Run:
    """A finished run and its lines."""
    build.pairing(person)
    build.pairing(person, Kind.CONTACT)
    start = build.ago(minutes=9)
    run = build.run(person, started_at=start, finished_at=start + dt.timedelta(seconds=6), created=1, updated=1)
    lines = [
        RunLine(run=run, at=start, code="collected", note="2 on Exchange, 0 on Nextcloud"),
        RunLine(run=run, at=start + dt.timedelta(seconds=3), code="created", side="nextcloud", link_id=418),
        RunLine(
            run=run,
            at=start + dt.timedelta(seconds=5),
            code="updated",
            side="nextcloud",
            link_id=92,
            fields="location title",
        ),
    ]
    RunLine.objects.bulk_create(lines)
    return run


def held_deletions(person: Enrollment) -> None:
    """A calendar that somebody emptied in Outlook, as the guard found it."""
    build.holds(person, 23)
    build.problem(
        f"enrollment:{person.pk}:held",
        "held",
        text="23 deletions wait for your decision: they are more than usual, or one side turned empty.",
        remedy="Approve them if they are meant, or refuse them to put the items back.",
        enrollment=person,
    )
