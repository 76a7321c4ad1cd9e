"""Backups of our own database: all that the connector remembers goes back to what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from syncapp.models import Installation

Backup = Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]
"""By table: the names of its columns, and its rows as the database gives them."""


def tables() -> list[str]:
    """The tables of what is remembered of people; the keys of the installation are backed up elsewhere."""
    models = apps.get_app_config("syncapp").get_models(include_auto_created=True)
    return [model._meta.db_table for model in models if model is not Installation]


def back_up() -> Backup:
    """Everything as it is committed now."""
    backup: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {}
    with connection.cursor() as cursor:
        for table in tables():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            backup[table] = ([column[0] for column in cursor.description], cursor.fetchall())
    return backup


def put_back(backup: Backup) -> None:
    """Everything is as it was. Raises KeyError for a backup of other tables."""
    quote = connection.ops.quote_name
    with transaction.atomic(), connection.cursor() as cursor:
        for table in reversed(tables()):
            cursor.execute(f"DELETE FROM {quote(table)}")
        for table in tables():
            columns, rows = backup[table]
            if rows:
                names, places = ", ".join(map(quote, columns)), ", ".join("%s" for _ in columns)
                cursor.executemany(f"INSERT INTO {quote(table)} ({names}) VALUES ({places})", rows)


def forget() -> None:
    """Nothing is remembered of anybody, and numbers begin anew: what is played next is played as in a new database."""
    from django.core.management.color import no_style

    statements = connection.ops.sql_flush(no_style(), tables(), reset_sequences=True, allow_cascade=True)
    connection.ops.execute_sql_flush(statements)
