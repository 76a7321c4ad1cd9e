"""The Side contract on Exchange: what both kinds have alike. ``event_side`` and ``contact_side`` do the rest."""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from syncapp.exchange.ews import operations
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.errors import SearchRefused
from syncapp.exchange.ews.extended import (
    GLOBAL_OBJECT_ID,
    HIDDEN,
    OWN_ID,
    OWN_UID,
    Extended,
    extended,
)
from syncapp.exchange.ews.landmarks import BIN, DEFAULT_FOLDER, ROOT, Landmarks, folder_id
from syncapp.exchange.ews.markup import Markup, joined, t
from syncapp.exchange.ews.native import Native, item_id
from syncapp.exchange.ews.operations import ITEM_TYPE
from syncapp.exchange.ews.properties import FOUND_PATHS, path
from syncapp.exchange.ews.times import holdable_zone
from syncapp.exchange.ews.uids import global_object_id, uid_of
from syncapp.exchange.ews.xml import Element, Properties, child, flag, local, text
from syncapp.items import Item
from syncapp.items.values import Kind
from syncapp.items.zones import iana_to_windows
from syncapp.side import (
    Change,
    ChangedMeanwhile,
    Changes,
    Creation,
    Deletion,
    Folder,
    Found,
    Gone,
    Look,
    Object,
    SideError,
    SideName,
    Throttled,
    Unreadable,
    Update,
    WriteResult,
    Written,
)

_CHANGED = "Somebody changed the item in Exchange in between."
_GONE = "The item does not exist in Exchange any more."
_FIND_TERMS = 100
_LISTING = "listing "
"""What stands before the state of a listing that has not come to its end, in the tokens that we give out."""

_FOLDER_CLASS = {Kind.EVENT: "IPF.Appointment", Kind.CONTACT: "IPF.Contact"}
_FOLDER_PATHS = joined(
    [
        *(path(f"folder:{name}") for name in ("DisplayName", "FolderClass", "ParentFolderId", "EffectiveRights")),
        HIDDEN.path,
    ]
)


