"""What must be true in the end: an account of what people wrote, saw, replaced and deleted.

It listens to people (``lab.chaos.people``), is told when a server or our database goes back to a backup, and knows
nothing of the engine: what it demands is "What chaos checks" of docs/architecture.md, and each excuse there is a method
here. It relies on the histories that are played (``lab.chaos.player``) in two ways: every value that somebody writes is
written once and never again, so that a value found in the end tells who wrote it; and every item carries a tag that
nobody edits, so that copies of it can be counted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from lab.chaos.people import Act
from lab.chaos.server import Stored
from syncapp.items import Contact, Event, Item
from syncapp.items.elements import elements
from syncapp.items.values import moment_key
from syncapp.side import SideName

WORD = re.compile(r"w\d+")
TAG = re.compile(r"item-\d+")
"""Tags and words, as the player makes them."""

OURS = "ours"
"""The name of our own database, beside those of the servers."""


def tag_of(item: Item) -> str:
    """Which item this is, whoever copied it."""
    found = TAG.search(item.location if isinstance(item, Event) else item.nickname)
    return found.group() if found else ""


def words(item: Item, *, lists_only: bool = False) -> frozenset[str]:
    """The values in an item that somebody wrote; perhaps only those in lists."""
    found: set[str] = set()
    for path, part in elements(item).items():
        if lists_only and len(path) == 1:
            continue
        if path in (("start",), ("photo",)):
            found.add(f"{path[0]} {part.normal.split(' ')[0]}")
        elif path[0] == "exceptions" and len(path) == 3 and path[2] == "start":
            found.add(f"start {moment_key(part.value)}")
        else:
            found.update(WORD.findall(part.normal))
    return frozenset(found)


class Sight(Protocol):
    """What the model may look at: the servers, and the history that the connector keeps."""

    def living(self, side: SideName) -> list[Stored]:
        """The objects of one side."""

    def binned(self, side: SideName) -> list[Stored]:
        """What lies in its bin."""

    def kept(self) -> list[Item]:
        """What the connector kept of what it overwrote or deleted."""

    def same(self, side: SideName, one: Stored, across: Stored) -> bool:
        """Whether an object says what one of the other side says, as far as both can hold it, in the same folder."""

    def told_of(self, stored: Stored) -> bool:
        """Whether the connector knows from Exchange, not only from its own writes, that this object is there."""

    def unproven(self, side: SideName, stored: Stored, across: Stored) -> bool:
        """Whether a server altered what we wrote, and we have not read it since: that can't be told from an edit."""

    def on_its_way(self) -> bool:
        """Whether a request is late."""


