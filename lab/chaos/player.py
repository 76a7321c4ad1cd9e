"""Plays histories: people act on both sides, between runs and inside them, and everything that can break does.

A step of a history (``lab.chaos.steps``) is a method here. Every choice is a number or a name that the history holds,
so that it can be played again and made smaller. ``pick`` chooses one of what there is, modulo how many there are.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings
from django.test.utils import override_settings

from lab.chaos import backup
from lab.chaos.backup import Backup
from lab.chaos.commits import Edge, watching
from lab.chaos.eyes import Eyes
from lab.chaos.faults import Fault
from lab.chaos.lies import Lie
from lab.chaos.model import OURS, Model, all_words, tag_of, words
from lab.chaos.moments import Agenda, Moment
from lab.chaos.people import Act
from lab.chaos.server import State, Stored
from lab.chaos.steps import ACT, SYNC, Incident, NoHistory, Step
from lab.chaos.town import LONG, MOST_RUNS, Ran, Town
from lab.chaos.wire import Call, When
from lab.chaos.writing import Writer, edited
from syncapp.items import Kind
from syncapp.models import Hold, Link, Pairing
from syncapp.side import AlreadyThere, Gone, SideName

APPROVE, REFUSE = "approve", "refuse"

DEEPEST = 3
"""So many workers may be inside each other's runs."""


class Deed(StrEnum):
    """What a person may do with an object."""

    EDIT = "edit"
    EDIT_TWICE = "edit-twice"
    MOVE = "move"
    COPY = "copy"
    DELETE = "delete"
    RESTORE = "restore"
    DESTROY = "destroy"
    REPLACE = "replace"
    """Delete it and put something else under its name."""
    RECREATE = "recreate"
    """Delete it for good and put the same under its name."""
    ANOTHER_UID = "another-uid"
    """Put something else over it."""
    TWIN = "twin"
    """Create it on the other side, too, with the same UID."""


class Wait(StrEnum):
    """How much time passes before a run."""

    NONE = "none"
    SHORT = "short"
    LONG = "long"
    """Longer than any delay before something is tried again."""


_WAITS: Mapping[Wait, timedelta] = {Wait.NONE: timedelta(), Wait.SHORT: timedelta(minutes=7), Wait.LONG: LONG}
_NEXTCLOUD_ONLY = frozenset({Deed.REPLACE, Deed.RECREATE, Deed.ANOTHER_UID})


