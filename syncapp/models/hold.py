"""A deletion that waits for an admin's decision."""

from __future__ import annotations

from typing import ClassVar

from django.db import models, transaction
from django.db.models import F

from syncapp.models.enrollment import Enrollment
from syncapp.models.link import Link
from syncapp.models.pairing import Pairing


class Hold(models.Model):
    """The guard found this deletion suspicious. It lapses when the survivor changes (rule 23).

    ``side`` is where the deletion would be done; ``survivor`` is the fingerprint of the object that would be deleted.
    """

    class Reason(models.TextChoices):
        """Why it was held."""

        MANY = "many", "Many deletions at once"
        EMPTY = "empty", "The other side turned empty"
        RETURNED = "returned", "Several deleted items came back at once"

    class State(models.TextChoices):
        """What the admin said."""

        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="holds")
    pairing = models.ForeignKey(Pairing, on_delete=models.CASCADE, related_name="holds")
    link = models.OneToOneField(Link, on_delete=models.CASCADE, related_name="hold")
    side = models.CharField(max_length=10)
    reason = models.CharField(max_length=10, choices=Reason)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    survivor = models.BinaryField(max_length=8)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["enrollment", "state"], name="hold_of_enrollment")]

    def __str__(self) -> str:
        return f"hold {self.pk}"

    def approve(self) -> None:
        """Let the deletion happen, if the survivor is still what it was."""
        self._decide(self.State.APPROVED)

    def refuse(self) -> None:
        """Put back what is missing."""
        self._decide(self.State.REFUSED)

    def _decide(self, state: State) -> None:
        with transaction.atomic():
            self.state = state
            self.save(update_fields=["state"])
            Link.objects.filter(pk=self.link_id).update(dirty=F("dirty") + 1, not_before=None)
