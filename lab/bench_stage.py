"""What every bench has in common: workers that are ready, waiting, and saying how long something took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from lab.console import Console
from lab.environment import Place
from lab.stage import Stage, StageBroke
from syncapp.jobs import places
from syncapp.models import Heartbeat

_PATIENCE = 1800.0


class Bench:
    """A bench on a stage, in a place, which tells a console what it does."""

    def __init__(self, place: Place, stage: Stage, console: Console) -> None:
        self._place = place
        self._stage = stage
        self._console = console
        self._group = 0

    def _start_workers(self) -> None:
        """The workers have read the empty list of people, and with that loaded all their code, before it begins."""
        call_command("migrate", verbosity=0)
        started = timezone.now()
        self._group = self._stage.start_workers()
        self._wait(
            lambda: (
                Heartbeat.objects.filter(name__startswith=places.WORKER_PREFIX).exclude(owner="").count()
                == settings.WORKERS
                and Heartbeat.objects.filter(name=places.REFRESH, at__gt=started).exists()
            )
        )
        time.sleep(2)

    def _wait(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            self._stage.check()
            if time.monotonic() > deadline:
                raise StageBroke(
                    f"The bench does not come to its end; {self._place.directory}/workers.log may say why."
                )
            time.sleep(0.1)

    @contextmanager
    def _elapsed(self, word: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._console.say(f"  {word} in {time.monotonic() - started:.0f} s.")