@dataclass
class Model:
    """What people did so far."""

    sight: Sight
    source: SideName | None = None
    """The side that alone is listened to; None: changes travel both ways."""
    in_step: bool = False
    """Both sides are known to be the same just now."""
    touched: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Tag → what people have done with it since both sides were in step."""
    since: dict[str, defaultdict[str, set[str]]] = field(default_factory=dict)
    """The same since a backup of a server, or of our database, was made."""
    written: set[str] = field(default_factory=set)
    """Values that nobody who saw them has replaced or deleted: they may not be lost."""
    replaced: dict[str, str] = field(default_factory=dict)
    """Value → tag: replaced by somebody who saw it, so that it may not win in the end."""
    free: set[str] = field(default_factory=set)
    """Values that stand in several objects of one side: replacing them in one place says nothing of the others."""
    torn: set[str] = field(default_factory=set)
    """Tags of items that became two without anybody's fault: each goes its own way from then on."""
    copies: Counter[str] = field(default_factory=Counter)
    """Tag → how many of it people made."""
    deleted: set[str] = field(default_factory=set)
    """Tags of items that were deleted when nobody had anything else to say about them, and not touched since."""
    settled: set[str] = field(default_factory=set)
    """Those of them whose deletion has arrived on both sides, of items that had been on both."""
    target_touched: set[str] = field(default_factory=set)
    """Where only one side is listened to: tags of items with which people did something on the other one."""
    met: set[str] = field(default_factory=set)
    """Tags of items that once were in step on both sides."""
    given_up: set[str] = field(default_factory=set)
    """Tags of items of which somebody deleted an object, or a server lost the only one: nobody else may delete any."""
    thrown_away: set[str] = field(default_factory=set)
    """Ids in bins of what people put there."""
    traceless: set[str] = field(default_factory=set)
    """Tags of items that were deleted without anything left in a bin by which that could be told."""
    untold: set[str] = field(default_factory=set)
    """Tags of items that were deleted in Exchange before it told that they are there: it never tells that they went.

    Where no bin shows that they were deleted, they may as well have been lost by a server that was restored.
    """
    tokens_are_lost: bool = False
    """A server told once, since all was in step, that it does not know how things were, so that only bins can tell."""
    unsure: set[str] = field(default_factory=set)
    """Tags of items of which our restored database does not know the present state, until all is in step again."""

    # Being told ------------------------------------------------------------------------------------------------------

    def listen(self, act: Act) -> None:
        """Take note of what a person did."""
        tag = _tag(act.before) or _tag(act.after)
        if self.source is act.side.other:
            self.target_touched.add(tag)
        if self.in_step:
            self.touched.clear()
        for touched in (self.touched, *self.since.values()):
            touched[tag].add(act.verb)
        if act.before is not None:
            self._excuse_what_nothing_tells_apart(tag)
        if act.verb in ("edit", "move"):
            self._excuse_what_is_taken_up(act.side, tag)
        getattr(self, f"_{act.verb}")(act, tag, _words(act.before), _words(act.after))
        if tag in self.unsure:
            self._excuse_what_is_not_alike(tag)
        self.in_step = False

    def all_is_in_step(self) -> None:
        """Both sides hold the same, nothing is under way, and the connector knows it."""
        self.in_step = True
        self.settled = self.deleted & self.met
        both = [{tag_of(each.item) for each in self.sight.living(name)} for name in SideName]
        self.met |= both[0] & both[1]
        self.unsure.clear()
        self.traceless.clear()
        self.untold.clear()
        self.tokens_are_lost = False

    def backed_up(self, what: str) -> None:
        """A server, or our own database, is backed up."""
        self.since[what] = defaultdict(set)
        if not self.in_step:
            for tag in self._tags():
                self.since[what][tag] |= self.touched[tag] or {"unsettled"}

    def refused(self, tags: Collection[str]) -> None:
        """The admin says that what is missing shall come back, or what stood there before."""
        self.deleted.difference_update(tags)
        self._allow(word for word, of in self.replaced.items() if of in tags)

    def tokens_were_lost(self) -> None:
        """A server does not know what has happened: of what it lacks, only its bin says that it was deleted."""
        self.tokens_are_lost = True
        self.deleted -= self.traceless - self.settled

    def server_went_back(self, side: SideName, had: frozenset[str]) -> None:
        """A server was restored; ``had`` are the values that it held until then, its bin included.

        What only it held is lost with it, edits, replacements and deletions alike.
        """
        self.written -= had - self._standing() - self._kept()
        across: defaultdict[str, list[Stored]] = defaultdict(list)
        for each in self.sight.living(side.other):
            across[tag_of(each.item)].append(each)
        for word in self._words_on(side) & self.replaced.keys():
            others = across[self.replaced[word]]
            if not others or any(word in words(each.item) for each in others):
                del self.replaced[word]
        # Without a base nothing tells an element that was taken out of a list from one that was put in.
        self._allow(word for each in self.sight.living(side) for word in words(each.item, lists_only=True))
        self.tokens_are_lost = True
        self.deleted &= self.settled
        self.given_up |= self.copies.keys() - self._tags()
        self._take_up(side)

    def ledger_went_back(self, kept: frozenset[str]) -> None:
        """Our database was restored; ``kept`` are the values that history held until then."""
        self.written -= kept - self._kept() - self._standing()
        self.unsure |= self.since[OURS].keys()
        standing = self._standing()
        for word, tag in tuple(self.replaced.items()):
            if tag in self.unsure and word in standing:
                del self.replaced[word]
        self.deleted -= self.unsure & self._tags()
        self.met -= self.since[OURS].keys()
        self.settled &= self.met
        self._take_up(OURS)
        for tag in self.unsure:
            self._excuse_what_is_not_alike(tag)

    def everything_was_forgotten(self) -> None:
        """All our state is gone: that our database went back, which is told next, concerns all there ever was."""
        for tag in self.copies:
            self.since[OURS][tag] |= {"forgotten"}

    def _take_up(self, what: str) -> None:
        """What was done since the backup counts as done since both sides were in step."""
        self.in_step = False
        for tag, done in self.since[what].items():
            self.touched[tag] |= done
            self._excuse_what_nothing_tells_apart(tag)

    # What people do --------------------------------------------------------------------------------------------------

    def _create(self, _act: Act, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        self.copies[tag] += 1
        self.written |= after

    def _twin(self, _act: Act, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        """The same item came to the other side by itself, as an invitation does."""
        self.deleted.discard(tag)
        self._set_free(after)

    def _edit(self, act: Act, tag: str, before: frozenset[str], after: frozenset[str]) -> None:
        self.deleted.discard(tag)
        self.written |= after - before
        self.written -= before - after
        if tag not in self.unsure and self.source is not act.side.other:
            self.replaced.update(dict.fromkeys(before - after - self.free, tag))

    def _move(self, _act: Act, tag: str, _before: frozenset[str], _after: frozenset[str]) -> None:
        self.deleted.discard(tag)

    def _copy(self, _act: Act, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        self.deleted.discard(tag)
        self.copies[tag] += 1
        self._set_free(after)

    def _delete(self, act: Act, tag: str, before: frozenset[str], _after: frozenset[str]) -> None:
        assert act.before is not None
        self.written -= before
        self.given_up.add(tag)
        if act.after is not None:
            self.thrown_away.add(act.after.id)
        # What they had replaced here may be on the other side still, in an object whose edit beats this deletion.
        self._allow(word for word, of in tuple(self.replaced.items()) if of == tag)
        # A move or a restore that has not settled yet may count as an edit that beats this deletion.
        unsettled = self.touched[tag] & {"move", "restore", "twin"}
        one_of_many = self.copies[tag] > 1 or any(tag_of(each.item) == tag for each in self.sight.living(act.side))
        doubtful = one_of_many or unsettled or tag in self.torn | self.unsure
        if act.side is SideName.EXCHANGE and not self.sight.told_of(act.before):
            self.untold.add(tag)
        if act.after is None or (act.side is SideName.EXCHANGE and self._nameless(tag)):
            self.traceless.add(tag)
            doubtful = doubtful or self.tokens_are_lost or tag in self.untold
        if self.source is not act.side.other and not doubtful and self._same_across(act.side, act.before):
            self.deleted.add(tag)

    _destroy = _delete

    def _restore(self, _act: Act, tag: str, _before: frozenset[str], after: frozenset[str]) -> None:
        self.deleted.discard(tag)
        self._set_free(after)

    def _purge(self, act: Act, tag: str, before: frozenset[str], _after: frozenset[str]) -> None:
        """What lies in the bin was deleted before."""
        assert act.before is not None
        if self._unknown_in_bin(act.before):
            self.written -= before
        if tag in self.deleted - self.settled:
            self.traceless.add(tag)
            if self.tokens_are_lost or tag in self.untold:
                self.deleted.discard(tag)

    def _set_free(self, found: frozenset[str]) -> None:
        self.free |= found
        self._allow(found)

    def _allow(self, found: Iterable[str]) -> None:
        for word in tuple(found):
            self.replaced.pop(word, None)

    # Excuses ---------------------------------------------------------------------------------------------------------

    def _excuse_what_nothing_tells_apart(self, tag: str) -> None:
        """A contact that a person created in Exchange has no id that stays when it moves or is restored.

        What else was done to it in the meantime then belongs to one of two items, as far as anybody can tell.
        """
        done = self.touched[tag]
        moved = "restore" in done or ("move" in done and len(done) > 1)
        if moved and "excused" not in done and self._nameless(tag):
            done.add("excused")
            self._count_one_more(tag)

    def _excuse_what_is_taken_up(self, side: SideName, tag: str) -> None:
        """A late copy of ours that a person edited before we could remove it is theirs, and stays."""
        if Counter(tag_of(each.item) for each in self.sight.living(side))[tag] > self.copies[tag]:
            self._count_one_more(tag)

    def _excuse_what_is_not_alike(self, tag: str) -> None:
        """Without a ledger, contacts are the same when they share their name and an address: nothing else tells."""
        exchange, nextcloud = ([each.item for each in self._objects(name, tag)] for name in SideName)
        left = list(nextcloud)
        for one in exchange:
            if isinstance(one, Contact) and (same := next((each for each in left if _alike(one, each)), None)):
                left.remove(same)
        # As many as are left on either side become two.
        for number in range(len(left) - max(0, len(nextcloud) - len(exchange))):
            if isinstance(left[0], Contact) and f"unlike {number}" not in self.touched[tag]:
                self.touched[tag].add(f"unlike {number}")
                self._count_one_more(tag)

    def _unknown_in_bin(self, stored: Stored) -> bool:
        """Whether this is a contact that a person made in Exchange and that we put into the bin.

        Edited between our read and our delete, and the answer to that lost: nothing tells any more which one it is.
        """
        return isinstance(stored.item, Contact) and not stored.own_id and stored.id not in self.thrown_away

    def _count_one_more(self, tag: str) -> None:
        self.copies[tag] += 1
        self.torn.add(tag)

    def _nameless(self, tag: str) -> bool:
        """Whether an object of this item in Exchange has neither UID nor own id, or shares its own id with others."""
        exchange = SideName.EXCHANGE
        found = [*self.sight.living(exchange), *self.sight.binned(exchange)]
        there = [each for each in found if tag_of(each.item) == tag and isinstance(each.item, Contact)]
        return len(there) > 1 or any(not each.own_id for each in there)

    # Looking ---------------------------------------------------------------------------------------------------------

    def _same_across(self, side: SideName, stored: Stored) -> bool:
        """Whether the other side holds what this object was, in the same folder, or nothing, and no request is late."""
        across = self._objects(side.other, tag_of(stored.item))
        return not self.sight.on_its_way() and all(
            self.sight.same(side, stored, each) and not self.sight.unproven(side.other, each, stored) for each in across
        )

    def _objects(self, side: SideName, tag: str) -> list[Stored]:
        return [each for each in self.sight.living(side) if tag_of(each.item) == tag]

    def _tags(self) -> set[str]:
        return {tag_of(each.item) for name in SideName for each in self.sight.living(name)}

    def _words_on(self, side: SideName) -> frozenset[str]:
        return all_words(each.item for each in self.sight.living(side))

    def _standing(self) -> frozenset[str]:
        return self._words_on(SideName.EXCHANGE) | self._words_on(SideName.NEXTCLOUD)

    def _kept(self) -> frozenset[str]:
        return all_words(self.sight.kept())

    # Judging ---------------------------------------------------------------------------------------------------------

    def judge(self) -> list[str]:
        """The violations in a final state, in words."""
        final = self._standing()
        stale = {word: tag for word, tag in self.replaced.items() if tag not in self.torn and word in final}
        in_bin = all_words(each.item for each in self.sight.binned(SideName.EXCHANGE) if self._unknown_in_bin(each))
        violations = [f"lost edit: {word}" for word in sorted(self.written - final - self._kept() - in_bin)]
        violations += [f"stale win: {word} of {tag}" for word, tag in sorted(stale.items())]
        for name in SideName:
            there = Counter(tag_of(each.item) for each in self.sight.living(name))
            violations += [
                f"duplicate: {number} of {tag} on {name}, people made {self.copies[tag]}"
                for tag, number in sorted(there.items())
                if number > self.copies[tag]
            ]
            violations += [f"resurrection: {tag} on {name}" for tag in sorted(self.deleted & there.keys())]
        if self.source is not None:
            violations += self._not_arrived(self.source)
        lost = self.copies.keys() - self.given_up - self._tags()
        return violations + [f"deleted by nobody: {tag}" for tag in sorted(lost)]

    def _not_arrived(self, source: SideName) -> list[str]:
        """What stands on the source stands on the target, too, and the same unless it was touched there (rule 24)."""
        violations = []
        for each in self.sight.living(source):
            tag = tag_of(each.item)
            across = self._objects(source.other, tag)
            excused = across and tag in self.target_touched | self.torn
            if not excused and not any(self.sight.same(source, each, there) for there in across):
                violations.append(f"not arrived: {tag} on {source.other}")
        return violations


def all_words(items: Iterable[Item]) -> frozenset[str]:
    """The values in items that somebody wrote."""
    return frozenset[str]().union(*(words(item) for item in items))


def _alike(one: Item, other: Item) -> bool:
    assert isinstance(one, Contact)
    assert isinstance(other, Contact)
    shared = {each.address for each in one.emails} & {each.address for each in other.emails}
    return one.display_name == other.display_name and bool(shared)


def _words(stored: Stored | None) -> frozenset[str]:
    return words(stored.item) if stored else frozenset()


def _tag(stored: Stored | None) -> str:
    return tag_of(stored.item) if stored else ""
