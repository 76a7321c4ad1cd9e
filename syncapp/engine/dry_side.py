"""A side that is only read: what the engine would write is kept here, and read again it looks as it would stand then.

What a server makes of what it is given is taken to be ``Side.project`` of it. What only the server knows (a refusal of
its own, somebody's edit in between) is not foreseen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from syncapp.items import Event, Item, Kind
from syncapp.items.elements import elements
from syncapp.items.values import Moment, ZonedTime
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
    Side,
    SideError,
    SideName,
    Update,
    WriteResult,
    Written,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """By what a person recognises an object, and the fields that it has if it would be new."""

    label: str
    begins: str = ""
    fields: str = ""

    @classmethod
    def of(cls, item: Item, *, new: bool = False) -> Known:
        """What is to be said of an item."""
        fields = " ".join(sorted({each[0] for each in elements(item)})) if new else ""
        if isinstance(item, Event):
            return cls(item.title, _told(item.start), fields)
        return cls(item.display_name, "", fields)


def _told(moment: Moment) -> str:
    if isinstance(moment, ZonedTime):
        return f"{moment.wall:%Y-%m-%d %H:%M} {moment.zone}".strip()
    return moment.isoformat()


class DrySide:
    """See the module. ``known`` are the objects that were seen or would be made, by id."""

    def __init__(self, side: Side, check: Callable[[], None]) -> None:
        """``check`` is called before each request; what it raises ends the dry run."""
        self._side, self._check = side, check
        self.name: SideName = side.name
        self.kind: Kind = side.kind
        self.steps = side.steps
        self.request_seconds = side.request_seconds
        self.known: dict[str, Known] = {}
        self._stands: dict[str, Object] = {}
        self._gone: set[str] = set()
        self._uids: dict[tuple[str, str], str] = {}
        self._paired: set[str] = set()
        self._bin: list[Found] | None = None
        self._numbers = count(1)

    # Reading ---------------------------------------------------------------------------------------------------------

    def epoch(self) -> str:
        """See ``Side.epoch``."""
        self._check()
        return self._side.epoch()

    def folders(self) -> list[Folder]:
        """See ``Side.folders``."""
        self._check()
        return self._side.folders()

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """See ``Side.look``."""
        self._check()
        self._paired.update(folders)
        return self._side.look(folders)

    def changes(self, folder: str, token: str | None) -> Changes:
        """See ``Side.changes``. What would be written makes no change: to the engine it would be no news."""
        self._check()
        return self._side.changes(folder, token)

    def read(self, ids: Sequence[str]) -> Mapping[str, Object | SideError]:
        """See ``Side.read``."""
        self._check()
        ours: dict[str, Object | SideError] = {id: self._stands[id] for id in ids if id in self._stands}
        asked = [id for id in ids if id not in ours and id not in self._gone]
        found = self._side.read(asked) if asked else {}
        for id, each in found.items():
            if isinstance(each, Object):
                self._see(id, each)
        return {**found, **ours}

    def _see(self, id: str, found: Object) -> None:
        self.known.setdefault(id, Known.of(found.item))
        if not found.in_bin:
            self._uids[found.folder, found.uid] = id

    def find(self, own_ids: Collection[str], uids: Collection[str]) -> list[Found]:
        """See ``Side.find``."""
        self._check()
        found = [each for each in self._side.find(own_ids, uids) if self._as_it_was(each.id)]
        ours = [_found(each) for each in self._stands.values() if _matches(each, own_ids, uids)]
        return [*found, *ours]

    def binned(self) -> list[Found]:
        """See ``Side.binned``. Asked for once."""
        self._check()
        if self._bin is None:
            self._bin = self._side.binned()
        ours = [_found(each) for each in self._stands.values() if each.in_bin]
        return [*(each for each in self._bin if self._as_it_was(each.id)), *ours]

    def _as_it_was(self, id: str) -> bool:
        return id not in self._gone and id not in self._stands

    # Writing: nothing of it is sent ----------------------------------------------------------------------------------

    def create(self, creations: Sequence[Creation]) -> list[WriteResult]:
        """What would stand there is remembered."""
        return self._each(creations, self._create)

    def _create(self, creation: Creation) -> Written:
        self._side.check(creation.item, creation.uid)
        self._check_free(creation.folder, creation.uid)
        uid = creation.uid or f"dry-run-{next(self._numbers)}"
        made = self._put(Object(self._new_id(), creation.folder, "", creation.item, b"", uid, creation.own_id))
        self.known[made.id] = Known.of(made.item, new=True)
        return Written(made.id, made.revision)

    def update(self, updates: Sequence[Update]) -> list[WriteResult]:
        """What would stand there is remembered."""
        return self._each(updates, self._update)

    def _update(self, update: Update) -> Written:
        self._side.check(update.item, update.object.uid)
        written = self._put(replace(update.object, item=update.item))
        return Written(written.id, written.revision)

    def delete(self, deletions: Sequence[Deletion]) -> list[WriteResult]:
        """What would be deleted lies in a bin of ours."""
        found = self.read([each.id for each in deletions])

        def delete(deletion: Deletion) -> Written:
            there = _alive(found.get(deletion.id))
            if self.name is SideName.NEXTCLOUD and there.revision != deletion.revision:
                raise ChangedMeanwhile("Somebody changed the object in between.")
            self._throw_away(there)
            return Written(there.id)

        return self._each(deletions, delete)

    def _throw_away(self, there: Object) -> None:
        self._uids.pop((there.folder, there.uid), None)
        if self.name is SideName.EXCHANGE:
            self._stands[there.id] = replace(there, in_bin=True)
        elif self.kind is Kind.EVENT:
            # Nextcloud's bin does not tell what an object was called.
            self._stands[there.id] = replace(there, in_bin=True, own_id="")
        else:
            self._gone.add(there.id)

    def move(self, id: str, revision: str, folder: str) -> Written:
        """As if it stood in the other folder."""
        there = _alive(self.read([id]).get(id))
        if there.revision != revision:
            raise ChangedMeanwhile("Somebody changed the object in between.")
        return self._carry(there, folder)

    def restore(self, id: str, folder: str) -> Written:
        """As if it were out of the bin."""
        there = self.read([id]).get(id)
        if not isinstance(there, Object) or not there.in_bin:
            raise Gone("The object is not in the bin.")
        return self._carry(there, folder)

    def _carry(self, there: Object, folder: str) -> Written:
        self._check_free(folder, there.uid, but=there.id)
        if not there.in_bin:
            self._uids.pop((there.folder, there.uid), None)
        self._stands.pop(there.id, None)
        self._gone.add(there.id)
        carried = self._put(replace(there, id=self._new_id(), folder=folder, in_bin=False), there.whole)
        self.known[carried.id] = self.known[there.id]
        return Written(carried.id, carried.revision)

    def _each(self, tasks: Sequence[T], do: Callable[[T], Written]) -> list[WriteResult]:
        results: list[WriteResult] = []
        for each in tasks:
            try:
                results.append(do(each))
            except (AlreadyThere, ChangedMeanwhile, Gone, Refused) as problem:
                results.append(problem)
        return results

    def _put(self, stands: Object, whole: bytes = b"") -> Object:
        """Remember what would stand there, as something that nobody has seen yet."""
        number = next(self._numbers)
        revision = f"dry-run-{number}"
        stands = replace(stands, revision=revision, whole=whole or revision.encode(), modified=None)
        self._stands[stands.id] = stands
        self._uids[stands.folder, stands.uid] = stands.id
        return stands

    def _new_id(self) -> str:
        return f"dry-run-{self.name}-{next(self._numbers)}"

    def _check_free(self, folder: str, uid: str, but: str = "") -> None:
        """A collection of Nextcloud holds a UID only once, its bin included; Exchange takes anything."""
        if self.name is not SideName.NEXTCLOUD or not uid:
            return
        taken = self._uids.get((folder, uid), "")
        if not taken and self.kind is Kind.EVENT:
            taken = next((each.id for each in self.binned() if each.uid == uid and self._blocks(each, folder)), "")
        if taken and taken != but:
            raise AlreadyThere("There is an object with this UID, perhaps in the trash bin.", taken)

    def _blocks(self, binned: Found, folder: str) -> bool:
        """Whether it was deleted from this folder, where the bin tells that."""
        return binned.folder == folder or binned.folder not in self._paired

    # Without the server ----------------------------------------------------------------------------------------------

    def project(self, item: Item) -> Item:
        """See ``Side.project``."""
        return self._side.project(item)

    def check(self, item: Item, uid: str) -> None:
        """See ``Side.check``."""
        self._side.check(item, uid)

    def pack(self, source: Any) -> bytes:  # noqa: ARG002 - nobody ever reads what is kept in a dry run
        """See ``Side.pack``."""
        return b""

    def unpack(self, packed: bytes) -> Item:
        """See ``Side.unpack``."""
        return self._side.unpack(packed)

    def close(self) -> None:
        """Whoever opened the side closes it."""


def _alive(found: Object | SideError | None) -> Object:
    if not isinstance(found, Object) or found.in_bin:
        raise Gone("The object does not exist any more.")
    return found


def _found(of: Object) -> Found:
    return Found(of.id, of.folder, of.revision, of.uid, of.own_id, of.in_bin)


def _matches(of: Object, own_ids: Collection[str], uids: Collection[str]) -> bool:
    by_own_id = bool(of.own_id) and (of.own_id in own_ids or of.own_id.partition(".")[0] in own_ids)
    return by_own_id or (bool(of.uid) and of.uid in uids)
