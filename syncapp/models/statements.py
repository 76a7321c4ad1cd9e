"""Statements written out as SQL, for what is asked at every look: Django takes longer to build them than the database
to answer. They mean the same to SQLite and to PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


def change(sql: str, params: Sequence[object]) -> int:
    """Run a statement that writes; how many rows it changed. Times are given with a zone."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_unknown_value(each) for each in params])
        return int(cursor.rowcount)


def read(model: type[M], sql: str, params: Sequence[object]) -> list[M]:
    """The rows that a SELECT of all columns of a model finds; what it selects besides becomes an attribute."""
    return list(model._default_manager.raw(sql, params))
