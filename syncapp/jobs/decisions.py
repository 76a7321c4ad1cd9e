"""What admins decide about a person. Each is one conditional change: two clicks change nothing twice."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Q

from syncapp import life
from syncapp.jobs import places, revocations
from syncapp.jobs.addresses import mailbox_of
from syncapp.life import Reason
from syncapp.models import Enrollment, Grant, Invitation, Problem

_State = Enrollment.State


class NotPossible(Exception):
    """It can't be decided so. The text says why, and what to do."""


def approve(enrollment_id: int, mailbox: str, now: dt.datetime, by: str) -> bool:
    """Let a waiting enrollment sync with the mailbox that the admin saw, or be previewed if that comes first.

    False when it does not wait any more, or its mailbox is another one by now: nothing is changed then.
    """
    row = Enrollment.objects.filter(pk=enrollment_id, state=_State.WAITING, mailbox=mailbox).first()
    if row is None:
        return False
    row.approved = True
    still = Q(mailbox=mailbox, nextcloud_uid=row.nextcloud_uid, preview_first=row.preview_first)
    also = {"approved": True, "due_at": now}
    if not life.move(row, row.ready_state, Reason.APPROVED, now, also, by=by, where=still):
        return False
    row.problems.filter(code="granted-by-another").delete()
    return True


def pause(row: Enrollment, now: dt.datetime, by: str) -> bool:
    """Stop the sync of a person until it is resumed. Raises NotPossible."""
    if row.state not in Enrollment.SERVED:
        raise NotPossible(f"This user does not sync now: {_State(row.state).label}.")
    return life.move(row, _State.PAUSED, Reason.PAUSED, now, by=by)


def resume(row: Enrollment, now: dt.datetime, by: str) -> bool:
    """Let a paused person go on. Raises NotPossible."""
    if row.state != _State.PAUSED:
        raise NotPossible(f"This user is not paused: {_State(row.state).label}.")
    moved = row.origin == Enrollment.Origin.APP and mailbox_of(row.listed_address) != row.mailbox
    return life.move(row, _State.HELD if moved else row.ready_state, Reason.RESUMED, now, {"due_at": now}, by=by)


def leave(row: Enrollment, reason: Reason, now: dt.datetime, by: str = "") -> bool:
    """End the sync of a person, by themselves or by an admin; whatever was copied stays. False if they left already.

    The app password is forgotten here, and ended at Nextcloud if it was given to us.
    """
    if row.state == _State.LEFT:
        return False
    login, password = row.nextcloud_login, str(row.token)
    ours = row.origin == Enrollment.Origin.PAGES and password
    with transaction.atomic():
        also = {"token": "", "token_refused_at": None, "approved": False}
        if not life.move(row, _State.LEFT, reason, now, also, by=by):
            return False
        if ours:
            revocations.ask_for(login, password, now)
        row.problems.filter(level=Problem.Level.ENROLLMENT).delete()
        Invitation.objects.filter(enrollment=row).delete()
        Grant.objects.filter(enrollment=row).delete()
    if ours:
        revocations.run(now)
    return True


def readmit(row: Enrollment, now: dt.datetime, by: str) -> bool:
    """Let somebody who left come back, as soon as Nextcloud's list has their app password. Raises NotPossible."""
    if row.state != _State.LEFT:
        raise NotPossible(f"This user has not left: {_State(row.state).label}.")
    if row.origin == Enrollment.Origin.PAGES:
        raise NotPossible("Consent was given on the connector's pages: invite this user again.")
    places.make_due(places.REFRESH)
    return life.move(row, _State.NO_CONSENT, Reason.READMITTED, now, by=by)
