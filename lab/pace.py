"""Answer times: the labs answer at once, real servers take their time, with so many requests at once and no more.

Set over HTTP (``PUT /lab/pace``) as a JSON object: ``slots``, how many requests are worked on at the same time;
``seconds``, what one of an operation (an EWS operation or a DAV method; ``*`` for all others) takes at least;
``per_item``, what each thing in it takes besides. An empty object ends it.

``server_seconds`` in ``/lab/stats`` then tells how long the server was at it, each slot counted: divided by ``slots``
it is the least time in which this server could have answered the same requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

OTHERS = "*"


class BadPace(ValueError):
    """The JSON handed to ``/lab/pace`` does not describe answer times; the message says which part."""


@dataclass(frozen=True)
class Times:
    """How long requests take, in seconds."""

    slots: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    per_item: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: object) -> Times | None:
        """Read them, None for an empty object. Raises BadPace."""
        if not isinstance(data, dict):
            raise BadPace("answer times are a JSON object")
        if not data:
            return None
        if unknown := sorted(set(data) - {"slots", "seconds", "per_item"}):
            raise BadPace(f"unknown: {', '.join(unknown)}")
        slots = data.get("slots")
        if not isinstance(slots, int) or slots < 1:
            raise BadPace("slots: a number of requests at once")
        return cls(slots, _numbers(data, "seconds"), _numbers(data, "per_item"))

    def of(self, operation: str, items: int) -> float:
        """What a request of ``items`` things takes at least."""
        once, each = (table.get(operation, table.get(OTHERS, 0.0)) for table in (self.seconds, self.per_item))
        return once + items * each


def _numbers(data: Mapping[str, Any], name: str) -> dict[str, float]:
    table = data.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(each, int | float) and each >= 0 for each in table.values()):
        raise BadPace(f"{name}: seconds by operation")
    return {str(key): float(value) for key, value in table.items()}


class Pace:
    """The answer times of one server; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: Times | None = None
        self._slots = threading.Semaphore()
        self._spent = 0.0

    def set_json(self, data: object) -> None:
        """Answer like this from now on; raises BadPace."""
        times = Times.from_json(data)
        with self._lock:
            self._times, self._slots = times, threading.Semaphore(times.slots if times else 1)

    def to_json(self) -> dict[str, float]:
        """``server_seconds`` since the start, all slots together, and the ``slots`` there are now (0: any number)."""
        return {"server_seconds": self._spent, "slots": self._times.slots if self._times else 0}

    @contextmanager
    def work(self, operation: str, items: Callable[[], int] = lambda: 1) -> Iterator[None]:
        """Work on a request: wait for a slot, and keep it at least as long as the request takes."""
        with self._lock:
            times, slots = self._times, self._slots
        if times is None:
            yield
            return
        with slots:
            began = time.monotonic()
            try:
                yield
            finally:
                time.sleep(max(0.0, times.of(operation, items()) - (time.monotonic() - began)))
                with self._lock:
                    self._spent += time.monotonic() - began
