"""What admins decide, each as one conditional UPDATE: two clicks or a job in between change nothing twice."""

from __future__ import annotations

import datetime as dt
import logging

from django.db.models import Q

from syncapp.jobs import holds
from syncapp.models import Enrollment, Hold

logger = logging.getLogger(__name__)


def approve(enrollment_id: int, mailbox: str, now: dt.datetime, actor_id: int) -> bool:
    """Let a waiting enrollment sync with the mailbox that the admin saw, or be previewed if that comes first.

    False when it does not wait any more, or its mailbox is another one by now: nothing is changed then.
    """
    waiting = Enrollment.objects.filter(pk=enrollment_id, state=Enrollment.State.WAITING, mailbox=mailbox)
    row = waiting.first()
    if row is None or not waiting.filter(preview_first=row.preview_first).update(state=row.ready_state, due_at=now):
        return False
    logger.info("enrollment %s approved by admin %s", enrollment_id, actor_id)
    return True


def sync_now(enrollment_id: int, now: dt.datetime) -> bool:
    """Make an active enrollment due; a due time is only ever moved forward. False when it is not active."""
    active = Enrollment.objects.filter(pk=enrollment_id, state=Enrollment.State.ACTIVE)
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
