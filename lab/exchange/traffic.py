"""The requests and answers of late, for tests that judge what went over the wire."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Exchanged:
    """One request with its answer; credentials are left out."""

    operation: str = ""
    mailbox: str = ""
    user: str = ""
    path: str = ""
    status: int = 0
    request_headers: dict[str, str] = field(default_factory=dict)
    request: str = ""
    response: str = ""
    number: int = 0


class Traffic:
    """A bounded ring of exchanges; records only while it is switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._ring: deque[Exchanged] = deque(maxlen=1000)
        self.recording = False

    def switch(self, record: bool, keep: int) -> None:
        """Start or stop recording; ``keep`` is how many exchanges are held."""
        with self._lock:
            self.recording = record
            self._ring = deque(self._ring, maxlen=keep)

    def add(self, exchanged: Exchanged) -> None:
        """Hold an exchange."""
        with self._lock:
            exchanged.number = next(self._numbers)
            self._ring.append(exchanged)

    def clear(self) -> None:
        """Forget what is held."""
        with self._lock:
            self._ring.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """What is held, oldest first."""
        with self._lock:
            return [asdict(exchanged) for exchanged in self._ring]
