"""The SQLite file of the lab Exchange: its tables, its one connection, its sequence of writes.

Every write takes the next number of one server-wide sequence. It is the version behind the change key, and what
sync states count (operations/sync.py).
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
CREATE TABLE IF NOT EXISTS folder_activity (
    folder INTEGER PRIMARY KEY, committed TEXT NOT NULL, deleted INTEGER NOT NULL);
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


class Database:
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

    def close(self) -> None:
        """Close the file; nothing can be asked afterwards."""
        self._db.close()

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
