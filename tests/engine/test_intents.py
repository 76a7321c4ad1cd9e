"""What was begun survives the database."""

from __future__ import annotations

import json

import pytest

from syncapp.engine import intents
from syncapp.side import SideName

EXAMPLES = [
    intents.Create(SideName.EXCHANGE, b"nonce123", "uid@lab.example", gone=True),
    intents.Change(SideName.NEXTCLOUD, {b"path": b"new", b"gone": None}, {b"path": b"source"}, {b"path": None}),
    intents.Delete(SideName.EXCHANGE, b"wholewho"),
    intents.Move(SideName.NEXTCLOUD),
    intents.Check(SideName.EXCHANGE, "ck7", frozenset({b"one", b"two"})),
    intents.Check(SideName.NEXTCLOUD, "etag", only=frozenset({b"one"})),
]


@pytest.mark.parametrize("intent", EXAMPLES, ids=lambda each: type(each).__name__)
def test_an_intent_comes_back_as_it_was(intent: intents.Intent) -> None:
    assert intents.unpack(json.loads(json.dumps(intents.pack(intent)))) == intent


def test_an_intent_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="not known"):
        intents.unpack({"do": "explode", "side": "exchange"})
