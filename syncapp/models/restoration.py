"""A wish to have an object back as history kept it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from syncapp.models.enrollment import Enrollment
from syncapp.models.history import History
from syncapp.models.link import KEY_BYTES, NONCE_BYTES


class Restoration(models.Model):
    """Somebody wants a version back; the person's next slice sees to it, and says in ``text`` what came of it.

    ``key`` is that of the link whose object it is. ``revision`` is what the object had when it was about to be
    overwritten, ``nonce`` that of an attempt to create it, as long as the answer is not known. History may be pruned
    meanwhile: the row is looked up, not referred to.
    """

    class State(models.TextChoices):
        """What came of it."""

        WAITING = "waiting", "Waiting for the next run"
        DONE = "done", "Done"
        FAILED = "failed", "Not possible"

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="restorations")
    history = models.ForeignKey(History, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    key = models.BinaryField(max_length=KEY_BYTES)
    kind = models.CharField(max_length=10)
    side = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    text = models.TextField(blank=True)
    revision = models.TextField(blank=True)
    nonce = models.BinaryField(max_length=NONCE_BYTES, null=True)
    attempts = models.PositiveIntegerField(default=0)
    run_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["history"], condition=Q(state="waiting"), name="one_waiting_restoration_per_version"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["enrollment", "state"], name="restoration_of_enrollment")]

    def __str__(self) -> str:
        return f"restoration {self.pk}"
