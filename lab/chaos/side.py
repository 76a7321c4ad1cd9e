"""The in-memory side: the contract of ``syncapp.side.Side`` over ``lab.chaos.server``, with faults at every call.

What a real side's codec does in ignorance of its server is done here in the same ignorance: an update sends the
elements that it was told to, patched into what was read.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lab.chaos.server import ExchangeServer, NextcloudServer, Server, Stored
from lab.chaos.wire import Call, Late, When, Wire
from syncapp.items import FIELDS, Event, Item, Kind
from syncapp.items.elements import Element, elements, with_elements
from syncapp.side import (
    AlreadyThere,
    ChangedMeanwhile,
    Changes,
    Creation,
    Deletion,
    Folder,
    Found,
    Gone,
    Look,
    Object,
    Refused,
    SideError,
    SideName,
    SidesOf,
    Unreachable,
    Unreadable,
    Update,
    WriteResult,
    Written,
)

_OWN_TROUBLE = (AlreadyThere, ChangedMeanwhile, Gone, Refused)
"""What concerns one item of a batch; anything else ends the batch."""

_READ_ONLY = frozenset(field.name for fields in FIELDS.values() for field in fields if field.read_only)

T = TypeVar("T")


class MemorySide:
    """One kind of item on one server, as the engine sees it."""

    request_seconds = 30.0

    def __init__(self, server: Server, kind: Kind, wire: Wire) -> None:
        self.server = server
        self.name = server.name
        self.kind = kind
        self.steps = server.steps.get(kind, frozenset())
        self.wire = wire

    @contextmanager
    def _call(self, name: str, *ids: str) -> Iterator[Call]:
        call = self.wire.begin(self.name, self.kind, name, ids)
        self.wire.meet(call, When.BEFORE)
        yield call
        self.wire.meet(call, When.AFTER)

    # Reading ---------------------------------------------------------------------------------------------------------

    def epoch(self) -> str:
        """See ``Side.epoch``."""
        with self._call("epoch"):
            return self.server.epoch

    def folders(self) -> list[Folder]:
        """See ``Side.folders``."""
        with self._call("folders"):
            return [each for each in self.server.state.folders.values() if each.kind is self.kind]

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """See ``Side.look``."""
        with self._call("look", *folders):
            known = self.server.state.folders
            return {each: Look(self.server.look(each)) for each in folders if each in known}

    def changes(self, folder: str, token: str | None) -> Changes:
        """See ``Side.changes``."""
        with self._call("changes", folder):
            return self.server.changes(folder, token)

    def read(self, ids: Sequence[str]) -> Mapping[str, Object | SideError]:
        """See ``Side.read``."""
        if not ids:
            return {}
        with self._call("read", *ids) as call:
            found: dict[str, Object | SideError] = {}
            for id in ids:
                try:
                    self.wire.meet(call, When.ITEM, id)
                except Unreadable as trouble:
                    found[id] = trouble
                    continue
                stored = self.server.state.objects.get(id)
                if stored is not None and stored.item.kind is self.kind:
                    found[id] = _broken(stored) if stored.broken else _object(stored)
            return found

    def find(self, own_ids: Collection[str], uids: Collection[str]) -> list[Found]:
        """See ``Side.find``."""
        if not own_ids and not uids:
            return []
        with self._call("find", *own_ids, *uids):
            return [_found(each) for each in self.server.find(self.kind, own_ids, uids)]

    def binned(self) -> list[Found]:
        """See ``Side.binned``."""
        with self._call("binned"):
            return [_found(each) for each in self.server.binned(self.kind)]

    # Writing ---------------------------------------------------------------------------------------------------------

    def create(self, creations: Sequence[Creation]) -> list[WriteResult]:
        """See ``Side.create``."""
        return self._batch("create", creations, lambda each: each.own_id, self._create)

    def update(self, updates: Sequence[Update]) -> list[WriteResult]:
        """See ``Side.update``."""
        return self._batch("update", updates, lambda each: each.object.id, self._update)

    def delete(self, deletions: Sequence[Deletion]) -> list[WriteResult]:
        """See ``Side.delete``."""
        return self._batch("delete", deletions, lambda each: each.id, self._delete)

    def move(self, id: str, revision: str, folder: str) -> Written:
        """See ``Side.move``."""
        return self._single("move", id, lambda: self._moved(self._fresh(id, revision), folder))

    def restore(self, id: str, folder: str) -> Written:
        """See ``Side.restore``."""
        return self._single("restore", id, lambda: self._answer(self.server.carry(self._binned(id), folder)))

    def _moved(self, stored: Stored, folder: str) -> Written:
        try:
            return self._answer(self.server.carry(stored, folder))
        except AlreadyThere:
            # Perhaps it is only its name that something else has there.
            return self._answer(self.server.carry(stored, folder, self.server.fresh_name()))

    def _create(self, creation: Creation, call: Call) -> Written:
        self._ask(creation.item, creation.uid)
        item, steps = self._apart(self.server.held(self.project(creation.item)))
        new = Stored("", creation.folder, "", item, creation.uid, creation.own_id, extra=self._extra(creation.native))
        stored = self.server.insert(new)
        written = self._finish(stored, creation.item, steps, call)
        # Nextcloud's ETag tells that an object was stored as it was sent (docs/server-behaviour.md#section-3-2).
        proven = self.name is SideName.NEXTCLOUD and written.revision and stored.item == self.project(creation.item)
        return replace(written, whole=stored.content) if proven else written

    def _update(self, update: Update, call: Call) -> Written:
        self._ask(update.item, update.object.uid)
        source: Stored = update.object.source
        stored = self._fresh(update.object.id, update.object.revision)
        changed = [path for path in update.changed if self.name is SideName.NEXTCLOUD or path[0] not in _READ_ONLY]
        steps = frozenset(path for path in changed if path[0] in self.steps)
        item = with_elements(source.item, update.item, changed)
        changes = {"extra": self._extra(update.native)} if update.native else {}
        stored = self.server.overwrite(stored, with_elements(item, source.item, steps), **changes)
        return self._finish(stored, update.item, steps, call)

    def _extra(self, native: bytes) -> str:
        """What an earlier version held beyond its item; Exchange is asked for no more than the item says."""
        return _unpacked(native)[1] if native and self.name is SideName.NEXTCLOUD else ""

    def _delete(self, deletion: Deletion, _call: Call) -> Written:
        stored = self._alive(deletion.id)
        if self.name is SideName.NEXTCLOUD and stored.revision != deletion.revision:
            raise ChangedMeanwhile("the object has another ETag")
        binned = self.server.throw_away(stored)
        return Written(binned.id if binned else deletion.id)

    def _apart(self, item: Item) -> tuple[Item, frozenset[Element]]:
        """``item`` without what is written in steps of its own, and those elements."""
        steps = frozenset(path for path in elements(item) if path[0] in self.steps)
        empty: Item = replace(item, exceptions=()) if isinstance(item, Event) else replace(item, photo=None)
        return (with_elements(item, empty, steps), steps) if steps else (item, steps)

    def _finish(self, stored: Stored, wanted: Item, steps: frozenset[Element], call: Call) -> Written:
        if not steps:
            return self._answer(stored)
        try:
            self.wire.meet(call, When.STEP, stored.id)
        except SideError as problem:
            return replace(self._answer(stored), unwritten=steps, problem=problem)
        before = self.server.state.objects.get(stored.id)
        if before is None:
            return replace(self._answer(stored), unwritten=steps, problem=Gone("it went away between two steps"))
        return self._answer(self.server.overwrite(before, with_elements(before.item, wanted, steps)))

    def _answer(self, stored: Stored) -> Written:
        return Written(stored.id, "" if self.server.silent else stored.revision)

    def _alive(self, id: str) -> Stored:
        stored = self.server.get(id)
        if stored.in_bin:
            raise Gone("the object is in the bin")
        return stored

    def _fresh(self, id: str, revision: str) -> Stored:
        stored = self._alive(id)
        if stored.revision != revision:
            raise ChangedMeanwhile("the object has another revision")
        return stored

    def _binned(self, id: str) -> Stored:
        stored = self.server.get(id)
        if not stored.in_bin:
            raise Gone("the object is not in the bin")
        return stored

    def _single(self, name: str, id: str, work: Callable[[], Written]) -> Written:
        with self._call(name, id) as call:
            try:
                self.wire.meet(call, When.ITEM, id)
            except Late:
                self.server.late.append(_quietly(work))
                raise Unreachable("no answer") from None
            written = work()
            self.wire.meet(call, When.DONE, id)
            return written

    def _batch(
        self, name: str, todo: Sequence[T], id_of: Callable[[T], str], work: Callable[[T, Call], Written]
    ) -> list[WriteResult]:
        if not todo:
            return []
        results: list[WriteResult] = []
        with self._call(name, *map(id_of, todo)) as call:
            for each in todo:
                try:
                    self.wire.meet(call, When.ITEM, id_of(each))
                    written = work(each, call)
                    self.wire.meet(call, When.DONE, id_of(each))
                    results.append(written)
                except _OWN_TROUBLE as trouble:
                    results.append(trouble)
                except Late:
                    self.server.late.append(_quietly(lambda each=each: work(each, call)))  # type: ignore[misc]
                    results.append(Unreachable("no answer"))
                except SideError as end:
                    results += [end] * (len(todo) - len(results))
                    break
        return results

    # Without the server ----------------------------------------------------------------------------------------------

    def project(self, item: Item) -> Item:
        """See ``Side.project``."""
        return self.server.project(item)

    def check(self, item: Item, uid: str) -> None:
        """See ``Side.check``."""
        if _name(item) in self.server.impossible:
            raise Refused("there can be no such thing on this server")

    def _ask(self, item: Item, uid: str) -> None:
        self.check(item, uid)
        if _name(item) in self.server.refused:
            raise Refused("the server does not take this")

    def pack(self, source: Any) -> bytes:
        """See ``Side.pack``."""
        assert isinstance(source, Stored)
        return pickle.dumps((_picklable(source), source.extra))

    def unpack(self, packed: bytes) -> Item:
        """See ``Side.unpack``."""
        return _unpacked(packed)[0]

    def close(self) -> None:
        """See ``Side.close``."""


def _broken(stored: Stored) -> Unreadable:
    problem = Unreadable("the object is broken")
    problem.revision = stored.revision
    return problem


def _found(stored: Stored) -> Found:
    return Found(stored.id, stored.folder, stored.revision, stored.uid, stored.own_id, stored.in_bin)


def _name(item: Item) -> str:
    return item.title if isinstance(item, Event) else item.display_name


def _object(stored: Stored) -> Object:
    return Object(
        id=stored.id,
        folder=stored.folder,
        revision=stored.revision,
        item=stored.item,
        whole=stored.content,
        uid=stored.uid,
        own_id=stored.own_id,
        in_bin=stored.in_bin,
        source=stored,
    )


def _unpacked(packed: bytes) -> tuple[Item, str]:
    try:
        item, extra = pickle.loads(packed)
    except (pickle.UnpicklingError, EOFError, AttributeError, KeyError, IndexError) as error:
        raise Unreadable("this was never packed") from error
    return item, extra


def _picklable(stored: Stored) -> Item:
    """Views of dictionaries, which exceptions may hold, don't pickle."""
    item = stored.item
    if not isinstance(item, Event):
        return item
    return replace(item, exceptions=tuple(replace(each, values=dict(each.values)) for each in item.exceptions))


