"""Two servers in memory, with the manners of docs/server-behaviour.md: what is stored, and what a sync is told of it.

``Server`` is what both have in common; ``ExchangeServer`` and ``NextcloudServer`` differ in ids, in bins, in what they
lose, and in what they report. A server knows nothing of the engine. People use it through ``lab.chaos.people``,
the connector through ``lab.chaos.side``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from hashlib import md5
from itertools import count
from typing import Any, ClassVar

from lab.chaos.lies import Lie, told_wrongly
from syncapp.items import Contact, Event, Item, Kind
from syncapp.items.elements import elements
from syncapp.items.values import Email, Privacy, ZonedTime
from syncapp.items.zones import canonical
from syncapp.side import AlreadyThere, Change, Changes, Folder, Gone, SideError, SideName, TokenLost

EXCHANGE_EMAILS = 3
EXCHANGE_TITLE = 255


@dataclass(frozen=True)
class Stored:
    """A native object. ``extra`` stands for what the neutral item does not know (unknown properties)."""

    id: str
    folder: str
    revision: str
    item: Item
    uid: str
    own_id: str = ""
    in_bin: bool = False
    extra: str = ""
    broken: bool = False
    name: str = ""

    @property
    def content(self) -> bytes:
        """Everything that a person could have changed."""
        parts = sorted((path, part.normal) for path, part in elements(self.item).items())
        return repr((parts, self.uid, self.extra, self.broken)).encode()


@dataclass
class State:
    """What a backup holds: objects by id, and per folder the journal of (sequence number, id, alive)."""

    folders: dict[str, Folder] = field(default_factory=dict)
    objects: dict[str, Stored] = field(default_factory=dict)
    journal: dict[str, list[tuple[int, str, bool]]] = field(default_factory=dict)
    sequence: int = 0


class Server:
    """What both servers have in common.

    ``page`` bounds one answer of ``changes``. ``generation`` is part of every token: raising it loses all tokens.
    ``epoch`` is the identity of the store. ``refused`` are titles and names that the server will not take;
    ``impossible`` are those of which the side knows that without asking.
    ``silent`` makes answers to writes name no revision. ``kept_silent`` once something happened that no token tells of.
    ``late`` are requests still on their way. ``lies`` are what the next answers of ``changes`` get wrong.
    """

    name: ClassVar[SideName]
    steps: ClassVar[dict[Kind, frozenset[str]]] = {}

    def __init__(self, page: int = 1000) -> None:
        self.state = State()
        self.page = page
        self.generation = 1
        self.epoch = f"{self.name}-store-1"
        self.refused: set[str] = set()
        self.impossible: set[str] = set()
        self.silent = False
        self.kept_silent = False
        self.late: list[Callable[[], object]] = []
        self.lies: list[tuple[Lie, int]] = []
        # Ids and revisions are never given out twice, not even after a restore from a backup.
        self._numbers = count(1)

    # What differs between the two ------------------------------------------------------------------------------------

    def project(self, item: Item) -> Item:
        """What the server promises to hold of an item."""
        raise NotImplementedError

    def held(self, item: Item) -> Item:
        """What the server really holds of an item: the projection, altered in ways that nobody is told."""
        return self.project(item)

    def fresh_name(self) -> str:
        """A name that nothing has."""
        return f"n{next(self._numbers)}"

    def fresh_uid(self, kind: Kind) -> str:
        """The UID that this server's own clients give to something new."""
        return f"{self.name}-{next(self._numbers)}"

    def new_id(self, folder: str, name: str) -> str:
        """An id for an object that is to stand in ``folder`` under ``name``."""
        raise NotImplementedError

    def new_revision(self, stored: Stored, before: Stored | None) -> str:
        """The revision of an object that has just been written over ``before``."""
        raise NotImplementedError

    def placed(self, stored: Stored) -> Stored:
        """An object that is about to stand in a folder."""
        return stored

    def check_free(self, stored: Stored, moving: str = "") -> None:
        """Raise ``AlreadyThere`` when ``stored``, which now has the id ``moving``, may not stand where it wants to."""

    def bin(self, stored: Stored) -> Stored | None:
        """``stored`` as it lies in the bin; None where there is no bin."""
        raise NotImplementedError

    def told(self, events: list[tuple[int, str, bool]], known: Collection[str]) -> dict[str, bool]:
        """What a sync is told of a window of the journal, given the ids before it: id → alive."""
        raise NotImplementedError

    # Folders and backups ---------------------------------------------------------------------------------------------

    def add_folder(self, id: str, kind: Kind, *, default: bool = False) -> str:
        """A new, empty folder; returns its id."""
        self.state.folders[id] = Folder(id, id.strip("/").split("/")[-1], kind, default=default)
        self.state.journal[id] = []
        return id

    def snapshot(self) -> State:
        """A backup."""
        return copy.deepcopy(self.state)

    def restore_backup(self, backup: State) -> None:
        """Everything is as it was when the backup was made; the epoch is the same, tokens may come from the future."""
        self.state = copy.deepcopy(backup)

    def lose_tokens(self) -> None:
        """No token that was given out means anything any more."""
        self.generation += 1

    def land(self) -> None:
        """Carry out the requests that were on their way."""
        while self.late:
            self.late.pop(0)()

    # Objects ---------------------------------------------------------------------------------------------------------

    def living(self, kind: Kind | None = None, folder: str | None = None) -> list[Stored]:
        """The objects outside the bin, oldest first."""
        return [
            each
            for each in self.state.objects.values()
            if not each.in_bin and folder in (None, each.folder) and kind in (None, each.item.kind)
        ]

    def binned(self, kind: Kind | None = None) -> list[Stored]:
        """The objects in the bin, oldest first."""
        return [each for each in self.state.objects.values() if each.in_bin and kind in (None, each.item.kind)]

    def get(self, id: str) -> Stored:
        """The object with this id, bin included. Raises ``Gone``."""
        try:
            return self.state.objects[id]
        except KeyError:
            raise Gone(f"there is no object {id}") from None

    def insert(self, stored: Stored) -> Stored:
        """Store a new object; gives it its id and its revision. Raises ``AlreadyThere``."""
        name = stored.own_id or self.fresh_name()
        stored = replace(stored, name=name, id=self.new_id(stored.folder, name), in_bin=False)
        self.check_free(stored)
        return self._put(stored, None)

    def overwrite(self, before: Stored, item: Item, **changes: Any) -> Stored:
        """Store another content under the same id."""
        return self._put(replace(before, item=self.held(item), **changes), before)

    def _put(self, stored: Stored, before: Stored | None) -> Stored:
        stored = stored if stored.in_bin else self.placed(stored)
        stored = replace(stored, revision=self.new_revision(stored, before))
        self.state.objects[stored.id] = stored
        if not stored.in_bin:
            self._note(stored.folder, stored.id, alive=True)
        return stored

    def take_away(self, stored: Stored) -> None:
        """Remove an object from where it stands, for good."""
        del self.state.objects[stored.id]
        if not stored.in_bin:
            self._note(stored.folder, stored.id, alive=False)

    def throw_away(self, stored: Stored) -> Stored | None:
        """Move an object to the bin; returns it as it lies there, None where there is no bin."""
        self.take_away(stored)
        binned = self.bin(stored)
        return None if binned is None else self._put(binned, None)

    def carry(self, stored: Stored, folder: str, name: str | None = None) -> Stored:
        """Move an object to another folder, or out of the bin into one, under its or another name.

        Raises ``AlreadyThere``.
        """
        name = stored.name if name is None else name
        moved = replace(stored, folder=folder, in_bin=False, name=name, id=self.new_id(folder, name))
        self.check_free(moved, stored.id)
        self.take_away(stored)
        return self._put(moved, None)

    def find(self, kind: Kind, own_ids: Collection[str], uids: Collection[str]) -> list[Stored]:
        """Every object, bin included, with one of these own ids (or of these links) or UIDs."""
        return [
            each
            for each in self.state.objects.values()
            if each.item.kind is kind
            and (
                (each.own_id and (each.own_id in own_ids or each.own_id.split(".")[0] in own_ids))
                or (each.uid and each.uid in uids)
            )
        ]

    # The journal -----------------------------------------------------------------------------------------------------

    def _note(self, folder: str, id: str, *, alive: bool) -> None:
        self.state.sequence += 1
        self.state.journal[folder].append((self.state.sequence, id, alive))

    def look(self, folder: str) -> str:
        """A token that moves whenever something happens in the folder."""
        return f"{self.generation}:{len(self.state.journal[folder])}"

    def changes(self, folder: str, token: str | None) -> Changes:
        """One page of changes, wrong if a lie is due. Raises ``TokenLost`` and ``Gone`` (the folder)."""
        changes = self._changes(folder, token)
        for lie, pick in tuple(self.lies):
            try:
                wrong = told_wrongly(changes, lie, pick, token, [each.id for each in self.living(folder=folder)])
            except SideError:
                self.lies.remove((lie, pick))
                raise
            if wrong is not None:
                self.lies.remove((lie, pick))
                changes = wrong
        return changes

    def _changes(self, folder: str, token: str | None) -> Changes:
        if folder not in self.state.folders:
            raise Gone(f"there is no folder {folder}")
        if token is None:
            return self._listing(folder, self.state.sequence, "")
        generation, _, rest = token.partition("|")
        if generation != str(self.generation):
            raise TokenLost("the token means nothing here")
        since, *listed = rest.split("|")
        if int(since) > self.state.sequence:
            raise TokenLost("the token is from the future")
        if listed:
            return self._listing(folder, int(since), listed[0])
        return self._window(folder, int(since))

    def told_of(self, token: str, stored: Stored) -> bool:
        """Whether whoever has this token has been told that the object is there."""
        generation, _, since = token.partition("|")
        events = self.state.journal[stored.folder]
        return generation == str(self.generation) and any(
            id == stored.id and sequence <= int(since) for sequence, id, _ in events
        )

    def _token(self, *parts: object) -> str:
        return "|".join(map(str, (self.generation, *parts)))

    def _listing(self, folder: str, since: int, after: str) -> Changes:
        """A page of everything. What happens while somebody turns pages is told again after the last one."""
        rest = sorted(each.id for each in self.living(folder=folder) if each.id > after)
        ids, more = rest[: self.page], len(rest) > self.page
        changed = tuple(Change(id, self.get(id).revision) for id in ids)
        token = self._token(since, ids[-1]) if more else self._token(since)
        return Changes(changed, (), token, more=more, full=True)

    def _window(self, folder: str, since: int) -> Changes:
        journal = self.state.journal[folder]
        before = {id: alive for sequence, id, alive in journal if sequence <= since}
        events = [each for each in journal if each[0] > since]
        last = {id: sequence for sequence, id, _ in events}
        told = self.told(events, [id for id, alive in before.items() if alive])
        ordered = sorted(told, key=lambda id: last.get(id, 0))
        ids, more = ordered[: self.page], len(ordered) > self.page
        upto = last[ids[-1]] if more else self.state.sequence
        changed = tuple(Change(id, self.get(id).revision) for id in ids if told[id])
        return Changes(changed, tuple(id for id in ids if not told[id]), self._token(upto), more=more)


