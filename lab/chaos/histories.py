"""Random histories in bulk, over the real engine and an in-memory database; a broken one is made smaller and printed.

    .venv/bin/python -m lab.chaos.histories --histories 1000 --seed 1

At least half of what people do is done inside runs, on the object in flight: histories that only act between runs miss
the narrow windows (docs/architecture.md, "What chaos checks"). Set PYTHONHASHSEED=0 to play a history again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from syncapp.items import Kind
from syncapp.side import SideName

if TYPE_CHECKING:
    from lab.chaos.player import Player

MOMENTS = 30
"""A run in these small worlds rarely has more moments than this."""


@dataclass(frozen=True)
class Step:
    """One thing that happens: a method of the player and what it is given."""

    name: str
    given: tuple[Any, ...]

    def play(self, player: Player) -> None:
        """Let it happen."""
        getattr(player, self.name)(*self.given)


def history(random: Random, length: int, *, workers: bool = True, restores: bool = False) -> list[Step]:
    """A random history. Without ``workers`` there is never a second worker, without ``restores`` no backup."""
    from lab.chaos.player import Deed, Fault

    sides = list(SideName)
    faults = [each for each in Fault if workers or each is not Fault.SECOND_WORKER]

    def some_deed() -> Deed:
        return random.choices(list(Deed), [6, 3, 3, 1, 4, 2])[0]

    def maybe_fault() -> Any:
        return random.choice(faults) if random.random() < 0.4 else None

    def moment() -> int:
        return min(random.randrange(MOMENTS), random.randrange(MOMENTS))

    def create() -> Step:
        return Step("create", (random.choice(sides), random.choice([1, 1, 2])))

    def act() -> Step:
        return Step("act", (random.choice(sides), some_deed(), random.randrange(20), random.randrange(9)))

    def hot() -> Step:
        across, after = random.random() < 0.4, random.randrange(8)
        return Step("sync_while", (moment(), some_deed(), random.randrange(9), across, maybe_fault(), after))

    makers: list[tuple[float, Callable[[], Sequence[Step]]]] = [
        (2, lambda: [create()]),
        (3, lambda: [act()]),
        (0.3, lambda: [Step("purge", (random.choice(sides),))]),
        (2, lambda: [Step("sync", ())]),
        (3, lambda: [act(), Step("sync_with_fault", (moment(), random.choice(faults)))]),
        (2, lambda: [act(), Step("sync_with_crash_at_commit", (random.randrange(12), random.choice(_edges())))]),
        (4, lambda: [act(), hot()]),
        (4, lambda: [create(), act(), hot()]),
        (2, lambda: [hot()]),
        (0.3, lambda: [Step("lose_tokens", (random.choice(sides),))]),
        (1, lambda: [Step("land", (random.choice(sides),))]),
        (
            0.5,
            lambda: [Step("set_manners", (random.choice(sides), random.random() < 0.5, random.choice([1, 2, 1000])))],
        ),
    ]
    if restores:
        makers += [
            (1.5, lambda: [Step("sync", ()), Step("back_up", (random.choice(sides),))]),
            (1, lambda: [Step("restore_backup", (random.choice(sides),))]),
            (0.2, lambda: [Step("forget", ())]),
        ]
    chosen = random.choices([make for _, make in makers], [weight for weight, _ in makers], k=length)
    return [create(), *(step for make in chosen for step in make())]


def _edges() -> Sequence[Any]:
    from lab.chaos.commits import Edge

    return list(Edge)


def play(kind: Kind, steps: Sequence[Step]) -> tuple[list[str], Player]:
    """Play a history of one kind of items to its end; what was violated, and the player with its story."""
    from django.db import transaction

    from lab.chaos.player import Player, repeatable

    with repeatable(), transaction.atomic():
        player = Player(kind)
        try:
            for step in steps:
                step.play(player)
            violations = player.violations()
        except Exception:  # a bug of the engine that shows as an error, not as a wrong state
            violations = [_error()]
        player.log += ["runs:", *player.town.log()]
        transaction.set_rollback(True)
    return violations, player


def _error() -> str:
    """What was raised, and where in our own code."""
    kind, error, trace = sys.exc_info()
    frames = [each for each in traceback.extract_tb(trace) if "/.venv/" not in each.filename]
    where = "".join(traceback.format_list(frames[-8:]))
    return f"Traceback\n{where}{kind.__name__ if kind else ''}: {error}"


def sort_of(violations: Sequence[str]) -> str:
    """What sort of violation this is, so that making a history smaller does not turn it into another."""
    first = violations[0].strip().splitlines()
    return first[-1].split(":")[0] if first[0].startswith("Traceback") else first[0].split(":")[0]


def shrunk(kind: Kind, steps: list[Step], sort: str) -> list[Step]:
    """A history from which no step can be left out without losing this sort of violation."""
    size = max(1, len(steps) // 2)
    while True:
        at = 0
        while at < len(steps):
            shorter = steps[:at] + steps[at + size :]
            violations, _ = play(kind, shorter)
            if violations and sort_of(violations) == sort:
                steps = shorter
            else:
                at += size
        if size == 1:
            return steps
        size = max(1, size // 2)


def main() -> int:
    """Play histories until there are enough of them or of violations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--length", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, default=3, metavar="VIOLATIONS")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--one-worker", action="store_true")
    parser.add_argument("--restores", action="store_true", help="servers go back to backups, our state is lost")
    parser.add_argument("--story", action="store_true", help="print the whole story of a broken history")
    given = parser.parse_args()
    _open_database()
    began, sorts, faults = time.monotonic(), Counter[str](), 0
    for seed in range(given.seed, given.seed + given.histories):
        steps = history(Random(seed), given.length, workers=not given.one_worker, restores=given.restores)
        kind = Kind.CONTACT if seed % 3 == 0 else Kind.EVENT
        violations, player = play(kind, steps)
        faults += player.faults
        if (seed - given.seed + 1) % 25 == 0:
            _say(f"{seed - given.seed + 1} histories, {faults} faults, {time.monotonic() - began:.0f} s")
        if violations:
            sort = sort_of(violations)
            sorts[sort] += 1
            if sorts[sort] == 1 or given.story:
                _report(seed, kind, shrunk(kind, steps, sort), story=given.story)
            else:
                _say(f"seed {seed}: {violations[0].strip().splitlines()[-1]}")
        if sum(sorts.values()) >= given.stop_after or time.monotonic() - began > given.seconds:
            break
    seconds = time.monotonic() - began
    _say(f"{seed - given.seed + 1} histories, {faults} faults, {seconds:.0f} s; {dict(sorts) or 'clean'}")
    return 1 if sorts else 0


def _report(seed: int, kind: Kind, steps: list[Step], *, story: bool) -> None:
    violations, player = play(kind, steps)
    _say(f"\nseed {seed}, {kind}")
    for step in steps:
        _say(f"    {step.name}{step.given}")
    if story:
        _say("\n".join(player.log))
    _say("\n".join(violations))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _open_database() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    sys.exit(main())
