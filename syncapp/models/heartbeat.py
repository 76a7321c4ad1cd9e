"""The sign of life of workers, which a health check judges."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """When a process of ours last did its round, and which process.

    ``name`` is ``dispatcher``, ``refresh`` or the place of a worker (``worker 1``, ``worker 2``, ...). A place with an
    ``owner`` is taken for as long as its beat is fresh.
    """

    name = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()
    owner = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return self.name
