"""Taking the connector's tables to any schema that there was, and to today's."""

from __future__ import annotations

from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

from tests.upgrades.rows import APP

FIRST = "0001_initial"


def migrate(name: str | None = None) -> list[type[models.Model]]:
    """Migrate to the schema of this migration (None: today's), forwards or backwards; its models."""
    executor = MigrationExecutor(connection)
    [target] = [(APP, name)] if name else executor.loader.graph.leaf_nodes(APP)
    state = executor.migrate([target])
    return list(state.apps.get_app_config(APP).get_models())
