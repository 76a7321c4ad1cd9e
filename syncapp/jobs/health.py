"""Judges the signs of life: the only cure for a cluster that hangs is a restart from outside."""

from __future__ import annotations

import datetime as dt

from django.db.models import Max

from syncapp.jobs import places
from syncapp.models import Heartbeat

SILENT_AFTER = places.STALE_AFTER + dt.timedelta(minutes=2)
"""A vacant place is seen one stale beat later and filled by the next tick."""
_REMEDY = "Restart the workers: python manage.py qcluster"


def sickness(now: dt.datetime) -> str:
    """Why the workers need a restart, "" when they are well."""
    dispatcher = Heartbeat.objects.filter(name=places.DISPATCHER).values_list("at", flat=True).first()
    worker = Heartbeat.objects.filter(name__startswith=places.WORKER_PREFIX).aggregate(at=Max("at"))["at"]
    if dispatcher is None:
        return f"No worker has ever run. {_REMEDY}"
    if now - dispatcher > SILENT_AFTER:
        return f"The dispatcher has been silent since {dispatcher:%Y-%m-%d %H:%M} UTC. {_REMEDY}"
    if worker is None or now - worker > SILENT_AFTER:
        return f"No worker has given a sign of life for more than {SILENT_AFTER.seconds // 60} minutes. {_REMEDY}"
    return ""
