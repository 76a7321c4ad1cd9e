"""The Exchange side against the lab's Exchange, and what its traffic must always be like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncapp.items import Kind
from syncapp.side import Side
from tests.contract.suite import OpenSide, SideContract
from tests.exchange.ews.lab import Lab, running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab Exchange with one mailbox, for all tests of the module."""
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


class TestLabExchange(SideContract):
    """Exchange has no atomic create: the engine searches before it creates (docs/architecture.md, rule 12)."""

    create_checks_ids = False

    @pytest.fixture
    def open_side(self, lab: Lab) -> Iterator[OpenSide]:
        lab.control("DELETE", "traffic")
        sides = []

        def opened(kind: Kind) -> Side:
            sides.append(lab.side(kind))
            return sides[-1]

        yield opened
        for each in sides:
            each.close()
        lab.judge()
