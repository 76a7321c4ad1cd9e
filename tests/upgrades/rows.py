"""All rows of the connector's tables as JSON, and back, for any schema that there was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction

APP = "syncapp"


def written(of: Iterable[type[models.Model]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of these models by the names of the models; what is sealed stays sealed."""
    return {model.__name__: _rows(model) for model in of}


def _rows(model: type[models.Model]) -> list[dict[str, Any]]:
    fields = list(model._meta.concrete_fields)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)} ORDER BY {quote('id')}")
        stored = cursor.fetchall()
    read = model._default_manager.order_by("pk").values_list(*(field.attname for field in fields))
    return [
        {field.attname: _told(field, *both) for field, *both in zip(fields, raw, values, strict=True)}
        for raw, values in zip(stored, read, strict=True)
    ]


def _told(field: models.Field[Any, Any], raw: Any, value: Any) -> Any:
    """Bytes as they are stored, anything else as Django reads it."""
    if isinstance(field, models.BinaryField):
        return None if raw is None else {"hex": bytes(raw).hex()}
    return value.isoformat() if isinstance(value, datetime) else value


def store(of: Iterable[type[models.Model]], told: Mapping[str, list[Mapping[str, Any]]]) -> None:
    """Insert rows that ``written`` wrote into the tables of these models."""
    made = list(of)
    with transaction.atomic():
        for model in made:
            model._default_manager.bulk_create(model(**_read(model, row)) for row in told[model.__name__])
    for statement in connection.ops.sequence_reset_sql(no_style(), made):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _read(model: type[models.Model], row: Mapping[str, Any]) -> dict[str, Any]:
    times = {field.attname for field in model._meta.concrete_fields if isinstance(field, models.DateTimeField)}
    return {name: _value(value, is_time=name in times) for name, value in row.items()}


def _value(value: Any, *, is_time: bool) -> Any:
    if isinstance(value, dict) and set(value) == {"hex"}:
        return bytes.fromhex(value["hex"])
    return datetime.fromisoformat(value) if is_time and value is not None else value