class ExchangeServer(Server):
    """Change keys, ids that change with every move, a bin that keeps everything, and fields with few slots.

    Exceptions and photos are written in requests of their own. Ids differ in case only. Copies carry the own id of
    what they were copied from. A delete checks nothing.
    """

    name = SideName.EXCHANGE
    steps: ClassVar = {Kind.EVENT: frozenset({"exceptions"}), Kind.CONTACT: frozenset({"photo"})}

    def project(self, item: Item) -> Item:
        """Three mail addresses without labels, zones that Windows knows, nobody invited, titles of 255 characters."""
        if isinstance(item, Contact):
            emails = tuple(Email(each.address) for each in item.emails[:EXCHANGE_EMAILS])
            return replace(item, uid="", emails=emails)
        return replace(
            item,
            title=item.title[:EXCHANGE_TITLE],
            start=_canonical(item.start),
            end=_canonical(item.end),
            organizer=None,
            attendees=(),
            exceptions=tuple(
                replace(
                    each,
                    values={
                        name: _canonical(value) if name in ("start", "end") else value
                        for name, value in each.values.items()
                    },
                )
                for each in item.exceptions
            ),
        )

    def held(self, item: Item) -> Item:
        """The projection, with the body rewritten as Exchange's HTML conversion does; attendees stay as they are."""
        held = self.project(item)
        if isinstance(held, Event):
            assert isinstance(item, Event)
            body = held.description.replace("...", "\u2026")
            return replace(held, description=body, attendees=item.attendees, organizer=item.organizer)
        return replace(held, notes=held.notes.replace("...", "\u2026"))

    def fresh_name(self) -> str:
        """A name that nothing has."""
        return f"n{next(self._numbers)}"

    def fresh_uid(self, kind: Kind) -> str:
        """Contacts have no UID in Exchange."""
        return "" if kind is Kind.CONTACT else super().fresh_uid(kind)

    def new_id(self, folder: str, name: str) -> str:
        number = next(self._numbers)
        return f"AAMk{'a' if number % 2 else 'A'}{number // 2}="

    def new_revision(self, stored: Stored, before: Stored | None) -> str:
        return f"ck{next(self._numbers)}"

    def bin(self, stored: Stored) -> Stored | None:
        return replace(stored, id=self.new_id("", ""), in_bin=True)

    def told(self, events: list[tuple[int, str, bool]], known: Collection[str]) -> dict[str, bool]:
        """What was created and deleted inside the window is not told at all."""
        last = {id: alive for _, id, alive in events}
        told = {id: alive for id, alive in last.items() if alive or id in known}
        self.kept_silent = self.kept_silent or len(told) < len(last)
        return told


