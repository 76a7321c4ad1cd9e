"""What the lab Nextcloud keeps, in one SQLite file.

All access goes through ``Store.transaction()``: one request, one transaction, one at a time. The real server is not
atomic between looking at an ETag and writing; a lab need not repeat that by chance, a fault plan can arrange it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    login TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    email TEXT,
    display_name TEXT NOT NULL,
    groups TEXT NOT NULL DEFAULT '[]',
    enabled INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS app_password (
    token TEXT PRIMARY KEY,
    uid TEXT NOT NULL REFERENCES account (uid) ON DELETE CASCADE,
    name TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS login_flow (
    poll_token TEXT PRIMARY KEY,
    login_token TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    begun_at REAL NOT NULL,
    login TEXT NOT NULL,
    password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS oauth_client (id TEXT PRIMARY KEY, secret TEXT NOT NULL, redirect_uri TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS oauth_code (
    code TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    uid TEXT NOT NULL REFERENCES account (uid) ON DELETE CASCADE,
    made_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS consent (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE REFERENCES account (uid) ON DELETE CASCADE,
    status INTEGER NOT NULL,
    token TEXT NOT NULL,
    overrides TEXT NOT NULL DEFAULT '{}',
    hidden INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS collection (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES account (uid) ON DELETE CASCADE,
    uri TEXT NOT NULL,
    properties TEXT NOT NULL DEFAULT '{}',
    components TEXT NOT NULL DEFAULT '',
    read_only INTEGER NOT NULL DEFAULT 0,
    sync_token INTEGER NOT NULL DEFAULT 1,
    deleted_at INTEGER,
    UNIQUE (kind, owner, uri)
);
CREATE TABLE IF NOT EXISTS object (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    uri TEXT NOT NULL,
    uid TEXT NOT NULL,
    component TEXT NOT NULL,
    data BLOB NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (collection, uri)
);
CREATE INDEX IF NOT EXISTS object_uid ON object (collection, uid);
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    uri TEXT NOT NULL,
    operation INTEGER NOT NULL,
    sync_token INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS change_token ON change (collection, sync_token);
CREATE TABLE IF NOT EXISTS mail (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    account TEXT NOT NULL,
    method TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    uid TEXT NOT NULL,
    cause TEXT NOT NULL
);
"""

TABLES = (
    "mail", "change", "object", "collection", "consent", "app_password", "login_flow", "oauth_code", "oauth_client",
    "account", "setting",
)  # fmt: skip


class Store:
    """The file and the one connection to it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens or nothing; nested uses join the outermost."""
        with self._lock:
            if self._depth:
                yield
                return
            self._depth += 1
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    def run(self, statement: str, *values: Any) -> int:
        """Execute a change; returns the id of an inserted row, else what SQLite remembers last."""
        return self._connection.execute(statement, values).lastrowid or 0

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, if there is one."""
        found: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
        return found

    def setting(self, name: str, default: str) -> str:
        """A stored setting, or the default."""
        found = self.row("SELECT value FROM setting WHERE name = ?", name)
        return default if found is None else str(found["value"])

    def set_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        self.run("INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?2", name, value)

    def empty(self) -> None:
        """Forget everything."""
        for table in TABLES:
            self.run(f"DELETE FROM {table}")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
