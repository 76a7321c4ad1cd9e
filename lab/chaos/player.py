"""Plays histories: people act on both sides, runs meet faults, people act inside runs on the object in flight.

Every choice is a number that the caller gives (Hypothesis, or a random generator), so that a history can be played
again and made smaller. What the numbers mean: ``pick`` chooses one of what there is, modulo how many there are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from lab.chaos.commits import Edge, watching
from lab.chaos.model import Model, tag_of, words
from lab.chaos.server import EXCHANGE_EMAILS, State, Stored
from lab.chaos.town import Ran, Town, addresses
from lab.chaos.wire import Call, Crash, Late, When
from syncapp.items import Contact, Event, Item, Kind
from syncapp.items.event import Occurrence
from syncapp.items.values import Email, Frequency, Photo, Recurrence, ZonedTime, moment_key
from syncapp.models import Enrollment, Hold, Link, Pairing, Sent, Tomb
from syncapp.side import AlreadyThere, Gone, SideName, Throttled, TokenLost, Unreachable

WEEKS = 6


class Fault(StrEnum):
    """What may happen to a run at one moment of one call, besides people."""

    CRASH = "crash"
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    LATE = "late"
    TOKEN_LOST = "token-lost"
    SECOND_WORKER = "second-worker"


class Deed(StrEnum):
    """What a person may do with an object."""

    EDIT = "edit"
    EDIT_TWICE = "edit-twice"
    MOVE = "move"
    COPY = "copy"
    DELETE = "delete"
    RESTORE = "restore"


Edit = Callable[[Any, "Player"], Item]

EDITS: dict[Kind, dict[str, Edit]] = {
    Kind.EVENT: {
        "title": lambda item, player: replace(item, title=player.word()),
        "description": lambda item, player: replace(item, description=f"{player.word()}\nund so weiter..."),
        "time": lambda item, player: _shifted(item, player),
        "reminder": lambda item, player: replace(item, reminder=5 if item.reminder is None else None),
        "add-category": lambda item, player: replace(item, categories=(*item.categories, player.word())),
        "drop-category": lambda item, player: replace(item, categories=item.categories[1:]),
        "exception": lambda item, player: _excepted(item, player, deleted=False),
        "drop-occurrence": lambda item, player: _excepted(item, player, deleted=True),
        "drop-exception": lambda item, player: replace(item, exceptions=item.exceptions[1:]),
    },
    Kind.CONTACT: {
        "name": lambda item, player: replace(item, display_name=player.word()),
        "notes": lambda item, player: replace(item, notes=f"{player.word()}..."),
        "company": lambda item, player: replace(item, company=player.word()),
        "add-email": lambda item, player: replace(item, emails=(*item.emails, Email(f"{player.word()}@lab.example"))),
        "drop-email": lambda item, player: replace(item, emails=item.emails[1:]),
        "photo": lambda item, player: replace(item, photo=Photo(player.word().encode())),
    },
}
MOST_EDITS = max(len(edits) for edits in EDITS.values())


def _shifted(item: Event, player: Player) -> Event:
    """To another time that no other event has."""
    assert isinstance(item.start, ZonedTime)
    start = replace(item.start, wall=datetime(2026, 3, 2) + timedelta(minutes=player.number()))
    return replace(item, start=start, end=replace(start, wall=start.wall + timedelta(hours=1)), exceptions=())


def _excepted(item: Event, player: Player, *, deleted: bool) -> Event:
    """With one more occurrence changed or deleted, or the same one once more."""
    if item.recurrence is None:
        return item
    assert isinstance(item.start, ZonedTime)
    week = player.number() % WEEKS
    original = replace(item.start, wall=item.start.wall + timedelta(weeks=week))
    values = {} if deleted else {"title": player.word()}
    others = [each for each in item.exceptions if moment_key(each.original) != moment_key(original)]
    return replace(item, exceptions=(*others, Occurrence(original, deleted, values)))


@dataclass
class Player:
    """One history of items of one kind: a town, the model that listens, and a log of what was played."""

    kind: Kind
    town: Town = field(init=False)
    model: Model = field(default_factory=Model)
    log: list[str] = field(default_factory=list)
    backups: dict[SideName, State] = field(default_factory=dict)
    faults: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        Enrollment.objects.all().delete()
        self.town = Town((self.kind,))
        self.model.living = lambda name: [each.item for each in self.town.world.server(name).living()]
        self.model.same_across = self._same_across
        for name in SideName:
            self.town.person(name).listeners.append(self.model.listen)
            self.town.person(name).listeners.append(
                lambda act: self.log.append(
                    f"  {act.side} {act.verb} {_words_of(act.before)} -> {_words_of(act.after)}"
                )
            )

    def _same_across(self, stored: Stored) -> bool:
        here = SideName.EXCHANGE if stored.folder in self.town.world.exchange.state.folders else SideName.NEXTCLOUD
        there = [each for each in self.town.living(here.other, self.kind) if tag_of(each.item) == tag_of(stored.item)]
        if any(isinstance(each.item, Contact) and len(each.item.emails) > EXCHANGE_EMAILS for each in (stored, *there)):
            return False
        content = (self.town.content(here, stored), addresses(stored.item))
        return not self._late() and all(
            (self.town.content(here.other, each), addresses(each.item)) == content for each in there
        )

    def number(self) -> int:
        """A number that was never given before."""
        return next(self._numbers)

    def word(self) -> str:
        """A value that nobody ever wrote."""
        return f"w{self.number()}"

    # People ----------------------------------------------------------------------------------------------------------

    def create(self, name: SideName, folder: int = 1) -> None:
        """Somebody writes something new."""
        tag = f"item-{self.number()}"
        item: Item
        if self.kind is Kind.EVENT:
            item = Event(ZonedTime(datetime(2026, 3, 2), "Europe/Vienna"), ZonedTime(datetime(2026, 3, 2), "UTC"))
            item = replace(_shifted(item, self), title=self.word(), location=tag)
            if self.number() % 2:
                item = replace(item, recurrence=Recurrence(Frequency.WEEKLY, count=WEEKS))
        else:
            item = Contact(display_name=self.word(), nickname=tag, emails=(Email(f"{self.word()}@lab.example"),))
        self.town.person(name).create(self.town.folder(name, self.kind, folder), item)

    def act(self, name: SideName, deed: Deed, pick: int, what: int = 0) -> None:
        """Somebody does something with one of the objects of their side."""
        server = self.town.world.server(name)
        there = server.binned() if deed is Deed.RESTORE else server.living()
        if there:
            self.do(name, deed, sorted(there, key=_order)[pick % len(there)], what)

    def do(self, name: SideName, deed: Deed, stored: Stored, what: int = 0) -> None:
        """Somebody does something with this object; what the server does not allow is not done."""
        person = self.town.person(name)
        edits = list(EDITS[self.kind].values())
        other = self.town.folder(name, self.kind, 1 + what % 2)
        try:
            if deed is Deed.EDIT:
                person.edit(stored.id, lambda item: edits[what % len(edits)](item, self))
            elif deed is Deed.EDIT_TWICE:
                person.edit(
                    stored.id,
                    lambda item: edits[(what + 1) % len(edits)](edits[what % len(edits)](item, self), self),
                )
            elif deed is Deed.MOVE:
                if stored.folder != other:
                    person.move(stored.id, other)
            elif deed is Deed.COPY:
                person.copy(stored.id, other)
            elif deed is Deed.DELETE:
                person.delete(stored.id)
            else:
                person.restore(stored.id)
        except (AlreadyThere, Gone) as refusal:
            self.log.append(f"  {name} {deed} refused: {refusal}")

    def purge(self, name: SideName) -> None:
        """Somebody empties the bin."""
        self.town.person(name).empty_bin()

    # Runs ------------------------------------------------------------------------------------------------------------

    def sync(self, *, full: bool = False) -> Ran:
        """A run; after one that met no trouble and wrote nothing, both sides are in step."""
        self.log.append("sync" + (" full" if full else ""))
        self.model.in_step = False
        before = sum(len(self.town.person(name).acts) for name in SideName)
        ran = self.town.sync(full=full)
        self.log.append(f"  wrote {ran.writes} {ran.error or ''}")
        acted = sum(len(self.town.person(name).acts) for name in SideName) - before
        self.town.world.wire.hooks.clear()
        if not (ran.writes or ran.error or acted or self._late()):
            self.model.in_step = self._equal()
        return ran

    def _late(self) -> bool:
        return any(self.town.world.server(name).late for name in SideName)

    def _equal(self) -> bool:
        try:
            self.town.compare(self.kind)
        except AssertionError:
            return False
        return True

    def sync_with_fault(self, at: int, fault: Fault, *, full: bool = False) -> None:
        """A run that meets a fault at its ``at``-th moment."""
        self.log.append(f"fault {fault} at {at}")
        self._at_moment(at, lambda call, when, id: self._fail(fault, call, when))
        self.sync(full=full)

    def _fail(self, fault: Fault, call: Call, when: When) -> None:
        self.faults += 1
        self.log.append(f"  {fault} {when} {call.name} on {call.side}")
        if fault is Fault.CRASH:
            raise Crash
        if fault is Fault.LATE and when is When.ITEM and call.name not in ("read", "find"):
            raise Late
        if fault is Fault.THROTTLED:
            raise Throttled(30)
        if fault is Fault.TOKEN_LOST and call.name == "changes":
            raise TokenLost("lost")
        if fault is Fault.SECOND_WORKER:
            self.town.second_worker()()
        else:
            raise Unreachable("no answer")

    def sync_with_crash_at_commit(self, at: int, edge: Edge, *, full: bool = False) -> None:
        """A run that dies just before or after its ``at``-th commit."""
        self.log.append(f"crash {edge} commit {at}")
        left = at

        def meet(here: Edge) -> None:
            nonlocal left
            if here is edge:
                left -= 1
                if left == -1:
                    self.faults += 1
                    raise Crash

        with watching(meet):
            self.sync(full=full)

    def sync_while(
        self, at: int, deed: Deed, what: int, across: bool, then: Fault | None = None, after: int = 0
    ) -> None:
        """A run during which somebody acts on the object in flight, or ``across`` on its counterpart.

        ``then`` is a fault that strikes ``after`` that many further moments.
        """
        self.log.append(f"hot {deed} {what} at {at} across={across} then {then} after {after}")

        def act(call: Call, _when: When, id: str) -> None:
            found = self._in_flight(call, id, across)
            if found is not None:
                name, stored = found
                self.log.append(f"  at {_when} {call.name} on {call.side}:")
                self.do(name, deed, stored, what)
            if then is not None:
                self._at_moment(after, lambda call, when, id: self._fail(then, call, when))

        self._at_moment(at, act, hot=True)
        self.sync()

    def _in_flight(self, call: Call, id: str, across: bool) -> tuple[SideName, Stored] | None:
        """The object that a call is about, or its counterpart on the other side."""
        objects = self.town.world.server(call.side).state.objects
        known = [objects[each] for each in ([id] if id else call.ids) if each in objects]
        tags = {tag_of(each.item) for each in known}
        if not known:
            own_ids = {id} if id else set(call.ids)
            known = [each for each in objects.values() if each.own_id and each.own_id in own_ids]
            tags = {tag_of(each.item) for each in known}
        if across:
            other = call.side.other
            known = [each for each in self.town.world.server(other).state.objects.values() if tag_of(each.item) in tags]
            return (other, min(known, key=_order)) if known else None
        return (call.side, min(known, key=_order)) if known else None

    def _at_moment(self, at: int, act: Callable[[Call, When, str], None], *, hot: bool = False) -> None:
        """Let ``act`` meet the ``at``-th moment from now; ``hot``: of those that are about known objects."""
        left = at

        def hook(call: Call, when: When, id: str) -> None:
            nonlocal left
            if call.name in ("epoch", "look", "folders") or (hot and call.name == "changes"):
                return
            left -= 1
            if left == -1:
                hooks.remove(hook)
                act(call, when, id)

        hooks = self.town.world.wire.hooks
        hooks.append(hook)

    # The world -------------------------------------------------------------------------------------------------------

    def lose_tokens(self, name: SideName) -> None:
        """A server forgets all tokens."""
        self.log.append(f"{name} loses its tokens")
        self.town.world.server(name).lose_tokens()

    def set_manners(self, name: SideName, silent: bool, page: int) -> None:
        """A server names no revisions in its answers; and how much it tells at once."""
        server = self.town.world.server(name)
        server.silent, server.page = silent, page

    def back_up(self, name: SideName) -> None:
        """The server's admin makes a backup."""
        self.log.append(f"{name} is backed up")
        self.backups[name] = self.town.world.server(name).snapshot()

    def restore_backup(self, name: SideName) -> None:
        """The server's admin goes back to the backup."""
        if name in self.backups:
            self.log.append(f"{name} is restored")
            self.model.in_step, self.model.restored = False, True
            self.town.world.server(name).restore_backup(self.backups[name])

    def forget(self) -> None:
        """All that the connector remembers is gone, except for history."""
        self.log.append("all state is lost")
        self.model.in_step, self.model.restored = False, True
        for model in (Hold, Link, Sent, Tomb):
            model.objects.all().delete()
        clean = {f"{name}_{what}": "" for name in SideName for what in ("token", "look", "epoch")}
        Pairing.objects.update(first_contact=True, first_listed_at=None, **clean)

    def land(self, name: SideName) -> None:
        """What was on its way arrives."""
        if self.town.world.server(name).late:
            self.log.append(f"late requests land on {name}")
            self.model.in_step = False
            self.town.world.server(name).land()

    # The end ---------------------------------------------------------------------------------------------------------

    def violations(self) -> list[str]:
        """People and faults rest; what is wrong after as many runs as are allowed. Held deletions are approved."""
        self.log.append("rest")
        try:
            self.town.settle()
            waiting = Hold.objects.filter(state=Hold.State.WAITING)
            if waiting:
                for hold in waiting:
                    hold.approve()
                self.town.settle()
            self.town.compare(self.kind)
        except AssertionError as broken:
            return [f"not equal and quiet: {broken}"]
        exchange, nextcloud = (
            [each.item for each in self.town.world.server(name).living()]
            for name in (SideName.EXCHANGE, SideName.NEXTCLOUD)
        )
        return self.model.judge(exchange, nextcloud, self.town.history())

    def story(self) -> str:
        """What was played, and what the engine says that it did."""
        return "\n".join([*self.log, "runs:", *self.town.log()])


def _order(stored: Stored) -> tuple[str, str, str]:
    return (tag_of(stored.item), stored.folder, stored.id)


def _words_of(stored: Stored | None) -> str:
    if stored is None:
        return "-"
    return f"{tag_of(stored.item)}{sorted(words(stored.item))}@{stored.id}"


@contextmanager
def repeatable(seed: int = 0) -> Iterator[None]:
    """Keys and nonces of links come from a generator that starts anew, so that a history can be played again."""
    generator = random.Random(seed)
    with (
        mock.patch("syncapp.models.link.os", SimpleNamespace(urandom=generator.randbytes)),
        mock.patch("uuid.uuid4", side_effect=lambda: UUID(int=generator.getrandbits(128))),
    ):
        yield
