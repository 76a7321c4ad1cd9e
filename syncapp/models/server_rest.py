"""Servers that are left alone for a while."""

from __future__ import annotations

from django.db import models


class ServerRest(models.Model):
    """A server that was unreachable, busy or in maintenance. Nobody asks it before ``until``.

    ``server`` is ``nextcloud``, ``nextcloud-admin`` (its admin calls alone) or an Exchange's endpoint. ``failures``
    counts the rests in a row; the row goes when the server answers.
    """

    server = models.CharField(max_length=500, unique=True)
    until = models.DateTimeField()
    failures = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return self.server
