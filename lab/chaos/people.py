"""What people do on the servers, with a log of it. The model (``lab.chaos.model``) listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from lab.chaos.server import Server, Stored
from syncapp.items import Item
from syncapp.side import Gone, SideName


@dataclass(frozen=True)
class Act:
    """One thing that a person did: ``before`` is what they saw, ``after`` what stood there then."""

    side: SideName
    verb: str
    before: Stored | None
    after: Stored | None


@dataclass
class Person:
    """Somebody at a client of one server. Every method answers with what stands there afterwards.

    Raises what the server raises: ``Gone`` when the object is not there, ``AlreadyThere`` when a UID is taken.
    """

    server: Server
    acts: list[Act] = field(default_factory=list)
    listeners: list[Callable[[Act], None]] = field(default_factory=list)

    def create(self, folder: str, item: Item, *, uid: str | None = None, extra: str = "") -> Stored:
        """A new object. Exchange gives events a UID of its own and contacts none."""
        stored = Stored("", folder, "", self.server.held(item), self._uid(item) if uid is None else uid, extra=extra)
        return self._done("create", None, self.server.insert(stored))

    def edit(self, id: str, change: Callable[[Any], Item], *, extra: str | None = None) -> Stored:
        """Read, change, save."""
        before = self._living(id)
        changes = {} if extra is None else {"extra": extra}
        return self._done("edit", before, self.server.overwrite(before, change(before.item), **changes))

    def give_another_uid(self, id: str, uid: str) -> Stored:
        """Put something with another UID under the same href."""
        before = self._living(id)
        return self._done("edit", before, self.server.overwrite(before, before.item, uid=uid))

    def put_over(self, id: str, item: Item) -> Stored:
        """Put another item, with another UID, under the same href, where nothing was deleted before."""
        before = self._living(id)
        after = self.server.overwrite(before, item, uid=self._uid(item))
        self._tell(Act(self.server.name, "destroy", before, None))
        return self._done("create", None, after)

    def damage(self, id: str) -> Stored:
        """Leave an object that nobody can read."""
        before = self._living(id)
        return self._done("edit", before, self.server.overwrite(before, before.item, broken=True))

    def repair(self, id: str) -> Stored:
        """Make it readable again."""
        before = self._living(id)
        return self._done("edit", before, self.server.overwrite(before, before.item, broken=False))

    def move(self, id: str, folder: str) -> Stored:
        """Into another folder."""
        before = self._living(id)
        return self._done("move", before, self.server.carry(before, folder))

    def copy(self, id: str, folder: str, *, uid: str | None = None) -> Stored:
        """A second one. On Exchange the copy carries the own id of the first."""
        before = self._living(id)
        own_id = before.own_id if self.server.name is SideName.EXCHANGE else ""
        again = replace(before, folder=folder, own_id=own_id, uid=self._uid(before.item) if uid is None else uid)
        return self._done("copy", before, self.server.insert(again))

    def delete(self, id: str) -> Stored | None:
        """Into the bin, if there is one; answers with what lies there."""
        before = self._living(id)
        binned = self.server.throw_away(before)
        self._tell(Act(self.server.name, "delete", before, binned))
        return binned

    def destroy(self, id: str) -> None:
        """Past the bin."""
        before = self._living(id)
        self.server.take_away(before)
        self._tell(Act(self.server.name, "destroy", before, None))

    def restore(self, id: str, folder: str | None = None) -> Stored:
        """Out of the bin, back to where it was or into ``folder``."""
        before = self.server.get(id)
        if not before.in_bin:
            raise Gone("the object is not in the bin")
        return self._done("restore", before, self.server.carry(before, folder or before.folder))

    def replace(self, id: str, item: Item) -> Stored:
        """Delete an object of Nextcloud and put another item under its name."""
        before = self._living(id)
        self.delete(id)
        return self._put_under(before, item, self._uid(item))

    def recreate(self, id: str) -> Stored:
        """Delete an object of Nextcloud for good and put the same one under its name, as clients do that lost track."""
        before = self._living(id)
        self.destroy(id)
        after = self.server.insert(replace(before, own_id=before.name))
        return self._done("restore", before, after)

    def twin(self, of: Stored, folder: str) -> Stored:
        """What stands on the other server comes to this one by itself, as an invitation does, with the same UID."""
        stored = Stored("", folder, "", self.server.held(of.item), of.uid)
        return self._done("twin", None, self.server.insert(stored))

    def _put_under(self, before: Stored, item: Item, uid: str) -> Stored:
        stored = Stored("", before.folder, "", self.server.held(item), uid, before.name)
        return self._done("create", None, self.server.insert(stored))

    def empty_bin(self) -> None:
        """For good."""
        for each in self.server.binned():
            self.server.take_away(each)
            self._tell(Act(self.server.name, "purge", each, None))

    def _uid(self, item: Item) -> str:
        return self.server.fresh_uid(item.kind)

    def _living(self, id: str) -> Stored:
        stored = self.server.get(id)
        if stored.in_bin:
            raise Gone("the object is in the bin")
        return stored

    def _done(self, verb: str, before: Stored | None, after: Stored) -> Stored:
        self._tell(Act(self.server.name, verb, before, after))
        return after

    def _tell(self, act: Act) -> None:
        self.acts.append(act)
        for listener in self.listeners:
            listener(act)
