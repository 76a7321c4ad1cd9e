"""What must hold before a process of the connector starts: the database answers, is migrated, and the key is right."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from syncapp.crypto import WrongKey
from syncapp.models import Installation


class NotReady(CommandError):
    """The process must not start. ``str()`` is a sentence that says why and what to do."""


def check_ready() -> None:
    """Raises ``NotReady``. Whoever forks processes afterwards closes the connection first."""
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise NotReady("The database is not up to date. Run: python manage.py migrate")
        Installation.get()
    except WrongKey as error:
        raise NotReady(
            "ENCRYPTION_KEY is not the key that encrypted this database. Put the former key back into .env (if it was "
            "replaced on purpose, name the former one in ENCRYPTION_KEYS_OLD)."
        ) from error
    except DatabaseError as error:
        raise NotReady(f"The database of DATABASE_URL does not answer: {str(error).strip()}") from error
