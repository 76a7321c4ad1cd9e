"""Collections, the objects in them, and the log of changes that sync tokens point into."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Literal

from lab.nextcloud.store import Store
from lab.nextcloud.wire import broken, forbidden

Kind = Literal["calendar", "addressbook"]
ADDED, MODIFIED, DELETED = 1, 2, 3
BIRTHDAYS = "contact_birthdays"
SYSTEM_BOOK = "z-server-generated--system"


@dataclass(frozen=True)
class Collection:
    """A calendar or an address book; ``properties`` are the ones that clients have set, by Clark name."""

    id: int
    kind: Kind
    owner: str
    uri: str
    properties: dict[str, str]
    components: tuple[str, ...]
    read_only: bool
    sync_token: int
    deleted_at: int | None


@dataclass(frozen=True)
class Stored:
    """An object; a calendar object in the trash bin has ``deleted_at`` (seconds since 1970) and a changed uri."""

    id: int
    collection: int
    uri: str
    uid: str
    component: str
    data: bytes
    etag: str
    modified: int
    deleted_at: int | None


_COLLECTIONS = "SELECT * FROM collection WHERE owner = ? AND kind = ?"


def collections(store: Store, owner: str, kind: Kind) -> list[Collection]:
    """All collections of an account, deleted calendars included."""
    return [_collection(row) for row in store.rows(f"{_COLLECTIONS} ORDER BY id", owner, kind)]


def collection(store: Store, owner: str, kind: Kind, uri: str) -> Collection | None:
    """One collection by its address."""
    row = store.row(f"{_COLLECTIONS} AND uri = ?", owner, kind, uri)
    return None if row is None else _collection(row)


def collection_by_id(store: Store, number: int) -> Collection:
    """One collection by its id, which must exist."""
    return _collection(store.rows("SELECT * FROM collection WHERE id = ?", number)[0])


def create(
    store: Store,
    owner: str,
    kind: Kind,
    uri: str,
    properties: dict[str, str],
    components: tuple[str, ...] = (),
    read_only: bool = False,
) -> Collection:
    """A new, empty collection."""
    number = store.run(
        "INSERT INTO collection (kind, owner, uri, properties, components, read_only) VALUES (?, ?, ?, ?, ?, ?)",
        kind,
        owner,
        uri,
        json.dumps(properties),
        ",".join(components),
        int(read_only),
    )
    return collection_by_id(store, number)


def set_properties(store: Store, target: Collection, properties: dict[str, str]) -> None:
    """Store a collection's properties; a change is logged nowhere but moves the sync token, as measured."""
    store.run("UPDATE collection SET properties = ? WHERE id = ?", json.dumps(properties), target.id)
    log(store, target.id, "", MODIFIED)


def objects(store: Store, target: Collection) -> list[Stored]:
    """The living objects of a collection."""
    rows = store.rows("SELECT * FROM object WHERE collection = ? AND deleted_at IS NULL ORDER BY id", target.id)
    return [_stored(row) for row in rows]


def find(store: Store, target: Collection, uri: str) -> Stored | None:
    """An object by its name; one in the trash bin is found by its changed name, as on the real server."""
    row = store.row("SELECT * FROM object WHERE collection = ? AND uri = ?", target.id, uri)
    return None if row is None else _stored(row)


def find_uid(store: Store, target: Collection, uid: str) -> list[Stored]:
    """Objects with this UID, those in the trash bin included."""
    rows = store.rows("SELECT * FROM object WHERE collection = ? AND uid = ?", target.id, uid)
    return [_stored(row) for row in rows]


def trash(store: Store, owner: str) -> list[Stored]:
    """An account's calendar objects in the trash bin."""
    rows = store.rows(
        "SELECT object.* FROM object JOIN collection ON collection.id = object.collection"
        " WHERE owner = ? AND object.deleted_at IS NOT NULL ORDER BY object.id",
        owner,
    )
    return [_stored(row) for row in rows]


def etag_of(data: bytes) -> str:
    """An object's ETag with its quotes: the MD5 of its bytes."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def put(store: Store, target: Collection, uri: str, uid: str, component: str, data: bytes) -> None:
    """Create an object or replace the one of that name, and log it."""
    existing = find(store, target, uri)
    values = (uid, component, data, etag_of(data), int(time.time()))
    if existing is None:
        store.run(
            "INSERT INTO object (uid, component, data, etag, modified, collection, uri) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *values,
            target.id,
            uri,
        )
    else:
        store.run(
            "UPDATE object SET uid = ?, component = ?, data = ?, etag = ?, modified = ? WHERE id = ?",
            *values,
            existing.id,
        )
    log(store, target.id, uri, ADDED if existing is None else MODIFIED)


def to_trash(store: Store, item: Stored) -> None:
    """Put a calendar object into the trash bin: it gets another name and keeps its UID."""
    stem, dot, extension = item.uri.rpartition(".")
    name = f"{stem}-deleted.{extension}" if dot else f"{item.uri}-deleted"
    if store.row("SELECT 1 FROM object WHERE collection = ? AND uri = ?", item.collection, name):
        raise forbidden(f"A calendar object with URI {name} already exists, therefore this object can't be moved")
    store.run("UPDATE object SET deleted_at = ?, uri = ? WHERE id = ?", int(time.time()), name, item.id)
    log(store, item.collection, item.uri, DELETED)


def restore(store: Store, item: Stored) -> None:
    """Take a calendar object out of the trash bin, under its old name."""
    name = item.uri.replace("-deleted.ics", ".ics")
    if store.row("SELECT 1 FROM object WHERE collection = ? AND uri = ?", item.collection, name):
        raise broken()
    store.run("UPDATE object SET deleted_at = NULL, uri = ? WHERE id = ?", name, item.id)
    log(store, item.collection, name, ADDED)


def remove(store: Store, item: Stored) -> None:
    """Delete an object for good; the log names it as it is called now (``…-deleted.ics`` from the trash bin)."""
    store.run("DELETE FROM object WHERE id = ?", item.id)
    log(store, item.collection, item.uri, DELETED)


def move(store: Store, item: Stored, target: Collection, uri: str) -> None:
    """Move an object into another collection."""
    if find_uid(store, target, item.uid):
        raise broken()
    store.run("UPDATE object SET collection = ?, uri = ? WHERE id = ?", target.id, uri, item.id)
    log(store, item.collection, item.uri, DELETED)
    log(store, target.id, uri, ADDED)


def log(store: Store, number: int, uri: str, operation: int) -> None:
    """Note a change (an empty uri: of the collection itself) and move the sync token."""
    store.run(
        "INSERT INTO change (collection, uri, operation, sync_token)"
        " SELECT id, ?, ?, sync_token FROM collection WHERE id = ?",
        uri,
        operation,
        number,
    )
    store.run("UPDATE collection SET sync_token = sync_token + 1 WHERE id = ?", number)


def forget_changes(store: Store) -> None:
    """Prune the log, as the real server's background job does: older tokens then silently miss changes."""
    store.run("DELETE FROM change")


def _collection(row: object) -> Collection:
    values = dict(row)  # type: ignore[call-overload]  # sqlite3.Row is a mapping to dict()
    return Collection(
        values["id"],
        values["kind"],
        values["owner"],
        values["uri"],
        json.loads(values["properties"]),
        tuple(name for name in values["components"].split(",") if name),
        bool(values["read_only"]),
        values["sync_token"],
        values["deleted_at"],
    )


def _stored(row: object) -> Stored:
    return Stored(**dict(row))  # type: ignore[call-overload]  # sqlite3.Row is a mapping to dict()
