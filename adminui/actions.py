"""What admins decide, each as one conditional UPDATE: two clicks or a job in between change nothing twice."""

from __future__ import annotations

import datetime as dt
import logging

from django.db.models import Q

from syncapp.jobs import holds
from syncapp.models import Enrollment, Hold

logger = logging.getLogger(__name__)


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