def _quietly(work: Callable[[], object]) -> Callable[[], None]:
    """A request that lands when nobody waits for its answer any more."""

    def land() -> None:
        try:
            work()
        except SideError:
            return

    return land


@dataclass
class World:
    """Both servers with two folders of each kind, and the wire to them."""

    exchange: ExchangeServer = field(default_factory=ExchangeServer)
    nextcloud: NextcloudServer = field(default_factory=NextcloudServer)
    wire: Wire = field(default_factory=Wire)

    def __post_init__(self) -> None:
        for kind in Kind:
            for number in (1, 2):
                self.exchange.add_folder(f"{kind}-{number}", kind, default=number == 1)
                self.nextcloud.add_folder(f"/{kind}s/u/{number}/", kind, default=number == 1)

    def server(self, name: SideName) -> Server:
        """One of the two servers."""
        return self.exchange if name is SideName.EXCHANGE else self.nextcloud

    def side(self, name: SideName, kind: Kind) -> MemorySide:
        """A fresh client of one server."""
        return MemorySide(self.server(name), kind, self.wire)

    def sides(self, kinds: Collection[Kind] = tuple(Kind)) -> list[SidesOf]:
        """Fresh clients of both servers, as the jobs hand them to the engine."""
        return [
            SidesOf(kind, self.side(SideName.EXCHANGE, kind), self.side(SideName.NEXTCLOUD, kind)) for kind in kinds
        ]

    def folder(self, name: SideName, kind: Kind, number: int = 1) -> str:
        """The id of a folder: number 1 of one side is paired with number 1 of the other."""
        return f"{kind}-{number}" if name is SideName.EXCHANGE else f"/{kind}s/u/{number}/"
