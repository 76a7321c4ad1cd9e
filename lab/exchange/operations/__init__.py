"""The operations of Exchange Web Services that this server knows, by name."""

from __future__ import annotations

from collections.abc import Callable

from lab.exchange.call import Call
from lab.exchange.operations import attachments, find, folders, items, misc, sync, update
from lab.exchange.soap import Element

OPERATIONS: dict[str, Callable[[Call], Element]] = {
    "ConvertId": misc.convert_id,
    "CopyItem": items.copy_item,
    "CreateAttachment": attachments.create_attachment,
    "CreateFolder": folders.create_folder,
    "CreateItem": items.create_item,
    "DeleteAttachment": attachments.delete_attachment,
    "DeleteFolder": folders.delete_folder,
    "DeleteItem": items.delete_item,
    "EmptyFolder": folders.empty_folder,
    "FindFolder": folders.find_folders,
    "FindItem": find.find_item,
    "GetAttachment": attachments.get_attachment,
    "GetFolder": folders.get_folder,
    "GetItem": items.get_item,
    "GetServerTimeZones": misc.get_server_time_zones,
    "MoveItem": items.move_item,
    "ResolveNames": misc.resolve_names,
    "SyncFolderHierarchy": sync.sync_folder_hierarchy,
    "SyncFolderItems": sync.sync_folder_items,
    "UpdateFolder": folders.update_folder,
    "UpdateItem": update.update_item,
}
