"""What serving has cost a lab server so far: read before and after, the difference belongs to what was in between."""

from __future__ import annotations

import itertools
import time


class Meter:
    """Counts requests of clients; safe to share between threads.

    The labs wait for nothing but the processor: the processor time of their one process is the time that they were
    busy, what gunicorn did for them included. It leaves out waiting for a core or for each other's lock.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._requests = 0

    def count(self) -> None:
        """Note one request."""
        self._requests = next(self._numbers)

    def to_json(self) -> dict[str, float]:
        """``requests`` since the start, and ``busy_seconds`` of the process."""
        return {"requests": self._requests, "busy_seconds": time.process_time()}
