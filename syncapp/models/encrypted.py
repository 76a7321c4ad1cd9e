"""A text column that is sealed at rest."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db import models

from syncapp import crypto


class EncryptedTextField(models.BinaryField):  # type: ignore[type-arg]
    """Text that only holders of ``ENCRYPTION_KEY`` can read; it can't be searched or sorted."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        super().__init__(**kwargs)

    @property
    def _context(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def _check_str_default_value(self) -> list[checks.CheckMessage]:
        """A text is the right default here, other than for a plain BinaryField."""
        return []

    def to_python(self, value: Any) -> Any:
        """A text is the value itself; a plain BinaryField would take it for base64."""
        return value

    def get_prep_value(self, value: Any) -> Any:
        """Seal a text on its way to the database; None and the empty text stay empty."""
        if isinstance(value, str):
            value = crypto.seal(value.encode(), self._context) if value else b""
        return super().get_prep_value(value)

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> str | None:
        """Unseal a text on its way from the database. Raises ``crypto.WrongKey``."""
        if value is None:
            return None
        return crypto.unseal(bytes(value), self._context).decode() if value else ""
