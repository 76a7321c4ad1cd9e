"""What was held: gathered in waves for an admin to look at, decided, or lapsed when nobody decides."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Q, QuerySet

from syncapp.models import Enrollment, Hold

logger = logging.getLogger(__name__)

OPEN = Q(state__in=(Hold.State.WAITING, Hold.State.LAPSED))
"""What can be decided: what lapsed can be, too, as long as it is what it was."""


@dataclass(frozen=True)
class Wave:
    """Writes of one sort that were held for one reason, and that one decision can be about."""

    enrollment_id: int
    kind: str
    direction: str
    side: str
    reason: str
    state: str
    count: int
    since: dt.datetime

    @property
    def holds(self) -> QuerySet[Hold]:
        """What belongs to it, oldest first."""
        of = Hold.objects.filter(enrollment=self.enrollment_id, pairing__kind=self.kind, side=self.side)
        of = of.filter(pairing__direction=self.direction, reason=self.reason, state=self.state)
        return of.order_by("pk")


def waves(holds: QuerySet[Hold]) -> list[Wave]:
    """The open ones among ``holds``, gathered by person, kind, side and reason. One query."""
    by = ("enrollment_id", "pairing__kind", "pairing__direction", "side", "reason", "state")
    rows = holds.filter(OPEN).values_list(*by).annotate(count=Count("pk"), since=Min("at"))
    return [Wave(*row) for row in rows.order_by(*by)]


@transaction.atomic
def decide(enrollment_id: int, seen: Q, approves: bool, now: dt.datetime) -> int:
    """Approve or refuse the open holds of a person that ``seen`` selects, and make the person due. How many there were.

    The next run does it.
    """
    # Workers lock the enrollment before anything of it: in another order the two could wait for each other for ever.
    Enrollment.objects.select_for_update().filter(pk=enrollment_id).first()
    holds = Hold.objects.filter(OPEN, seen, enrollment=enrollment_id)
    decided = Hold.objects.decide(holds, Hold.State.APPROVED if approves else Hold.State.REFUSED)
    if decided:
        _done(enrollment_id, now)
    return decided


def lapse(now: dt.datetime) -> None:
    """Let lapse what nobody has decided in time, into what is safe: nothing is deleted, overwritten or copied.

    A deletion counts as refused, so that what is missing is put back. What was to be overwritten or created stays on
    both sides as it is, and nobody is asked for it any more.
    """
    if not settings.HOLD_DAYS:
        return
    old = Hold.objects.filter(state=Hold.State.WAITING, at__lt=now - dt.timedelta(days=settings.HOLD_DAYS))
    for enrollment_id in old.order_by().values_list("enrollment_id", flat=True).distinct():
        _lapse(enrollment_id, old, now)


@transaction.atomic
def _lapse(enrollment_id: int, old: QuerySet[Hold], now: dt.datetime) -> None:
    Enrollment.objects.select_for_update().filter(pk=enrollment_id).first()
    mine = old.filter(enrollment=enrollment_id)
    deletions = [reason for reason, deed in Hold.DEEDS.items() if deed is Hold.Deed.DELETE]
    undone = Hold.objects.decide(mine.filter(reason__in=deletions), Hold.State.REFUSED)
    left = mine.update(state=Hold.State.LAPSED)
    _done(enrollment_id, now)
    logger.warning("enrollment %s: %s held deletions undone, %s other writes left undone: nobody decided",
                   enrollment_id, undone, left)  # fmt: skip


def _done(enrollment_id: int, now: dt.datetime) -> None:
    Hold.objects.report(enrollment_id)
    due = Enrollment.objects.filter(pk=enrollment_id, state=Enrollment.State.ACTIVE, due_at__gt=now)
    due.update(due_at=now)