class EwsSide(ABC):
    """One kind of item of one mailbox. See ``syncapp.side.Side`` for what each method promises.

    ``home`` is the zone in which days begin and floating times are meant where nothing else says so.
    """

    name = SideName.EXCHANGE
    kind: Kind
    steps: frozenset[str]
    _paths: Markup
    """The properties that are read."""

    def __init__(self, connection: Connection, home: str = "UTC", landmarks: Landmarks | None = None) -> None:
        self.connection = connection
        self.home = home
        connection.windows_zone = iana_to_windows(holdable_zone("", home)) or "UTC"
        self.request_seconds = connection.account.request_seconds
        self._known_folders: list[Folder] | None = None
        self._landmarks = landmarks or Landmarks(connection)

    # Folders

    def epoch(self) -> str:
        """A digest of the server, the mailbox and the id of the folder above all others.

        The request that tells it looks at the default folders of both kinds, too: the look that follows is answered
        from that.
        """
        self._landmarks.visit()
        self._landmarks.id(DEFAULT_FOLDER[self.kind])
        parts = (self.connection.account.url, self.connection.mailbox.casefold(), self._landmarks.id(ROOT))
        return sha256("\n".join(parts).encode()).hexdigest()[:32]

    def folders(self) -> list[Folder]:
        """The default folder and others of its class; none that is hidden, generated, or in the bin."""
        default, bin_id = self._landmarks.id(DEFAULT_FOLDER[self.kind]), self._landmarks.id(BIN)
        found = operations.find_folders(self.connection, operations.distinguished(ROOT), _FOLDER_PATHS)
        parents = {folder_id(each): _parent_id(each) for each in found}
        self._known_folders = [
            self._folder(each, default)
            for each in found
            # Exactly this class: generated folders have longer ones (IPF.Contact.RecipientCache, ...Birthday).
            if (text(each, "FolderClass") == _FOLDER_CLASS[self.kind] or folder_id(each) == default)
            and extended(Properties(each), HIDDEN).lower() not in ("true", "1")
            and not _is_below(folder_id(each), bin_id, parents)
        ]
        return list(self._known_folders)

    def _folder(self, element: Element, default: str) -> Folder:
        rights = child(element, "EffectiveRights")
        writable = rights is None or flag(rights, "CreateContents")
        id = folder_id(element)
        return Folder(id, text(element, "DisplayName"), self.kind, writable, id == default)

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """When each folder's content last changed, and how much it has lost, in one request.

        A server that does not tell (the properties are those of MS-OXCFOLD, not of EWS) gives no token, and neither
        does a change of the last seconds: the times that come back have whole seconds.
        """
        return self._landmarks.look(folders)

    def changes(self, folder: str, token: str | None) -> Changes:
        """One page of SyncFolderItems; a token remembers whether it is in the middle of a listing."""
        listing = token is None or token.startswith(_LISTING)
        state = (token or "").removeprefix(_LISTING)
        page = operations.sync_items(self.connection, self.kind, folder, state)
        more = not page.last
        return Changes(
            changed=tuple(Change(id, change_key) for id, change_key in page.changed),
            gone=page.gone,
            token=(_LISTING if listing and more else "") + page.state,
            more=more,
            full=listing,
        )

    # Objects

    def read(self, ids: Sequence[str]) -> Mapping[str, Object | SideError]:
        """Whole objects with what belongs to them; several requests, each for many."""
        found: dict[str, Object | SideError] = {}
        for id, native in self._load(list(dict.fromkeys(ids))).items():
            if isinstance(native, Gone):
                continue
            found[id] = native if isinstance(native, SideError) else self._object(native)
        return found

    def _load(self, ids: Sequence[str]) -> dict[str, Native | SideError]:
        """The stored objects; an id of which Exchange says nothing usable has its error."""
        answers = operations.get_items(self.connection, list(map(operations.item_id, ids)), self._paths)
        found: dict[str, Native | SideError] = {}
        for id, answer in zip(ids, answers, strict=True):
            if isinstance(answer, Throttled):
                raise answer
            if isinstance(answer, SideError):
                found[id] = answer
            elif local(answer) == ITEM_TYPE[self.kind]:
                found[id] = Native(answer)
        return self._complete(found)

    def _object(self, native: Native) -> Object | SideError:
        try:
            item = self._item(native)
        except Unreadable as problem:
            problem.revision = native.change_key
            return problem
        return Object(
            id=native.id,
            folder=native.folder,
            revision=native.change_key,
            item=item,
            whole=native.whole(),
            uid=self._uid(native.properties),
            own_id=extended(native.properties, OWN_ID),
            in_bin=native.folder == self._landmarks.id(BIN),
            source=native,
        )

    def find(self, own_ids: Collection[str], uids: Collection[str]) -> list[Found]:
        """One search over all folders and the bin for each hundred ids; where the server can't search, a listing."""
        terms = [_own_id_term(each) for each in own_ids if each] + [self._uid_term(each) for each in uids if each]
        if self.kind not in self.connection.lists_to_find:
            try:
                return self._search(terms)
            except SearchRefused:
                self.connection.lists_to_find.add(self.kind)
        wanted_links = frozenset(own_ids) - {""}
        wanted_uids = frozenset(uids) - {""}
        return [
            each
            for each in self._matching(None)
            if each.uid in wanted_uids or not wanted_links.isdisjoint((each.own_id, each.own_id.partition(".")[0]))
        ]

    def _search(self, terms: Sequence[Markup]) -> list[Found]:
        found: dict[str, Found] = {}
        for at in range(0, len(terms), _FIND_TERMS):
            some = terms[at : at + _FIND_TERMS]
            found |= {each.id: each for each in self._matching(t("Or", *some) if len(some) > 1 else some[0])}
        return list(found.values())

    def _matching(self, restriction: Markup | None) -> list[Found]:
        folders = [each.id for each in (self._known_folders or self.folders())]
        return self._in([*folders, self._landmarks.id(BIN)], restriction)

    def _in(self, folders: Sequence[str], restriction: Markup | None) -> list[Found]:
        elements = operations.find_items(
            self.connection, list(map(operations.folder_id, folders)), restriction, FOUND_PATHS
        )
        return [each for each in map(self._found, elements) if each]

    def binned(self) -> list[Found]:
        """What lies in Deleted Items."""
        return self._in([self._landmarks.id(BIN)], None)

    def _found(self, element: Element) -> Found | None:
        if local(element) != ITEM_TYPE[self.kind]:
            return None
        item = Properties(element)
        folder = item.attribute("ParentFolderId", "Id")
        return Found(
            item.attribute("ItemId", "Id"),
            folder,
            item.attribute("ItemId", "ChangeKey"),
            self._uid(item),
            extended(item, OWN_ID),
            folder == self._landmarks.id(BIN),
        )

    def delete(self, deletions: Sequence[Deletion]) -> list[WriteResult]:
        """Compare the revisions, then delete: DeleteItem itself has no precondition."""
        results = self._check_revisions([(each.id, each.revision) for each in deletions])
        willing = [at for at, result in enumerate(results) if isinstance(result, Written)]
        answers = self._to_bin([deletions[at].id for at in willing]) if willing else []
        for at, answer in zip(willing, answers, strict=True):
            results[at] = answer
        return results

    def _to_bin(self, ids: Sequence[str]) -> list[WriteResult]:
        problems = operations.delete_items(self.connection, self.kind, ids)
        return [problem or Written(id) for id, problem in zip(ids, problems, strict=True)]

    def _check_revisions(self, wanted: Sequence[tuple[str, str]]) -> list[WriteResult]:
        """For each id and revision ``Written`` if that is what is there, else why not."""
        answers = operations.get_items(self.connection, [operations.item_id(id) for id, _ in wanted])
        results: list[WriteResult] = []
        for (id, revision), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, SideError):
                results.append(answer)
            elif item_id(answer)[1] != revision:
                results.append(ChangedMeanwhile(_CHANGED))
            else:
                results.append(Written(id, revision))
        return results

    def move(self, id: str, revision: str, folder: str) -> Written:
        """MoveItem after a look at the revision; the object has a new id afterwards."""
        (checked,) = self._check_revisions([(id, revision)])
        if isinstance(checked, SideError):
            raise checked
        return self._moved(id, folder)

    def restore(self, id: str, folder: str) -> Written:
        """MoveItem out of the bin."""
        return self._moved(id, folder)

    def _moved(self, id: str, folder: str) -> Written:
        ids = [operations.item_id(id)]
        (answer,) = operations.move_items(self.connection, ids, operations.folder_id(folder))
        if isinstance(answer, SideError):
            raise answer
        return Written(*item_id(answer))

    def pack(self, source: Any) -> bytes:
        """The EWS elements, compressed."""
        assert isinstance(source, Native)
        return source.pack()

    def unpack(self, packed: bytes) -> Item:
        """The item in what ``pack`` packed. Raises ``Unreadable``."""
        return self._item(Native.unpack(packed))

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()

    # What is particular to a kind

    @abstractmethod
    def create(self, creations: Sequence[Creation]) -> list[WriteResult]: ...

    @abstractmethod
    def update(self, updates: Sequence[Update]) -> list[WriteResult]: ...

    @abstractmethod
    def project(self, item: Item) -> Item: ...

    @abstractmethod
    def check(self, item: Item, uid: str) -> None: ...

    @abstractmethod
    def _complete(self, found: dict[str, Native | SideError]) -> dict[str, Native | SideError]:
        """The same objects with the parts that take requests of their own."""

    @abstractmethod
    def _item(self, native: Native) -> Item:
        """The item in a stored object. Raises ``Unreadable``."""

    @abstractmethod
    def _uid(self, item: Properties) -> str:
        """The UID of an item that was read or found."""

    @abstractmethod
    def _uid_term(self, uid: str) -> Markup:
        """The search expression for a UID."""

    def _create_all(self, creations: Sequence[Creation], elements: Sequence[Markup | SideError]) -> list[WriteResult]:
        """CreateItem for those of ``creations`` that became an element, one request for each folder."""
        results: list[WriteResult] = [each if isinstance(each, SideError) else Written("") for each in elements]
        by_folder: dict[str, list[int]] = {}
        for at, (creation, element) in enumerate(zip(creations, elements, strict=True)):
            if not isinstance(element, SideError):
                by_folder.setdefault(creation.folder, []).append(at)
        answered = False
        for folder, places in by_folder.items():
            some = [each for at in places if not isinstance(each := elements[at], SideError)]
            try:
                answers: Iterable[Element | SideError] = operations.create_items(
                    self.connection, self.kind, folder, some
                )
            except SideError as problem:
                if not answered:
                    raise
                answers = [problem] * len(places)
            answered = True
            for at, answer in zip(places, answers, strict=True):
                results[at] = answer if isinstance(answer, SideError) else Written(*item_id(answer))
        return results

    def _update_masters(self, updates: Mapping[int, tuple[Update, list[Markup]]]) -> dict[int, WriteResult]:
        """UpdateItem for those that have changes, a look at the revision for the others; results by place."""
        results: dict[int, WriteResult] = {}
        idle = {at: update for at, (update, changes) in updates.items() if not changes}
        checked = (
            self._check_revisions([(each.object.id, each.object.revision) for each in idle.values()]) if idle else []
        )
        results.update(zip(idle, checked, strict=True))
        busy = {at: pair for at, pair in updates.items() if pair[1]}
        changes = [
            operations.ItemChange(update.object.id, update.object.revision, elements)
            for update, elements in busy.values()
        ]
        answers = operations.update_items(self.connection, self.kind, changes)
        for at, answer in zip(busy, answers, strict=True):
            results[at] = answer if isinstance(answer, SideError) else Written(*item_id(answer))
        return results


