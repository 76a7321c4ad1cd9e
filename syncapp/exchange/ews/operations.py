"""The operations of EWS that the connector uses, one function each: typed arguments in, elements or errors out.

Batched operations answer per item. Every calendar write states that nothing is mailed (``_SILENT``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from syncapp.exchange.ews.connection import Connection, not_understood
from syncapp.exchange.ews.errors import SearchRefused, error_of_message
from syncapp.exchange.ews.markup import Markup, m, t
from syncapp.exchange.ews.xml import MESSAGES, Element, child, local
from syncapp.items.values import Kind
from syncapp.side import Gone, Refused, SideError, Unreachable

SYNC_PAGE = 512
"""MS-OXWSSYNC section 3.1.4.2.3.3, MaxSyncChangesReturnedType: the most changes that one answer may hold."""
_FIND_PAGE = 1000
_READ_BATCH = 50
_WRITE_BATCH = 50
_SILENT = "SendToNone"
_IDS_ONLY = t("BaseShape", "IdOnly")

ITEM_TYPE = {Kind.EVENT: "CalendarItem", Kind.CONTACT: "Contact"}
"""The element in which an item of a kind comes and goes."""

Given = TypeVar("Given")
Answer = Element | SideError


@dataclass(frozen=True)
class SyncPage:
    """One answer of SyncFolderItems: the ItemIds by what happened, the next state, and whether that was all."""

    changed: tuple[tuple[str, str], ...]
    gone: tuple[str, ...]
    state: str
    last: bool


@dataclass(frozen=True)
class ItemChange:
    """The changes to one item: its id and change key, and SetItemField and DeleteItemField elements."""

    id: str
    change_key: str
    updates: Sequence[Markup]


def folder_id(folder: str) -> Markup:
    """The id of a folder that has been read."""
    return t("FolderId", Id=folder)


def distinguished(name: str) -> Markup:
    """The id of a folder that every mailbox has, as ``calendar``."""
    return t("DistinguishedFolderId", Id=name)


def item_id(id: str, change_key: str = "") -> Markup:
    """The id of an item, with the revision that it shall have if that is given."""
    return t("ItemId", Id=id, ChangeKey=change_key) if change_key else t("ItemId", Id=id)


def occurrence_id(master: str, index: int) -> Markup:
    """The id of the occurrence with this number in its series, from 1."""
    return t("OccurrenceItemId", RecurringMasterId=master, InstanceIndex=str(index))


# Folders ---------------------------------------------------------------------------------------------------------


def _shape(name: str, paths: Markup | None) -> Markup:
    return m(name, _IDS_ONLY, t("AdditionalProperties", paths) if paths else None)


def get_folders(connection: Connection, ids: Sequence[Markup], paths: Markup | None = None) -> list[Answer]:
    """Each folder's element or its error; ids only, and what is at ``paths``."""
    shape = _shape("FolderShape", paths)
    messages = connection.ask(m("GetFolder", shape, m("FolderIds", *ids)))
    return _answers(messages, len(ids), _first_in("Folders"))


def find_folders(connection: Connection, root: Markup, paths: Markup) -> list[Element]:
    """Every folder below ``root``, at any depth."""
    found: list[Element] = []
    while True:
        view = m(
            "IndexedPageFolderView", MaxEntriesReturned=str(_FIND_PAGE), Offset=str(len(found)), BasePoint="Beginning"
        )
        shape = _shape("FolderShape", paths)
        request = m("FindFolder", shape, view, m("ParentFolderIds", root), Traversal="Deep")
        page = _checked(connection.ask(request))
        folders, last = _page(page, "Folders")
        found += folders
        if last or not folders:
            return found


# Items -----------------------------------------------------------------------------------------------------------


def sync_items(connection: Connection, kind: Kind, folder: str, state: str) -> SyncPage:
    """What happened in a folder since ``state`` ("" lists everything), ids only, to items of this kind.

    A folder of contacts holds distribution lists as well, which are none. What was deleted has no type any more.

    Raises ``TokenLost`` and ``Gone``.
    """
    request = m(
        "SyncFolderItems",
        _shape("ItemShape", None),
        m("SyncFolderId", folder_id(folder)),
        m("SyncState", state) if state else None,
        m("MaxChangesReturned", str(SYNC_PAGE)),
    )
    message = _checked(connection.ask(request))
    changed, gone = [], []
    for change in message.iterfind(f"{{{MESSAGES}}}Changes/*"):
        if local(change) == "Delete":
            gone.append(_id_in(change)[0])
        elif local(change) in ("Create", "Update") and len(change) and local(change[0]) == ITEM_TYPE[kind]:
            changed.append(_id_in(change[0]))
    return SyncPage(
        tuple(changed),
        tuple(gone),
        message.findtext(f"{{{MESSAGES}}}SyncState") or "",
        message.findtext(f"{{{MESSAGES}}}IncludesLastItemInRange") in ("true", "1"),
    )


