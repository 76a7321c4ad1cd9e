"""What a link remembers of a write that was begun: enough to finish it in the same direction after a crash (rule 9).

An intent is stored in the transaction before the request and taken away, or turned into a ``Check``, in the one after
the answer. It holds hashes, never content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncapp.engine.decide import Delta
from syncapp.items import fields
from syncapp.side import SideName


def _packed(delta: Delta) -> dict[str, str | None]:
    return {path.hex(): None if value is None else value.hex() for path, value in delta.items()}


def _unpacked(delta: Mapping[str, str | None]) -> dict[bytes, bytes | None]:
    return {bytes.fromhex(path): None if value is None else bytes.fromhex(value) for path, value in delta.items()}


@dataclass(frozen=True)
class Create:
    """An object was to be created on ``side`` with this nonce and UID; ``Sent`` holds the bases then.

    ``gone`` once its server reported the object gone: it had been created, and a person deleted it (rule 10).
    """

    side: SideName
    nonce: bytes
    uid: str
    gone: bool = False


@dataclass(frozen=True)
class Change:
    """An object on ``side`` was to be changed: see ``decide.Write`` for the three deltas.

    ``form`` is the version of the normal forms that their hashes were made of.
    """

    side: SideName
    target: Delta
    source: Delta
    before: Delta
    form: int = field(default_factory=lambda: fields.NORMAL_FORM_VERSION)

    @property
    def is_current(self) -> bool:
        """Whether its hashes can be compared with those of today."""
        return self.form == fields.NORMAL_FORM_VERSION


@dataclass(frozen=True)
class Delete:
    """An object on ``side`` was to be deleted; ``whole`` is its fingerprint as it was read before (rules 4, 13)."""

    side: SideName
    whole: bytes


@dataclass(frozen=True)
class Move:
    """An object on ``side`` was to be put into another folder, or out of the bin."""

    side: SideName


@dataclass(frozen=True)
class Check:
    """A write to ``side`` was answered with ``revision`` and not yet read back (rules 7, 8).

    ``open`` are the paths of elements that had changed on that side before the write and still have to travel.
    ``only`` are those that steps wrote, if there were any: somebody may have edited others in between,
    and the revision, which is the last request's, does not tell. None: it was one request.
    """

    side: SideName
    revision: str
    open: frozenset[bytes] = frozenset()
    only: frozenset[bytes] | None = None


Intent = Create | Change | Delete | Move | Check


def pack(intent: Intent) -> dict[str, Any]:
    """An intent as JSON for its column."""
    match intent:
        case Create():
            return {
                "do": "create",
                "side": intent.side.value,
                "nonce": intent.nonce.hex(),
                "uid": intent.uid,
                "gone": intent.gone,
            }
        case Change():
            return {
                "do": "change",
                "side": intent.side.value,
                "target": _packed(intent.target),
                "source": _packed(intent.source),
                "before": _packed(intent.before),
                "form": intent.form,
            }
        case Delete():
            return {"do": "delete", "side": intent.side.value, "whole": intent.whole.hex()}
        case Move():
            return {"do": "move", "side": intent.side.value}
        case Check():
            return {
                "do": "check",
                "side": intent.side.value,
                "revision": intent.revision,
                "open": sorted(path.hex() for path in intent.open),
                "only": None if intent.only is None else sorted(path.hex() for path in intent.only),
            }


def unpack(stored: Mapping[str, Any]) -> Intent:
    """The intent that ``pack`` stored. Raises ValueError for one of a kind that nobody knows."""
    side = SideName(stored["side"])
    match stored["do"]:
        case "create":
            return Create(side, bytes.fromhex(stored["nonce"]), stored["uid"], stored["gone"])
        case "change":
            target, source, before = (_unpacked(stored[name]) for name in ("target", "source", "before"))
            return Change(side, target, source, before, stored.get("form", 1))
        case "delete":
            return Delete(side, bytes.fromhex(stored["whole"]))
        case "move":
            return Move(side)
        case "check":
            only = None if stored["only"] is None else frozenset(map(bytes.fromhex, stored["only"]))
            return Check(side, stored["revision"], frozenset(map(bytes.fromhex, stored["open"])), only)
    raise ValueError(f"an intent to {stored['do']!r} is not known")
