"""Random histories. A seed makes one, always the same; its theme says what happens more often in it.

At least half of them act inside runs, on the object in flight: histories that only act between runs miss the narrow
windows (docs/architecture.md, "What chaos checks").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from lab.chaos.faults import Fault
from lab.chaos.lies import Lie
from lab.chaos.player import APPROVE, REFUSE, Deed, Wait
from lab.chaos.steps import ACT, SYNC, History, Incident, Step
from lab.chaos.wire import WRITES, When
from lab.chaos.writing import MOST_EDITS
from syncapp.items import Kind
from syncapp.side import SideName

LENGTHS = range(3, 9)
"""So many things happen in one history, beside what is there at first."""
MOMENTS = 30
"""A run in these small worlds seldom has more moments than this."""
_SIDES = tuple(side.value for side in SideName)
_DEEDS: Mapping[Deed, float] = {
    Deed.EDIT: 6,
    Deed.EDIT_TWICE: 2,
    Deed.MOVE: 3,
    Deed.COPY: 1,
    Deed.DELETE: 4,
    Deed.RESTORE: 2,
    Deed.DESTROY: 0.7,
    Deed.REPLACE: 0.5,
    Deed.RECREATE: 0.5,
    Deed.ANOTHER_UID: 0.4,
    Deed.TWIN: 0.7,
}
_WRITES: Mapping[str, float] = dict.fromkeys(sorted(WRITES), 1.0) | {"update": 4, "create": 3, "delete": 2}
"""Most runs have no others: what waits for one of these does happen."""
_FAULTS: Mapping[Fault, float] = dict.fromkeys(Fault, 1.0) | {Fault.CRASH: 5, Fault.UNREACHABLE: 3, Fault.LATE: 3}


@dataclass(frozen=True)
class Theme:
    """What a history is about: weights of the things that may happen (``_Maker``), by name."""

    weights: Mapping[str, float]
    hot: float = 0.6
    """How often somebody acts inside a run."""
    directions: Sequence[str] = ("both",)
    """Which ways changes may travel."""
    limits: Sequence[int] = ()
    """How many writes of a sort the guard may let through, if not as many as usual."""


_USUAL: Mapping[str, float] = {
    "create": 2,
    "act": 3,
    "run": 3,
    "run_in_trouble": 2,
    "act_and_run": 8,
    "create_and_run": 3,
    "purge": 0.3,
    "manners": 0.5,
    "lose_tokens": 0.3,
    "lie": 0.5,
    "land": 0.7,
    "jump": 0.3,
    "decide": 0.4,
}
_RESTORES: Mapping[str, float] = {
    "back_up": 1.2,
    "restore": 1.2,
    "back_up_ours": 0.8,
    "restore_ours": 0.8,
    "forget": 0.3,
}
THEMES: Mapping[str, Theme] = {
    "usual": Theme(_USUAL, hot=0.6),
    "hot": Theme(_USUAL, hot=0.9),
    "races": Theme({**_USUAL, "race": 8}, hot=0.6),
    "restores": Theme({**_USUAL, **_RESTORES}, hot=0.7),
    "lies": Theme({**_USUAL, "lie": 5, "lose_tokens": 1}, hot=0.5),
    "holds": Theme({**_USUAL, "decide": 3}, hot=0.5, limits=(0, 1, 2)),
    "deletions": Theme({"create": 1, "run": 1, "deletion": 6, "act": 1}, hot=0.8),
    "copies": Theme({"create": 1, "run": 1, "copies": 6, "act": 2, "restore_ours": 1}, hot=0.5),
    "collects": Theme({"create": 1, "run": 1, "collecting": 6, "act": 2}, hot=0.3),
    "conflicts": Theme({"create": 1, "run": 1, "conflict": 4, "lost_answer": 4, "act": 1}, hot=0.3),
    "late": Theme({"create": 1, "run": 1, "late_create": 6, "act": 2}, hot=0.3),
    "returns": Theme({"create": 1, "run": 1, "comes_back": 6, "act": 1}, hot=0.3),
    "one-way": Theme(_USUAL, hot=0.5, directions=("to-exchange", "to-nextcloud")),
}
_THEME_WEIGHTS: Mapping[str, float] = {
    "usual": 2,
    "hot": 5,
    "races": 2,
    "restores": 2,
    "lies": 1,
    "holds": 1,
    "deletions": 1,
    "copies": 0.5,
    "collects": 0.5,
    "conflicts": 0.5,
    "late": 0.3,
    "returns": 0.3,
    "one-way": 1,
}


def history(seed: int, theme: str | None = None) -> History:
    """The history of this seed; ``theme`` is drawn from the seed unless one is named."""
    random = Random(seed)
    drawn = random.choices(list(_THEME_WEIGHTS), list(_THEME_WEIGHTS.values()))[0]
    kind = random.choices([Kind.EVENT, Kind.CONTACT], [3, 2])[0]
    return History(kind, tuple(_Maker(random, THEMES[theme or drawn]).steps(random.choice(LENGTHS))))


@dataclass
class _Maker:
    random: Random
    theme: Theme
    makers: dict[str, Callable[[], Sequence[Step]]] = field(init=False)

    def __post_init__(self) -> None:
        self.makers = {name: getattr(self, name) for name in self.theme.weights}

    def steps(self, length: int) -> list[Step]:
        """Something is there, then so many things happen."""
        names = self.random.choices(list(self.theme.weights), list(self.theme.weights.values()), k=length)
        return [*self._agreed(), *self.create(), *(step for name in names for step in self.makers[name]())]

    def _agreed(self) -> list[Step]:
        """What admins agreed upon before anything was there."""
        agreed = [Step("agree", (self.random.choice(self.theme.directions), self.random.choice(_SIDES)))]
        return agreed + [Step("limit", (self.random.choice(self.theme.limits),)) for _ in self.theme.limits[:1]]

    # Steps -----------------------------------------------------------------------------------------------------------

    def create(self) -> list[Step]:
        return [Step("create", (self._side(), self.random.choice([1, 1, 2])))]

    def act(self) -> list[Step]:
        return [Step(ACT, (self._side(), self._deed(), self.random.randrange(20), self._what()))]

    def run(self) -> list[Step]:
        return [self._sync()]

    def run_in_trouble(self) -> list[Step]:
        return [self._sync(self._trouble(near=False))]

    def act_and_run(self) -> list[Step]:
        return [*self.act(), self._sync(*self._incidents())]

    def create_and_run(self) -> list[Step]:
        return [*self.create(), *self.act(), self._sync(*self._incidents())]

    def race(self) -> list[Step]:
        return [*self.act(), self._sync(*self._maybe_act(), self._worker(), *self._maybe_act())]

    def deletion(self) -> list[Step]:
        """Somebody deletes something, and somebody else does something with it just when it is deleted across."""
        deleting = Step(ACT, (self._side(), Deed.DELETE.value, self.random.randrange(20), self._what()))
        spot = f"delete.{self.random.choice(['*', *When])}"
        meanwhile = Incident(spot, 0, ACT, (self._deed(), self._what(), False))
        return [*self.create(), self._sync(), deleting, self._sync(meanwhile, *self._incidents()[:1])]

    def collecting(self) -> list[Step]:
        """A run ends while it finds out what has happened."""
        spot = self.random.choice(["changes.*", "commit.*", "commit.*", "read.*"])
        fault = self.random.choice([Fault.CRASH, Fault.CRASH, Fault.UNREACHABLE, Fault.DATABASE]).value
        ends = Incident(spot, self.random.randrange(8), "fault", (fault,))
        return [*self.act(), *self.act(), self._sync(*self._maybe_act(), ends)]

    def conflict(self) -> list[Step]:
        """The same is edited on both sides, and the run ends around a write."""
        pick, what = self.random.randrange(20), self._what()
        edits = [Step(ACT, (side, Deed.EDIT.value, pick, what)) for side in _SIDES]
        spot = f"{self.random.choice(['update', 'update', 'create'])}.{self.random.choice(['*', *When])}"
        fault = self.random.choice([Fault.CRASH, Fault.CRASH, Fault.UNREACHABLE, Fault.REFUSED]).value
        ends = Incident(spot, self.random.choice([0, 0, 1]), "fault", (fault,))
        return [self._sync(), *edits, *self.create()[: self.random.randrange(2)], self._sync(*self._maybe_act(), ends)]

    def lost_answer(self) -> list[Step]:
        """What was written is edited again by somebody who sees it, before we know that it was."""
        what = self._what()
        edit = Step(ACT, (self._side(), Deed.EDIT.value, self.random.randrange(20), what))
        again = Incident(f"{self.random.choice(['update', 'update', 'create'])}.done", 0, ACT, ("edit", what, False))
        return [self._sync(), edit, self._sync(again, Incident("*", 0, "fault", (Fault.CRASH.value,)))]

    def late_create(self) -> list[Step]:
        """A create lands when it was tried again long ago."""
        late = Incident("create.item", 0, "fault", (Fault.LATE.value,))
        landing = [Step("land", (side,)) for side in _SIDES]
        return [*self.create(), self._sync(late), self._sync(), *landing, *self.act()[: self.random.randrange(2)]]

    def comes_back(self) -> list[Step]:
        """Something is deleted, and a server goes back to when it was there."""
        side = self._side()
        deletion = Step(ACT, (self._side(), Deed.DELETE.value, self.random.randrange(20), 0))
        backed_up = [*self.create(), self._sync(), self._sync(), Step("back_up", (side,))]
        return [*backed_up, deletion, self._sync(), self._sync(), Step("restore", (side,)), self._sync()]

    def copies(self) -> list[Step]:
        """There are several of the same when everything begins anew."""
        folder = self.random.randrange(2)
        copying = [
            Step(ACT, (self._side(), Deed.COPY.value, self.random.randrange(20), folder))
            for _ in range(self.random.choice([1, 2]))
        ]
        return [*copying, self._sync(), Step("forget"), *self.act()[: self.random.randrange(2)], self._sync()]

    def purge(self) -> list[Step]:
        return [Step("purge", (self._side(),))]

    def manners(self) -> list[Step]:
        return [Step("set_manners", (self._side(), self.random.random() < 0.5, self.random.choice([1, 2, 1000])))]

    def lose_tokens(self) -> list[Step]:
        return [Step("lose_tokens", (self._side(),))]

    def lie(self) -> list[Step]:
        return [Step("lie", (self._side(), self._lie(), self.random.randrange(6))), *self.act(), self._sync()]

    def land(self) -> list[Step]:
        return [Step("land", (self._side(),))]

    def jump(self) -> list[Step]:
        return [Step("jump", (self._minutes(),))]

    def decide(self) -> list[Step]:
        return [self._sync(), Step("decide", (self._answer(),))]

    def back_up(self) -> list[Step]:
        return [self._sync(), Step("back_up", (self._side(),))]

    def restore(self) -> list[Step]:
        return [Step("restore", (self._side(),))]

    def back_up_ours(self) -> list[Step]:
        return [Step("back_up_ours")]

    def restore_ours(self) -> list[Step]:
        return [Step("restore_ours")]

    def forget(self) -> list[Step]:
        return [Step("forget")]

    # Runs ------------------------------------------------------------------------------------------------------------

    def _sync(self, *inside: Incident) -> Step:
        full = self.random.random() < 0.1
        wait = self.random.choices(list(Wait), [1, 1, 6])[0]
        return Step(SYNC, (full, wait.value), tuple(inside))

    def _incidents(self) -> list[Incident]:
        """What happens inside one run."""
        found = self._maybe_act()
        if not found or self.random.random() < 0.5:
            found.append(self._trouble(near=bool(found)))
        if self.random.random() < 0.15:
            found += self._maybe_act()
        return found

    def _maybe_act(self) -> list[Incident]:
        if self.random.random() >= self.theme.hot:
            return []
        at, skip = self._spot()
        return [Incident(at, skip, ACT, (self._deed(), self._what(), self.random.random() < 0.4))]

    def _trouble(self, *, near: bool) -> Incident:
        """A fault, a second worker, a late request that lands, a clock that jumps, or a backup, inside a run."""
        at, skip = ("*", self.random.randrange(8)) if near else self._spot()
        name = self.random.choices(
            ["fault", "worker", "land", "jump", "lose_tokens", "back_up_ours", "lie", "decide"],
            [10, 2, 1, 0.5, 0.3, 0.3, 0.3, 0.3],
        )[0]
        match name:
            case "worker":
                return self._worker()
            case "fault":
                fault = self.random.choices(list(_FAULTS), list(_FAULTS.values()))[0]
                return Incident(at, skip, name, (fault.value,))
            case "jump":
                return Incident(at, skip, name, (self._minutes(),))
            case "lie":
                return Incident(at, skip, name, (self._side(), self._lie(), self.random.randrange(6)))
            case "back_up_ours":
                return Incident(at, skip, name)
            case "decide":
                return Incident(at, skip, name, (self._answer(),))
        return Incident(at, skip, name, (self._side(),))

    def _worker(self) -> Incident:
        at, skip = self._spot()
        patient, full = self.random.random() < 0.85, self.random.random() < 0.1
        inside = tuple(self._incidents()) if self.random.random() < 0.4 else ()
        return Incident(at, skip, "worker", (patient, full), inside)

    def _spot(self) -> tuple[str, int]:
        """A pattern of moments, and how many of them pass first."""
        kind = self.random.random()
        if kind < 0.35:
            return "*", min(self.random.randrange(MOMENTS), self.random.randrange(MOMENTS))
        if kind < 0.75:
            when = self.random.choice(["*", *When])
            write = self.random.choices(list(_WRITES), list(_WRITES.values()))[0]
            return f"{write}.{when}", self.random.choice([0, 0, 0, 1, 2])
        if kind < 0.85:
            return "commit.*", self.random.randrange(24)
        if kind < 0.98:
            name = self.random.choice(["read", "find", "changes"])
            return f"{name}.*", self.random.randrange(6)
        return f"{self.random.choice(['look', 'epoch'])}.*", self.random.randrange(3)

    # Choices ---------------------------------------------------------------------------------------------------------

    def _side(self) -> str:
        return self.random.choice(_SIDES)

    def _deed(self) -> str:
        return self.random.choices(list(_DEEDS), list(_DEEDS.values()))[0].value

    def _what(self) -> int:
        return self.random.randrange(MOST_EDITS)

    def _answer(self) -> str:
        return self.random.choice([APPROVE, REFUSE])

    def _lie(self) -> str:
        return self.random.choice(list(Lie)).value

    def _minutes(self) -> int:
        return self.random.choice([-4000, -600, -30, 3, 30, 600, 4000])