def _id_in(element: Element) -> tuple[str, str]:
    found = child(element, "ItemId")
    if found is None:
        raise Unreachable("Exchange reported a change without saying of which item.")
    return found.get("Id", ""), found.get("ChangeKey", "")


def get_items(connection: Connection, ids: Sequence[Markup], paths: Markup | None = None) -> list[Answer]:
    """Each item's element or its error, bodies as they were written. No ``paths`` asks for ids and change keys only."""
    properties = (t("BodyType", "Best"), t("AdditionalProperties", paths)) if paths else ()
    shape = m("ItemShape", _IDS_ONLY, *properties)
    found: list[Answer] = []
    for batch in _batches(ids, _READ_BATCH):
        request = m("GetItem", shape, m("ItemIds", *batch))
        try:
            found += _answers(connection.ask(request), len(batch), _first_in("Items"))
        except Refused as problem:
            raise not_understood(problem) from None
    return found


def find_items(
    connection: Connection, folders: Sequence[Markup], restriction: Markup | None, paths: Markup
) -> list[Element]:
    """The items in any of ``folders`` that fit ``restriction``, all without one; a vanished folder holds none.

    Raises ``SearchRefused`` when the server can't search for what the restriction names.
    """

    def ask(wanted: Sequence[Markup], offset: int) -> list[Element]:
        view = m("IndexedPageItemView", MaxEntriesReturned=str(_FIND_PAGE), Offset=str(offset), BasePoint="Beginning")
        where = None if restriction is None else m("Restriction", restriction)
        request = m(
            "FindItem", _shape("ItemShape", paths), view, where, m("ParentFolderIds", *wanted), Traversal="Shallow"
        )
        return _counted(connection.ask(request), len(wanted))

    found: list[Element] = []
    for folder, message in zip(folders, ask(folders, 0), strict=True):
        offset = 0
        while not isinstance(problem := error_of_message(message), Gone):
            if problem:
                if isinstance(problem, Refused) and not isinstance(problem, SearchRefused):
                    raise not_understood(problem)
                raise problem
            items, last = _page(message, "Items")
            found += items
            offset += len(items)
            if last or not items:
                break
            (message,) = ask([folder], offset)
    return found


def view_calendar(connection: Connection, folder: str, begin: str, end: str, paths: Markup) -> list[Element]:
    """The single events and occurrences in a calendar that touch the time from ``begin`` to ``end``."""
    view = m("CalendarView", StartDate=begin, EndDate=end)
    request = m(
        "FindItem", _shape("ItemShape", paths), view, m("ParentFolderIds", folder_id(folder)), Traversal="Shallow"
    )
    page = _checked(connection.ask(request))
    return _page(page, "Items")[0]


def create_items(connection: Connection, kind: Kind, folder: str, items: Sequence[Markup]) -> list[Answer]:
    """Create items in a folder: each one's element with its id, or its error."""
    silent = {"SendMeetingInvitations": _SILENT} if kind is Kind.EVENT else {}

    def send(batch: Sequence[Markup]) -> list[Answer]:
        request = m("CreateItem", m("SavedItemFolderId", folder_id(folder)), m("Items", *batch), **silent)
        return _answers(connection.tell(request), len(batch), _first_in("Items"))

    return write_in_batches(items, send)


def create_draft(connection: Connection, folder: str, title: str) -> Answer:
    """Save a message that nobody gets, in any folder: its element with its id, or its error."""
    request = m(
        "CreateItem",
        m("SavedItemFolderId", folder_id(folder)),
        m("Items", t("Message", t("Subject", title))),
        MessageDisposition="SaveOnly",
    )
    return _answers(connection.tell(request), 1, _first_in("Items"))[0]


def update_items(connection: Connection, kind: Kind, changes: Sequence[ItemChange]) -> list[Answer]:
    """Change items that still have the change key named: each one's element with its id, or its error."""
    silent = {"SendMeetingInvitationsOrCancellations": _SILENT} if kind is Kind.EVENT else {}

    def send(batch: Sequence[ItemChange]) -> list[Answer]:
        elements = [t("ItemChange", item_id(each.id, each.change_key), t("Updates", *each.updates)) for each in batch]
        request = m(
            "UpdateItem",
            m("ItemChanges", *elements),
            ConflictResolution="NeverOverwrite",
            MessageDisposition="SaveOnly",
            **silent,
        )
        return _answers(connection.tell(request), len(batch), _first_in("Items"))

    return write_in_batches(changes, send)


def delete_items(
    connection: Connection, kind: Kind, ids: Sequence[str], *, forever: bool = False
) -> list[SideError | None]:
    """Move items to the bin, or take occurrences out of their series: each one's error, or None.

    ``forever`` leaves nothing in the bin.
    """
    silent = {"SendMeetingCancellations": _SILENT} if kind is Kind.EVENT else {}

    def send(batch: Sequence[str]) -> list[SideError | None]:
        how = "HardDelete" if forever else "MoveToDeletedItems"
        request = m("DeleteItem", m("ItemIds", *map(item_id, batch)), DeleteType=how, **silent)
        return [error_of_message(each) for each in _counted(connection.tell(request), len(batch))]

    return write_in_batches(ids, send)


