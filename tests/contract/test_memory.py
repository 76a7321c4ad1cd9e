"""The in-memory sides keep the contract: what is shown with them says something about the real ones."""

from __future__ import annotations

import pytest

from lab.chaos.side import World
from syncapp.items import Kind
from syncapp.side import Side, SideName
from tests.contract.suite import OpenSide, SideContract


class TestExchangeInMemory(SideContract):
    """Like Exchange: deletes check nothing, and nothing stops a second object with the same UID."""

    delete_checks_revision = False
    create_checks_ids = False

    @pytest.fixture
    def open_side(self) -> OpenSide:
        world = World()

        def open_side(kind: Kind) -> Side:
            return world.side(SideName.EXCHANGE, kind)

        return open_side


class TestNextcloudInMemory(SideContract):
    """Like Nextcloud: contacts have no bin."""

    bins = (Kind.EVENT,)

    @pytest.fixture
    def open_side(self) -> OpenSide:
        world = World()

        def open_side(kind: Kind) -> Side:
            return world.side(SideName.NEXTCLOUD, kind)

        return open_side
