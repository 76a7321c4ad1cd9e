"""Try to make the connector lose, double or bring back something: ``manage.py chaos``."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from lab import environment
from lab.chaos.campaign import Campaign, Result, campaign
from lab.chaos.generate import THEMES
from lab.chaos.mutations import MUTATIONS
from lab.chaos.street import WAVE, Ended, opened
from lab.console import Console

ALL = "all"
_SHOWN = 5
"""Of so many broken histories the smallest form is looked for: it takes a minute for each."""


class Command(BaseCommand):
    """Plays random histories over the real engine and a real database, with two servers in memory."""

    help = (
        "Play random histories of people, faults and restores over the real engine, and check that nothing is lost, "
        "doubled or brought back (docs/chaos.md)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """What to play, or what to play again."""
        add = parser.add_argument
        add("--runs", type=int, default=1000, help="how many histories (default: %(default)s)")
        add("--seed", type=int, default=1, help="the seed of the first one (default: %(default)s)")
        add("--theme", choices=sorted(THEMES), help="play only histories of this theme")
        add("--processes", type=int, default=os.cpu_count() or 1, help="default: one for each core")
        add("--lab", action="store_true", help="over HTTP, with the lab's servers and real workers that are killed")
        add("--json", action="store_true", help="print the result as one JSON object, as the last line")
        add("--replay", metavar="FILE", help="play one history again, from a file or as its JSON itself")
        add("--mutation", choices=[ALL, *sorted(MUTATIONS)], default="", help="break the engine: is it noticed?")
        add("--mutations", action="store_true", help="list the ways to break it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when something was violated, or when a broken engine was not noticed."""
        console = Console()
        if options["mutations"]:
            for name, mutation in sorted(MUTATIONS.items()):
                console.say(f"{name:32} {mutation.meaning}")
            console.say(f"See whether one is noticed: manage.py chaos --runs 500 --mutation NAME, or {ALL}")
            return
        place = environment.current().directory
        if options["lab"]:
            _over_http(console, options)
            return
        processes = 1 if options["replay"] else max(1, options["processes"])
        with campaign(processes, place) as running:
            if options["replay"]:
                self._replay(console, running, options)
            elif options["mutation"] == ALL:
                _break_all(console, running, options)
            else:
                _Report(console, place, options).play(running)

    def _replay(self, console: Console, running: Campaign, options: dict[str, Any]) -> None:
        given = options["replay"]
        try:
            file = Path(given)
            text = given if given.lstrip().startswith("{") else file.read_text(encoding="utf-8")
            broken = running.replay(json.loads(text), options["mutation"])
        except (OSError, ValueError) as error:
            raise CommandError(f"This can't be played: {error}") from error
        console.say(broken.story)
        if broken.violations:
            raise CommandError("Violated: " + "; ".join(broken.violations))
        console.say("Nothing is violated.")


def _over_http(console: Console, options: dict[str, Any]) -> None:
    """Raises CommandError when something was violated."""
    first, runs, began = options["seed"], options["runs"], time.monotonic()
    console.say(f"Playing {runs} histories over HTTP, seeds {first} to {first + runs - 1}, {WAVE} at a time.")
    ended: list[Ended] = []
    place = environment.current()
    with opened(place, first) as street:
        for at in range(first, first + runs, WAVE):
            for each in street.play(range(at, min(at + WAVE, first + runs))):
                ended.append(each)
                if each.violations:
                    console.say(f"Seed {each.seed}:\n{each.story}")
                    console.say("\n".join(f"  {violation}" for violation in each.violations))
            console.progress(len(ended), runs, f"{len(ended)} of {runs} histories, {street.faults.total()} faults")
        faults = street.faults
    broken = sum(bool(each.violations) for each in ended)
    console.say(", ".join(f"{name} {number}" for name, number in sorted(faults.items())))
    if options["json"]:
        figures = {"runs": runs, "faults": faults.total(), "violations": broken}
        figures |= {"seconds": round(time.monotonic() - began, 1), "inside": sum(each.inside > 0 for each in ended)}
        console.say(json.dumps(figures | {"by_fault": dict(sorted(faults.items())), "seed": first, "lab": True}))
    if broken:
        raise CommandError(f"{broken} of {runs} histories went wrong; {place.directory} has the logs.")


