"""SyncFolderItems and SyncFolderHierarchy (MS-OXWSSYNC).

A sync state counts in the server's sequence of writes. One round of pages starts at ``since``; ``until`` is the
sequence when it started, ``position`` how far its pages have come. What came into the folder is reported where it
came in, as Create; what changed is reported where it last changed, as Update, unless its Create is still ahead; what
left is reported as Delete only if the client has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from lab.exchange import ids
from lab.exchange.call import Call, only_folder
from lab.exchange.computed import item_id
from lab.exchange.operations.folders import folder_element, inside, read_folder_shape
from lab.exchange.operations.messages import each
from lab.exchange.records import Folder, Item
from lab.exchange.shapes import item_element, read_shape
from lab.exchange.soap import Element, EwsError, M, T
from lab.exchange.view import View

# MS-OXWSSYNC R389
MAX_CHANGES = 512


@dataclass(frozen=True)
class _State:
    since: int
    until: int
    position: int

    @property
    def in_round(self) -> bool:
        return self.position != self.since or self.until != self.since


@dataclass(frozen=True)
class _Change:
    at: int
    kind: str
    ident: str
    item: Item | None = None


def _read_state(call: Call, scope: str) -> _State:
    text = call.request.findtext(f"{M}SyncState")
    if not text:
        return _State(0, 0, 0)
    try:
        return _State(*ids.read_sync_state(text, call.store.incarnation, scope, 3))
    except (ids.BadId, ValueError):
        raise EwsError(
            "ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid."
        ) from None


def sync_folder_items(call: Call) -> Element:
    """SyncFolderItems: at most 512 changes and the next state."""

    def sync(target: Element) -> list[Element]:
        folder = only_folder(call, target, "ErrorSyncFolderNotFound")
        state = _read_state(call, f"items {folder.ident}")
        if read_shape(call.request.find(f"{M}ItemShape")).mime:
            # MS-OXWSSYNC R3787
            raise EwsError("ErrorInvalidPropertyForOperation", "MIME content is not valid for this operation.")
        limit = int(call.request.findtext(f"{M}MaxChangesReturned") or "0")
        if not 1 <= limit <= MAX_CHANGES:
            raise EwsError("ErrorInvalidSyncStateData", "MaxChangesReturned is out of range.")
        if not state.in_round:
            state = _State(state.since, call.store.sequence, state.since)
        found = _changes(call, folder, state, limit + 1)
        ignored = {element.get("Id") for element in call.request.iterfind(f"{M}Ignore/{T}ItemId")}
        page, more = found[:limit], len(found) > limit
        if more:
            following = _State(state.since, state.until, page[-1].at)
        else:
            end = call.store.sequence
            following = _State(end, end, end)
        text = ids.sync_state(
            call.store.incarnation,
            f"items {folder.ident}",
            (following.since, following.until, following.position),
        )
        return _answer(call, [change for change in page if change.ident not in ignored], text, more)

    target = call.request.find(f"{M}SyncFolderId")
    return each(call, [] if target is None else [target], sync)


def _changes(call: Call, folder: Folder, state: _State, limit: int) -> list[_Change]:
    """The next changes of a folder, in order of the sequence."""
    store = call.store
    found = [_Change(item.born, "Create", item.ident, item) for item in store.born_items(folder, state.position, limit)]
    # Items whose Create is behind us in this round count as changed only by what came after the round began.
    after = state.position
    while True:
        batch = store.changed_items(folder, after, limit)
        for item, content in batch:
            known = item.born <= state.since or (item.born <= state.position and item.version > state.until)
            if known and item.version != item.born:
                kind = "Update" if content > state.since else "ReadFlagChange"
                found.append(_Change(item.version, kind, item.ident, item))
        if len(batch) < limit or len(found) >= 2 * limit:
            break
        after = batch[-1][0].version
    for ident, sequence, born in store.gone_items(folder, state.position, limit):
        if born <= state.position:
            found.append(_Change(sequence, "Delete", ident))
    found.sort(key=lambda change: change.at)
    return found[:limit]


def _answer(call: Call, page: list[_Change], state: str, more: bool) -> list[Element]:
    shape = read_shape(call.request.find(f"{M}ItemShape"))
    sync_state = etree.Element(f"{M}SyncState")
    sync_state.text = state
    last = etree.Element(f"{M}IncludesLastItemInRange")
    last.text = "false" if more else "true"
    changes = etree.Element(f"{M}Changes")
    for change in page:
        element = etree.SubElement(changes, f"{T}{change.kind}")
        if change.item is None:
            element.append(etree.Element(f"{T}ItemId", Id=change.ident, ChangeKey=ids.change_key(change.at)))
        elif change.kind == "ReadFlagChange":
            element.append(item_id(change.ident, ids.change_key(change.item.version)))
            read = bool(change.item.props.get("IsRead"))
            etree.SubElement(element, f"{T}IsRead").text = "true" if read else "false"
        else:
            element.append(item_element(View(call.store, change.item), shape, call.context, finding=True))
    return [sync_state, last, changes]


def sync_folder_hierarchy(call: Call) -> Element:
    """SyncFolderHierarchy: folders below one, all in one answer."""

    def sync(target: Element | None) -> list[Element]:
        root = _top(call) if target is None else only_folder(call, target, "ErrorSyncFolderNotFound")
        scope = f"folders {root.ident}"
        since = _read_state(call, scope).since
        shape = read_folder_shape(call.request.find(f"{M}FolderShape"))
        end = call.store.sequence
        state = etree.Element(f"{M}SyncState")
        state.text = ids.sync_state(call.store.incarnation, scope, (end, end, end))
        last = etree.Element(f"{M}IncludesLastFolderInRange")
        last.text = "true"
        changes = etree.Element(f"{M}Changes")
        for folder in inside(call.store.folders(root.mailbox), root, deep=True):
            if folder.version > since:
                kind = "Create" if folder.born > since else "Update"
                change = etree.SubElement(changes, f"{T}{kind}")
                change.append(folder_element(call.store, folder, shape))
        for ident, sequence, born in call.store.folders_gone(root.mailbox, since):
            if born <= since:
                gone = etree.SubElement(changes, f"{T}Delete")
                etree.SubElement(gone, f"{T}FolderId", Id=ident, ChangeKey=ids.change_key(sequence))
        return [state, last, changes]

    return each(call, [call.request.find(f"{M}SyncFolderId")], sync)


def _top(call: Call) -> Folder:
    if call.mailbox is None:
        raise EwsError("ErrorMissingEmailAddress", "The account has no mailbox.")
    folder = call.store.folder_by_role(call.mailbox, "msgfolderroot")
    assert folder is not None
    return folder
