"""CreateItem, GetItem, DeleteItem, MoveItem, CopyItem (MS-OXWSCORE 3.1.4)."""

from __future__ import annotations

from collections.abc import Iterable

from lab.exchange import mail
from lab.exchange.call import Call, find_item, only_folder
from lab.exchange.operations.messages import each, wrapped
from lab.exchange.properties import KINDS
from lab.exchange.records import Folder, Override, stamp
from lab.exchange.shapes import Shape, item_element, read_shape
from lab.exchange.soap import Element, EwsError, M, SoapFault
from lab.exchange.view import View
from lab.exchange.writing import kind_of, read_new

# Sum of an item's texts in bytes; MS-OXWSCDATA ErrorMessageSizeExceeded.
MAX_ITEM_BYTES = 10 * 1024 * 1024
_DEFAULT_FOLDERS = {"calendar": "calendar", "contact": "contacts", "task": "tasks", "message": "drafts"}
_WRONG_FOLDER = {
    "calendar": "ErrorCannotCreateCalendarItemInNonCalendarFolder",
    "contact": "ErrorCannotCreateContactInNonContactFolder",
    "task": "ErrorCannotCreateTaskInNonTaskFolder",
}


_ID_ONLY = Shape()


def identified(call: Call, view: View) -> Element:
    """Items with the id of one item: what most operations answer with."""
    return wrapped("Items", item_element(view, _ID_ONLY, call.context))


def _check_size(element: Element) -> None:
    if sum(len(node.text or "") for node in element.iter()) > MAX_ITEM_BYTES:
        raise EwsError("ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")


def create_item(call: Call) -> Element:
    """CreateItem: the mailbox becomes the organizer whatever the item said."""
    saved = call.request.find(f"{M}SavedItemFolderId")
    items = call.request.find(f"{M}Items")
    sending = call.request.get("SendMeetingInvitations")
    disposition = call.request.get("MessageDisposition")
    given = only_folder(call, saved) if saved is not None else None

    def create(element: Element) -> Iterable[Element]:
        _check_size(element)
        kind = kind_of(element)
        if kind == "calendar" and sending is None:
            raise EwsError("ErrorSendMeetingInvitationsRequired", "SendMeetingInvitations is required.")
        if kind == "message" and disposition is None:
            raise EwsError("ErrorMessageDispositionRequired", "MessageDisposition is required.")
        folder = given or _default_folder(call, kind)
        needed = KINDS[kind][3]
        if needed and not folder.folder_class.startswith(needed):
            raise EwsError(_WRONG_FOLDER[kind], "The folder does not hold items of this kind.")
        kind, props, extended = read_new(element, call.context, call.default_zone)
        if kind == "calendar" and any(props.get(name) for name in mail.INVITED) and sending != "SendToNone":
            props["MeetingRequestWasSent"] = True
        view = View(call.store, call.store.add_item(folder, kind, props, extended))
        if kind == "calendar":
            mail.invite(view, sending or "SendToNone", "request")
        return [identified(call, view)]

    return each(call, [] if items is None else list(items), create)


def _default_folder(call: Call, kind: str) -> Folder:
    if call.mailbox is None:
        raise EwsError("ErrorMissingEmailAddress", "The account has no mailbox.")
    folder = call.store.folder_by_role(call.mailbox, _DEFAULT_FOLDERS[kind])
    assert folder is not None
    return folder


def _item_ids(call: Call) -> list[Element]:
    ids = call.request.find(f"{M}ItemIds")
    return [] if ids is None else list(ids)


def get_item(call: Call) -> Element:
    """GetItem."""
    shape = read_shape(call.request.find(f"{M}ItemShape"))
    return each(
        call,
        _item_ids(call),
        lambda ident: [wrapped("Items", item_element(find_item(call, ident), shape, call.context))],
    )


def delete_item(call: Call) -> Element:
    """DeleteItem: to Deleted Items, to the recoverable items, or for good. It knows no precondition."""
    how = call.request.get("DeleteType", "")
    sending = call.request.get("SendMeetingCancellations")
    tasks = call.request.get("AffectedTaskOccurrences")

    def delete(ident: Element) -> Iterable[Element]:
        view = find_item(call, ident)
        if view.kind == "calendar" and sending is None:
            raise EwsError("ErrorSendMeetingCancellationsRequired", "SendMeetingCancellations is required.")
        if view.kind == "task" and tasks is None:
            raise EwsError("ErrorAffectedTaskOccurrencesRequired", "AffectedTaskOccurrences is required.")
        if view.kind == "calendar" and "Organizer" not in view.item.props:
            mail.invite(view, sending or "SendToNone", "cancellation")
        if view.instance is not None:
            _delete_occurrence(call, view)
        elif how == "HardDelete":
            call.store.delete_item(view.item)
        else:
            _bin(call, view, "deleteditems" if how == "MoveToDeletedItems" else "recoverableitemsdeletions")
        return ()

    return each(call, _item_ids(call), delete)


def _bin(call: Call, view: View, role: str) -> None:
    folder = call.store.folder_by_role(view.mailbox, role)
    assert folder is not None
    if view.folder.role in (role, "recoverableitemsdeletions"):
        # What is in the bin already leaves it for the recoverable items, and those for good.
        deeper = call.store.folder_by_role(view.mailbox, "recoverableitemsdeletions")
        assert deeper is not None
        if view.folder.id == deeper.id:
            call.store.delete_item(view.item)
            return
        folder = deeper
    call.store.move_item(view.item, folder)


def _delete_occurrence(call: Call, view: View) -> None:
    assert view.instance is not None
    if next((each for each in view.series.alive() if each.index != view.instance.index), None) is None:
        # A series of which nothing is left is gone as a whole.
        _bin(call, View(call.store, view.item), "deleteditems")
        return
    call.store.put_override(view.item, Override(stamp(view.instance.original), deleted=True))
    call.store.save_item(view.item)


def move_item(call: Call) -> Element:
    """MoveItem: the item gets another id in its new folder (MS-OXWSCORE 3.1.4.7)."""
    return _transfer(call, moving=True)


def copy_item(call: Call) -> Element:
    """CopyItem."""
    return _transfer(call, moving=False)


def _transfer(call: Call, moving: bool) -> Element:
    target = call.request.find(f"{M}ToFolderId")
    if target is None:
        raise SoapFault("ErrorInvalidRequest", "The request names no folder.")

    def transfer(ident: Element) -> Iterable[Element]:
        folder = only_folder(call, target, "ErrorToFolderNotFound")
        view = find_item(call, ident)
        if view.instance is not None:
            raise EwsError("ErrorCalendarCannotMoveOrCopyOccurrence", "An occurrence can't be moved or copied.")
        item = call.store.move_item(view.item, folder) if moving else call.store.copy_item(view.item, folder)
        return [identified(call, View(call.store, item))]

    return each(call, _item_ids(call), transfer)
