"""Folder operations (MS-OXWSFOLD, MS-OXWSSRCH 3.1.4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from lab.exchange.call import Call, find_folder, only_folder
from lab.exchange.extended import key_of, write_property
from lab.exchange.ids import change_key
from lab.exchange.operations.messages import each, wrapped
from lab.exchange.records import Folder
from lab.exchange.soap import Element, EwsError, M, SoapFault, T, local
from lab.exchange.store import Store

_ELEMENTS = {
    "IPF.Appointment": "CalendarFolder",
    "IPF.Contact": "ContactsFolder",
    "IPF.Task": "TasksFolder",
}
_CLASSES = {element: folder_class for folder_class, element in _ELEMENTS.items()}
_DEFAULT = frozenset({"folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount", "folder:UnreadCount"})
_ALL = _DEFAULT | {
    "folder:ParentFolderId",
    "folder:FolderClass",
    "folder:EffectiveRights",
    "folder:DistinguishedFolderId",
}
# What a folder of Exchange's own may be asked for; clients can't change any of them.
_RIGHTS = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read", "ViewPrivateItems")


@dataclass
class FolderShape:
    """A FolderShape (MS-OXWSCDATA 2.2.4.40): field URIs, and the paths of extended properties by key."""

    uris: set[str] = field(default_factory=set)
    extended: dict[str, Element] = field(default_factory=dict)


def read_folder_shape(element: Element | None) -> FolderShape:
    """The properties that a FolderShape asks for."""
    if element is None:
        return FolderShape()
    base = {"Default": _DEFAULT, "AllProperties": _ALL}.get(element.findtext(f"{T}BaseShape") or "", frozenset())
    asked = {path.get("FieldURI", "") for path in element.iterfind(f"{T}AdditionalProperties/{T}FieldURI")}
    paths = element.iterfind(f"{T}AdditionalProperties/{T}ExtendedFieldURI")
    return FolderShape(set(base) | asked, {key_of(path): path for path in paths})


def folder_element(store: Store, folder: Folder, shape: FolderShape) -> Element:
    """A folder under a shape, in the order of Microsoft's schema."""
    uris = shape.uris
    name = next((name for start, name in _ELEMENTS.items() if folder.folder_class.startswith(start)), "Folder")
    element = etree.Element(f"{T}{name}")
    etree.SubElement(element, f"{T}FolderId", Id=folder.ident, ChangeKey=change_key(folder.version))
    items, children = store.folder_counts(folder) if uris else (0, 0)
    parent = store.folder(folder.parent) if folder.parent is not None else folder
    if "folder:ParentFolderId" in uris:
        etree.SubElement(element, f"{T}ParentFolderId", Id=parent.ident, ChangeKey=change_key(parent.version))
    texts = {
        "folder:FolderClass": folder.folder_class or None,
        "folder:DisplayName": folder.name,
        "folder:TotalCount": str(items),
        "folder:ChildFolderCount": str(children),
    }
    for uri, text in texts.items():
        if uri in uris and text is not None:
            etree.SubElement(element, f"{T}{uri.removeprefix('folder:')}").text = text
    for key, path in shape.extended.items():
        kept = _extended(store, folder, key)
        if kept is not None and kept["type"] == path.get("PropertyType"):
            element.append(write_property(path, kept))
    if "folder:EffectiveRights" in uris:
        rights = etree.SubElement(element, f"{T}EffectiveRights")
        for right in _RIGHTS:
            etree.SubElement(rights, f"{T}{right}").text = "true"
    if "folder:DistinguishedFolderId" in uris and folder.role:
        etree.SubElement(element, f"{T}DistinguishedFolderId").text = folder.role
    if "folder:UnreadCount" in uris and name in ("Folder", "TasksFolder"):
        etree.SubElement(element, f"{T}UnreadCount").text = "0"
    return element


def _extended(store: Store, folder: Folder, key: str) -> dict[str, str] | None:
    """MAPI properties of a folder (MS-OXCFOLD 2.2.2.2): times have whole seconds in EWS."""
    committed, deleted = store.folder_activity(folder)
    values = {
        "tag:0x670a": ("SystemTime", committed),
        "tag:0x670b": ("Integer", str(deleted)),
        "tag:0x10f4": ("Boolean", "false"),
        "tag:0x3613": ("String", folder.folder_class),
        "tag:0x3001": ("String", folder.name),
    }
    kind, value = values.get(key, ("", None))
    return None if value is None else {"type": kind, "value": value}


def _folders(call: Call, name: str) -> list[Element]:
    element = call.request.find(f"{M}{name}")
    return [] if element is None else list(element)


def get_folder(call: Call) -> Element:
    """GetFolder."""
    shape = read_folder_shape(call.request.find(f"{M}FolderShape"))
    return each(
        call,
        _folders(call, "FolderIds"),
        lambda ident: [wrapped("Folders", folder_element(call.store, find_folder(call, ident), shape))],
    )


