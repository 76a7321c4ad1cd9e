"""The workers: django-q2's cluster, with the checks and the manners of the connector."""

from __future__ import annotations

import gc
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections
from django.utils import timezone
from django_q.cluster import Cluster

from syncapp.jobs import dispatch, owners, places, resting, stopping
from syncapp.jobs import sync as sync  # loaded before the workers are forked, so that each of them is spared a second
from syncapp.nextcloud import timezones
from syncapp.startup import check_ready

_GARBAGE_AFTER = 50_000
"""New objects after which garbage is looked for. A batch of items is tens of thousands, nearly all without cycles."""


class _Cluster(Cluster):  # type: ignore[misc]  # django-q2 has no types
    """Tells working workers that they shall come to an end, which django-q2 does not."""

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        stopping.request()
        super().sig_handler(signum, frame)


class Command(BaseCommand):
    """Takes the place of django-q2's command of the same name."""

    help = "Run the workers: they read Nextcloud's list of people and sync whoever is due. SIGTERM ends them in order."

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, make sure of the schedule, and work until a signal comes."""
        check_ready()
        owners.bury(timezone.now())
        dispatch.install_schedule()
        # The configuration may have been corrected: try at once.
        resting.server_answered(resting.NEXTCLOUD_ADMIN)
        places.make_due(places.REFRESH)
        connections.close_all()
        # Each worker would need 25 ms for it.
        timezones.warm_up(settings.TIME_ZONE)
        # What is loaded by now stays for good; no worker has to search it for garbage again and again.
        gc.freeze()
        gc.set_threshold(_GARBAGE_AFTER)
        _Cluster().start()
