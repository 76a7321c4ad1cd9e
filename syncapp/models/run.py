"""One pass over one enrollment, and the log that it wrote while it ran."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from syncapp.models.enrollment import Enrollment


class Run(models.Model):
    """A pass over an enrollment; its slices add to the same counts. ``outcome`` is empty while it is under way."""

    class Outcome(models.TextChoices):
        """How a run ended."""

        DONE = "done", "Done"
        MORE = "more", "To be continued"
        FAILED = "failed", "Failed"
        LOST = "lost", "The worker went away"

    COUNTS: ClassVar = ("created", "updated", "deleted", "adopted", "held", "failed", "repaired")
    """The columns that count what a run did; what was repaired is among the others, too."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="runs")
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    adopted = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    repaired = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["enrollment", "-started_at"], name="run_of_enrollment"),
            models.Index(fields=["enrollment"], condition=Q(finished_at=None), name="run_open"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def counted(self) -> str:
        """What the run did and what it left, in numbers: ``3 created, 0 updated ..., 2 pending.``"""
        return ", ".join(f"{getattr(self, name)} {name}" for name in (*self.COUNTS, "pending")) + "."


class RunLine(models.Model):
    """One line of a run's log: a code, the link it is about, the side written, and names of fields; no content."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="lines")
    at = models.DateTimeField()
    code = models.CharField(max_length=40)
    side = models.CharField(max_length=10, blank=True)
    link_id = models.BigIntegerField(null=True)
    fields = models.TextField(blank=True)
    note = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.code} {self.link_id or ''}"
