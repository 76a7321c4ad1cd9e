"""The SQLite file of the lab Exchange: mailboxes, folders, typed items, what is gone, and mail that would have gone.

Every write takes the next number of one server-wide sequence. It is the version behind the change key, and what
sync states count (sync.py).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.exchange.ids import new_ident

Props = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS server (incarnation TEXT NOT NULL, sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS mailbox (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE COLLATE NOCASE, name TEXT NOT NULL, guid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT NOT NULL, mailbox INTEGER, impersonates TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS folder (
    id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, parent INTEGER, ident TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL, class TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS folder_by_mailbox ON folder (mailbox, role);
CREATE TABLE IF NOT EXISTS folder_gone (mailbox INTEGER, ident TEXT, sequence INTEGER, born INTEGER);
CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, folder INTEGER NOT NULL, ident TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL, content INTEGER NOT NULL,
    props TEXT NOT NULL, extended TEXT NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS item_by_version ON item (folder, version);
CREATE INDEX IF NOT EXISTS item_by_birth ON item (folder, born);
CREATE TABLE IF NOT EXISTS item_gone (folder INTEGER, ident TEXT, sequence INTEGER, born INTEGER);
CREATE INDEX IF NOT EXISTS item_gone_by_sequence ON item_gone (folder, sequence);
CREATE TABLE IF NOT EXISTS occurrence (
    item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE, original TEXT NOT NULL, deleted INTEGER NOT NULL,
    props TEXT NOT NULL, extended TEXT NOT NULL, PRIMARY KEY (item, original));
CREATE TABLE IF NOT EXISTS attachment (
    id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE, ident TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL, content_type TEXT NOT NULL, content_id TEXT NOT NULL, inline INTEGER NOT NULL,
    photo INTEGER NOT NULL, modified TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS attachment_by_item ON attachment (item);
CREATE TABLE IF NOT EXISTS mail (id INTEGER PRIMARY KEY, at TEXT NOT NULL, entry TEXT NOT NULL);
"""

# role, folder class, display name, parent's role (MS-OXWSFOLD; the names are Exchange's English ones)
_TREE = (
    ("root", "", "Root", None),
    ("msgfolderroot", "IPF.Note", "Top of Information Store", "root"),
    ("searchfolders", "IPF.Note", "Finder", "root"),
    ("recoverableitemsroot", "", "Recoverable Items", "root"),
    ("recoverableitemsdeletions", "", "Deletions", "recoverableitemsroot"),
    ("recoverableitemsversions", "", "Versions", "recoverableitemsroot"),
    ("recoverableitemspurges", "", "Purges", "recoverableitemsroot"),
    ("calendar", "IPF.Appointment", "Calendar", "msgfolderroot"),
    ("contacts", "IPF.Contact", "Contacts", "msgfolderroot"),
    ("tasks", "IPF.Task", "Tasks", "msgfolderroot"),
    ("notes", "IPF.StickyNote", "Notes", "msgfolderroot"),
    ("journal", "IPF.Journal", "Journal", "msgfolderroot"),
    ("inbox", "IPF.Note", "Inbox", "msgfolderroot"),
    ("drafts", "IPF.Note", "Drafts", "msgfolderroot"),
    ("outbox", "IPF.Note", "Outbox", "msgfolderroot"),
    ("sentitems", "IPF.Note", "Sent Items", "msgfolderroot"),
    ("deleteditems", "IPF.Note", "Deleted Items", "msgfolderroot"),
    ("junkemail", "IPF.Note", "Junk Email", "msgfolderroot"),
)


def now() -> datetime:
    """The server's clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def stamp(moment: datetime) -> str:
    """A moment as it is stored: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Mailbox:
    """A mailbox; ``address`` is its primary SMTP address."""

    id: int
    address: str
    name: str
    guid: str


@dataclass(frozen=True)
class Account:
    """A login: of a mailbox's user, or a service account; ``impersonates`` are addresses, ``*`` means all."""

    name: str
    password: str
    mailbox: int | None
    impersonates: frozenset[str]


@dataclass(frozen=True)
class Folder:
    """A folder; ``role`` is its distinguished name or empty."""

    id: int
    mailbox: int
    parent: int | None
    ident: str
    role: str
    folder_class: str
    name: str
    version: int
    born: int