def move_items(connection: Connection, ids: Sequence[Markup], target: Markup) -> list[Answer]:
    """Move items to a folder: each one's element with its new id, or its error."""

    def send(batch: Sequence[Markup]) -> list[Answer]:
        # ReturnNewItemIds is left out: Exchange then names the new ids, and gromox takes it the wrong way round.
        request = m("MoveItem", m("ToFolderId", target), m("ItemIds", *batch))
        return _answers(connection.tell(request), len(batch), _first_in("Items"))

    return write_in_batches(ids, send)


# Attachments -----------------------------------------------------------------------------------------------------


def get_attachments(connection: Connection, ids: Sequence[str]) -> list[Answer]:
    """Each attachment's element with its content, or its error."""
    found: list[Answer] = []
    for batch in _batches(ids, _READ_BATCH):
        wanted = m("AttachmentIds", *(t("AttachmentId", Id=each) for each in batch))
        found += _answers(connection.ask(m("GetAttachment", wanted)), len(batch), _first_in("Attachments"))
    return found


def create_attachment(connection: Connection, parent: str, attachment: Markup) -> str:
    """Attach something to an item; the item's new change key ("" if the server does not say)."""
    request = m("CreateAttachment", m("ParentItemId", Id=parent), m("Attachments", attachment))
    (message,) = _counted(connection.tell(request), 1)
    if problem := error_of_message(message):
        raise problem
    return next((each.get("RootItemChangeKey", "") for each in message.iterfind(".//{*}AttachmentId")), "")


def delete_attachments(connection: Connection, ids: Sequence[str]) -> str:
    """Remove attachments of one item; the item's new change key ("" if none is left or named)."""
    request = m("DeleteAttachment", m("AttachmentIds", *(t("AttachmentId", Id=each) for each in ids)))
    change_key = ""
    for message in _counted(connection.tell(request), len(ids)):
        problem = error_of_message(message)
        if problem and not isinstance(problem, Gone):
            raise problem
        for root in message.iterfind(".//{*}RootItemId"):
            change_key = root.get("RootItemChangeKey", "")
    return change_key


# Answers ---------------------------------------------------------------------------------------------------------


def write_in_batches(given: Sequence[Given], send: Callable[[Sequence[Given]], list[Any]]) -> list[Any]:
    """Answers of a write that takes several requests.

    An error of a whole request goes up if nothing was answered yet; else the items without an answer carry it. A
    request that is refused as a whole, before any of it is done, is sent again in halves until the culprit is alone.
    """
    found: list[Any] = []
    for batch in _batches(given, _WRITE_BATCH):
        try:
            found += _sent_in_halves(batch, send)
        except SideError as problem:
            if not found:
                raise
            return found + [problem] * (len(given) - len(found))
    return found


def _sent_in_halves(batch: Sequence[Given], send: Callable[[Sequence[Given]], list[Any]]) -> list[Any]:
    try:
        return send(batch)
    except Refused as problem:
        if len(batch) == 1:
            return [problem]
    middle = len(batch) // 2
    return _sent_in_halves(batch[:middle], send) + _sent_in_halves(batch[middle:], send)


def _batches(given: Sequence[Given], size: int) -> Iterable[Sequence[Given]]:
    rest = iter(given)
    while batch := list(islice(rest, size)):
        yield batch


def _counted(messages: list[Element], expected: int) -> list[Element]:
    """The messages, one per thing asked for. A lone error stands for all (the request itself was refused)."""
    if len(messages) == 1 and expected > 1 and (problem := error_of_message(messages[0])):
        raise problem
    if len(messages) != expected:
        raise Unreachable("Exchange answered for another number of items than it was asked for.")
    return messages


def _checked(messages: list[Element]) -> Element:
    """The only answer to a question. Raises its error."""
    (message,) = _counted(messages, 1)
    if problem := error_of_message(message):
        raise not_understood(problem) if isinstance(problem, Refused) else problem
    return message


def _answers(messages: list[Element], expected: int, content: Callable[[Element], Element]) -> list[Answer]:
    return [error_of_message(each) or content(each) for each in _counted(messages, expected)]


def _first_in(name: str) -> Callable[[Element], Element]:
    def content(message: Element) -> Element:
        found = message.find(f"{{{MESSAGES}}}{name}")
        if found is None or not len(found):
            raise Unreachable("Exchange reported a success without saying of what.")
        return found[0]

    return content


def _page(message: Element, name: str) -> tuple[list[Element], bool]:
    root = message.find(f"{{{MESSAGES}}}RootFolder")
    if root is None:
        raise Unreachable("Exchange answered a search without a result.")
    found = child(root, name)
    return ([] if found is None else list(found)), root.get("IncludesLastItemInRange", "true") in ("true", "1")
