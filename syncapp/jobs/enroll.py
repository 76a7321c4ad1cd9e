"""One person of the consent app's list becomes, or changes, one enrollment.

Nobody syncs with a mailbox just because they say that it is theirs (docs/server-behaviour.md, section 1.6).
"""

from __future__ import annotations

import datetime as dt
from copy import copy
from dataclasses import dataclass, field

from django.conf import settings
from django.db import IntegrityError, transaction

from syncapp import life
from syncapp.jobs.addresses import LONGEST, mailbox_of, starts_by_itself
from syncapp.life import Reason
from syncapp.models import Enrollment, Problem
from syncapp.nextcloud.consent import Person

_State = Enrollment.State
_INTERRUPTED = (_State.ABSENT, _State.NO_CONSENT, _State.HELD, _State.PAUSED)
"""Where a new token may be that of another person, behind the same account name as before."""
UNSETTLED = (_State.WAITING, _State.NO_MAILBOX, _State.LATER)
"""Where, before the first sync, the mailbox follows the address."""


@dataclass
class Course:
    """What becomes of somebody: the next state, if it is another one, and why; and what is wrong with the address."""

    state: str = ""
    reason: Reason = Reason.LISTED
    values: dict[str, object] = field(default_factory=dict)
    wrong: str = ""


def take(row: Enrollment | None, person: Person, token: str | None, now: dt.datetime, *, in_pilot: bool = True) -> None:
    """Bring one enrollment up to date, or begin a new one. ``token`` is None when it could not be opened.

    Whoever's token cannot be opened keeps the one that is known; a new person waits until it can. Whoever left, or gave
    consent on the connector's own pages, is not the list's to change.
    """
    if row is None:
        if token is not None:
            _begin(person, token, now, in_pilot=in_pilot)
        return
    if row.state == _State.LEFT or row.origin == Enrollment.Origin.PAGES:
        return
    known, row = row, copy(row)
    values = _facts(person)
    renewed = token is not None and token != row.token
    if renewed:
        values |= {"token": token, "token_refused_at": None, "due_at": now}
        row.problems.filter(code__in=("token-refused", "no-consent")).delete()
        if row.state in _INTERRUPTED and not starts_by_itself(row.mailbox or ""):
            values["approved"] = row.approved = False
    unsettled = row.state in UNSETTLED and not row.pairings.exists()
    course = _unsettled(row, person, in_pilot=in_pilot) if unsettled else _settled(row, person, renewed=renewed)
    values |= course.values
    _apply(known, course, {name: value for name, value in values.items() if getattr(known, name) != value}, now)


def let_begin(row: Enrollment, now: dt.datetime) -> None:
    """Let somebody begin who gave consent on the connector's pages before they belonged to the pilot."""
    course = first(row, row.listed_address, in_pilot=True)
    course.reason = Reason.IN_PILOT
    _apply(row, course, course.values, now)


def _facts(person: Person) -> dict[str, object]:
    """What the list says and nobody has to judge."""
    return {
        "nextcloud_login": person.login,
        "display_name": person.display_name,
        "calendar": person.calendar,
        "address_book": person.address_book,
        "listed_address": person.email.lower()[:LONGEST],
    }


