"""Where every call of an in-memory side passes: the log of calls, and the moments at which a test may interfere.

At each moment of a call a hook may raise a ``SideError`` (the server or the network fails), raise ``Crash`` (our
process dies), raise ``Late`` (the request stays on its way and lands another day), or do what a person does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import OperationalError

from syncapp.items import Kind
from syncapp.side import SideName


class Crash(BaseException):
    """The worker's process dies here: no handler of ours may catch it."""


class DatabaseFailed(OperationalError):
    """The database fails: our process has to end its run, and nobody knows what of it is lasting."""


class Late(BaseException):
    """The request is on its way: the caller hears nothing, and ``Server.land`` carries it out later."""


class When(StrEnum):
    """The moments of a call."""

    BEFORE = "before"
    """Nothing has been done."""
    ITEM = "item"
    """In a batch: just before the work on one item."""
    STEP = "step"
    """The object is written; what the side writes in requests of their own (exceptions, photo) is not yet."""
    DONE = "done"
    """In a batch: the work on one item has been done, its answer is not yet known."""
    AFTER = "after"
    """All has been done, the answer is not yet known."""


@dataclass(frozen=True)
class Call:
    """One call of a side's method; ``ids`` are the objects, folders or own ids that it is about."""

    number: int
    side: SideName
    kind: Kind
    name: str
    ids: tuple[str, ...]


Hook = Callable[[Call, When, str], None]
"""Called with the call, the moment, and the id at hand ("" where the moment is about the whole call)."""

WRITES = frozenset({"create", "update", "delete", "move", "restore"})


@dataclass
class Wire:
    """The log of calls and the hooks that see each moment of them."""

    calls: list[Call] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)

    def begin(self, side: SideName, kind: Kind, name: str, ids: tuple[str, ...]) -> Call:
        """Log a call."""
        call = Call(len(self.calls), side, kind, name, ids)
        self.calls.append(call)
        return call

    def meet(self, call: Call, when: When, id: str = "") -> None:
        """Let every hook see this moment; whatever a hook raises goes to the caller."""
        for hook in tuple(self.hooks):
            hook(call, when, id)

    def at(
        self, name: str, when: When, act: Callable[[], object], *, side: SideName | None = None, skip: int = 0
    ) -> None:
        """Do ``act`` once, at this moment of a call named ``name``, after letting ``skip`` such moments pass."""
        left = skip

        def hook(call: Call, moment: When, _id: str) -> None:
            nonlocal left
            if call.name != name or moment is not when or side not in (None, call.side):
                return
            if left:
                left -= 1
                return
            self.hooks.remove(hook)
            act()

        self.hooks.append(hook)

    def always(self, name: str, when: When, act: Callable[[], object], *, side: SideName | None = None) -> Hook:
        """Do ``act`` at every such moment, until the hook that is returned is removed from ``hooks``."""

        def hook(call: Call, moment: When, _id: str) -> None:
            if call.name == name and moment is when and side in (None, call.side):
                act()

        self.hooks.append(hook)
        return hook

    def writes(self, since: int = 0, side: SideName | None = None) -> list[Call]:
        """The calls from number ``since`` on that could change something."""
        return [call for call in self.calls[since:] if call.name in WRITES and side in (None, call.side)]

    def named(self, name: str, since: int = 0, side: SideName | None = None) -> list[Call]:
        """The calls of one method from number ``since`` on."""
        return [call for call in self.calls[since:] if call.name == name and side in (None, call.side)]


def raising(error: BaseException | type[BaseException]) -> Callable[[], None]:
    """An act that raises."""

    def act() -> None:
        raise error

    return act
