"""The minute's tick: it starts the workers that are missing and clears up after those that died."""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from syncapp.jobs import holds, owners, places, revocations, runs
from syncapp.jobs.task import task
from syncapp.models import Enrollment, History, Installation, Preview

logger = logging.getLogger(__name__)

_TICK = "syncapp.jobs.dispatch.tick"
_DRAIN = "syncapp.jobs.sync.drain"
_PRUNE = "prune"
_PRUNE_EVERY = dt.timedelta(hours=1)
_RUNS_KEPT = dt.timedelta(days=90)
_MARKS_KEPT = dt.timedelta(days=1)


@task
def tick() -> None:
    """Beat, clear up after dead workers, start one at every vacant place."""
    now = timezone.now()
    places.beat(places.DISPATCHER, now)
    owners.bury(now)
    if lost := runs.lose_orphans(now):
        logger.warning("%s runs have lost their worker", lost)
    revocations.run(now)
    if places.take_turn(_PRUNE, _PRUNE_EVERY, now):
        holds.lapse(now)
        prune_history(now)
        kept_since = now - _RUNS_KEPT
        runs.prune(kept_since)
        Preview.objects.filter(at__lt=kept_since).exclude(enrollment__state=Enrollment.State.PREVIEW).delete()
    for number in places.vacant(now):
        start_drain(number)


def prune_history(now: dt.datetime) -> None:
    """Forget what was kept for long enough. What holds no content, only a mark, is remembered for a day at least."""
    marks = Q(content=b"", at__gte=now - _MARKS_KEPT)
    History.objects.filter(at__lt=now - dt.timedelta(days=settings.HISTORY_DAYS)).exclude(marks).delete()


def start_drain(number: int) -> None:
    """Queue a worker for a place; one that finds it taken ends at once."""
    async_task(_DRAIN, number)


@transaction.atomic
def install_schedule() -> None:
    """Have exactly one schedule that ticks every minute, and a first tick now. Idempotent."""
    Installation.get()
    # Clusters that start at the same time take turns.
    Installation.objects.select_for_update().get()
    extra = Schedule.objects.filter(func=_TICK).order_by("pk").values_list("pk", flat=True)[1:]
    Schedule.objects.filter(pk__in=list(extra)).delete()
    Schedule.objects.update_or_create(
        func=_TICK,
        defaults={"name": "dispatch", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1},
    )
    async_task(_TICK)
