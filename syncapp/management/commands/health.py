"""Is it alive? For a health check that restarts what hangs (docs/server-behaviour.md, section 6.2)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from syncapp.jobs import health
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Judges the heartbeats of dispatcher and workers."""

    help = "Judge the heartbeats: exit code 0 while dispatcher and workers work, 1 with a sentence otherwise."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one sentence. Raises CommandError when the workers have to be restarted."""
        check_ready()
        sick = health.sickness(timezone.now())
        if sick:
            raise CommandError(sick)
        self.stdout.write("The dispatcher and the workers are alive.")
