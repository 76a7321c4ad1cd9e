"""What admins decide, each as one conditional UPDATE: two clicks or a job in between change nothing twice."""

from __future__ import annotations

import datetime as dt
import logging

from django.db import transaction
from django.db.models import Q

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


@transaction.atomic
def decide(enrollment_id: int, seen: Q, approves: bool, now: dt.datetime, actor_id: int) -> int:
    """Approve or refuse the held deletions that ``seen`` selects. How many still waited."""
    # Workers lock the enrollment before anything of it: in another order the two could wait for each other for ever.
    Enrollment.objects.select_for_update().filter(pk=enrollment_id).first()
    holds = Hold.objects.select_for_update().filter(seen, enrollment=enrollment_id, state=Hold.State.WAITING)
    decided = list(holds)
    for hold in decided:
        if approves:
            hold.approve()
        else:
            hold.refuse()
    if decided:
        sync_now(enrollment_id, now)
        word = "approved" if approves else "refused"
        logger.info("enrollment %s: %s deletions %s by admin %s", enrollment_id, len(decided), word, actor_id)
    return len(decided)