@dataclass
class Player:
    """One history of items of one kind: a town, the model that listens, and a log of what was played."""

    kind: Kind
    town: Town = field(init=False)
    eyes: Eyes = field(init=False)
    model: Model = field(init=False)
    writer: Writer = field(default_factory=Writer)
    log: list[str] = field(default_factory=list)
    backups: dict[SideName, State] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    """By what it was."""
    inside: int = 0
    """How often somebody acted inside a run, on the object in flight."""
    source: SideName | None = None
    """The side that alone is listened to; None: changes travel both ways."""
    misled: bool = False
    """A server told something wrong, or went back: only a full comparison brings that to light."""
    _ours: Backup = field(init=False)
    _newborn: Backup = field(init=False)
    _agendas: list[Agenda] = field(default_factory=list)
    _last: Call | None = None

    def __post_init__(self) -> None:
        self.town = Town((self.kind,))
        self.eyes = Eyes(self.town, self.kind)
        self.model = Model(self.eyes)
        self._newborn = backup.back_up()
        self.back_up_ours()
        for name in SideName:
            self.town.person(name).listeners.extend([self.model.listen, self._tell])

    def _tell(self, act: Act) -> None:
        self.log.append(f"  {act.side} {act.verb} {_words_of(act.before)} -> {_words_of(act.after)}")

    # Steps -----------------------------------------------------------------------------------------------------------

    def play(self, steps: Sequence[Step]) -> None:
        """Let all of this happen. Raises ``NoHistory`` for steps that nobody knows, and what the engine raises."""
        for step in steps:
            if step.name == SYNC:
                self.sync(*step.given, inside=step.inside)
            else:
                self._do(step.name, step.given)

    def _do(self, name: str, given: Sequence[Any]) -> None:
        happening = _HAPPENINGS.get(name)
        if happening is None:
            raise NoHistory(f"Nobody knows how to {name}.")
        happening(self, *given)

    # People ----------------------------------------------------------------------------------------------------------

    def create(self, side: str, folder: int = 1) -> None:
        """Somebody writes something new."""
        name = SideName(side)
        self.town.person(name).create(self.town.folder(name, self.kind, folder), self.writer.item(self.kind))

    def act(self, side: str, deed: str, pick: int, what: int = 0) -> None:
        """Somebody does something with one of the objects of their side."""
        name = SideName(side)
        there = self.eyes.binned(name) if Deed(deed) is Deed.RESTORE else self.eyes.living(name)
        if there:
            self.do(name, Deed(deed), sorted(there, key=_order)[pick % len(there)], what)

    def do(self, name: SideName, deed: Deed, stored: Stored, what: int = 0) -> None:
        """Somebody does something with this object; what the server does not allow is not done."""
        if deed in _NEXTCLOUD_ONLY and name is not SideName.NEXTCLOUD:
            deed = Deed.EDIT
        try:
            self._deed(name, deed, stored, what)
        except (AlreadyThere, Gone) as refusal:
            self.log.append(f"  {name} {deed} refused: {refusal}")

    def _deed(self, name: SideName, deed: Deed, stored: Stored, what: int) -> None:
        person, other = self.town.person(name), self.town.folder(name, self.kind, 1 + what % 2)
        match deed:
            case Deed.EDIT | Deed.EDIT_TWICE:
                times = 2 if deed is Deed.EDIT_TWICE else 1
                person.edit(stored.id, lambda item: edited(item, what, times, self.writer))
            case Deed.MOVE:
                if stored.folder != other:
                    person.move(stored.id, other)
            case Deed.COPY:
                person.copy(stored.id, other)
            case Deed.DELETE:
                person.delete(stored.id)
            case Deed.RESTORE:
                person.restore(stored.id)
            case Deed.DESTROY:
                person.destroy(stored.id)
            case Deed.REPLACE:
                person.replace(stored.id, self.writer.item(self.kind))
            case Deed.RECREATE:
                person.recreate(stored.id)
            case Deed.ANOTHER_UID:
                person.put_over(stored.id, self.writer.item(self.kind))
            case Deed.TWIN:
                self._twin(name, stored)

    def _twin(self, name: SideName, stored: Stored) -> None:
        there = [*self.eyes.living(name.other), *self.eyes.binned(name.other)]
        if self.kind is Kind.EVENT and not any(tag_of(each.item) == tag_of(stored.item) for each in there):
            number = next(each for each in (1, 2) if self.town.folder(name, self.kind, each) == stored.folder)
            self.town.person(name.other).twin(stored, self.town.folder(name.other, self.kind, number))

    def purge(self, side: str) -> None:
        """Somebody empties the bin."""
        self.town.person(SideName(side)).empty_bin()

    # Runs ------------------------------------------------------------------------------------------------------------

    def sync(self, full: bool = False, wait: str = Wait.LONG, *, inside: Sequence[Incident] = ()) -> Ran:
        """A run; after one that met no trouble and wrote nothing, both sides are in step."""
        self.log.append("sync" + (" full" if full else ""))
        self.model.in_step = False
        self.town.clock.move(_WAITS[Wait(wait)])
        acted, struck = self._acts(), self.faults.total()
        ran = self._run(inside, full=full)
        calm = self._acts() == acted and self.faults.total() == struck
        if calm and not (ran.writes or ran.error or self.eyes.on_its_way()) and self.eyes.equal():
            self.model.all_is_in_step()
            self.model.tokens_are_lost = any(
                lie is Lie.TOKEN_LOST for name in SideName for lie, _ in self.town.world.server(name).lies
            )
        return ran

    def _run(self, inside: Sequence[Incident], **how: Any) -> Ran:
        self.town.world.wire.hooks[:] = [self._meet_call]
        self._agendas.append(Agenda(list(inside)))
        try:
            ran = self.town.sync(wait=False, **how)
        finally:
            self._agendas.pop()
        self.log.append(f"  wrote {ran.writes} {ran.error!r}")
        return ran

    def _acts(self) -> int:
        return sum(len(self.town.person(name).acts) for name in SideName)

    def _meet_call(self, call: Call, when: When, id: str) -> None:
        self._last = call
        self._meet(Moment.of_call(call, when, id))

    def meet_commit(self, edge: Edge) -> None:
        """See ``lab.chaos.commits.watching``."""
        self._meet(Moment.of_commit(edge))

    def _meet(self, moment: Moment) -> None:
        if not self._agendas:
            return
        agenda = self._agendas[-1]
        while (incident := agenda.due(moment, self._fits)) is not None:
            self.log.append(f"  at {moment.spot}: {incident.name} {incident.given}")
            self._happen(incident, moment)

    def _fits(self, incident: Incident, moment: Moment) -> bool:
        match incident.name:
            case "fault":
                return Fault(incident.given[0]).fits(moment)
            case "act":
                return self._in_flight(moment, across=incident.given[2]) is not None
            case "worker":
                return moment.call is not None and len(self._agendas) < DEEPEST
            case "back_up_ours" | "decide":
                return moment.spot != f"commit.{Edge.BEFORE}"
        return True

    def _happen(self, incident: Incident, moment: Moment) -> None:
        match incident.name:
            case "fault":
                self.faults[incident.given[0]] += 1
                Fault(incident.given[0]).strike()
            case "act":
                deed, what, across = incident.given
                found = self._in_flight(moment, across)
                assert found is not None
                self.inside += 1
                self.do(found[0], Deed(deed), found[1], what)
            case "worker":
                self.faults["second-worker" if incident.given[0] else "impatient-worker"] += 1
                assert moment.call is not None
                self.town.suspended.append(moment.call)
                try:
                    self._second_worker(*incident.given, inside=incident.inside)
                finally:
                    self.town.suspended.pop()
            case _:
                self._do(incident.name, incident.given)

    def _second_worker(self, patient: bool, full: bool, *, inside: Sequence[Incident]) -> None:
        """Another worker does a whole run. ``patient``: when the lease of the first one, who sleeps, is long over."""
        self._run(inside, full=full, patient=patient, owner="another worker")

    def _in_flight(self, moment: Moment, across: bool) -> tuple[SideName, Stored] | None:
        """The object that a call, or the one before a commit, is about; or its counterpart on the other side."""
        call = moment.call or self._last
        if call is None or call.name == "changes":
            return None
        everything = self.town.world.server(call.side).state.objects
        known = [everything[each] for each in ([moment.id] if moment.id else call.ids) if each in everything]
        if not known:
            own_ids = {moment.id} if moment.id else set(call.ids)
            known = [each for each in everything.values() if each.own_id and each.own_id in own_ids]
        side = call.side
        if across:
            tags = {tag_of(each.item) for each in known}
            side = side.other
            known = [each for each in self.town.world.server(side).state.objects.values() if tag_of(each.item) in tags]
        return (side, min(known, key=_order)) if known else None

    # The world -------------------------------------------------------------------------------------------------------

    def lie(self, side: str, lie: str, pick: int) -> None:
        """The next answer of a server about changes, to which it can be done, is wrong."""
        self.faults[lie] += 1
        self.misled = True
        self.town.world.server(SideName(side)).lies.append((Lie(lie), pick))
        if lie == Lie.TOKEN_LOST:
            self.model.tokens_were_lost()

    def lose_tokens(self, side: str) -> None:
        """A server forgets all tokens."""
        self.faults["tokens-lost"] += 1
        self.town.world.server(SideName(side)).lose_tokens()
        self.model.tokens_were_lost()

    def set_manners(self, side: str, silent: bool, page: int) -> None:
        """A server names no revisions in its answers; and how much it tells at once."""
        server = self.town.world.server(SideName(side))
        server.silent, server.page = silent, page

    def jump(self, minutes: int) -> None:
        """The clock is put forward, or back."""
        self.faults["clock-jump"] += 1
        self.town.clock.move(timedelta(minutes=minutes))

    def land(self, side: str) -> None:
        """What was on its way arrives."""
        self.model.in_step = False
        self.town.world.server(SideName(side)).land()

    def back_up(self, side: str) -> None:
        """A server is backed up."""
        name = SideName(side)
        self.backups[name] = self.town.world.server(name).snapshot()
        self.model.backed_up(name)

    def restore(self, side: str) -> None:
        """A server goes back to its backup."""
        name = SideName(side)
        if name in self.backups:
            self.log.append(f"{name} is restored")
            self.faults["server-restored"] += 1
            self.misled = True
            had = all_words(each.item for each in (*self.eyes.living(name), *self.eyes.binned(name)))
            self.town.world.server(name).restore_backup(self.backups[name])
            self.model.server_went_back(name, had)

    def back_up_ours(self) -> None:
        """Our database is backed up, perhaps while a worker uses it."""
        self._ours = backup.back_up()
        self.model.backed_up(OURS)

    def restore_ours(self) -> None:
        """Our database goes back to its backup."""
        self.log.append("our database is restored")
        self.faults["database-restored"] += 1
        self._put_back(self._ours)

    def forget(self) -> None:
        """All that the connector remembers is gone, but for who is enrolled."""
        self.log.append("all state is lost")
        self.faults["database-lost"] += 1
        self.model.everything_was_forgotten()
        self._put_back(self._newborn)

    def _put_back(self, what: Backup) -> None:
        kept = all_words(self.eyes.kept())
        backup.put_back(what)
        self.model.ledger_went_back(kept)

    def decide(self, answer: str) -> None:
        """The admin decides about what is held; never that a folder went for good, nor against what is new."""
        for hold in Hold.objects.filter(state=Hold.State.WAITING):
            given = REFUSE if hold.reason == Hold.Reason.FOLDER else answer
            given = APPROVE if hold.deed is Hold.Deed.CREATE else given
            self.log.append(f"  {given} {hold.reason} of link {hold.link_id}")
            if given == APPROVE:
                hold.approve()
            else:
                self.model.refused(self._tags_of(hold.link))
                hold.refuse()

    def _tags_of(self, link: Link) -> set[str]:
        """The tags of what a link knows and is there."""
        known = [(name, link.side(name).id) for name in SideName]
        return {tag_of(each.item) for name, id in known for each in self.eyes.living(name) if each.id == id}

    def agree(self, direction: str, conflict_rule: str) -> None:
        """The admin chooses which way changes travel, and who wins: before anything is there."""
        Pairing.objects.update(
            direction=Pairing.Direction(direction), conflict_rule=Pairing.ConflictRule(conflict_rule)
        )
        self.source = self.model.source = _SOURCES[Pairing.Direction(direction)]

    def limit(self, number: int) -> None:
        """The guard lets through so many writes of a sort within a day."""
        settings.GUARD_DELETIONS = settings.GUARD_OVERWRITES = settings.GUARD_CREATIONS = number

    # The end ---------------------------------------------------------------------------------------------------------

    def violations(self) -> list[str]:
        """People and faults rest; what is wrong after as many runs as are allowed. Held deletions are approved."""
        self.log.append("rest")
        try:
            self.town.rest()
            if not self._forgot_nothing():
                return ["forgotten: both sides came to rest without a full comparison, and differ"]
            self.town.settle()
            while Hold.objects.filter(state=Hold.State.WAITING).exists():
                self.decide(APPROVE)
                self.town.settle()
            if self.source is None:
                self.town.compare(self.kind)
        except AssertionError as broken:
            return [f"not equal and quiet: {broken}"]
        collisions = [f"two workers at once: {self.town.collisions} times"] if self.town.collisions else []
        written = self.town.world.wire.writes(side=self.source) if self.source else []
        return collisions + [f"written to the source: {call.name}" for call in written] + self.model.judge()

    def _forgot_nothing(self) -> bool:
        """Where no server lied or kept silent, tokens are enough: what was collected once is never forgotten."""
        if self.misled or self.source:
            return True
        for _ in range(MOST_RUNS):
            ran = self.town.sync()
            assert ran.error is None, repr(ran.error)
            if not ran.writes:
                break
        silent = any(self.town.world.server(name).kept_silent for name in SideName)
        return silent or Hold.objects.exists() or self.eyes.equal()

    def story(self) -> str:
        """What was played, and what the engine says that it did."""
        return "\n".join([*self.log, "runs:", *self.town.log()])


_SOURCES: Mapping[Pairing.Direction, SideName | None] = {
    Pairing.Direction.BOTH: None,
    Pairing.Direction.TO_NEXTCLOUD: SideName.EXCHANGE,
    Pairing.Direction.TO_EXCHANGE: SideName.NEXTCLOUD,
}
_HAPPENINGS: Mapping[str, Callable[..., object]] = {
    each.__name__: each
    for each in (
        Player.create,
        Player.act,
        Player.purge,
        Player.lie,
        Player.lose_tokens,
        Player.set_manners,
        Player.jump,
        Player.land,
        Player.back_up,
        Player.restore,
        Player.back_up_ours,
        Player.restore_ours,
        Player.forget,
        Player.decide,
        Player.agree,
        Player.limit,
    )
}
assert ACT in _HAPPENINGS


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


@contextmanager
def playing(kind: Kind, seed: int = 0) -> Iterator[Player]:
    """A player in an empty database; what it sets is set back."""
    with repeatable(seed), override_settings():
        player = Player(kind)
        with watching(player.meet_commit):
            yield player