def _break_all(console: Console, running: Campaign, options: dict[str, Any]) -> None:
    """Break the engine in every way, one after the other. Raises CommandError when that goes unnoticed once."""
    first, runs, began = options["seed"], options["runs"], time.monotonic()
    noticed: dict[str, int | None] = {}
    for name in sorted(MUTATIONS):
        for played, result in enumerate(
            running.results(range(first, first + runs), name, options["theme"] or MUTATIONS[name].theme), 1
        ):
            if result.violations:
                console.say(f"{name:32} after {played:3}, seed {result.seed}: {_in_short(result)}")
                noticed[name] = played
                break
        else:
            console.say(f"{name:32} NOT NOTICED in {runs} histories")
            noticed[name] = None
    if options["json"]:
        console.say(json.dumps({"mutations": noticed, "seconds": round(time.monotonic() - began, 1)}))
    if unnoticed := [name for name, after in noticed.items() if after is None]:
        raise CommandError(f"Not noticed: {', '.join(unnoticed)}.")


def _in_short(result: Result) -> str:
    return result.violations[0].strip().splitlines()[-1][:100]


@dataclass
class _Report:
    console: Console
    place: Path
    options: dict[str, Any]
    runs: int = 0
    inside: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[Result] = field(default_factory=list)

    def play(self, running: Campaign) -> None:
        """All histories; of a broken engine only until it is noticed. Raises CommandError."""
        first, runs, mutation = self.options["seed"], self.options["runs"], self.options["mutation"]
        self._announce(first, runs, mutation)
        began = time.monotonic()
        for result in running.results(range(first, first + runs), mutation, self._theme):
            self._take(result, runs)
            if result.violations and mutation:
                break
        seconds = time.monotonic() - began
        for result in sorted(self.broken, key=lambda each: each.seed)[:_SHOWN]:
            self._show(result, running)
        self._end(seconds, mutation)

    @property
    def _theme(self) -> str | None:
        mutation = self.options["mutation"]
        theme: str | None = self.options["theme"] or (MUTATIONS[mutation].theme if mutation else None)
        return theme

    def _announce(self, first: int, runs: int, mutation: str) -> None:
        what = f"Playing {runs} histories, seeds {first} to {first + runs - 1}, on {connection.vendor}"
        self.console.say(f"{what}, with a broken engine: {MUTATIONS[mutation].meaning}." if mutation else f"{what}.")

    def _take(self, result: Result, runs: int) -> None:
        self.runs += 1
        self.faults += result.faults
        self.inside += bool(result.inside)
        if result.violations:
            self.broken.append(result)
            self.console.say(f"Seed {result.seed}: {_in_short(result)}")
        words = f"{self.runs} of {runs} histories, {self.faults.total()} faults, {len(self.broken)} violations"
        self.console.progress(self.runs, runs, words)

    def _show(self, result: Result, running: Campaign) -> None:
        """Make it small, and keep it."""
        self.console.say(f"Seed {result.seed}: looking for what it takes ...")
        small = running.smaller(result.seed, self.options["mutation"], self._theme)
        file = self.place / f"broken-{result.seed}.json"
        file.write_text(json.dumps(small.history, indent=1) + "\n", encoding="utf-8")
        self.console.say(json.dumps(small.history))
        for violation in small.violations:
            self.console.say(f"  {violation.strip()}")
        mutation = self.options["mutation"]
        again = f"manage.py chaos --replay {file}" + (f" --mutation {mutation}" if mutation else "")
        self.console.say(f"  Play it again: python {again}")

    def _end(self, seconds: float, mutation: str) -> None:
        self.console.say(f"{self.runs} histories with {self.faults.total()} faults in {seconds:.0f} s.")
        self.console.say(f"In {self.inside} of them somebody acted inside a run, on the object in flight.")
        self.console.say(", ".join(f"{name} {number}" for name, number in sorted(self.faults.items())))
        noticed = bool(self.broken)
        if noticed == bool(mutation):
            self.console.say(
                f"The broken engine was noticed after {self.runs} histories."
                if mutation
                else "Nothing was lost, doubled or brought back, and everything came to rest. "
                f"Other histories: --seed {self.options['seed'] + self.options['runs']}"
            )
        if self.options["json"]:
            self.console.say(json.dumps(self._figures(seconds)))
        if noticed != bool(mutation):
            raise CommandError(
                "The broken engine was not noticed: play more histories, or other ones (--theme)."
                if mutation
                else f"{len(self.broken)} of {self.runs} histories went wrong; the first ones, made small, are in "
                f"{self.place}. docs/chaos.md says how to read them."
            )

    def _figures(self, seconds: float) -> dict[str, Any]:
        figures = {
            "runs": self.runs,
            "faults": self.faults.total(),
            "violations": len(self.broken),
            "seconds": round(seconds, 1),
            "inside": self.inside,
            "by_fault": dict(sorted(self.faults.items())),
            "seed": self.options["seed"],
            "database": connection.vendor,
        }
        return figures | ({"mutation": self.options["mutation"]} if self.options["mutation"] else {})
