"""What the model looks at: the servers of a town, and the history that the connector keeps."""

from __future__ import annotations

from dataclasses import dataclass

from lab.chaos.server import EXCHANGE_EMAILS, Stored
from lab.chaos.town import Town, addresses
from lab.chaos.wire import WRITES
from syncapp.items import Contact, Item, Kind
from syncapp.items.elements import Element, elements
from syncapp.models import Link, Pairing
from syncapp.models.pairing import digest
from syncapp.side import SideName


@dataclass(frozen=True)
class Eyes:
    """See ``lab.chaos.model.Sight``."""

    town: Town
    kind: Kind

    def living(self, side: SideName) -> list[Stored]:
        """The objects of one side."""
        return self.town.world.server(side).living(self.kind)

    def binned(self, side: SideName) -> list[Stored]:
        """What lies in its bin."""
        return self.town.world.server(side).binned(self.kind)

    def kept(self) -> list[Item]:
        """What the connector kept of what it overwrote or deleted."""
        return self.town.history()

    def same(self, side: SideName, one: Stored, across: Stored) -> bool:
        """Whether both say the same in the same folder. With more addresses than Exchange holds nobody can tell."""
        if any(isinstance(each.item, Contact) and len(each.item.emails) > EXCHANGE_EMAILS for each in (one, across)):
            return False
        return self._content(side, one) == self._content(side.other, across)

    def _content(self, side: SideName, stored: Stored) -> tuple[object, ...]:
        return (*self.town.content(side, stored), addresses(stored.item))

    def told_of(self, stored: Stored) -> bool:
        """Whether the connector knows from Exchange, not only from its own writes, that this object is there."""
        pairing = Pairing.objects.filter(exchange_folder=stored.folder).first()
        return pairing is not None and self.town.world.exchange.told_of(pairing.exchange_token, stored)

    def unproven(self, side: SideName, stored: Stored, across: Stored) -> bool:
        """Whether a server altered what we wrote, and we have not read it since: that can't be told from an edit."""
        link = Link.objects.filter(**{f"{side}_digest": digest(stored.id)}).first()
        was_read = link is not None and link.side(side).whole is not None
        return not was_read and _parts(stored.item) != _parts(self.town.world.server(side).project(across.item))

    def on_its_way(self) -> bool:
        """Whether a request is late, or a worker sleeps in the middle of one that writes."""
        asleep = any(call.name in WRITES for call in self.town.suspended)
        return asleep or any(self.town.world.server(name).late for name in SideName)

    def equal(self) -> bool:
        """Whether both sides hold the same."""
        try:
            self.town.compare(self.kind)
        except AssertionError:
            return False
        return True


def _parts(item: Item) -> dict[Element, str]:
    return {path: part.normal for path, part in elements(item).items()}
