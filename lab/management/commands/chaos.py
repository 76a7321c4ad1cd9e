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
from lab.console import Console

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
        add("--json", action="store_true", help="print the result as one JSON object, as the last line")
        add("--replay", metavar="FILE", help="play one history again, from a file or as its JSON itself")
        add("--mutation", choices=sorted(MUTATIONS), default="", help="break the engine, and see whether it is noticed")
        add("--mutations", action="store_true", help="list the ways to break it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when something was violated, or when a broken engine was not noticed."""
        console = Console()
        if options["mutations"]:
            for name, mutation in sorted(MUTATIONS.items()):
                console.say(f"{name:32} {mutation.meaning}")
            console.say("See whether one is noticed: manage.py chaos --runs 500 --mutation NAME")
            return
        place = environment.current().directory
        processes = 1 if options["replay"] else max(1, options["processes"])
        with campaign(processes, place, options["theme"], options["mutation"]) as running:
            if options["replay"]:
                self._replay(console, running, options["replay"])
            else:
                _Report(console, place, options).play(running)

    def _replay(self, console: Console, running: Campaign, given: str) -> None:
        try:
            file = Path(given)
            text = given if given.lstrip().startswith("{") else file.read_text(encoding="utf-8")
            broken = running.replay(json.loads(text))
        except (OSError, ValueError) as error:
            raise CommandError(f"This can't be played: {error}") from error
        console.say(broken.story)
        if broken.violations:
            raise CommandError("Violated: " + "; ".join(broken.violations))
        console.say("Nothing is violated.")


@dataclass
class _Report:
    console: Console
    place: Path
    options: dict[str, Any]
    runs: int = 0
    faults: int = 0
    broken: list[Result] = field(default_factory=list)
    sorts: Counter[str] = field(default_factory=Counter)

    def play(self, running: Campaign) -> None:
        """All histories; of a broken engine only until it is noticed. Raises CommandError."""
        first, runs, mutation = self.options["seed"], self.options["runs"], self.options["mutation"]
        self._announce(first, runs, mutation)
        began = time.monotonic()
        for result in running.results(range(first, first + runs)):
            self._take(result, runs)
            if result.violations and mutation:
                break
        seconds = time.monotonic() - began
        for result in sorted(self.broken, key=lambda each: each.seed)[:_SHOWN]:
            self._show(result, running)
        self._end(seconds, mutation)

    def _announce(self, first: int, runs: int, mutation: str) -> None:
        what = f"Playing {runs} histories, seeds {first} to {first + runs - 1}, on {connection.vendor}"
        self.console.say(f"{what}, with a broken engine: {MUTATIONS[mutation].meaning}." if mutation else f"{what}.")

    def _take(self, result: Result, runs: int) -> None:
        self.runs += 1
        self.faults += result.faults
        if result.violations:
            self.broken.append(result)
            self.console.say(f"Seed {result.seed}: {result.violations[0].strip().splitlines()[-1]}")
        words = f"{self.runs} of {runs} histories, {self.faults} faults, {len(self.broken)} violations"
        self.console.progress(self.runs, runs, words)

    def _show(self, result: Result, running: Campaign) -> None:
        """Make it small, and keep it."""
        self.console.say(f"Seed {result.seed}: looking for what it takes ...")
        small = running.smaller(result.seed)
        file = self.place / f"broken-{result.seed}.json"
        file.write_text(json.dumps(small.history, indent=1) + "\n", encoding="utf-8")
        self.console.say(json.dumps(small.history))
        for violation in small.violations:
            self.console.say(f"  {violation.strip()}")
        mutation = self.options["mutation"]
        again = f"manage.py chaos --replay {file}" + (f" --mutation {mutation}" if mutation else "")
        self.console.say(f"  Play it again: python {again}")

    def _end(self, seconds: float, mutation: str) -> None:
        self.console.say(f"{self.runs} histories with {self.faults} faults in {seconds:.0f} s.")
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
            "faults": self.faults,
            "violations": len(self.broken),
            "seconds": round(seconds, 1),
            "seed": self.options["seed"],
            "database": connection.vendor,
        }
        return figures | ({"mutation": self.options["mutation"]} if self.options["mutation"] else {})
