"""Histories over HTTP: many people of the lab at once, the real workers as processes, ``kill -9`` in between.

A wave of people is enrolled; in each round all of them do something, on one side while a request of ours to the other
one is held up, and then on the object of that request. Meanwhile requests fail and all workers are killed and started
again. In the end faults and people rest, everybody is compared in full, and each person's model judges.

The servers' faults are those of ``lab.faults``. Delays before something is tried again are shortened from outside, and
so is the time that a killed worker's lease has left: what it had asked for may still be done while the next one works.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import httpx
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from lab.chaos.desk import Desk, ExchangeDesk, NextcloudDesk
from lab.chaos.guest import Guest
from lab.environment import Place
from lab.nextcloud.remote import NextcloudControl
from lab.scenario.mailbox import connect
from lab.scenario.people import DOMAIN, SERVICE_ACCOUNT, SHARED_SECRET, LabUser, Login
from lab.seed import EWS_PATH
from lab.stage import Stage
from lab.webdav import WebDav
from syncapp.models import Enrollment, Hold, Link, Run, ServerRest, ServiceAccount
from syncapp.side import SideName

EXCHANGE, NEXTCLOUD = SideName.EXCHANGE, SideName.NEXTCLOUD
WAVE = 40
"""So many people at a time."""
ROUNDS = 3
MOST_RUNS = 4
_CONNECTOR = "Nextcloud*Exchange*Connector*"
_HELD_UP = 1.5
"""Seconds before the server begins with a request, in which somebody acts on its object."""
_PATIENCE = 180.0
_TICK = 0.25
_WORKERS = {"WORKERS": "4", "REFRESH_INTERVAL": "5", "SYNC_INTERVAL": "600"}
"""What the workers are told: nobody is due unless we say so, after the first sync."""
_KILLS = 2
"""In each round."""
_WRITES = {EXCHANGE: ["CreateItem", "UpdateItem", "DeleteItem"], NEXTCLOUD: ["PUT", "DELETE"]}
_READS = {EXCHANGE: ["SyncFolderItems", "GetItem", "FindItem"], NEXTCLOUD: ["REPORT", "PROPFIND"]}
_TROUBLES: dict[str, dict[str, Any]] = {
    "answer-lost": {"drop": "after"},
    "request-lost": {"drop": "before"},
    "truncated": {"truncate": 40},
    "unavailable": {"status": 503, "headers": {"Retry-After": "1"}},
    "throttled": {"status": 429, "headers": {"Retry-After": "1"}},
    "broken": {"status": 500},
    "bad-gateway": {"status": 502},
}


class NotAtRest(RuntimeError):
    """Something did not happen in time. The text says what."""


@dataclass(frozen=True)
class Ended:
    """How the history of a seed ended."""

    seed: int
    inside: int
    violations: tuple[str, ...]
    story: str


@dataclass
class Street:
    """Both servers, the workers, and the people of one wave."""

    place: Place
    stage: Stage
    random: Random
    faults: Counter[str] = field(default_factory=Counter)
    _controls: dict[SideName, httpx.Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._controls = {
            EXCHANGE: httpx.Client(base_url=self.place.exchange_url, timeout=60),
            NEXTCLOUD: httpx.Client(base_url=self.place.nextcloud_url, timeout=60),
        }

    def prepare(self) -> None:
        """Empty servers that know the connector."""
        self._post(EXCHANGE, "reset", {"keep_accounts": False})
        account = {"name": SERVICE_ACCOUNT.name, "password": SERVICE_ACCOUNT.password, "impersonates": "*"}
        self._post(EXCHANGE, "accounts", account)
        control = NextcloudControl(self.place.nextcloud_url)
        control.reset()
        control.set_secret(SHARED_SECRET)
        control.close()

    def _post(self, side: SideName, what: str, data: Any) -> Any:
        answer = self._controls[side].post(f"/lab/{what}", json=data)
        answer.raise_for_status()
        return answer.json()

    # A wave ----------------------------------------------------------------------------------------------------------

    def play(self, seeds: Sequence[int]) -> Iterator[Ended]:
        """The histories of these seeds at the same time. Raises ``NotAtRest`` and ``StageBroke``."""
        with ExitStack() as around:
            guests = {seed: self._invite(seed, around) for seed in seeds}
            everybody = list(guests.values())
            self._wait("everybody to be enrolled", lambda: self._enrolled(everybody) == len(everybody))
            for number in range(ROUNDS):
                self._round(everybody)
                if number == 0:
                    self._pause(everybody)
            restless = self._rest(everybody)
            for seed, guest in guests.items():
                found = guest.violations()
                if guest.name in restless:
                    found.insert(0, f"not quiet: still writing after {MOST_RUNS} runs")
                yield Ended(seed, guest.inside, tuple(found), "\n".join(guest.log))
            known = Enrollment.objects.filter(nextcloud_uid__in=[each.name for each in everybody])
            known.update(state=Enrollment.State.PAUSED)

    def _invite(self, seed: int, around: ExitStack) -> Guest:
        """Somebody with a mailbox, an account and consent, who has written a few things already."""
        name = f"guest-{seed}"
        user = LabUser(name, name, f"{name}@{DOMAIN}", name, f"{name}-password", "UTC")
        mailbox = {"address": user.email, "name": user.name, "password": user.password}
        self._post(EXCHANGE, "mailboxes", mailbox)
        control = NextcloudControl(self.place.nextcloud_url)
        control.create_user(user.uid, user.password, login=user.login, email=user.email)
        control.consent(user.uid)
        control.close()
        dav = around.enter_context(WebDav(self.place.nextcloud_url, user.login, user.password, user.uid))
        account = connect(self.place.exchange_url + EWS_PATH, Login(user.email, user.password), user.email)
        around.callback(account.protocol.close)
        desks: dict[SideName, Desk] = {EXCHANGE: ExchangeDesk(account), NEXTCLOUD: NextcloudDesk(dav)}
        guest = Guest(name, Random(seed), desks)
        for side in (EXCHANGE, NEXTCLOUD, guest.random.choice([EXCHANGE, NEXTCLOUD])):
            guest.act(side, "create")
        return guest

    def _enrolled(self, guests: Sequence[Guest]) -> int:
        names = [each.name for each in guests]
        return Enrollment.objects.filter(nextcloud_uid__in=names, first_sync_done_at__isnull=False).count()

    def _round(self, guests: Sequence[Guest]) -> None:
        """Everybody does something, most of them again when a request about the same object is under way."""
        waiting: dict[tuple[SideName, int], tuple[Guest, str]] = {}
        for guest in guests:
            guest.calm = False
            side = guest.random.choice([EXCHANGE, NEXTCLOUD])
            if guest.random.random() < 0.75:
                number = self._plan(side, guest, _WRITES[side], delay=_HELD_UP)
                waiting[side, number] = (guest, guest.act(side.other, guest.random.choice(["create", "edit", "edit"])))
            else:
                guest.act(side)
                guest.act(side.other)
            self._trouble(guest)
        kills = sorted(self.random.random() * (8 + len(guests) / 4) for _ in range(_KILLS))
        self._meet(waiting, kills)
        for side in SideName:
            self._note_struck(side)
            self._controls[side].delete("/lab/faults").raise_for_status()

    def _meet(self, waiting: dict[tuple[SideName, int], tuple[Guest, str]], kills: list[float]) -> None:
        """Until the round is over: who sees their request under way acts; the workers are killed when it is time."""
        begun = time.monotonic()
        latest = begun + 12 + len(waiting) * _HELD_UP / 3
        while time.monotonic() < latest and (waiting or kills):
            _fast_forward()
            Enrollment.objects.filter(lease_owner="", due_at__gt=timezone.now()).update(due_at=timezone.now())
            for side in SideName:
                for line in self._lines(side):
                    if line["struck"] and (side, line["number"]) in waiting:
                        guest, tag = waiting.pop((side, line["number"]))
                        guest.inside += 1
                        guest.log.append(f"  while a request to {side} is under way:")
                        guest.act(side if guest.random.random() < 0.75 else side.other, tag=tag)
            if kills and time.monotonic() > begun + kills[0]:
                kills.pop(0)
                self._kill()
            self.stage.check()
            time.sleep(_TICK)

    def _trouble(self, guest: Guest) -> None:
        """Something is going to fail for this person, perhaps."""
        for side in SideName:
            if guest.random.random() < 0.4:
                kind = guest.random.choice(sorted(_TROUBLES))
                operations = _WRITES[side] if guest.random.random() < 0.7 else _READS[side]
                self._plan(side, guest, operations, skip=guest.random.choice([0, 0, 1]), **_TROUBLES[kind])

    def _plan(self, side: SideName, guest: Guest, operations: list[str], **fault: Any) -> int:
        user = f"{guest.name}@{DOMAIN}" if side is EXCHANGE else guest.name
        # People's own requests meet no fault.
        data = {"operation": operations, "user": user, "client": _CONNECTOR, **fault}
        return int(self._post(side, "faults", data)["numbers"][0])

    def _lines(self, side: SideName) -> list[dict[str, Any]]:
        answer = self._controls[side].get("/lab/faults")
        answer.raise_for_status()
        return list(answer.json())

    def _note_struck(self, side: SideName) -> None:
        names = {(each.get("status"), each.get("drop"), each.get("truncate")): name for name, each in _TROUBLES.items()}
        for line in self._lines(side):
            name = names.get((line["status"], line["drop"], line["truncate"]), "held-up")
            self.faults[name] += line["struck"]

    def _kill(self) -> None:
        """All workers end in the middle of whatever they do, and others begin."""
        self.stage.kill_workers()
        self.faults["kill -9"] += 1
        Enrollment.objects.exclude(lease_owner="").update(lease_until=timezone.now() - timedelta(hours=1))
        self.stage.start_workers()

    # Rest ------------------------------------------------------------------------------------------------------------

    def _pause(self, guests: Sequence[Guest]) -> None:
        """Everybody is in step; then some delete something, which has to be gone in the end."""
        time.sleep(_HELD_UP)
        for _ in range(MOST_RUNS):
            if not self._run(guests):
                break
        for guest in guests:
            guest.look()
            if guest.equal():
                guest.model.all_is_in_step()
                guest.calm = True
                if guest.random.random() < 0.5:
                    guest.act(guest.random.choice([EXCHANGE, NEXTCLOUD]), "delete")

    def _rest(self, guests: Sequence[Guest]) -> set[str]:
        """One full comparison and as many runs as are allowed; who of them still writes in the last one."""
        time.sleep(_HELD_UP)
        names = [each.name for each in guests]
        long_ago = timezone.now() - timedelta(days=1)
        Enrollment.objects.filter(nextcloud_uid__in=names).update(full_comparison_at=long_ago)
        restless = self._run(guests)
        for _ in range(MOST_RUNS):
            restless = self._run(guests)
            waiting = Hold.objects.filter(enrollment__nextcloud_uid__in=names, state=Hold.State.WAITING)
            if not restless and not waiting.exists():
                break
            for hold in waiting:
                hold.approve()
        return restless

    def _run(self, guests: Sequence[Guest]) -> set[str]:
        """Let everybody be served once more, to the end of their run; who got something written."""
        names = [each.name for each in guests]
        everybody = Enrollment.objects.filter(nextcloud_uid__in=names)
        begun = timezone.now()
        last = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        everybody.update(due_at=begun)
        settled = Run.objects.filter(enrollment__in=everybody, finished_at=None)
        self._wait(
            "everybody to be served",
            lambda: everybody.filter(last_success__gt=begun).count() == len(names) and not settled.exists(),
        )
        wrote = F("created") + F("updated") + F("deleted")
        runs = Run.objects.filter(enrollment__in=everybody, pk__gt=last).annotate(wrote=wrote)
        return set(runs.filter(wrote__gt=0).values_list("enrollment__nextcloud_uid", flat=True))

    def _wait(self, what: str, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            if time.monotonic() > deadline:
                raise NotAtRest(f"Waited in vain for {what}; the logs are in {self.place.directory}.")
            self.stage.check()
            _fast_forward()
            time.sleep(_TICK)


def _fast_forward() -> None:
    """Whatever waits before it is tried again has waited long enough."""
    now = timezone.now()
    Enrollment.objects.filter(attempts__gt=0, lease_owner="", due_at__gt=now).update(due_at=now)
    ServerRest.objects.filter(until__gt=now).update(until=now)
    ServiceAccount.objects.exclude(rests_until=None).update(rests_until=None)
    Link.objects.filter(not_before__gt=now).update(not_before=None)


@contextmanager
def opened(place: Place, seed: int) -> Iterator[Street]:
    """New servers, a new database of the connector's, and its workers, until the body ends."""
    for old in ("connector", "exchange", "nextcloud"):
        for file in place.directory.glob(f"{old}.sqlite3*"):
            file.unlink()
    call_command("migrate", verbosity=0)
    os.environ.update(_WORKERS)
    with Stage(place) as stage:
        stage.start_servers()
        street = Street(place, stage, Random(seed))
        street.prepare()
        stage.start_workers()
        yield street
