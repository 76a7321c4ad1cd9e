"""What must be true in the end: an account of what people wrote, saw, replaced and deleted.

It listens to people (``lab.chaos.people``) and knows nothing of the engine: what it demands is "What chaos checks"
of docs/architecture.md. It relies on the histories that are played (``lab.chaos.player``) in two ways: every value
that somebody writes is written once and never again, so that a value found in the end tells who wrote it; and every
item carries a tag that nobody edits, so that copies of it can be counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.chaos.people import Act
from lab.chaos.server import Stored
from syncapp.items import Event, Item, Kind
from syncapp.items.elements import elements
from syncapp.items.values import moment_key
from syncapp.side import SideName

WORD = re.compile(r"w\d+")
TAG = re.compile(r"item-\d+")
"""Tags and words, as the player makes them."""


def tag_of(item: Item) -> str:
    """Which item this is, whoever copied it."""
    found = TAG.search(item.location if isinstance(item, Event) else item.nickname)
    return found.group() if found else ""


def words(item: Item) -> frozenset[str]:
    """The values in an item that somebody wrote."""
    found: set[str] = set()
    for path, part in elements(item).items():
        if path in (("start",), ("photo",)):
            found.add(f"{path[0]} {part.normal.split(' ')[0]}")
        elif path[0] == "exceptions" and len(path) == 3 and path[2] == "start":
            found.add(f"start {moment_key(part.value)}")
        else:
            found.update(WORD.findall(part.normal))
    return frozenset(found)


@dataclass
class Model:
    """What people did so far. ``in_step`` is set from outside: both sides are known to be the same just now."""

    living: Callable[[SideName], Iterable[Item]] = lambda _side: ()
    """What stands on a side now: looked at only to see whether a person took up a copy that is one too many."""
    same_across: Callable[[Stored], bool] = lambda _stored: False
    """Whether the other side holds what this object was, in the same folder, or nothing, and no request is late."""
    side: SideName = SideName.EXCHANGE
    agreed: bool = False
    """Where the act is done that is being listened to, and what ``same_across`` says of it."""
    in_step: bool = False
    restored: bool = False
    """A server went back to a backup, or all our state is gone: what is deleted may return, what is old may win."""
    touched: dict[str, set[str]] = field(default_factory=dict)
    """Tag → what people have done with it since both sides were in step."""
    written: set[str] = field(default_factory=set)
    """Values that nobody who saw them has replaced or deleted: they may not be lost."""
    replaced: dict[str, str] = field(default_factory=dict)
    """Value → tag: replaced by somebody who saw it, so that it may not win in the end."""
    free: set[str] = field(default_factory=set)
    """Values that stand in copies and in restored objects, too: replacing them in one place says nothing of others."""
    torn: set[str] = field(default_factory=set)
    """Tags of items that became two without anybody's fault: each goes its own way from then on."""
    copies: Counter[str] = field(default_factory=Counter)
    """Tag → how many of it people made."""
    deleted: set[str] = field(default_factory=set)
    """Tags of items that were deleted when nobody had anything else to say about them, and not touched since."""

    def listen(self, act: Act) -> None:
        """Take note of what a person did."""
        before, after = _words(act.before), _words(act.after)
        tag = _tag(act.before) or _tag(act.after)
        if self.in_step:
            self.touched = {}
        self.touched.setdefault(tag, set()).add(act.verb)
        if act.before is not None and _nameless(act):
            self._excuse(tag)
        self.side = act.side
        self.agreed = act.before is not None and self.same_across(act.before)
        if act.verb in ("edit", "move"):
            self._excuse_taken_up(act.side, tag)
        getattr(self, f"_{act.verb}")(tag, before, after)
        self.in_step = False

    def _excuse(self, tag: str) -> None:
        """A contact that a person created in Exchange has no id that stays when it moves or is restored.

        What else was done to it in the meantime then belongs to one of two items, as far as anybody can tell.
        """
        done = self.touched[tag]
        if "excused" not in done and ("restore" in done or ("move" in done and len(done) > 1)):
            done.add("excused")
            self.copies[tag] += 1
            self.torn.add(tag)

    def _excuse_taken_up(self, side: SideName, tag: str) -> None:
        """A late copy of ours that a person edited before we could remove it is theirs, and stays."""
        if Counter(map(tag_of, self.living(side)))[tag] > self.copies[tag]:
            self.copies[tag] += 1
            self.torn.add(tag)

    def _create(self, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        self.copies[tag] += 1
        self.written |= after

    def _edit(self, tag: str, before: frozenset[str], after: frozenset[str]) -> None:
        self.deleted.discard(tag)
        self.written |= after - before
        self.written -= before - after
        self.replaced.update(dict.fromkeys(before - after - self.free, tag))

    def _move(self, tag: str, _before: frozenset[str], _after: frozenset[str]) -> None:
        self.deleted.discard(tag)

    def _copy(self, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        self.deleted.discard(tag)
        self.copies[tag] += 1
        self.free |= after
        self._allow(after)

    def _delete(self, tag: str, before: frozenset[str], _after: frozenset[str]) -> None:
        self.written -= before
        # What they had replaced here may be on the other side still, in an object whose edit beats this deletion.
        self._allow(word for word, of in tuple(self.replaced.items()) if of == tag)
        # A move or a restore that has not settled yet may count as an edit that beats this deletion.
        unsettled = self.touched[tag] & {"move", "restore"}
        one_of_many = self.copies[tag] > 1 or any(tag_of(each) == tag for each in self.living(self.side))
        if self.agreed and not one_of_many and not unsettled and tag not in self.torn:
            self.deleted.add(tag)

    _destroy = _delete

    def _restore(self, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        self.deleted.discard(tag)
        self.free |= after
        self._allow(after)

    def _purge(self, _tag: str, _before: frozenset[str], _after: frozenset[str]) -> None:
        """What lies in the bin was deleted before."""

    def _allow(self, found: Iterable[str]) -> None:
        for word in tuple(found):
            self.replaced.pop(word, None)

    # Judging ---------------------------------------------------------------------------------------------------------

    def judge(self, exchange: Iterable[Item], nextcloud: Iterable[Item], history: Iterable[Item]) -> list[str]:
        """The violations in a final state, in words; ``history`` is what the connector kept of what it overwrote."""
        sides = {"exchange": list(exchange), "nextcloud": list(nextcloud)}
        final = frozenset[str]().union(*(words(item) for items in sides.values() for item in items))
        kept = frozenset[str]().union(*(words(item) for item in history))
        if self.restored:
            return self._doubled(sides)
        stale = {word: tag for word, tag in self.replaced.items() if tag not in self.torn}
        violations = [f"lost edit: {word}" for word in sorted(self.written - final - kept)]
        violations += [f"stale win: {word} of {tag}" for word, tag in sorted(stale.items()) if word in final]
        violations += self._doubled(sides)
        for name, items in sides.items():
            violations += [f"resurrection: {tag} on {name}" for tag in sorted(self.deleted & set(map(tag_of, items)))]
        return violations

    def _doubled(self, sides: Mapping[str, Sequence[Item]]) -> list[str]:
        return [
            f"duplicate: {number} of {tag} on {name}, people made {self.copies[tag]}"
            for name, items in sides.items()
            for tag, number in sorted(Counter(map(tag_of, items)).items())
            if number > self.copies[tag]
        ]


def _nameless(act: Act) -> bool:
    """Whether the object, or its counterpart in Exchange, has neither UID nor own id."""
    assert act.before is not None
    return act.before.item.kind is Kind.CONTACT


def _words(stored: Stored | None) -> frozenset[str]:
    return words(stored.item) if stored else frozenset()


def _tag(stored: Stored | None) -> str:
    return tag_of(stored.item) if stored else ""