def _apply(row: Enrollment, course: Course, changed: dict[str, object], now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            # An admin may have decided meanwhile; then the next reading of the list looks again.
            if course.state:
                if not life.move(row, course.state, course.reason, now, {"due_at": now, **changed}):
                    return
                row.problems.filter(code__in=list(_WRONG)).delete()
            elif changed:
                Enrollment.objects.filter(pk=row.pk, state=row.state).update(**changed)
    except IntegrityError:
        report(row, "mailbox-taken")  # somebody else was faster
        return
    if course.wrong:
        report(row, course.wrong)


def _begin(person: Person, token: str, now: dt.datetime, *, in_pilot: bool) -> None:
    row = Enrollment(
        nextcloud_uid=person.uid, token=token, preview_first=settings.PREVIEW_FIRST, due_at=now, **_facts(person)
    )
    # If somebody else was faster, the next reading of the list looks again.
    start(row, person.email, Reason.LISTED, now, in_pilot=in_pilot)


def start(row: Enrollment, email: str, reason: Reason, now: dt.datetime, *, in_pilot: bool) -> bool:
    """Store somebody new where they stand. False if account or mailbox have been taken in between."""
    course = first(row, email, in_pilot=in_pilot)
    for name, value in course.values.items():
        setattr(row, name, value)
    row.state = course.state
    try:
        life.begin(row, reason, now)
    except IntegrityError:
        return False
    if course.wrong:
        report(row, course.wrong)
    return True


def first(row: Enrollment, email: str, *, in_pilot: bool) -> Course:
    """Where somebody stands of whom nothing is decided. Outside the pilot nobody reserves a mailbox."""
    if not in_pilot:
        return Course(_State.LATER, values={"mailbox": None, "approved": False})
    mailbox = mailbox_of(email)
    wrong = _wrong_with(row, email, mailbox)
    if wrong:
        return Course(_State.NO_MAILBOX, values={"mailbox": None, "approved": False}, wrong=wrong)
    row.approved = starts_by_itself(mailbox or "")
    return Course(row.ready_state, values={"mailbox": mailbox, "approved": row.approved})


def _unsettled(row: Enrollment, person: Person, *, in_pilot: bool) -> Course:
    """Before anything was paired, the mailbox follows the address; what an admin has not decided stays undecided."""
    if row.state == _State.LATER and not in_pilot:
        return Course()
    if row.state == _State.WAITING and mailbox_of(person.email) == row.mailbox:
        return Course()
    # Who has begun to wait goes on waiting when the pilot becomes smaller.
    course = first(row, person.email, in_pilot=True)
    if course.state == row.state == _State.NO_MAILBOX:
        return Course(wrong=course.wrong)
    if row.state == _State.LATER:
        course.reason = Reason.IN_PILOT
    else:
        course.reason = Reason.NO_ADDRESS if course.state == _State.NO_MAILBOX else Reason.ADDRESS_FOUND
    return course


def _settled(row: Enrollment, person: Person, *, renewed: bool) -> Course:
    """Once approved, no address points an enrollment at another mailbox: it is held until the former one is back."""
    same = mailbox_of(person.email) == row.mailbox
    back = row.state == _State.ABSENT or (row.state == _State.NO_CONSENT and renewed)
    if back and row.mailbox is None:
        course = first(row, person.email, in_pilot=True)
        course.reason = Reason.CONSENTED_AGAIN if renewed else Reason.LISTED_AGAIN
        return course
    if not same and (back or row.state in (_State.WAITING, _State.HELD, *Enrollment.SERVED)):
        state = "" if row.state == _State.HELD else _State.HELD
        return Course(state, Reason.ADDRESS_CHANGED, wrong="address-changed")
    if back or (row.state == _State.PAUSED and renewed and not row.approved):
        return Course(row.ready_state, Reason.CONSENTED_AGAIN if renewed else Reason.LISTED_AGAIN)
    if row.state == _State.HELD:
        return Course(row.ready_state, Reason.ADDRESS_BACK)
    return Course()


# What may be wrong with an address -----------------------------------------------------------------------------------

_WRONG = {
    "no-address": (
        "This user has no e-mail address in Nextcloud, by which the mailbox would be found.",
        "Enter the address of the mailbox in Nextcloud.",
    ),
    "address-unusable": (
        "The e-mail address of this user in Nextcloud is none that is taken for that of a mailbox.",
        "Enter the primary address of the mailbox in Nextcloud: plain letters and digits, without a name around it.",
    ),
    "mailbox-taken": (
        "Another user already syncs with the mailbox that belongs to this user's e-mail address.",
        "Find out in Nextcloud whose address it is; two users cannot share a mailbox.",
    ),
    "address-changed": (
        "The e-mail address of this user in Nextcloud has changed. Nothing syncs until somebody looks at it.",
        "If the person still owns the mailbox, put the former address back in Nextcloud.",
    ),
}


def _wrong_with(row: Enrollment, email: str, mailbox: str | None) -> str:
    if not email:
        return "no-address"
    if mailbox is None:
        return "address-unusable"
    return "mailbox-taken" if Enrollment.objects.filter(mailbox=mailbox).exclude(pk=row.pk).exists() else ""


def report(row: Enrollment, code: str) -> None:
    """Say what is wrong with an address; a person has one such problem at a time."""
    text, remedy = _WRONG[code]
    Problem.objects.report(
        f"enrollment:{row.pk}:address",
        level=Problem.Level.ENROLLMENT,
        code=code,
        text=text,
        remedy=remedy,
        enrollment=row,
    )
