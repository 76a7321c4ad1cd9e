"""The requests that were made, with their answers, for tests to look at; the oldest are forgotten."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import Any

from lab.nextcloud.wire import Answer, Request

MAX_BODY = 64 * 1024
MAX_TOTAL = 64 * 1024 * 1024


class Traffic:
    """A bounded record in the server's memory; safe to share between threads."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque()
        self._size = 0
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def record(self, request: Request, answer: Answer, login: str | None, started: float) -> None:
        """Note a request and its answer; passwords are left out."""
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        entry = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "login": login,
            "address": request.address,
            "headers": headers,
            "cookies_kept": "cookie" in headers,
            "body": _shown(request.body),
            "status": answer.status,
            "answer_headers": dict(answer.headers),
            "answer": _shown(answer.body),
            "seconds": round(time.monotonic() - started, 4),
        }
        with self._lock:
            self._entries.append({"number": next(self._numbers), **entry})
            self._size += _size(entry)
            while self._size > MAX_TOTAL:
                self._size -= _size(self._entries.popleft())

    def entries(self, after: int = 0) -> list[dict[str, Any]]:
        """What was recorded after the entry of that number."""
        with self._lock:
            return [entry for entry in self._entries if entry["number"] > after]

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        with self._lock:
            self._entries.clear()
            self._size = 0


def _size(entry: dict[str, Any]) -> int:
    """What an entry takes, roughly."""
    return 1024 + len(entry["body"]) + len(entry["answer"])


def _shown(body: bytes) -> str:
    return body[:MAX_BODY].decode("utf-8", "replace")
