"""One person of the lab, what they do at both desks, and the model that listens: ``lab.chaos.model`` over HTTP."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from lab.chaos.desk import DESCRIPTION, TITLE, Desk, NotDone, event_at, with_texts
from lab.chaos.model import Model, tag_of
from lab.chaos.people import Act
from lab.chaos.server import Stored
from lab.chaos.writing import Writer
from syncapp.items import Event, Item
from syncapp.jobs.history import item_of
from syncapp.models import Enrollment, History, Link
from syncapp.side import SideName

_DEEDS = {"create": 2, "edit": 5, "delete": 3, "copy": 1, "restore": 1}


@dataclass
class Guest:
    """What ``lab.chaos.model.Sight`` asks for is read over HTTP when somebody has acted, and remembered till then."""

    name: str
    random: Random
    desks: dict[SideName, Desk]
    model: Model = field(init=False)
    writer: Writer = field(default_factory=Writer)
    log: list[str] = field(default_factory=list)
    inside: int = 0
    calm: bool = False
    """No request of ours is under way, as far as anybody knows."""
    _seen: dict[SideName, list[Stored]] = field(default_factory=dict)
    _begin: datetime = field(default_factory=lambda: datetime.now(UTC).replace(second=0, microsecond=0))

    def __post_init__(self) -> None:
        self.model = Model(self)

    @property
    def enrollment(self) -> Enrollment:
        """The person, as the connector knows them."""
        return Enrollment.objects.get(nextcloud_uid=self.name)

    # What the model looks at -----------------------------------------------------------------------------------------

    def look(self) -> None:
        """See how things are now on both sides."""
        self._seen = {name: desk.living() for name, desk in self.desks.items()}

    def living(self, side: SideName) -> list[Stored]:
        """See ``Sight``."""
        return self._seen.get(side, [])

    def binned(self, side: SideName) -> list[Stored]:
        """See ``Sight``."""
        return self.desks[side].binned()

    def kept(self) -> list[Item]:
        """See ``Sight``."""
        return [item_of(each) for each in History.objects.filter(enrollment=self.enrollment).exclude(content=b"")]

    def same(self, side: SideName, one: Stored, across: Stored) -> bool:
        """See ``Sight``."""
        return _says(one) == _says(across)

    def told_of(self, stored: Stored) -> bool:
        """See ``Sight``: whatever is deleted for good here lies in a bin."""
        return True

    def unproven(self, side: SideName, stored: Stored, across: Stored) -> bool:
        """See ``Sight``: what these people write is altered by nobody."""
        return False

    def on_its_way(self) -> bool:
        """See ``Sight``."""
        return not self.calm

    def equal(self) -> bool:
        """Whether both sides show the same."""
        exchange, nextcloud = (Counter(map(_says, self.living(name))) for name in SideName)
        return exchange == nextcloud

    # What people do --------------------------------------------------------------------------------------------------

    def act(self, side: SideName, deed: str = "", tag: str = "") -> str:
        """Do something, at best with the event of this tag. Its tag, "" if it could not be done."""
        deed = deed or self.random.choices(list(_DEEDS), list(_DEEDS.values()))[0]
        self.look()
        there = self.desks[side].binned() if deed == "restore" else self.living(side)
        chosen = [each for each in there if tag_of(each.item) == tag] or there
        before = self.random.choice(sorted(chosen, key=lambda each: each.id)) if chosen else None
        try:
            return self._do(side, deed if before else "create", before)
        except NotDone as refusal:
            self.log.append(f"  {side} {deed} not done: {refusal}"[:200])
            return ""

    def _do(self, side: SideName, deed: str, before: Stored | None) -> str:
        desk, after = self.desks[side], before
        if before is None or deed == "create":
            before, after = None, self._create(desk)
        elif deed == "edit":
            texts = {self.random.choice([TITLE, DESCRIPTION]): self.writer.word()}
            desk.edit(before, texts)
            after = replace(before, item=with_texts(before.item, texts))
        else:
            getattr(desk, deed)(before)
        assert after is not None
        self._seen[side] = desk.living()
        self.log.append(f"  {side} {deed} {before and _says(before)} -> {_says(after)}")
        # What was deleted lies in the bin, under an id that does not matter here.
        self.model.listen(Act(side, deed if before else "create", before, after))
        return tag_of(after.item)

    def _create(self, desk: Desk) -> Stored:
        title, tag = self.writer.word(), f"item-{self.writer.number()}"
        event = event_at(self._begin + timedelta(minutes=self.writer.number()), title, tag=tag)
        desk.create(event)
        return Stored("", "", "", event, "")

    # The end ---------------------------------------------------------------------------------------------------------

    def violations(self) -> list[str]:
        """What is wrong, once everything is at rest."""
        self.look()
        found = [] if self.equal() else [f"not equal: {self._difference()}"]
        dirty = Link.objects.filter(enrollment=self.enrollment, dirty__gt=0).count()
        found += [f"not quiet: {dirty} links wait"] if dirty else []
        return found + self.model.judge()

    def _difference(self) -> str:
        exchange, nextcloud = (Counter(map(_says, self.living(name))) for name in SideName)
        return (
            f"{list((exchange - nextcloud).elements())} in Exchange, {list((nextcloud - exchange).elements())} across"
        )


def _says(stored: Stored) -> tuple[str, str, str, str]:
    item = stored.item
    assert isinstance(item, Event)
    return (item.location, item.title, item.description, str(item.start))
