"""A dry run: what the next run would do, found by letting the engine itself run, on nothing that is real.

The sides are read and never written (``dry_side``), and the state is a copy in memory (``syncapp.models.aside``). So
there is no second engine that could foresee something else than the first one does. It runs in a thread of its own:
which database is meant is a matter of the thread, and whoever waits can keep the lease meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncapp.engine.at_once import AtOnce, in_threads
from syncapp.engine.clock import SYSTEM_CLOCK, Clock
from syncapp.engine.dry_side import DrySide, Known
from syncapp.engine.journal import Journal
from syncapp.engine.lease import Lease
from syncapp.engine.slice import run_slice
from syncapp.items import Kind
from syncapp.items.elements import Element
from syncapp.models import Link, Problem, Run, aside
from syncapp.side import SideName, SidesOf

_TEND_SECONDS = 5.0
_SECONDS = 7 * 24 * 3600.0
"""A slice without an end: nothing waits for a dry run to give back what it holds."""
_SLICES = 20
"""How often a run that says that there is more is continued: what then still waits, waits for another day."""

Pair = Callable[[Sequence[SidesOf]], Sequence[SidesOf]]
"""Makes the pairings that are missing; answers with the sides for which there is something to sync."""


class Stopped(Exception):
    """The dry run was ended early."""


@dataclass(frozen=True)
class Announced:
    """One line that the run's log would have, with what a person recognises the item by.

    ``count`` is the number of the run that it would add to ("" for none). ``fields`` of a new object are all that it
    would have.
    """

    code: str
    side: str
    kind: str
    label: str
    begins: str
    fields: str
    note: str
    count: str


@dataclass(frozen=True)
class Foreseen:
    """A problem that the run would report."""

    code: str
    text: str
    remedy: str
    label: str


@dataclass
class DryRun:
    """What the run would do, in its order.

    ``in_step`` items would be the same on both sides afterwards; ``left`` ones stay on one side (outside the window, or
    on the target of a one-way pairing); ``pending`` ones would still have something to be done.
    """

    at: datetime
    announced: list[Announced] = field(default_factory=list)
    problems: list[Foreseen] = field(default_factory=list)
    in_step: int = 0
    left: int = 0
    pending: int = 0


def dry_run(
    lease: Lease,
    sides: Sequence[SidesOf],
    *,
    pair: Pair,
    tend: Callable[[], None],
    clock: Clock = SYSTEM_CLOCK,
    full: bool = False,
    at_once: AtOnce = in_threads,
) -> DryRun:
    """What a run under ``lease`` would do now. Nothing is written, neither on the sides nor in the database.

    ``pair`` is called on the copy. ``tend`` is called now and then while the dry run is under way, on the real
    database; what it raises ends it. Raises what ``run_slice`` raises.
    """
    rows = aside.copied(lease.enrollment_id)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    work = _Rehearsal(replace(lease, clock=clock), sides, pair, clock, full, at_once, check)
    with ThreadPoolExecutor(1, thread_name_prefix="dry-run") as pool:
        future = pool.submit(work.play, rows)
        try:
            while not wait([future], _TEND_SECONDS).done:
                tend()
        except BaseException:
            stop.set()
            raise
        return future.result()


@dataclass
class _Rehearsal:
    """The work of the thread. ``lease`` is held on the copy, where nobody else is."""

    lease: Lease
    sides: Sequence[SidesOf]
    pair: Pair
    clock: Clock
    full: bool
    at_once: AtOnce
    check: Callable[[], None]

    def play(self, rows: aside.Rows) -> DryRun:
        """Run until nothing is left to do; what that came to."""
        with aside.opened(rows):
            dry = [_dry(of, self.check) for of in self.sides]
            known = dict(Problem.objects.values_list("key", "count"))
            run = Run.objects.create(enrollment_id=self.lease.enrollment_id, started_at=self.clock.now())
            journal = _Announcing(run, self.clock, dry)
            self._run(run, journal, self.pair(dry))
            return DryRun(
                self.clock.now(),
                journal.announced,
                [_foreseen(each) for each in Problem.objects.order_by("pk") if known.get(each.key) != each.count],
                in_step=Link.objects.filter(Link.in_step()).count(),
                left=sum(link.half is not None for link in Link.objects.filter(dirty=0).exclude(Link.in_step())),
                pending=Link.objects.filter(dirty__gt=0).count(),
            )

    def _run(self, run: Run, journal: Journal, sides: Sequence[SidesOf]) -> None:
        for number in range(_SLICES):
            result = run_slice(
                self.lease,
                run,
                sides,
                clock=self.clock,
                seconds=_SECONDS,
                full=self.full and not number,
                at_once=self.at_once,
                journal=journal,
            )
            if not result.more:
                break


def _dry(of: SidesOf, check: Callable[[], None]) -> SidesOf:
    return SidesOf(of.kind, DrySide(of.exchange, check), DrySide(of.nextcloud, check))


def _foreseen(problem: Problem) -> Foreseen:
    return Foreseen(problem.code, problem.text, problem.remedy, str(problem.label))


class _Announcing(Journal):
    """The log of the run in memory, and what it is about in words for people."""

    def __init__(self, run: Run, clock: Clock, sides: Sequence[SidesOf]) -> None:
        super().__init__(run, clock)
        self.announced: list[Announced] = []
        self._sides = {of.kind: of for of in sides}
        self._pending: list[Announced] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See ``Journal.transaction``."""
        try:
            with super().transaction():
                yield
            self.announced += self._pending
        finally:
            self._pending = []

    def note(
        self,
        code: str,
        link: Link | None = None,
        side: SideName | None = None,
        elements: Collection[Element] = (),
        *,
        note: str = "",
        count: str = "",
    ) -> None:
        """See ``Journal.note``."""
        super().note(code, link, side, elements, note=note, count=count)
        known = self._known(link, side) if link is not None else Known("")
        fields = " ".join(sorted({each[0] for each in elements})) or (known.fields if code == "created" else "")
        kind = link.kind if link is not None else ""
        self._pending.append(Announced(code, side or "", kind, known.label, known.begins, fields, note, count))

    def _known(self, link: Link, side: SideName | None) -> Known:
        """What is known of an item: best from the side that a line is about."""
        of = self._sides[Kind(link.kind)]
        for name in sorted(SideName, key=lambda each: each is not side):
            dry = of.by_name[name]
            assert isinstance(dry, DrySide)
            if (known := dry.known.get(link.side(name).id)) is not None:
                return known
        return Known("")
