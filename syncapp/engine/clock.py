"""What time it is: the database's time, so that workers on several machines agree (rule 21)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from django.db import connection
from django.utils import timezone


class Clock(Protocol):
    """Where the engine gets its time from; tests hand in one that they move themselves."""

    def now(self) -> datetime:
        """The time now, with a zone."""


class DatabaseClock:
    """The clock of the database server; SQLite has none but its process's."""

    def now(self) -> datetime:
        """The time now, with a zone."""
        if connection.vendor != "postgresql":
            return timezone.now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            row: tuple[datetime] = cursor.fetchone()
        return row[0]


SYSTEM_CLOCK: Clock = DatabaseClock()
