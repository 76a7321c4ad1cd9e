"""What the database remembers of one person, copied into a database in memory that one thread takes for the real one.

A dry run lets the engine work on such a copy: it writes links, tokens, bases and runs as always, and all of that is
gone with the thread. A transaction that is rolled back in the end would do the same on paper; but it would hold
SQLite's only write lock, and rows of PostgreSQL, while servers are asked for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from syncapp.models.enrollment import Enrollment
from syncapp.models.history import History
from syncapp.models.hold import Hold
from syncapp.models.installation import Installation
from syncapp.models.link import Link
from syncapp.models.pairing import Pairing
from syncapp.models.problem import Problem
from syncapp.models.sent import Sent
from syncapp.models.tomb import Tomb

_BATCH = 500

Rows = Sequence[Sequence[models.Model]]


def copied(enrollment_id: int) -> Rows:
    """Everything that a run of this person may read, loaded from the real database."""
    own = {"enrollment_id": enrollment_id}
    return [
        list(Installation.objects.all()),
        list(Enrollment.objects.filter(pk=enrollment_id)),
        [*Pairing.objects.filter(**own), *_pairings_of_others(enrollment_id)],
        list(Link.objects.filter(**own)),
        list(Sent.objects.filter(**own)),
        list(Tomb.objects.filter(**own)),
        list(Hold.objects.filter(**own)),
        list(Problem.objects.filter(**own)),
        _history(enrollment_id),
    ]


def _pairings_of_others(enrollment_id: int) -> list[Pairing]:
    """As much of them as keeps one folder from being paired twice."""
    names = ("pk", "enrollment_id", "kind", "exchange_digest", "nextcloud_digest")
    return [
        Pairing(enabled=False, **dict(zip(names, values, strict=True)))
        for values in Pairing.objects.exclude(enrollment=enrollment_id).values_list(*names)
    ]


def _history(enrollment_id: int) -> list[History]:
    """Without content: only whether something is kept already is ever asked for."""
    rows = list(History.objects.filter(enrollment=enrollment_id).defer("content"))
    for row in rows:
        row.content = b""
    return rows


@contextmanager
def opened(rows: Rows) -> Iterator[None]:
    """Inside, this thread's database is one in memory that holds ``rows``.

    Raises RuntimeError in a thread that has opened the real one: whatever it does would be lost, or not be lost.
    """
    if any(each.alias == DEFAULT_DB_ALIAS for each in connections.all(initialized_only=True)):
        raise RuntimeError("this thread has opened the real database")
    memory = _in_memory()
    connections[DEFAULT_DB_ALIAS] = memory
    try:
        with memory.schema_editor() as editor:
            for model in apps.get_app_config("syncapp").get_models():
                editor.create_model(model)
        # Rows may point to what was not copied: service accounts, other people.
        memory.disable_constraint_checking()
        for of_model in rows:
            if of_model:
                type(of_model[0])._default_manager.bulk_create(of_model, batch_size=_BATCH)
        yield
    finally:
        del connections[DEFAULT_DB_ALIAS]
        # Django never closes what is in memory, lest it be gone.
        BaseDatabaseWrapper.close(memory)


def _in_memory() -> BaseDatabaseWrapper:
    handler = ConnectionHandler({DEFAULT_DB_ALIAS: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    memory: BaseDatabaseWrapper = handler[DEFAULT_DB_ALIAS]
    return memory
