"""Hypothesis plays histories over the real engine, the real database and two servers in memory.

What must hold in the end is in ``lab.chaos.model``. With HYPOTHESIS_PROFILE=deep it plays many and long ones;
``lab.chaos.histories`` plays still more, without Hypothesis.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from lab.chaos.commits import Edge
from lab.chaos.player import MOST_EDITS, Deed, Fault, Player, repeatable
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

sides = st.sampled_from(SideName)
folders = st.integers(1, 2)
deeds = st.sampled_from(Deed)
picks = st.integers(0, 9)
edits = st.integers(0, MOST_EDITS - 1)
moments = st.integers(0, 40)


class Histories(RuleBasedStateMachine):
    """People, runs and faults in any order; the end is judged."""

    kind: ClassVar[Kind]

    def __init__(self) -> None:
        super().__init__()
        self.around = ExitStack()
        self.around.enter_context(repeatable())
        self.around.enter_context(transaction.atomic())
        self.player = Player(self.kind)

    def teardown(self) -> None:
        try:
            violations = self.player.violations()
            story = self.player.story() if violations else ""
        finally:
            transaction.set_rollback(True)
            self.around.close()
        assert not violations, "\n".join([*violations, story])

    @initialize(name=sides)
    def something_is_there(self, name: SideName) -> None:
        self.player.create(name)

    @rule(name=sides, folder=folders)
    def create(self, name: SideName, folder: int) -> None:
        self.player.create(name, folder)

    @rule(name=sides, deed=deeds, pick=picks, what=edits)
    def act(self, name: SideName, deed: Deed, pick: int, what: int) -> None:
        self.player.act(name, deed, pick, what)

    @rule(name=sides)
    def purge(self, name: SideName) -> None:
        self.player.purge(name)

    @rule(full=st.booleans())
    def sync(self, full: bool) -> None:
        self.player.sync(full=full)

    @rule(at=moments, fault=st.sampled_from(Fault))
    def sync_with_fault(self, at: int, fault: Fault) -> None:
        self.player.sync_with_fault(at, fault)

    @rule(at=st.integers(0, 15), edge=st.sampled_from(Edge))
    def sync_with_crash_at_commit(self, at: int, edge: Edge) -> None:
        self.player.sync_with_crash_at_commit(at, edge)

    @rule(at=moments, deed=deeds, what=edits, across=st.booleans())
    def sync_while_somebody_acts(self, at: int, deed: Deed, what: int, across: bool) -> None:
        self.player.sync_while(at, deed, what, across)

    @rule(
        at=moments,
        deed=deeds,
        what=edits,
        across=st.booleans(),
        then=st.sampled_from(Fault),
        after=st.integers(0, 6),
    )
    def sync_while_somebody_acts_and_something_breaks(
        self, at: int, deed: Deed, what: int, across: bool, then: Fault, after: int
    ) -> None:
        self.player.sync_while(at, deed, what, across, then, after)

    @rule(name=sides)
    def lose_tokens(self, name: SideName) -> None:
        self.player.lose_tokens(name)

    @rule(name=sides, silent=st.booleans(), page=st.sampled_from([1, 2, 1000]))
    def set_manners(self, name: SideName, silent: bool, page: int) -> None:
        self.player.set_manners(name, silent, page)

    @precondition(lambda self: any(self.player.town.world.server(name).late for name in SideName))
    @rule(name=sides)
    def land(self, name: SideName) -> None:
        self.player.land(name)


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
