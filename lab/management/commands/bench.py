"""How fast the connector is and what it takes, on the embedded lab: ``make bench``."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Sum
from django.utils import timezone

from lab import bench_measure, bench_mix, bench_peer, environment
from lab.bench_accounts import AccountsBench
from lab.bench_measure import Reading
from lab.bench_mix import Mix
from lab.bench_peer import PeerFailed
from lab.bench_report import Figures, table
from lab.bench_stage import Bench
from lab.console import Console
from lab.environment import Place
from lab.management.progress import FirstSync
from lab.nextcloud.remote import NextcloudControl
from lab.stage import Stage, StageBroke
from syncapp.jobs import places
from syncapp.models import Enrollment, Link, Problem

_COLLECTIONS_EACH = 2
_LOOKS = 30
"""How often each person is looked at when everything is quiet, at full size."""
_LOOKS_BEFORE = 5
"""Looks that are not measured: each worker asks once an hour where a person's collections are."""
_SETTLED = 7.0
"""Seconds after which times of whole seconds tell the last write from a next one, on either side."""
_PATIENT = range(bench_mix.PEOPLE + 1, bench_mix.PEOPLE + 3)
"""Two more people, who are synced by servers that take their time."""
_AT_REST = 10.0
"""Seconds for which the workers are left without anything to do, at any size: the kernel counts hundredths of one."""


class Command(BaseCommand):
    """One first sync, many looks with nothing to do, and the same by a peer; then a table."""

    help = "Measure the connector on the embedded lab: 2,000 events and 1,000 contacts; takes some minutes. Linux only."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """``--json`` is for machines, ``--scale`` for the impatient."""
        parser.add_argument(
            "what", nargs="?", choices=["sync", "accounts"], default="sync",
            help="sync (the default), or accounts: what two and four service accounts bring against one",
        )  # fmt: skip
        parser.add_argument(
            "--json", action="store_true", help="print the figures as one JSON object, as the last line"
        )
        parser.add_argument("--scale", type=float, default=1.0, help="this share of the mix only, as 0.05")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, with where to look, when something did not work."""
        place, console = environment.current(), Console()
        if options["what"] == "accounts":
            self._accounts(place, console, options)
            return
        mix, patient = bench_mix.plan(options["scale"]), bench_mix.plan(options["scale"], people=_PATIENT)
        try:
            with Stage(place) as stage:
                figures = _Bench(place, stage, console, mix, patient, options["scale"]).run()
        except (StageBroke, PeerFailed, httpx.HTTPError) as error:
            raise CommandError(f"{error} Logs: {place.directory}") from error
        for line in table(figures):
            console.say(line)
        if options["json"]:
            console.say(json.dumps(figures.to_json()))
        if figures.problems or figures.items != mix.items + patient.items:
            raise CommandError(
                f"{figures.items} of {mix.items + patient.items} items are in step, with {figures.problems} problems: "
                f"the figures are worth nothing. Logs: {place.directory}"
            )

    def _accounts(self, place: Place, console: Console, options: dict[str, Any]) -> None:
        try:
            with Stage(place) as stage:
                speed = AccountsBench(place, stage, console, options["scale"]).run()
        except (StageBroke, httpx.HTTPError) as error:
            raise CommandError(f"{error} Logs: {place.directory}") from error
        for line in speed.table():
            console.say(line)
        if options["json"]:
            console.say(json.dumps(speed.to_json()))
        if speed.problems:
            raise CommandError(f"There were {speed.problems} problems: the figures are worth nothing.")


class _Bench(Bench):
    def __init__(self, place: Place, stage: Stage, console: Console, mix: Mix, patient: Mix, scale: float) -> None:
        super().__init__(place, stage, console)
        self._mix = mix
        self._patient = patient
        self._looks_at_each = max(3, round(_LOOKS * scale))

    def run(self) -> Figures:
        """Everything, in order; the servers are filled before anything is measured."""
        self._fill()
        self._start_workers()
        self._console.say(f"First sync of {self._mix.items} items by two workers:")
        first = self._first_sync(self._mix)
        self._console.say("Nothing to do any more: looking at quiet collections.")
        idle, looks = self._idle()
        rest = self._rest()
        self._console.say(f"First sync of {self._patient.items} items of others, the labs as slow as real servers:")
        with bench_measure.answer_times(self._place):
            paced = self._first_sync(self._patient)
        peak = bench_measure.peak_megabytes(self._group)
        self._console.say(f"vdirsyncer copies {self._mix.event_count} events between two accounts ...")
        peer = bench_peer.copy(self._place, self._mix)
        return Figures(
            items=Link.objects.filter(Link.in_step()).count(),
            problems=Problem.objects.count(),
            first=first,
            first_items=self._mix.items,
            idle=idle,
            looks=looks * _COLLECTIONS_EACH,
            rest=rest,
            paced=paced,
            worker_peak_mb=peak,
            peer=peer,
        )

    # Before ------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        place, console, mix = self._place, self._console, self._mix
        console.say(f"Starting the labs (data and logs: {place.directory}) and filling them, which is not measured ...")
        self._stage.start_servers()
        with self._elapsed("filled"):
            bench_mix.write(
                place,
                [mix, self._patient],
                lambda done, total: console.progress(done, total, f"{done} of {total} people have their data"),
            )
            bench_peer.prepare(place, mix)

    # Measuring ---------------------------------------------------------------------------------------------------

    def _first_sync(self, mix: Mix) -> Reading:
        """From the consents of these people until everything is in step."""
        progress = FirstSync(Enrollment.objects.count() + len(mix.users))
        known = progress.items_done
        before = self._read()
        self._consent(mix)
        places.make_due(places.REFRESH)

        def done() -> bool:
            progress.look()
            self._console.progress(progress.items_done - known, mix.items, progress.words)
            return progress.done

        self._wait(done)
        first = self._read().since(before)
        self._console.say(f"  {progress.words} after {first.wall:.1f} s.")
        return first

    def _consent(self, mix: Mix) -> None:
        control = NextcloudControl(self._place.nextcloud_url)
        try:
            for user in mix.users:
                control.consent(user.uid)
        finally:
            control.close()

    def _idle(self) -> tuple[Reading, int]:
        """Look at everybody again and again; the looks that there were."""
        time.sleep(_SETTLED)
        for _ in range(_LOOKS_BEFORE):
            self._look_at_everybody()
        before, looks = self._read(), _looks()
        for number in range(1, self._looks_at_each + 1):
            self._look_at_everybody()
            self._console.progress(number, self._looks_at_each, f"looked at everybody {number} times")
        return self._read().since(before), _looks() - looks

    def _look_at_everybody(self) -> None:
        fences = dict(Enrollment.objects.values_list("pk", "fence"))
        Enrollment.objects.update(due_at=timezone.now())
        self._wait(
            lambda: all(
                fence > fences[pk] and not owner
                for pk, fence, owner in Enrollment.objects.values_list("pk", "fence", "lease_owner")
            )
        )

    def _rest(self) -> Reading:
        """What the workers take while nobody is due."""
        before = self._read()
        time.sleep(_AT_REST)
        return self._read().since(before)

    def _read(self) -> Reading:
        return bench_measure.read(self._place, self._group)


def _looks() -> int:
    """Each claim of a lease raises the fence by one."""
    return int(Enrollment.objects.aggregate(sum=Sum("fence"))["sum"] or 0)
