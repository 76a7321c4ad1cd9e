"""A dirty link together with the living objects that were read for it: what the rest of a slice works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syncapp.engine import intents
from syncapp.engine.work import Work
from syncapp.items.fingerprint import Base, Hashes
from syncapp.models import Link, Pairing
from syncapp.models.link import LinkSide
from syncapp.side import Object, SideName


class Ruling(NamedTuple):
    """Who wins a conflict, and why: a code that syncapp/words.py puts into words."""

    winner: SideName
    why: str


@dataclass
class Case:
    """A link, the dirt counter that was read with it (rule 20), and its living objects by side.

    ``asked``: an admin wants what is about to be written. ``again`` is a code for why an object that had been there is
    put back (syncapp/words.py).
    """

    work: Work
    link: Link
    objects: dict[SideName, Object] = field(default_factory=dict)
    asked: bool = False
    dirty: int = field(init=False)
    again: str = ""
    _hashed: dict[SideName, tuple[Object, dict[bytes, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dirty = self.link.dirty

    def side(self, name: SideName) -> LinkSide:
        """What the link remembers of one side."""
        return self.link.side(name)

    @property
    def key(self) -> bytes:
        """The key of the link."""
        return bytes(self.link.key)

    @property
    def intent(self) -> intents.Intent | None:
        """What was begun."""
        stored: dict[str, Any] | None = self.link.intent
        return None if stored is None else intents.unpack(stored)

    @intent.setter
    def intent(self, value: intents.Intent | None) -> None:
        self.link.intent = None if value is None else intents.pack(value)

    def hashes(self, name: SideName) -> dict[bytes, bytes]:
        """What stands on one side now."""
        found = self.objects[name]
        if self._hashed.get(name, (None,))[0] is not found:
            self._hashed[name] = (found, self.work.prints(self.key).item(found.item))
        return self._hashed[name][1]

    def base(self, name: SideName) -> Hashes:
        """What stood on one side when both agreed."""
        found = self.objects.get(name)
        side = self.side(name)
        if found is not None:
            return self.work.base(side, found)
        return Base.unpack(bytes(side.base)).hashes if side.base is not None else {}

    def whole(self, name: SideName) -> bytes:
        """The fingerprint of the whole object on one side now (rule 5)."""
        return self.work.whole(self.objects[name])

    def take(self, name: SideName, base: Hashes) -> None:
        """``base`` is what holds on one side from now on, and the object that was read is what we know of it.

        The whole object is remembered only when nothing on this side waits to travel: what is remembered may be
        deleted (rule 5).
        """
        side = self.side(name)
        side.base = Base(base).pack()
        side.take_revision(self.objects[name].revision)
        side.whole = self.whole(name) if self.hashes(name) == base else None

    @property
    def pairing(self) -> Pairing | None:
        """The pairing whose rules hold: where both agreed that the item stands, else where it is."""
        for pk in (self.link.pairing_id, *(self.side(name).pairing_id for name in SideName)):
            if pk in self.work.pairings:
                return self.work.pairings[pk]
        return None

    @property
    def source(self) -> SideName | None:
        """The side that alone is listened to, None in a pairing that goes both ways (rule 24)."""
        pairing = self.pairing
        if pairing is None or pairing.direction == Pairing.Direction.BOTH:
            return None
        to_nextcloud = pairing.direction == Pairing.Direction.TO_NEXTCLOUD
        return SideName.EXCHANGE if to_nextcloud else SideName.NEXTCLOUD

    @property
    def ruling(self) -> Ruling:
        """Who wins a conflict: the source of a write whose answer was lost (rule 17), else by the pairing's rule."""
        pairing = self.pairing
        if self.source is not None:
            return Ruling(self.source, "one-way")
        if self.link.prefer:
            return Ruling(SideName(self.link.prefer), "older")
        if pairing is None or pairing.conflict_rule == Pairing.ConflictRule.EXCHANGE:
            return Ruling(SideName.EXCHANGE, "rule")
        if pairing.conflict_rule == Pairing.ConflictRule.NEXTCLOUD:
            return Ruling(SideName.NEXTCLOUD, "rule")
        exchange, nextcloud = (self.objects[name].modified for name in SideName)
        if exchange is None or nextcloud is None:
            return Ruling(SideName.EXCHANGE, "undated")
        return Ruling(SideName.NEXTCLOUD if nextcloud > exchange else SideName.EXCHANGE, "latest")

    def worked(self) -> None:
        """Something came of the work on this item."""
        self.link.try_anew()
