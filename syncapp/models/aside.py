"""What the database remembers of one person, copied into a database in memory that one thread takes for the real one.

A dry run lets the engine work on such a copy: it writes links, tokens, bases and runs as always, and all of that is
gone with the thread. A transaction that is rolled back in the end would do the same on paper; but it would hold
SQLite's only write lock, and rows of PostgreSQL, while servers are asked for minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from syncapp.models.enrollment import Enrollment
from syncapp.models.grant import Grant, Invitation
from syncapp.models.history import History
from syncapp.models.installation import Installation
from syncapp.models.pairing import Pairing
from syncapp.models.preview import Preview
from syncapp.models.restoration import Restoration
from syncapp.models.run import Run
from syncapp.models.transition import Transition

_BATCH = 500
_NOT_READ = (Grant, Invitation, Preview, Run, Transition)
"""What is a person's and what no run reads."""

Rows = Sequence[Sequence[models.Model]]


def copied(enrollment_id: int) -> Rows:
    """Everything that a run of this person may read, loaded from the real database."""
    own = [_rows(model, enrollment_id) for model in of_a_person() if model not in _NOT_READ]
    person = list(Enrollment.objects.filter(pk=enrollment_id))
    return [list(Installation.objects.all()), person, *own, _pairings_of_others(enrollment_id)]


def _models() -> Iterable[type[models.Model]]:
    return apps.get_app_config("syncapp").get_models()


def of_a_person() -> Iterable[type[models.Model]]:
    """The models whose rows belong to an enrollment."""
    return [model for model in _models() if any(each.name == "enrollment" for each in model._meta.concrete_fields)]


def _rows(model: type[models.Model], enrollment_id: int) -> Sequence[models.Model]:
    found = model._default_manager.filter(enrollment=enrollment_id)
    if model is not History:
        return list(found)
    # Of most of it, only whether it is kept already is ever asked for.
    wanted = Restoration.objects.filter(enrollment=enrollment_id, state=Restoration.State.WAITING).values("history")
    rest = list(found.exclude(pk__in=wanted).defer("content"))
    for row in rest:
        vars(row)["content"] = b""
    return [*rest, *found.filter(pk__in=wanted)]


def _pairings_of_others(enrollment_id: int) -> list[Pairing]:
    """As much of them as keeps one folder from being paired twice."""
    names = ("pk", "enrollment_id", "kind", "exchange_digest", "nextcloud_digest")
    return [
        Pairing(enabled=False, **dict(zip(names, values, strict=True)))
        for values in Pairing.objects.exclude(enrollment=enrollment_id).values_list(*names)
    ]


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
            for model in _models():
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
