"""A database of a test's own: in a file, or on the PostgreSQL that TEST_DATABASE_URL names; and a look into it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg


@dataclass(frozen=True)
class Database:
    """``url`` is what DATABASE_URL says of it."""

    url: str

    def count(self, table: str, where: str) -> int:
        """Rows of a table, read from outside."""
        query = f"SELECT count(*) FROM {table} WHERE {where}"
        if self.url.startswith("sqlite:"):
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as database:
                return int(database.execute(query).fetchone()[0])
        with psycopg.connect(self.url) as server:
            row = server.execute(query.encode()).fetchone()
            assert row is not None
            return int(row[0])


@contextmanager
def new_database(folder: Path) -> Iterator[Database]:
    """An empty database, for as long as the body runs."""
    server = os.environ.get("TEST_DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield Database(f"sqlite:///{folder / 'connector.sqlite3'}")
        return
    name = f"processes_{uuid.uuid4().hex}"
    _tell(server, f"CREATE DATABASE {name}")
    yield Database(f"{server.rpartition('/')[0]}/{name}")
    _tell(server, f"DROP DATABASE {name} WITH (FORCE)")


def _tell(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())
