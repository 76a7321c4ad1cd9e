"""Invitations: a link for one person, whose account and mailbox an admin has named together."""

from __future__ import annotations

import datetime as dt
import secrets

from django.conf import settings
from django.db import IntegrityError, transaction

from syncapp import life
from syncapp.jobs.addresses import mailbox_of
from syncapp.jobs.decisions import NotPossible
from syncapp.life import Reason
from syncapp.models import Enrollment, Invitation
from syncapp.models.grant import digest_of

_State = Enrollment.State
_SECRET_BYTES = 32


def invite(uid: str, address: str, now: dt.datetime, by: str) -> str:
    """The secret part of a new link for the account ``uid`` with a mailbox; earlier links stop working.

    Raises NotPossible.
    """
    mailbox = mailbox_of(address)
    if mailbox is None:
        raise NotPossible(f"{address} is no address that is taken for that of a mailbox.")
    try:
        with transaction.atomic():
            row = _invited(uid, mailbox, now, by)
            secret = secrets.token_urlsafe(_SECRET_BYTES)
            Invitation.objects.filter(enrollment=row).delete()
            Invitation.objects.create(
                enrollment=row,
                digest=digest_of(secret),
                expires_at=now + dt.timedelta(days=settings.INVITATION_DAYS),
            )
    except IntegrityError as error:
        raise NotPossible(f"Another user has the mailbox {mailbox} already.") from error
    return secret


def _invited(uid: str, mailbox: str, now: dt.datetime, by: str) -> Enrollment:
    row = Enrollment.objects.filter(nextcloud_uid=uid).first()
    if row is None:
        row = Enrollment(nextcloud_uid=uid, nextcloud_login=uid, mailbox=mailbox, state=_State.INVITED)
        row.origin, row.preview_first, row.due_at = Enrollment.Origin.PAGES, settings.PREVIEW_FIRST, now
        life.begin(row, Reason.INVITED, now, by=by)
        return row
    if row.pairings.exists() and row.mailbox != mailbox:
        raise NotPossible(
            f"This user has synced with the mailbox {row.mailbox}. Remove them; after AWAY_DAYS they may begin with "
            "another one."
        )
    values = {"mailbox": mailbox, "approved": False, "origin": Enrollment.Origin.PAGES}
    try:
        moved = life.move(row, _State.INVITED, Reason.INVITED, now, values, by=by)
    except life.NotAllowed as error:
        raise NotPossible(f"This user needs no invitation: {_State(row.state).label}.") from error
    if not moved:
        raise NotPossible("Something has changed in between. Please try again.")
    return row


def open_link(secret: str, now: dt.datetime) -> Invitation | None:
    """The invitation behind a link, at its first use; None for every later one, and for one that has expired."""
    living = Invitation.objects.filter(digest=digest_of(secret), used_at=None, expires_at__gt=now)
    if not living.filter(enrollment__state=_State.INVITED).update(used_at=now):
        return None
    return Invitation.objects.select_related("enrollment").filter(digest=digest_of(secret)).first()
