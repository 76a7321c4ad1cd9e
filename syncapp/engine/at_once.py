"""Requests to both sides at the same time: each side waits for its own server only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

AtOnce = Callable[[Sequence[Callable[[], None]]], None]
"""Makes all of these calls and comes back when the last one has ended. Raises what the first of them raised.

The calls talk to different sides and touch neither models nor each other.
"""


def in_threads(calls: Sequence[Callable[[], None]]) -> None:
    """All calls at the same time, the first one in this thread."""
    if not calls:
        return
    if len(calls) == 1:
        calls[0]()
        return
    others = [_pool().submit(call) for call in calls[1:]]
    try:
        calls[0]()
    finally:
        wait(others)
    for each in others:
        each.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept: each batch would have to begin and end threads of its own. Made after a worker was forked."""
    return ThreadPoolExecutor(thread_name_prefix="side")


def one_by_one(calls: Sequence[Callable[[], None]]) -> None:
    """One call after the other: for histories that have to happen again in the same order."""
    for call in calls:
        call()
