"""One enrolled person, both servers, a clock and a worker: everything that a history needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any

from django.db import connection, transaction

from lab.chaos.people import Person
from lab.chaos.server import EXCHANGE_EMAILS, Stored
from lab.chaos.side import World
from lab.chaos.wire import Call, Crash, DatabaseFailed
from syncapp.engine.at_once import one_by_one
from syncapp.engine.lease import TAKEOVER_SECONDS, Lease, LeaseLost, claim
from syncapp.engine.look import Looked, look, nothing_happened
from syncapp.engine.slice import run_slice
from syncapp.items import Contact, Event, Item, Kind
from syncapp.items.elements import elements
from syncapp.items.values import Email, Frequency, Recurrence, ZonedTime
from syncapp.models import Enrollment, History, Link, Pairing, Problem, Restoration, Run, RunLine
from syncapp.side import SideError, SideName

LEASE_SECONDS = 120.0
SLICE_SECONDS = 3600.0
MOST_RUNS = 4
"""After a full comparison."""
LONG = timedelta(days=2)
"""Longer than any delay before something is tried again."""

EXCHANGE, NEXTCLOUD = SideName.EXCHANGE, SideName.NEXTCLOUD
EVENT, CONTACT = Kind.EVENT, Kind.CONTACT

End = SideError | Crash | LeaseLost | DatabaseFailed
"""What may end a run early."""


class HandClock:
    """A clock that is moved by hand, backwards, too: ``latest`` is the time that would have come without that."""

    def __init__(self) -> None:
        self.time = self.latest = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def now(self) -> datetime:
        """See ``syncapp.engine.clock.Clock``."""
        return self.time

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.time += by
        self.latest = max(self.latest, self.time)

    def set_right(self) -> None:
        """Somebody notices that it is slow."""
        self.time = self.latest


@dataclass(frozen=True)
class Ran:
    """What a run did, as the servers saw it."""

    writes: tuple[str, ...]
    """Names of the calls that could change something, in order."""
    error: End | None = None
    """What ended it early."""


@dataclass
class Town:
    """The place where a history happens. ``outlook`` is the person at Exchange, ``phone`` at Nextcloud."""

    kinds: tuple[Kind, ...] = tuple(Kind)
    world: World = field(default_factory=World)
    clock: HandClock = field(default_factory=HandClock)
    outlook: Person = field(init=False)
    phone: Person = field(init=False)
    enrollment: Enrollment = field(init=False)
    pairings: dict[tuple[Kind, int], Pairing] = field(init=False)
    suspended: list[Call] = field(default_factory=list)
    """The calls in the middle of which workers sleep while another one works."""
    collisions: int = 0
    """How often a worker got the lease while another one may still have used it."""
    _workers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.outlook, self.phone = Person(self.world.exchange), Person(self.world.nextcloud)
        self.enrollment = Enrollment.objects.create(
            nextcloud_uid="anna",
            nextcloud_login="anna",
            mailbox="anna@lab.example",
            state=Enrollment.State.ACTIVE,
            due_at=self.clock.now(),
        )
        self.pairings = {
            (kind, number): Pairing.objects.create(
                enrollment=self.enrollment,
                kind=kind,
                exchange_folder=self.world.folder(EXCHANGE, kind, number),
                nextcloud_folder=self.world.folder(NEXTCLOUD, kind, number),
            )
            for kind in self.kinds
            for number in (1, 2)
        }

    def person(self, name: SideName) -> Person:
        """Whoever sits at one side."""
        return self.outlook if name is EXCHANGE else self.phone

    def folder(self, name: SideName, kind: Kind = EVENT, number: int = 1) -> str:
        """The id of a folder; folders of the same number are paired."""
        return self.world.folder(name, kind, number)

    # Running ---------------------------------------------------------------------------------------------------------

    def claim(self, owner: str = "worker") -> Lease:
        """The lease, after whatever time that takes."""
        if (free_at := self._free_at()) is not None and free_at > self.clock.now():
            self.clock.move(free_at - self.clock.now())
        lease = self._try_to_claim(owner)
        assert lease is not None, "a lease that nobody has can't be claimed"
        return lease

    def steal(self, owner: str) -> Lease | None:
        """The lease without waiting for it. None, as it has to be, while a worker may be alive who has it."""
        free_at = self._free_at()
        lease = self._try_to_claim(owner)
        if lease is not None and free_at is not None and free_at > self.clock.now():
            self.collisions += 1
        return lease

    def _free_at(self) -> datetime | None:
        row = Enrollment.objects.get(pk=self.enrollment.pk)
        if not row.lease_owner or row.lease_until is None:
            return None
        return row.lease_until + timedelta(seconds=TAKEOVER_SECONDS + 1)

    def _try_to_claim(self, owner: str) -> Lease | None:
        row = Enrollment.objects.get(pk=self.enrollment.pk)
        put_off = self.clock.now() + timedelta(minutes=1)
        # No worker is called like one before it.
        return claim(row, f"{owner} {next(self._workers)}", LEASE_SECONDS, put_off=put_off, clock=self.clock)

    def sync(self, *, full: bool = False, wait: bool = True, owner: str = "worker", patient: bool = True) -> Ran:
        """One run, whatever becomes of it. ``wait``: first let the time pass after which things are tried again.

        Not ``patient``: by a worker that does not wait until the lease is free.
        """
        if wait:
            self.clock.move(LONG)
        since = len(self.world.wire.calls)
        error: End | None = None
        try:
            lease = self.claim(owner) if patient else self.steal(owner)
            if lease is not None:
                self._run(lease, full=full)
        except (SideError, Crash, LeaseLost, DatabaseFailed) as end:
            error = end
            if connection.in_atomic_block:
                # A transaction around all of this is that of a test, which nothing has broken.
                transaction.set_rollback(False)
        return Ran(tuple(call.name for call in self.world.wire.writes(since)), error)

    def _run(self, lease: Lease, *, full: bool) -> None:
        """What a worker does with a lease: a look, and a run if something may have happened."""
        looked = None if full else self._look()
        if looked is not None and nothing_happened(looked, list(Pairing.objects.all())):
            lease.release(self.clock.now(), attempts=0)
            return
        run = Run.objects.create(enrollment_id=self.enrollment.pk, started_at=self.clock.now())
        slices, more = 0, True
        while more:
            more = run_slice(
                lease,
                run,
                self.world.sides(self.kinds),
                clock=self.clock,
                seconds=SLICE_SECONDS,
                full=full,
                looked=looked,
                at_once=one_by_one,
            ).more
            slices, looked = slices + 1, None
            assert slices < 100, "a run that never ends"
        lease.release(self.clock.now())

    def _look(self) -> Looked | None:
        """What a look has seen; None where something is open, so that a look can't be enough."""
        dirty = Link.objects.filter(dirty__gt=0).exists()
        wanted_back = Restoration.objects.filter(state=Restoration.State.WAITING).exists()
        listed = all(each.listed for each in Pairing.objects.all())
        if dirty or wanted_back or Problem.objects.exists() or not listed:
            return None
        return look(self.world.sides(self.kinds), list(Pairing.objects.all()))

    def rest(self) -> None:
        """People and faults rest: the clock is right, servers tell the truth, and what was on its way has arrived."""
        self.world.wire.hooks.clear()
        self.clock.set_right()
        for server in (self.world.exchange, self.world.nextcloud):
            server.silent = False
            server.lies.clear()
            server.land()

    def settle(self) -> None:
        """What invariant 2 promises: one full comparison and at most four runs, the last of which writes nothing."""
        self.rest()
        ran = [self._quietly(full=True)]
        while not (ran[-1].writes == () and len(ran) > 1) and len(ran) <= MOST_RUNS:
            ran.append(self._quietly())
        assert not ran[-1].writes, f"still writing after {len(ran)} runs: {[each.writes for each in ran]}"
        dirty = list(Link.objects.filter(enrollment=self.enrollment, dirty__gt=0).values_list("pk", "has_problem"))
        assert not dirty, f"dirty links are left: {dirty}"

    def _quietly(self, *, full: bool = False) -> Ran:
        ran = self.sync(full=full)
        assert ran.error is None, repr(ran.error)
        return ran

    def second_worker(self, **kwargs: Any) -> Callable[[], None]:
        """An act: the first worker sleeps until its lease is long over, and another one does a whole run."""

        def act() -> None:
            self.clock.move(timedelta(seconds=10 * LEASE_SECONDS))
            self.sync(wait=False, owner="another worker", **kwargs)

        return act

    # Looking ---------------------------------------------------------------------------------------------------------

    def living(self, name: SideName, kind: Kind = EVENT) -> list[Stored]:
        """The objects of one side, by title or name."""
        return sorted(self.world.server(name).living(kind), key=lambda each: title_of(each.item))

    def only(self, name: SideName, kind: Kind = EVENT) -> Stored:
        """The one object of a side."""
        [stored] = self.living(name, kind)
        return stored

    def find(self, name: SideName, title: str, kind: Kind = EVENT) -> Stored:
        """The one object of a side with this title or name."""
        [stored] = [each for each in self.living(name, kind) if title_of(each.item) == title]
        return stored

    def events(self, name: SideName) -> list[Event]:
        """The events of one side, by title."""
        return [each.item for each in self.living(name) if isinstance(each.item, Event)]

    def event(self, name: SideName, title: str = "") -> Event:
        """The one event of a side, or the one with this title."""
        [event] = [each for each in self.events(name) if title in ("", each.title)]
        return event

    def card(self, name: SideName) -> Contact:
        """The one contact of a side."""
        item = self.only(name, CONTACT).item
        assert isinstance(item, Contact)
        return item

    def titles(self, name: SideName, kind: Kind = EVENT) -> list[str]:
        """The titles or names on one side."""
        return [title_of(each.item) for each in self.living(name, kind)]

    def both(self, kind: Kind = EVENT) -> list[str]:
        """The titles or names on both sides, which must be the same."""
        self.compare(kind)
        return self.titles(EXCHANGE, kind)

    def compare(self, kind: Kind = EVENT) -> None:
        """Both sides hold the same items in the same folders, apart from what Exchange can't hold."""
        exchange, nextcloud = (self._contents(name, kind) for name in SideName)
        differing = [
            content for content in {**exchange, **nextcloud} if not _fits(exchange[content], nextcloud[content])
        ]
        assert not differing, "\n".join(f"{each}: {exchange[each]} and {nextcloud[each]}" for each in differing)

    def _contents(self, name: SideName, kind: Kind) -> dict[tuple[object, ...], list[frozenset[str]]]:
        """The mail addresses of each object, by the rest of its content."""
        found: dict[tuple[object, ...], list[frozenset[str]]] = defaultdict(list)
        for each in self.living(name, kind):
            found[self.content(name, each)].append(addresses(each.item))
        return found

    def content(self, name: SideName, stored: Stored) -> tuple[object, ...]:
        """What both servers can hold of an object, and the number of its folder: equal when nothing has to travel.

        Mail addresses are left out: which of many Exchange holds depends on who wrote them first.
        """
        numbers = {self.folder(name, stored.item.kind, number): number for number in (1, 2)}
        held: Item = self.world.exchange.held(self.world.nextcloud.held(stored.item))
        if isinstance(held, Event):
            held = replace(held, attendees=(), organizer=None)
        parts = sorted((path, part.normal) for path, part in elements(held).items() if path[0] != "emails")
        return (numbers[stored.folder], *parts)

    def history(self) -> list[Item]:
        """The items in history, oldest first."""
        return [
            self.world.side(SideName(each.side), Kind(each.kind)).unpack(each.packed)
            for each in History.objects.order_by("pk")
        ]

    def history_titles(self) -> list[str]:
        """The titles or names in history, oldest first."""
        return [title_of(each) for each in self.history()]

    def problems(self) -> list[str]:
        """The codes of the problems that there are."""
        return sorted(Problem.objects.values_list("code", flat=True))

    def log(self) -> list[str]:
        """The log of all runs, for reading when a history goes wrong."""
        return [
            f"{line.run_id} {line.code} {line.side} {line.link_id} {line.fields} {line.note}"
            for line in RunLine.objects.order_by("pk")
        ]


