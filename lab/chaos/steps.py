"""A history as data, so that it can be kept, made smaller and played again: steps, and incidents inside runs.

What a step or an incident means is a method of that name of ``lab.chaos.player.Player``; what it is given are texts,
numbers and truths. As JSON:

    {"kind": "event", "steps": [
        {"do": "create", "with": ["exchange", 1]},
        {"do": "sync", "with": [false, "long"], "inside": [
            {"at": "update.done", "skip": 0, "do": "fault", "with": ["crash"]}]}]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from syncapp.items import Kind

SYNC = "sync"
ACT = "act"


class NoHistory(ValueError):
    """What was to be played is no history; the text says why."""


@dataclass(frozen=True)
class Incident:
    """Something that happens inside a run, once the one before it has happened.

    ``at`` is a pattern of spots (``lab.chaos.moments``); ``skip`` moments that match, and at which it could happen,
    pass first. ``inside`` are the incidents of the run that it begins, if it begins one.
    """

    at: str
    skip: int
    name: str
    given: tuple[Any, ...] = ()
    inside: tuple[Incident, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it is printed."""
        return {"at": self.at, "skip": self.skip, **_json(self.name, self.given, self.inside)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Incident:
        """Raises KeyError and TypeError when that is none."""
        return cls(str(data["at"]), int(data["skip"]), str(data["do"]), tuple(data.get("with", ())), _inside(data))


@dataclass(frozen=True)
class Step:
    """Something that happens between runs, or a run with what happens ``inside``."""

    name: str
    given: tuple[Any, ...] = ()
    inside: tuple[Incident, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it is printed."""
        return _json(self.name, self.given, self.inside)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        """Raises KeyError and TypeError when that is none."""
        return cls(str(data["do"]), tuple(data.get("with", ())), _inside(data))


@dataclass(frozen=True)
class History:
    """What happens to the items of one kind of one person."""

    kind: Kind
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """As it is printed, and read again by ``from_json``."""
        return {"kind": self.kind.value, "steps": [step.to_json() for step in self.steps]}

    @classmethod
    def from_json(cls, data: Any) -> History:
        """Raises ``NoHistory``."""
        try:
            return cls(Kind(data["kind"]), tuple(Step.from_json(each) for each in data["steps"]))
        except (KeyError, TypeError, ValueError) as error:
            raise NoHistory(
                f"This is no history: {error!r}. One has 'kind' and 'steps', as a failure prints them."
            ) from error

    @property
    def acts_inside_runs(self) -> bool:
        """Whether somebody does something while a run is under way."""
        return any(each.name == ACT for step in self.steps for each in _all(step.inside))


def _json(name: str, given: Sequence[Any], inside: Sequence[Incident]) -> dict[str, Any]:
    data: dict[str, Any] = {"do": name}
    if given:
        data["with"] = list(given)
    if inside:
        data["inside"] = [each.to_json() for each in inside]
    return data


def _inside(data: Mapping[str, Any]) -> tuple[Incident, ...]:
    return tuple(Incident.from_json(each) for each in data.get("inside", ()))


def _all(incidents: Sequence[Incident]) -> Iterator[Incident]:
    for each in incidents:
        yield each
        yield from _all(each.inside)


# Smaller ones --------------------------------------------------------------------------------------------------------


def smaller(history: History) -> Iterator[History]:
    """Histories in which something is left out: long pieces first, then single steps and incidents."""
    steps, size = history.steps, len(history.steps) // 2
    while size >= 1:
        for at in range(len(steps) - size, -1, -1):
            yield replace(history, steps=steps[:at] + steps[at + size :])
        size //= 2
    for at, step in enumerate(steps):
        for inside in _without_one(step.inside):
            yield replace(history, steps=(*steps[:at], replace(step, inside=inside), *steps[at + 1 :]))


def _without_one(incidents: tuple[Incident, ...]) -> Iterator[tuple[Incident, ...]]:
    for at, each in enumerate(incidents):
        yield incidents[:at] + incidents[at + 1 :]
        for inside in _without_one(each.inside):
            yield (*incidents[:at], replace(each, inside=inside), *incidents[at + 1 :])
