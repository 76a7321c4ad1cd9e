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


def leave(row: Enrollment, reason: Reason, now: dt.datetime, by: str = "", *, keep_access: bool = False) -> bool:
    """End the sync of a person, by themselves or by an admin; whatever was copied stays. False if they left already.

    Their access is given up, unless somebody has something to do with it yet.
    """
    if row.state == _State.LEFT:
        return False
    with transaction.atomic():
        if not life.move(row, _State.LEFT, reason, now, {"token_refused_at": None, "approved": False}, by=by):
            return False
        row.problems.filter(level=Problem.Level.ENROLLMENT).delete()
        Invitation.objects.filter(enrollment=row).delete()
        Grant.objects.filter(enrollment=row).delete()
    if not keep_access:
        give_up_access(row, now)
    return True


def give_up_access(row: Enrollment, now: dt.datetime) -> None:
    """Forget the app password of somebody who left, and have it ended at Nextcloud if it was given to us."""
    password = str(row.token)
    ours = row.origin == Enrollment.Origin.PAGES and bool(password)
    with transaction.atomic():
        left = Enrollment.objects.filter(pk=row.pk, state=_State.LEFT).update(token="")
        if ours and left:
            revocations.ask_for(row.nextcloud_login, password, now)
    if ours and left:
        revocations.run(now)


def readmit(row: Enrollment, now: dt.datetime, by: str) -> bool:
    """Let somebody who left come back, as soon as Nextcloud's list has their app password. Raises NotPossible."""
    if row.state != _State.LEFT:
        raise NotPossible(f"This user has not left: {_State(row.state).label}.")
    if row.origin == Enrollment.Origin.PAGES:
        raise NotPossible("Consent was given on the connector's pages: invite this user again.")
    places.make_due(places.REFRESH)
    return life.move(row, _State.NO_CONSENT, Reason.READMITTED, now, by=by)