class NextcloudServer(Server):
    """Hrefs, ETags of the content, a trash bin for calendars whose UIDs block new ones, and loose talk about changes.

    What was deleted and put back under its href inside one window is told as gone; ids that nobody has seen are told
    as gone; two calendars may hold the same UID, one calendar may not.
    """

    name = SideName.NEXTCLOUD

    def project(self, item: Item) -> Item:
        """iCalendar's CLASS has no PERSONAL beside PRIVATE."""
        if isinstance(item, Event) and item.privacy is Privacy.PERSONAL:
            return replace(item, privacy=Privacy.PRIVATE)
        return item

    def new_id(self, folder: str, name: str) -> str:
        return f"{folder}{name}.ics"

    def new_revision(self, stored: Stored, before: Stored | None) -> str:
        """The ETag: an identical PUT keeps it; any other content gets one that was never there."""
        if before is not None and before.content == stored.content:
            return before.revision
        return md5(f"{next(self._numbers)}".encode()).hexdigest()[:12]

    def placed(self, stored: Stored) -> Stored:
        """The last part of the href is the own id of every living object, whoever created it."""
        return replace(stored, own_id=stored.name)

    def check_free(self, stored: Stored, moving: str = "") -> None:
        for each in self.state.objects.values():
            if each.id == moving or each.folder != stored.folder:
                continue
            if each.id == stored.id:
                raise AlreadyThere("this href is taken", each.id)
            if each.uid == stored.uid:
                raise AlreadyThere("this UID is in the trash bin" if each.in_bin else "this UID is taken", each.id)

    def bin(self, stored: Stored) -> Stored | None:
        if stored.item.kind is Kind.CONTACT:
            return None
        # The bin does not tell under which href an object stood.
        id = f"/trashbin/objects/{next(self._numbers)}.ics"
        return replace(stored, id=id, in_bin=True, own_id="")

    def told(self, events: list[tuple[int, str, bool]], known: Collection[str]) -> dict[str, bool]:
        """Whatever died once inside the window is told as gone, whether it is back, and whether anybody knew it."""
        told: dict[str, bool] = {}
        for _, id, alive in events:
            told[id] = alive and told.get(id, True)
        return told


def _canonical(moment: Any) -> Any:
    return ZonedTime(moment.wall, canonical(moment.zone)) if isinstance(moment, ZonedTime) else moment