def addresses(item: Item) -> frozenset[str]:
    """The mail addresses of a contact."""
    return frozenset(path[1] for path in elements(item) if path[0] == "emails")


def _fits(exchange: list[frozenset[str]], nextcloud: list[frozenset[str]]) -> bool:
    """Whether each object of Nextcloud has one in Exchange with as many of its addresses as there is room for."""
    return len(exchange) == len(nextcloud) and any(
        all(
            here <= there and len(here) == min(len(there), EXCHANGE_EMAILS)
            for here, there in zip(exchange, order, strict=True)
        )
        for order in permutations(nextcloud)
    )


# Items ---------------------------------------------------------------------------------------------------------------


def title_of(item: Item) -> str:
    """The title of an event, the name of a contact."""
    return item.title if isinstance(item, Event) else item.display_name


def event(title: str = "Budget", day: int = 10, **values: Any) -> Event:
    """An event at nine on a day of March 2026."""
    start = ZonedTime(datetime(2026, 3, day, 9), "Europe/Berlin")
    end = replace(start, wall=start.wall + timedelta(hours=1))
    return Event(start, end, title=title, **values)


def series(title: str = "Jour fixe", **values: Any) -> Event:
    """A weekly series of eight from 10 March 2026 on."""
    return replace(event(title), recurrence=Recurrence(Frequency.WEEKLY, count=8), **values)


def contact(name: str = "Anna", *emails: str, **values: Any) -> Contact:
    """A contact with mail addresses."""
    return Contact(display_name=name, given_name=name, emails=tuple(map(Email, emails)), **values)


def titled(title: str) -> Callable[[Item], Item]:
    """The edit that gives an item another title or name."""
    return lambda item: replace(item, title=title) if isinstance(item, Event) else replace(item, display_name=title)


def placed(location: str) -> Callable[[Event], Event]:
    """The edit that gives an event another place."""
    return lambda item: replace(item, location=location)
