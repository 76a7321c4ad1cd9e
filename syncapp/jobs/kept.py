"""What a worker keeps between two looks at people, within bounds: things that hold connections."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class _Closes(Protocol):
    def close(self) -> None:
        """Let go of connections. Who is asked again makes new ones."""


T = TypeVar("T", bound=_Closes)


class Kept(Generic[T]):
    """The ``most`` things that were used last, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._used: dict[Hashable, float] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of this name, made if there is none; the one that was not used for longest may end for it."""
        if key not in self._things:
            self._things[key] = make()
        self._things.move_to_end(key)
        self._used[key] = time.monotonic()
        if len(self._things) > self._most:
            oldest, thing = self._things.popitem(last=False)
            self._used.pop(oldest, None)
            thing.close()
        return self._things[key]

    def close_unused(self, seconds: float) -> None:
        """Close what nobody has asked for in so many seconds. Called while nothing is in use."""
        before = time.monotonic() - seconds
        for key in [key for key, at in self._used.items() if at <= before]:
            del self._used[key]
            self._things[key].close()

    def forget(self) -> None:
        """Begin anew, and close nothing: after a fork, connections belong to the process that forked."""
        self._things.clear()
        self._used.clear()
