"""Many rows at once: one prepared statement for all, without the detours that Django's own ways take for each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db import connection, models

# Texts, numbers and bytes are what every driver takes as they are.
_ADAPTED = (models.DateTimeField, models.JSONField)

Row = Mapping[str, Any]
"""Values by the names of attributes, as ``link_id``; columns that are left out take their defaults."""


def insert(model: type[models.Model], rows: Sequence[Row]) -> None:
    """Insert rows whose keys nobody needs back. Raises IntegrityError."""
    if not rows:
        return
    fields = [each for each in model._meta.concrete_fields if not each.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(each.column)) for each in fields)
    places = ", ".join("%s" for _ in fields)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})",  # noqa: S608
            _with_defaults(fields, rows),
        )


def _with_defaults(fields: Sequence[models.Field[Any, Any]], rows: Sequence[Row]) -> list[list[Any]]:
    defaults = [(each.attname, each.get_default()) for each in fields]
    made = [each for each in fields if each.has_default() and callable(each.default)]
    adapt = _adapter(fields)
    complete: list[list[Any]] = []
    for row in rows:
        own = {each.attname: each.get_default() for each in made if each.attname not in row}
        complete.append(adapt([own.get(name, default) if name not in row else row[name] for name, default in defaults]))
    return complete


def values_of(fields: Sequence[models.Field[Any, Any]]) -> Callable[[models.Model], list[Any]]:
    """What gives the values of two or more ``fields`` of an object as the database takes them."""
    plain = attrgetter(*(each.attname for each in fields))
    adapt = _adapter(fields)
    return lambda of: adapt(list(plain(of)))


def _adapter(fields: Sequence[models.Field[Any, Any]]) -> Callable[[list[Any]], list[Any]]:
    """What turns the values of ``fields``, in their order, into what the database takes; in place."""
    adapted = [(at, each) for at, each in enumerate(fields) if isinstance(each, _ADAPTED)]
    times: dict[datetime, Any] = {}

    def adapt(row: list[Any]) -> list[Any]:
        for at, field in adapted:
            value = row[at]
            if isinstance(value, datetime):
                # Rows that are written together mostly have one time in common.
                row[at] = times[value] = times.get(value) or field.get_db_prep_save(value, connection)
            elif value is not None:
                row[at] = field.get_db_prep_save(value, connection)
        return row

    return adapt
