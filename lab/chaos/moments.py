"""The moments of a run at which something may happen: of each call of a side, and around each commit.

A moment has a spot, "update.done" or "commit.before", which patterns name ("update.*", "*.after", "*"). Looks, epochs
and lists of folders are met only by patterns that name them: they are many, and little depends on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lab.chaos.commits import Edge
from lab.chaos.steps import Incident
from lab.chaos.wire import Call, When

ANY = "*"
COMMIT = "commit"
LOOKS = frozenset({"epoch", "look", "folders"})


@dataclass(frozen=True)
class Moment:
    """``call`` and ``when`` are None around a commit; ``id`` is "" where the moment is about a whole call."""

    spot: str
    call: Call | None = None
    when: When | None = None
    id: str = ""

    @classmethod
    def of_call(cls, call: Call, when: When, id: str) -> Moment:
        """A moment of a call."""
        return cls(f"{call.name}.{when}", call, when, id)

    @classmethod
    def of_commit(cls, edge: Edge) -> Moment:
        """A moment around a commit."""
        return cls(f"{COMMIT}.{edge}")

    def matches(self, pattern: str) -> bool:
        """Whether a pattern names this moment."""
        if self.call is not None and self.call.name in LOOKS and pattern.startswith(ANY):
            return False
        return fnmatchcase(self.spot, pattern)


Fits = Callable[[Incident, Moment], bool]


@dataclass
class Agenda:
    """What is to happen inside one run, in order."""

    todo: list[Incident]
    _passed: int = field(default=0)

    def due(self, moment: Moment, fits: Fits) -> Incident | None:
        """The incident whose moment this is; it leaves the agenda."""
        if not self.todo or not moment.matches(self.todo[0].at) or not fits(self.todo[0], moment):
            return None
        self._passed += 1
        if self._passed <= self.todo[0].skip:
            return None
        self._passed = 0
        return self.todo.pop(0)
