"""The look: whether anything can have happened in a person's folders, asked before anything is written down.

What it saw serves the collect that follows, if one has to: it is later than every absence that was noted before, which
is all that the first pass of a slice needs (rule 1). Each further pass looks for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from syncapp.items import Kind
from syncapp.models import Pairing
from syncapp.side import Look, Side, SideName, SidesOf


@dataclass(frozen=True)
class Seen:
    """What one side said of the folders of one kind, of those in ``folders``."""

    epoch: str
    folders: frozenset[str]
    looks: Mapping[str, Look]


@dataclass
class Looked:
    """What the sides said, by kind and side; each answer is given once."""

    seen: dict[tuple[Kind, SideName], Seen] = field(default_factory=dict)

    def take(self, kind: Kind, side: Side, folders: Collection[str]) -> Seen:
        """What was seen of these folders, else what the side says now. Raises the side's errors."""
        known = self.seen.pop((kind, side.name), None)
        return known if known and known.folders >= set(folders) else see(side, folders)


def see(side: Side, folders: Collection[str]) -> Seen:
    """Ask one side. Raises the side's errors."""
    epoch = side.epoch()
    return Seen(epoch, frozenset(folders), side.look(folders))


def look(sides: Sequence[SidesOf], pairings: Sequence[Pairing]) -> Looked:
    """Ask both sides about the folders of these pairings. Raises the sides' errors."""
    looked = Looked()
    for of in sides:
        for name, side in of.by_name.items():
            folders = [each.folder(name) for each in pairings if each.kind == of.kind]
            looked.seen[of.kind, name] = see(side, folders)
    return looked


def nothing_happened(looked: Looked, pairings: Sequence[Pairing]) -> bool:
    """Whether every folder is as it was at the end of its last collect."""
    return all(
        seen.epoch == pairing.epoch(name) and unmoved(pairing, name, seen.looks.get(pairing.folder(name)))
        for pairing in pairings
        for name in SideName
        if (seen := looked.seen[Kind(pairing.kind), name])
    )


def unmoved(pairing: Pairing, name: SideName, look: Look | None) -> bool:
    """Whether a look is the one that was stored with the token: nothing has happened in the folder since."""
    return bool(look and look.token and look.token == pairing.look(name) and pairing.token(name))
