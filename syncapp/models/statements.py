"""Statements written out as SQL, for what is asked at every look or for every item: Django takes longer to build them
than the database to answer. They mean the same to SQLite and to PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


def change(sql: str, params: Sequence[object]) -> int:
    """Run a statement that writes; how many rows it changed. Times are given with a zone."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        return int(cursor.rowcount)


def change_many(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run one prepared statement that writes, once for each row of parameters, which are texts, numbers or bytes."""
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)


def read(model: type[M], sql: str, params: Sequence[object]) -> list[M]:
    """The rows that a SELECT of all columns of a model finds; what it selects besides becomes an attribute."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        make = _maker(model, tuple(each[0] for each in cursor.description))
        return [make(row) for row in cursor.fetchall()]


def column(sql: str, params: Sequence[object]) -> list[Any]:
    """The values of the one column that a SELECT asks for."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        return [row[0] for row in cursor.fetchall()]


def among(values: Collection[object]) -> str:
    """Places for some values, as ``IN`` takes them; of no values at all, which it does not take, nothing is one."""
    return f"({', '.join(['%s'] * len(values)) or 'NULL'})"


def _adapted(params: Sequence[object]) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    return [adapt(each) if isinstance(each, datetime) else each for each in params]


@cache
def _maker(model: type[M], columns: tuple[str, ...]) -> Callable[[Sequence[Any]], M]:
    """Makes an object of a row, as ``Manager.raw`` does, which finds out anew each time how to convert each column."""
    fields = model._meta.concrete_fields
    names = [each.attname for each in fields]
    places = [columns.index(str(each.column)) for each in fields]
    others = [(at, name) for at, name in enumerate(columns) if at not in places]
    converted = [
        (at, column, converter)
        for at, column in enumerate(each.get_col(model._meta.db_table) for each in fields)
        for converter in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]

    def make(row: Sequence[Any]) -> M:
        values = [row[at] for at in places]
        for at, column, convert in converted:
            values[at] = convert(values[at], column, connection)
        made = model.from_db(connection.alias, names, values)
        vars(made).update((name, row[at]) for at, name in others)
        return made

    return make
