"""The sign of life of workers, which a health check judges."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """When a process of ours last did its round. ``name`` is dispatcher or a worker's name."""

    name = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
