"""What happened to an enrollment, one row for each change of its state."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.enrollment import Enrollment


class Transition(models.Model):
    """One change of state: from where to where, why, and who caused it (``syncapp/life.py`` writes and explains it).

    ``before`` is "" for the beginning. ``by`` names an admin, or how the command line was used; the connector and the
    person themself need no name.
    """

    class Actor(models.TextChoices):
        """Who caused it."""

        ADMIN = "admin", "Administrator"
        USER = "user", "User"
        CONNECTOR = "connector", "Connector"

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="transitions")
    at = models.DateTimeField()
    before = models.CharField(max_length=20, blank=True)
    after = models.CharField(max_length=20)
    reason = models.CharField(max_length=30)
    actor = models.CharField(max_length=10, choices=Actor)
    by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["enrollment", "at"], name="transition_of")]

    def __str__(self) -> str:
        return f"{self.before or 'nothing'} to {self.after}"
