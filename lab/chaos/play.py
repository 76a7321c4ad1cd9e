"""Plays one history to its end, judges it, and makes one that is broken smaller."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from lab.chaos import backup
from lab.chaos.player import Player, playing
from lab.chaos.steps import History, NoHistory, smaller


@dataclass(frozen=True)
class Played:
    """How a history ended: what was violated, what faults it met, how often somebody acted inside a run, its story."""

    violations: tuple[str, ...]
    faults: Counter[str]
    inside: int
    story: str

    @property
    def sort(self) -> str:
        """What sort of violation it is, so that making a history smaller does not turn it into another."""
        return sort_of(self.violations)


def play(history: History) -> Played:
    """Play a history in the database of this process, which is emptied first. Raises ``NoHistory``."""
    if not connection.in_atomic_block:
        backup.forget()
    with playing(history.kind) as player:
        violations = _violations(player, history)
        story = player.story()
    return Played(tuple(violations), player.faults, player.inside, story)


def _violations(player: Player, history: History) -> list[str]:
    try:
        player.play(history.steps)
        return player.violations()
    except NoHistory:
        raise
    except Exception:  # a bug of the engine that shows as an error, not as a wrong state
        return [_error()]


def _error() -> str:
    """What was raised, and where in our own code."""
    kind, error, trace = sys.exc_info()
    frames = [each for each in traceback.extract_tb(trace) if "/.venv/" not in each.filename]
    where = "".join(traceback.format_list(frames[-8:]))
    return f"Traceback\n{where}{kind.__name__ if kind else ''}: {error}"


def sort_of(violations: Sequence[str]) -> str:
    """The words before the colon of the first violation; of an error its class."""
    if not violations:
        return ""
    first = violations[0].strip().splitlines()
    return first[-1].split(":")[0] if first[0].startswith("Traceback") else first[0].split(":")[0]


def shrunk(history: History, sort: str) -> History:
    """A history of which nothing can be left out without losing this sort of violation."""
    while True:
        for shorter in smaller(history):
            if play(shorter).sort == sort:
                history = shorter
                break
        else:
            return history
