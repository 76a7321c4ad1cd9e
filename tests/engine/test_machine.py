"""Hypothesis plays histories over the real engine, the real database and two servers in memory.

What must hold in the end is in ``lab.chaos.model``. With HYPOTHESIS_PROFILE=deep it plays many and long ones;
``manage.py chaos`` plays still more, without Hypothesis.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from lab.chaos.faults import Fault
from lab.chaos.lies import Lie
from lab.chaos.player import Deed, Wait, playing
from lab.chaos.steps import ACT, Incident, Step
from lab.chaos.wire import WRITES, When
from lab.chaos.writing import MOST_EDITS
from syncapp.items import Kind
from syncapp.side import SideName

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
PROFILE = settings(
    max_examples=2000 if DEEP else 30,
    stateful_step_count=40 if DEEP else 15,
    derandomize=not DEEP,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def values(of: Any) -> st.SearchStrategy[str]:
    """The texts of an enumeration."""
    return st.sampled_from([each.value for each in of])


sides = values(SideName)
folders = st.integers(1, 2)
deeds = values(Deed)
picks = st.integers(0, 9)
edits = st.integers(0, MOST_EDITS - 1)
minutes = st.sampled_from([-4000, -30, 3, 600])
writes = st.sampled_from([f"{name}.{when}" for name in sorted(WRITES) for when in ("*", *When)])
spots = st.one_of(
    st.tuples(st.sampled_from(["*", "commit.*"]), st.integers(0, 30)),
    st.tuples(writes, st.integers(0, 2)),
    st.tuples(st.sampled_from(["read.*", "find.*", "changes.*"]), st.integers(0, 6)),
)
happenings = st.one_of(
    st.tuples(st.just(ACT), st.tuples(deeds, edits, st.booleans())),
    st.tuples(st.just("fault"), st.tuples(values(Fault))),
    st.tuples(st.just("land"), st.tuples(sides)),
    st.tuples(st.just("jump"), st.tuples(minutes)),
    st.tuples(st.just("lie"), st.tuples(sides, values(Lie), picks)),
    st.tuples(st.just("back_up_ours"), st.just(())),
)


def _incident(spot: tuple[str, int], happening: tuple[str, tuple[Any, ...]]) -> Incident:
    return Incident(*spot, *happening)


def _worker(spot: tuple[str, int], patient: bool, inside: list[Incident]) -> Incident:
    return Incident(*spot, "worker", (patient, False), tuple(inside))


incidents = st.builds(_incident, spots, happenings)
workers = st.builds(_worker, spots, st.booleans(), st.lists(incidents, max_size=2))


class Histories(RuleBasedStateMachine):
    """People, runs and faults in any order; the end is judged."""

    kind: ClassVar[Kind]

    def __init__(self) -> None:
        super().__init__()
        self.around = ExitStack()
        self.around.enter_context(transaction.atomic())
        self.player = self.around.enter_context(playing(self.kind))

    def teardown(self) -> None:
        try:
            violations = self.player.violations()
            story = self.player.story() if violations else ""
        finally:
            transaction.set_rollback(True)
            self.around.close()
        assert not violations, "\n".join([*violations, story])

    def play(self, name: str, *given: Any) -> None:
        self.player.play([Step(name, given)])

    @initialize(side=sides)
    def something_is_there(self, side: str) -> None:
        self.play("create", side)

    @rule(side=sides, folder=folders)
    def create(self, side: str, folder: int) -> None:
        self.play("create", side, folder)

    @rule(side=sides, deed=deeds, pick=picks, what=edits)
    def act(self, side: str, deed: str, pick: int, what: int) -> None:
        self.play("act", side, deed, pick, what)

    @rule(side=sides)
    def purge(self, side: str) -> None:
        self.play("purge", side)

    @rule(full=st.booleans(), wait=values(Wait))
    def sync(self, full: bool, wait: str) -> None:
        self.player.sync(full, wait)

    @rule(inside=st.lists(incidents, min_size=1, max_size=3))
    def sync_while(self, inside: list[Incident]) -> None:
        self.player.sync(inside=inside)

    @rule(first=st.lists(incidents, max_size=1), worker=workers, then=st.lists(incidents, max_size=1))
    def race(self, first: list[Incident], worker: Incident, then: list[Incident]) -> None:
        self.player.sync(inside=[*first, worker, *then])

    @rule(side=sides)
    def lose_tokens(self, side: str) -> None:
        self.play("lose_tokens", side)

    @rule(side=sides, lie=values(Lie), pick=picks)
    def lie(self, side: str, lie: str, pick: int) -> None:
        self.play("lie", side, lie, pick)

    @rule(by=minutes)
    def jump(self, by: int) -> None:
        self.play("jump", by)

    @rule(side=sides, silent=st.booleans(), page=st.sampled_from([1, 2, 1000]))
    def set_manners(self, side: str, silent: bool, page: int) -> None:
        self.play("set_manners", side, silent, page)

    @rule(side=sides)
    def back_up(self, side: str) -> None:
        self.play("back_up", side)

    @precondition(lambda self: self.player.backups)
    @rule(side=sides)
    def restore(self, side: str) -> None:
        self.play("restore", side)

    @rule()
    def back_up_ours(self) -> None:
        self.play("back_up_ours")

    @rule()
    def restore_ours(self) -> None:
        self.play("restore_ours")

    @rule()
    def forget(self) -> None:
        self.play("forget")

    @precondition(lambda self: self.player.eyes.on_its_way())
    @rule(side=sides)
    def land(self, side: str) -> None:
        self.play("land", side)


class EventHistories(Histories):
    """With UIDs and exceptions."""

    kind = Kind.EVENT


class ContactHistories(Histories):
    """With slots and photos, and without UIDs in Exchange or a bin in Nextcloud."""

    kind = Kind.CONTACT


@pytest.mark.timeout(0 if DEEP else 300)
@pytest.mark.parametrize("histories", [EventHistories, ContactHistories])
def test_histories_lose_double_and_resurrect_nothing(db: None, histories: type[Histories]) -> None:
    """Invariants 1 to 3 and 7, by "What chaos checks"."""
    run_state_machine_as_test(histories, settings=PROFILE)
