"""What admins decide, each as one conditional UPDATE: two clicks or a job in between change nothing twice."""

from __future__ import annotations

import datetime as dt
import logging

from django.db.models import Q

from syncapp import life
from syncapp.jobs import holds
from syncapp.life import Reason
from syncapp.models import Enrollment, Hold

logger = logging.getLogger(__name__)


def approve(enrollment_id: int, mailbox: str, now: dt.datetime, by: str) -> bool:
    """Let a waiting enrollment sync with the mailbox that the admin saw, or be previewed if that comes first.

    False when it does not wait any more, or its mailbox is another one by now: nothing is changed then.
    """
    row = Enrollment.objects.filter(pk=enrollment_id, state=Enrollment.State.WAITING, mailbox=mailbox).first()
    if row is None:
        return False
    row.approved = True
    still = Q(mailbox=mailbox, preview_first=row.preview_first)
    return life.move(row, row.ready_state, Reason.APPROVED, now, {"approved": True, "due_at": now}, by=by, where=still)


def sync_now(enrollment_id: int, now: dt.datetime) -> bool:
    """Make an enrollment due; a due time is only ever moved forward. False when it is none that is synced."""
    active = Enrollment.objects.filter(pk=enrollment_id, state__in=Enrollment.SYNCED)
    if active.filter(due_at__gt=now).update(due_at=now):
        return True
    return active.exists()


def decide(enrollment_id: int, seen: Q, approves: bool, now: dt.datetime, actor_id: int) -> int:
    """Approve or refuse the held writes that ``seen`` selects. How many still waited."""
    decided = holds.decide(enrollment_id, seen & Q(state=Hold.State.WAITING), approves, now)
    if decided:
        word = "approved" if approves else "refused"
        logger.info("enrollment %s: %s held writes %s by admin %s", enrollment_id, decided, word, actor_id)
    return decided