def _parent_id(element: Element) -> str:
    found = child(element, "ParentFolderId")
    return "" if found is None else found.get("Id", "")


def _is_below(id: str, ancestor: str, parents: Mapping[str, str]) -> bool:
    seen: set[str] = set()
    while id and id not in seen:
        if id == ancestor:
            return True
        seen.add(id)
        id = parents.get(id, "")
    return False


def equals(wanted: Extended, value: str) -> Markup:
    """A search expression: the property ``wanted`` has this value."""
    return t("IsEqualTo", wanted.path, t("FieldURIOrConstant", t("Constant", Value=value)))


def _own_id_term(own_id: str) -> Markup:
    if "." in own_id:
        return equals(OWN_ID, own_id)
    constant = t("Constant", Value=f"{own_id}.")
    return t("Contains", OWN_ID.path, constant, ContainmentMode="Prefixed", ContainmentComparison="Exact")


def uid_from_global_object_id(item: Properties) -> str:
    """The UID in the GlobalObjectId of a calendar item, "" without one."""
    try:
        return uid_of(base64.b64decode(extended(item, GLOBAL_OBJECT_ID), validate=True))
    except binascii.Error:
        return ""


def global_object_id_term(uid: str) -> Markup:
    """The search expression for the series or event with this UID."""
    return equals(GLOBAL_OBJECT_ID, base64.b64encode(global_object_id(uid)).decode())


def contact_uid_term(uid: str) -> Markup:
    """The search expression for a contact that we gave this UID."""
    return equals(OWN_UID, uid)
