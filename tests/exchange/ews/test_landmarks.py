"""What the sides of one mailbox ask for together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from syncapp.exchange.ews import landmarks, operations
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.side import EwsSide, open_sides
from syncapp.items.values import Kind
from syncapp.side import Creation, Gone
from tests.contract import samples
from tests.exchange.ews.lab import MAILBOX, Lab, running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def sides(lab: Lab) -> Iterator[dict[Kind, EwsSide]]:
    connection = Connection(lab.account, MAILBOX)
    yield open_sides(connection)
    connection.close()


@pytest.fixture
def folders(lab: Lab) -> dict[Kind, str]:
    """The default folders, found by sides of their own."""
    connection = Connection(lab.account, MAILBOX)
    found = {kind: _default(side) for kind, side in open_sides(connection).items()}
    connection.close()
    lab.control("DELETE", "traffic")
    return found


def _default(side: EwsSide) -> str:
    return next(each.id for each in side.folders() if each.default)


def _requests(lab: Lab) -> int:
    return len(lab.control("GET", "traffic"))


def test_both_kinds_are_looked_at_with_one_request(
    lab: Lab, sides: dict[Kind, EwsSide], folders: dict[Kind, str]
) -> None:
    for kind, side in sides.items():
        side.epoch()
        assert set(side.look([folders[kind]])) == {folders[kind]}
    assert _requests(lab) == 1
    sides[Kind.CONTACT].epoch()
    sides[Kind.CONTACT].look([folders[Kind.CONTACT]])
    assert _requests(lab) == 2, "what was seen is told once"


def test_a_look_without_a_visit_sees_what_happened_since(
    sides: dict[Kind, EwsSide], folders: dict[Kind, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "_SETTLED", timedelta(seconds=-5))
    side, folder = sides[Kind.CONTACT], folders[Kind.CONTACT]
    side.folders()
    before = side.look([folder])[folder]
    side.create([Creation(samples.own_id(), samples.uid(), folder, samples.plain(Kind.CONTACT))])
    side.epoch()
    assert side.look([folder])[folder] != before


def test_a_missing_default_folder_concerns_its_own_kind(
    sides: dict[Kind, EwsSide], folders: dict[Kind, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = operations.get_folders

    def without_contacts(connection: Connection, ids: Any, paths: Any) -> Any:
        answers = ask(connection, ids, paths)
        return [*answers[:-1], Gone("no contacts")]

    monkeypatch.setattr(operations, "get_folders", without_contacts)
    sides[Kind.EVENT].epoch()
    assert folders[Kind.EVENT] in sides[Kind.EVENT].look([folders[Kind.EVENT]])
    with pytest.raises(Gone):
        sides[Kind.CONTACT].epoch()