@dataclass
class Item:
    """A stored item: typed properties by EWS field name, extended properties by key (extended.py)."""

    id: int
    mailbox: int
    folder: int
    ident: str
    kind: str
    version: int
    born: int
    props: Props
    extended: Props
    created: str
    modified: str


@dataclass
class Override:
    """What one occurrence of a series has of its own, or that it is deleted; ``original`` is its original start."""

    original: str
    deleted: bool = False
    props: Props = field(default_factory=dict)
    extended: Props = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """A file attachment without its bytes (``Store.attachment_content``)."""

    id: int
    item: int
    ident: str
    name: str
    content_type: str
    content_id: str
    inline: bool
    photo: bool
    modified: str
    size: int


_ITEM = "id, mailbox, folder, ident, kind, version, born, props, extended, created, modified"
_FOLDER = "id, mailbox, parent, ident, role, class, name, version, born"
_ATTACHMENT = "id, item, ident, name, content_type, content_id, inline, photo, modified, length(content)"


def _item(row: tuple[Any, ...]) -> Item:
    *head, props, extended, created, modified = row
    return Item(*[*head, json.loads(props), json.loads(extended), created, modified])


def _attachment(row: tuple[Any, ...]) -> Attachment:
    *head, inline, photo, modified, size = row
    return Attachment(*[*head, bool(inline), bool(photo), modified, size])


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Store:
    """One connection behind one lock: hold ``lock`` for a whole operation, ``writing()`` for each atomic change."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.executescript(_SCHEMA)
        if self._db.execute("SELECT 1 FROM server").fetchone() is None:
            self._db.execute("INSERT INTO server VALUES (?, 0)", (uuid.uuid4().hex,))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One atomic change; rolled back when the block raises. Nested blocks join the outer one."""
        with self.lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def reset(self, keep_accounts: bool) -> None:
        """Empty every mailbox (or forget all mailboxes and accounts); old ids and sync states stop being valid."""
        tables = ["item", "item_gone", "folder", "folder_gone", "occurrence", "attachment", "mail"]
        with self.writing():
            for table in tables + ([] if keep_accounts else ["mailbox", "account"]):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("UPDATE server SET incarnation = ?", (uuid.uuid4().hex,))
            for mailbox in self.mailboxes():
                self._plant(mailbox)

    @property
    def incarnation(self) -> str:
        """Changes when the server is reset."""
        return str(self._db.execute("SELECT incarnation FROM server").fetchone()[0])

    @property
    def sequence(self) -> int:
        """The number of the last write."""
        return int(self._db.execute("SELECT sequence FROM server").fetchone()[0])

    def _next(self) -> int:
        row = self._db.execute("UPDATE server SET sequence = sequence + 1 RETURNING sequence").fetchone()
        return int(row[0])

    # mailboxes and accounts

    def mailboxes(self) -> list[Mailbox]:
        """All mailboxes."""
        return [Mailbox(*row) for row in self._db.execute("SELECT id, address, name, guid FROM mailbox ORDER BY id")]

    def mailbox(self, address: str) -> Mailbox | None:
        """The mailbox with this address, compared without case."""
        row = self._db.execute("SELECT id, address, name, guid FROM mailbox WHERE address = ?", (address,)).fetchone()
        return Mailbox(*row) if row else None

    def mailbox_by_id(self, mailbox: int) -> Mailbox:
        """The mailbox with this row id."""
        row = self._db.execute("SELECT id, address, name, guid FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        return Mailbox(*row)

    def put_mailbox(self, address: str, name: str) -> Mailbox:
        """Make a mailbox with its distinguished folders, or rename the one that is there."""
        with self.writing():
            known = self.mailbox(address)
            if known is not None:
                self._db.execute("UPDATE mailbox SET name = ? WHERE id = ?", (name, known.id))
                return Mailbox(known.id, known.address, name, known.guid)
            guid = str(uuid.uuid4())
            cursor = self._db.execute(
                "INSERT INTO mailbox (address, name, guid) VALUES (?, ?, ?)", (address, name, guid)
            )
            mailbox = Mailbox(int(cursor.lastrowid or 0), address, name, guid)
            self._plant(mailbox)
            return mailbox

    def _plant(self, mailbox: Mailbox) -> None:
        planted: dict[str, int] = {}
        for role, folder_class, name, parent in _TREE:
            folder = self.add_folder(mailbox, planted[parent] if parent else None, folder_class, name, role)
            planted[role] = folder.id

    def delete_mailbox(self, mailbox: Mailbox) -> None:
        """Remove a mailbox with all it holds; its logins stay, without a mailbox."""
        with self.writing():
            for table in ("item", "folder", "folder_gone"):
                self._db.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox.id,))
            self._db.execute("DELETE FROM mailbox WHERE id = ?", (mailbox.id,))
            self._db.execute("UPDATE account SET mailbox = NULL WHERE mailbox = ?", (mailbox.id,))

    def put_account(self, account: Account) -> None:
        """Add or replace a login."""
        with self.writing():
            self._db.execute(
                "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)",
                (account.name, account.password, account.mailbox, _dump(sorted(account.impersonates))),
            )

    def account(self, name: str) -> Account | None:
        """The login with this name, compared without case."""
        row = self._db.execute(
            "SELECT name, password, mailbox, impersonates FROM account WHERE name = ?", (name,)
        ).fetchone()
        return Account(row[0], row[1], row[2], frozenset(json.loads(row[3]))) if row else None

    # folders

    def add_folder(self, mailbox: Mailbox, parent: int | None, folder_class: str, name: str, role: str) -> Folder:
        """Make a folder."""
        with self.writing():
            number = self._next()
            cursor = self._db.execute(
                "INSERT INTO folder (mailbox, parent, ident, role, class, name, version, born) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (mailbox.id, parent, new_ident(mailbox.guid), role, folder_class, name, number, number),
            )
            return self.folder(int(cursor.lastrowid or 0))

    def folder(self, folder: int) -> Folder:
        """The folder with this row id."""
        return Folder(*self._db.execute(f"SELECT {_FOLDER} FROM folder WHERE id = ?", (folder,)).fetchone())

    def folder_by_ident(self, ident: str) -> Folder | None:
        """The folder with this FolderId."""
        row = self._db.execute(f"SELECT {_FOLDER} FROM folder WHERE ident = ?", (ident,)).fetchone()
        return Folder(*row) if row else None

    def folder_by_role(self, mailbox: Mailbox, role: str) -> Folder | None:
        """A distinguished folder of a mailbox."""
        row = self._db.execute(
            f"SELECT {_FOLDER} FROM folder WHERE mailbox = ? AND role = ?", (mailbox.id, role)
        ).fetchone()
        return Folder(*row) if row else None

    def folders(self, mailbox: int) -> list[Folder]:
        """All folders of a mailbox, parents first."""
        rows = self._db.execute(f"SELECT {_FOLDER} FROM folder WHERE mailbox = ? ORDER BY id", (mailbox,))
        return [Folder(*row) for row in rows]

    def folder_counts(self, folder: Folder) -> tuple[int, int]:
        """Items and direct subfolders of a folder."""
        items = self._db.execute("SELECT count(*) FROM item WHERE folder = ?", (folder.id,)).fetchone()[0]
        children = self._db.execute("SELECT count(*) FROM folder WHERE parent = ?", (folder.id,)).fetchone()[0]
        return int(items), int(children)

    def change_folder(self, folder: Folder, name: str, parent: int | None) -> Folder:
        """Rename or move a folder."""
        with self.writing():
            self._db.execute(
                "UPDATE folder SET name = ?, parent = ?, version = ? WHERE id = ?",
                (name, parent, self._next(), folder.id),
            )
            return self.folder(folder.id)

    def delete_folder(self, folder: Folder) -> None:
        """Remove a folder with what it holds."""
        with self.writing():
            for child in self.folders(folder.mailbox):
                if child.parent == folder.id:
                    self.delete_folder(child)
            for table in ("item", "item_gone"):
                self._db.execute(f"DELETE FROM {table} WHERE folder = ?", (folder.id,))
            self._db.execute("DELETE FROM folder WHERE id = ?", (folder.id,))
            self._db.execute(
                "INSERT INTO folder_gone VALUES (?, ?, ?, ?)",
                (folder.mailbox, folder.ident, self._next(), folder.born),
            )

    def folders_gone(self, mailbox: int, since: int) -> list[tuple[str, int, int]]:
        """Folders removed after a write: (ident, number of the removal, number of the birth)."""
        rows = self._db.execute(
            "SELECT ident, sequence, born FROM folder_gone WHERE mailbox = ? AND sequence > ? ORDER BY sequence",
            (mailbox, since),
        )
        return rows.fetchall()

    # items

    def add_item(self, folder: Folder, kind: str, props: Props, extended: Props) -> Item:
        """Store a new item."""
        with self.writing():
            number, moment = self._next(), stamp(now())
            mailbox = self.mailbox_by_id(folder.mailbox)
            cursor = self._db.execute(
                "INSERT INTO item (mailbox, folder, ident, kind, version, born, content, props, extended, created, "
                "modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(folder.mailbox, folder.id, new_ident(mailbox.guid), kind, number, number, number),
                    *(_dump(props), _dump(extended), moment, moment),
                ),
            )
            return self.item(int(cursor.lastrowid or 0))

    def item(self, item: int) -> Item:
        """The item with this row id."""
        return _item(self._db.execute(f"SELECT {_ITEM} FROM item WHERE id = ?", (item,)).fetchone())

    def item_by_ident(self, ident: str) -> Item | None:
        """The item with this ItemId; ids are case-sensitive."""
        row = self._db.execute(f"SELECT {_ITEM} FROM item WHERE ident = ?", (ident,)).fetchone()
        return _item(row) if row else None

    def items(self, folder: Folder) -> list[Item]:
        """All items of a folder, oldest first."""
        rows = self._db.execute(f"SELECT {_ITEM} FROM item WHERE folder = ? ORDER BY id", (folder.id,))
        return [_item(row) for row in rows]

    def save_item(self, item: Item, only_read_flag: bool = False) -> Item:
        """Write an item's properties; it gets a new version."""
        with self.writing():
            number = self._next()
            self._db.execute(
                "UPDATE item SET props = ?, extended = ?, version = ?, modified = ?, "
                "content = CASE WHEN ? THEN content ELSE ? END WHERE id = ?",
                (_dump(item.props), _dump(item.extended), number, stamp(now()), only_read_flag, number, item.id),
            )
            return self.item(item.id)

    def move_item(self, item: Item, folder: Folder) -> Item:
        """Put an item in another folder, where it has another id."""
        with self.writing():
            number = self._next()
            mailbox = self.mailbox_by_id(folder.mailbox)
            self._bury(item, number)
            self._db.execute(
                "UPDATE item SET folder = ?, mailbox = ?, ident = ?, version = ?, born = ?, content = ? WHERE id = ?",
                (folder.id, folder.mailbox, new_ident(mailbox.guid), number, number, number, item.id),
            )
            return self.item(item.id)

    def copy_item(self, item: Item, folder: Folder) -> Item:
        """Store a copy of an item with its exceptions and attachments."""
        with self.writing():
            copy = self.add_item(folder, item.kind, item.props, item.extended)
            for override in self.overrides(item):
                self.put_override(copy, override)
            for attachment in self.attachments(item):
                self.add_attachment(copy, attachment, self.attachment_content(attachment))
            return self.save_item(copy)

    def delete_item(self, item: Item) -> None:
        """Remove an item for good."""
        with self.writing():
            self._bury(item, self._next())
            self._db.execute("DELETE FROM item WHERE id = ?", (item.id,))

    def _bury(self, item: Item, number: int) -> None:
        self._db.execute("INSERT INTO item_gone VALUES (?, ?, ?, ?)", (item.folder, item.ident, number, item.born))

    def changed_items(self, folder: Folder, since: int, limit: int) -> list[tuple[Item, int]]:
        """Up to ``limit`` items written after a number, in order: (item, number of its last change of content)."""
        rows = self._db.execute(
            f"SELECT {_ITEM}, content FROM item WHERE folder = ? AND version > ? ORDER BY version LIMIT ?",
            (folder.id, since, limit),
        )
        return [(_item(row[:11]), row[11]) for row in rows]

    def born_items(self, folder: Folder, since: int, limit: int) -> list[Item]:
        """Up to ``limit`` items that came into the folder after a number, in order."""
        rows = self._db.execute(
            f"SELECT {_ITEM} FROM item WHERE folder = ? AND born > ? ORDER BY born LIMIT ?", (folder.id, since, limit)
        )
        return [_item(row) for row in rows]

    def gone_items(self, folder: Folder, since: int, limit: int) -> list[tuple[str, int, int]]:
        """Items that left the folder after a number: (ident, number of the leaving, number of the coming)."""
        rows = self._db.execute(
            "SELECT ident, sequence, born FROM item_gone WHERE folder = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (folder.id, since, limit),
        )
        return rows.fetchall()

    # occurrences

    def overrides(self, item: Item) -> list[Override]:
        """Modified and deleted occurrences of a series, by original start."""
        rows = self._db.execute(
            "SELECT original, deleted, props, extended FROM occurrence WHERE item = ? ORDER BY original", (item.id,)
        )
        return [Override(row[0], bool(row[1]), json.loads(row[2]), json.loads(row[3])) for row in rows]

    def put_override(self, item: Item, override: Override) -> None:
        """Record an exception or a deleted occurrence; the caller saves the series."""
        with self.writing():
            self._db.execute(
                "INSERT OR REPLACE INTO occurrence VALUES (?, ?, ?, ?, ?)",
                (item.id, override.original, override.deleted, _dump(override.props), _dump(override.extended)),
            )

    def drop_overrides(self, item: Item) -> None:
        """Forget all exceptions and deleted occurrences of a series; the caller saves the series."""
        with self.writing():
            self._db.execute("DELETE FROM occurrence WHERE item = ?", (item.id,))

    # attachments

    def attachments(self, item: Item) -> list[Attachment]:
        """The attachments of an item."""
        rows = self._db.execute(f"SELECT {_ATTACHMENT} FROM attachment WHERE item = ? ORDER BY id", (item.id,))
        return [_attachment(row) for row in rows]

    def attachment(self, ident: str) -> Attachment | None:
        """The attachment with this id."""
        row = self._db.execute(f"SELECT {_ATTACHMENT} FROM attachment WHERE ident = ?", (ident,)).fetchone()
        return _attachment(row) if row else None

    def attachment_content(self, attachment: Attachment) -> bytes:
        """The bytes of an attachment: Exchange keeps those as they are."""
        row = self._db.execute("SELECT content FROM attachment WHERE id = ?", (attachment.id,)).fetchone()
        return bytes(row[0])

    def add_attachment(self, item: Item, attachment: Attachment, content: bytes) -> Attachment:
        """Attach a file under a fresh id; the caller saves the item."""
        with self.writing():
            mailbox = self.mailbox_by_id(item.mailbox)
            ident = new_ident(mailbox.guid)
            self._db.execute(
                "INSERT INTO attachment (item, ident, name, content_type, content_id, inline, photo, modified, "
                "content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(item.id, ident, attachment.name, attachment.content_type, attachment.content_id),
                    *(attachment.inline, attachment.photo, stamp(now()), content),
                ),
            )
            added = self.attachment(ident)
            assert added is not None
            return added

    def delete_attachment(self, attachment: Attachment) -> None:
        """Remove an attachment; the caller saves the item."""
        with self.writing():
            self._db.execute("DELETE FROM attachment WHERE id = ?", (attachment.id,))

    # the mail ledger

    def add_mail(self, entry: Props) -> None:
        """Note a message that a real Exchange would have sent."""
        with self.writing():
            self._db.execute("INSERT INTO mail (at, entry) VALUES (?, ?)", (stamp(now()), _dump(entry)))

    def mail(self) -> list[Props]:
        """The ledger, oldest first."""
        rows = self._db.execute("SELECT id, at, entry FROM mail ORDER BY id")
        return [{"number": row[0], "at": row[1], **json.loads(row[2])} for row in rows]

    def clear_mail(self) -> None:
        """Empty the ledger."""
        with self.writing():
            self._db.execute("DELETE FROM mail")
