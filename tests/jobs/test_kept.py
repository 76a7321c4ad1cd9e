"""What a worker keeps between two looks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from syncapp.jobs.kept import Kept


@dataclass
class Thing:
    """Counts how often it was closed."""

    closed: int = 0

    def close(self) -> None:
        """See ``Kept``."""
        self.closed += 1


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, moved by hand."""
    now = [0.0]
    monkeypatch.setattr("syncapp.jobs.kept.time.monotonic", lambda: now[0])
    return now


def test_a_thing_is_made_once() -> None:
    kept: Kept[Thing] = Kept(2)
    assert kept.get("a", Thing) is kept.get("a", Thing)
    assert kept.get("b", Thing) is not kept.get("a", Thing)


def test_what_was_not_used_for_longest_ends_when_there_are_too_many() -> None:
    kept: Kept[Thing] = Kept(2)
    first, second = kept.get("a", Thing), kept.get("b", Thing)
    kept.get("a", Thing)
    kept.get("c", Thing)
    assert (first.closed, second.closed) == (0, 1)
    assert kept.get("a", Thing) is first
    assert kept.get("b", Thing) is not second


def test_what_nobody_uses_is_closed_once_and_may_be_used_again(time: list[float]) -> None:
    kept: Kept[Thing] = Kept(2)
    old = kept.get("a", Thing)
    time[0] = 9.0
    new = kept.get("b", Thing)
    kept.close_unused(5.0)
    kept.close_unused(5.0)
    assert (old.closed, new.closed) == (1, 0)
    assert kept.get("a", Thing) is old
    kept.close_unused(0.0)
    assert (old.closed, new.closed) == (2, 1)


def test_after_a_fork_nothing_is_known_and_nothing_closed() -> None:
    kept: Kept[Thing] = Kept(2)
    thing = kept.get("a", Thing)
    kept.forget()
    kept.close_unused(0.0)
    assert thing.closed == 0
    assert kept.get("a", Thing) is not thing
