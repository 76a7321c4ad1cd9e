"""What more service accounts bring: the same work with one, two and four of them.

The lab Exchange takes its time and lets no account have more than one request at once. There are as many workers
as accounts at most, so that what differs is the accounts alone. The work is first syncs: each round has people of its
own, all with as many items.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from django.db.models import Max, Min
from django.utils import timezone

from lab import bench_mix
from lab.bench_mix import Mix
from lab.bench_stage import Bench
from lab.console import Console
from lab.environment import Place
from lab.management.progress import FirstSync
from lab.nextcloud.remote import NextcloudControl
from lab.scenario.people import DOMAIN
from lab.stage import Stage, StageBroke
from syncapp.jobs import places
from syncapp.models import Enrollment, Link, Problem, Run, ServiceAccount

ROUNDS = (1, 2, 4)
"""With how many accounts the work is done."""
_PEOPLE = 24
_ITEMS_EACH = 0.04
"""People of each round, and which share of the mix of the other bench each of them has: 30 items."""
ANSWER_TIMES = {
    # What a request takes over a company's network, with authentication, budgets and a database behind it.
    "seconds": {"*": 0.12},
    "per_item": {"GetItem": 0.005, "CreateItem": 0.010, "UpdateItem": 0.010, "DeleteItem": 0.005},
    "slots": 64,
}


@dataclass
class Speed:
    """Seconds and items of each round, by the number of accounts; and what went wrong."""

    seconds: dict[int, float] = field(default_factory=dict)
    items: dict[int, int] = field(default_factory=dict)
    problems: int = 0

    def per_second(self, count: int) -> float:
        """Items in a second with so many accounts."""
        return self.items[count] / self.seconds[count]

    def to_json(self) -> Mapping[str, float]:
        """Every figure by its name."""
        one = self.per_second(ROUNDS[0])
        figures: dict[str, float] = {"problems": self.problems}
        for count in ROUNDS:
            figures[f"seconds_{count}"] = self.seconds[count]
            figures[f"items_per_second_{count}"] = self.per_second(count)
        for count in ROUNDS[1:]:
            figures[f"speedup_{count}"] = self.per_second(count) / one
        return {name: round(value, 3) for name, value in figures.items()}

    def table(self) -> list[str]:
        """The same for people."""
        figures = self.to_json()
        lines = ["", f"  {'service accounts':>16}  {'seconds':>8}  {'items/s':>8}  {'speedup':>8}"]
        for count in ROUNDS:
            speedup = figures.get(f"speedup_{count}", 1.0)
            lines.append(f"  {count:16}  {self.seconds[count]:8.1f}  {self.per_second(count):8.1f}  {speedup:8.2f}")
        return [*lines, ""]


class AccountsBench(Bench):
    """One bench of the accounts, from empty labs to the figures."""

    def __init__(self, place: Place, stage: Stage, console: Console, scale: float) -> None:
        super().__init__(place, stage, console)
        self._people = max(len(ROUNDS) + 1, round(_PEOPLE * scale))

    def run(self) -> Speed:
        """Everything, in order. Raises ``StageBroke`` and httpx errors."""
        mixes = self._fill()
        self._start_workers()
        self._enrol(mixes)
        speed = Speed()
        for count, mix in mixes.items():
            words = "one service account" if count == 1 else f"{count} service accounts"
            self._console.say(f"First sync of {len(mix.users)} people with {words}:")
            self._round(count, mix, speed)
        speed.problems = Problem.objects.count()
        return speed

    def _fill(self) -> Mapping[int, Mix]:
        self._console.say(f"Starting the labs (data and logs: {self._place.directory}) and filling them ...")
        self._stage.start_servers()
        mixes = {
            count: bench_mix.plan(_ITEMS_EACH, people=range(number * self._people + 1, (number + 1) * self._people + 1))
            for number, count in enumerate(ROUNDS)
        }
        with self._elapsed("filled"):
            bench_mix.write(
                self._place,
                list(mixes.values()),
                lambda done, total: self._console.progress(done, total, f"{done} of {total} people have their data"),
            )
        self._make_accounts()
        return mixes

    def _make_accounts(self) -> None:
        listed = []
        for number in range(1, max(ROUNDS) + 1):
            name, password = f"connector{number}@{DOMAIN}", f"service-{number}"
            data = {"name": name, "password": password, "impersonates": "*"}
            httpx.post(f"{self._place.exchange_url}/lab/accounts", json=data).raise_for_status()
            listed.append({"Username": name, "Password": password, "MaxConnections": 1})
        self._place.accounts_file.write_text(json.dumps(listed))

    def _enrol(self, mixes: Mapping[int, Mix]) -> None:
        """Everybody is enrolled before anything is measured, and nobody is due."""
        self._wake(0)
        control = NextcloudControl(self._place.nextcloud_url)
        try:
            for mix in mixes.values():
                for user in mix.users:
                    control.consent(user.uid)
        finally:
            control.close()
        places.make_due(places.REFRESH)
        everybody = sum(len(mix.users) for mix in mixes.values())
        self._wait(lambda: Enrollment.objects.count() == everybody)
        Enrollment.objects.update(due_at=timezone.now() + dt.timedelta(days=1))
        httpx.put(f"{self._place.exchange_url}/lab/pace", json=ANSWER_TIMES).raise_for_status()
        limit = {"requests_per_account": 1}
        httpx.put(f"{self._place.exchange_url}/lab/limits", json=limit).raise_for_status()

    def _wake(self, count: int) -> None:
        """Let so many accounts work, and the others rest."""
        for number, account in enumerate(ServiceAccount.objects.order_by("pk")):
            rests_until = None if number < count else timezone.now() + dt.timedelta(days=1)
            ServiceAccount.objects.filter(pk=account.pk).update(rests_until=rests_until)

    def _round(self, count: int, mix: Mix, speed: Speed) -> None:
        of_round = Enrollment.objects.filter(nextcloud_uid__in=[user.uid for user in mix.users])
        before = Enrollment.objects.filter(first_sync_done_at__isnull=False).count()
        progress = FirstSync(before + len(mix.users))
        known = progress.items_done
        of_round.update(due_at=timezone.now())
        self._wake(count)

        def done() -> bool:
            progress.look()
            self._console.progress(progress.items_done - known, mix.items, progress.words)
            return progress.done

        self._wait(done)
        self._wake(0)
        self._wait(lambda: not of_round.exclude(lease_owner="").exists())
        runs = Run.objects.filter(enrollment__in=of_round).aggregate(begun=Min("started_at"), ended=Max("finished_at"))
        in_step = Link.objects.filter(Link.in_step(), enrollment__in=of_round).count()
        if in_step != mix.items:
            raise StageBroke(f"{in_step} of {mix.items} items are in step: the figures are worth nothing.")
        speed.seconds[count] = (runs["ended"] - runs["begun"]).total_seconds()
        speed.items[count] = in_step
        self._console.say(f"  {in_step} items in {speed.seconds[count]:.1f} s.")