def find_folders(call: Call) -> Element:
    """FindFolder, shallow or deep; restrictions on folders are not supported."""
    shape = read_folder_shape(call.request.find(f"{M}FolderShape"))
    deep = call.request.get("Traversal") == "Deep"
    page = call.request.find(f"{M}IndexedPageFolderView")

    def find(ident: Element) -> Iterable[Element]:
        parent = find_folder(call, ident)
        if call.request.find(f"{M}Restriction") is not None:
            raise EwsError("ErrorInvalidRestriction", "FindFolder restrictions are not supported by this server.")
        found = inside(call.store.folders(parent.mailbox), parent, deep)
        offset = int(page.get("Offset", "0")) if page is not None else 0
        size = int(page.get("MaxEntriesReturned", str(len(found) or 1))) if page is not None else len(found)
        shown = found[offset : offset + size]
        root = etree.Element(f"{M}RootFolder", TotalItemsInView=str(len(found)))
        root.set("IncludesLastItemInRange", "true" if offset + size >= len(found) else "false")
        root.set("IndexedPagingOffset", str(min(offset + size, len(found))))
        etree.SubElement(root, f"{T}Folders").extend([folder_element(call.store, each, shape) for each in shown])
        return [root]

    return each(call, _folders(call, "ParentFolderIds"), find)


def inside(folders: list[Folder], parent: Folder, deep: bool) -> list[Folder]:
    """The folders below one, parents first."""
    above, found = {parent.id}, []
    for folder in folders:
        if folder.parent in above:
            found.append(folder)
            if deep:
                above.add(folder.id)
    return found


def create_folder(call: Call) -> Element:
    """CreateFolder."""
    target = call.request.find(f"{M}ParentFolderId")
    if target is None:
        raise SoapFault("ErrorParentFolderIdRequired", "The request names no parent folder.")

    def create(element: Element) -> Iterable[Element]:
        parent = only_folder(call, target, "ErrorParentFolderNotFound")
        name = element.findtext(f"{T}DisplayName") or ""
        folder_class = element.findtext(f"{T}FolderClass") or _CLASSES.get(local(element), "IPF.Note")
        _check_name(call.store, parent, name)
        mailbox = call.store.mailbox_by_id(parent.mailbox)
        folder = call.store.add_folder(mailbox, parent.id, folder_class, name, "")
        return [wrapped("Folders", folder_element(call.store, folder, FolderShape()))]

    return each(call, _folders(call, "Folders"), create)


def _check_name(store: Store, parent: Folder, name: str) -> None:
    if not name:
        raise EwsError("ErrorRequiredPropertyMissing", "A folder needs a name.")
    for sibling in inside(store.folders(parent.mailbox), parent, deep=False):
        if sibling.name.lower() == name.lower():
            raise EwsError("ErrorFolderExists", "A folder with the specified name already exists.")


def update_folder(call: Call) -> Element:
    """UpdateFolder: the display name is all that can change."""

    def update(change: Element) -> Iterable[Element]:
        folder = find_folder(call, change[0])
        for setting in change.iterfind(f"{T}Updates/{T}SetFolderField"):
            path = setting.find(f"{T}FieldURI")
            name = setting.findtext(f"*/{T}DisplayName")
            if path is None or path.get("FieldURI") != "folder:DisplayName" or not name:
                raise EwsError("ErrorInvalidPropertySet", "Set action is invalid for property.")
            folder = call.store.change_folder(folder, name, folder.parent)
        return [wrapped("Folders", folder_element(call.store, folder, FolderShape()))]

    return each(call, _folders(call, "FolderChanges"), update)


def delete_folder(call: Call) -> Element:
    """DeleteFolder: to Deleted Items or for good; distinguished folders stay (MS-OXWSFOLD 3.1.4.3)."""
    how = call.request.get("DeleteType", "")

    def delete(ident: Element) -> Iterable[Element]:
        folder = find_folder(call, ident)
        if folder.role:
            raise EwsError("ErrorDeleteDistinguishedFolder", "Distinguished folders can't be deleted.")
        bin_folder = call.store.folder_by_role(call.store.mailbox_by_id(folder.mailbox), "deleteditems")
        assert bin_folder is not None
        if how == "MoveToDeletedItems":
            call.store.change_folder(folder, folder.name, bin_folder.id)
        else:
            call.store.delete_folder(folder)
        return ()

    return each(call, _folders(call, "FolderIds"), delete)


def empty_folder(call: Call) -> Element:
    """EmptyFolder: what is in it goes to Deleted Items or for good; calendars can't be emptied."""
    how = call.request.get("DeleteType", "")

    def empty(ident: Element) -> Iterable[Element]:
        folder = find_folder(call, ident)
        if folder.folder_class.startswith("IPF.Appointment"):
            raise EwsError("ErrorCannotEmptyFolder", "Emptying the calendar folder isn't permitted.")
        bin_folder = call.store.folder_by_role(call.store.mailbox_by_id(folder.mailbox), "deleteditems")
        assert bin_folder is not None
        for item in call.store.items(folder):
            if how == "MoveToDeletedItems" and folder.id != bin_folder.id:
                call.store.move_item(item, bin_folder)
            else:
                call.store.delete_item(item)
        if call.request.get("DeleteSubFolders") == "true":
            for child in inside(call.store.folders(folder.mailbox), folder, deep=False):
                call.store.delete_folder(child)
        return ()

    return each(call, _folders(call, "FolderIds"), empty)
