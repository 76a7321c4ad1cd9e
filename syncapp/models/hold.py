"""A write that looks like an accident and waits for an admin's decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, F, QuerySet

from syncapp.models.encrypted import EncryptedTextField
from syncapp.models.enrollment import Enrollment
from syncapp.models.link import Link
from syncapp.models.pairing import Pairing
from syncapp.models.problem import Problem


class HoldManager(models.Manager["Hold"]):
    """Holds are decided and reported many at a time."""

    def decide(self, holds: QuerySet[Hold], state: Hold.State) -> int:
        """Approve or refuse holds, and mark their links so that the next run does it. How many there were."""
        with transaction.atomic():
            Link.objects.filter(pk__in=holds.values("link_id")).update(dirty=F("dirty") + 1, **Link.ANEW)
            return holds.update(state=state)

    def report(self, enrollment_id: int) -> None:
        """Say how many writes of a person wait for an admin, or that none does any more."""
        key = f"enrollment:{enrollment_id}:held"
        waiting = self.filter(enrollment_id=enrollment_id, state=Hold.State.WAITING)
        numbers: dict[Hold.Deed, int] = dict.fromkeys(Hold.Deed, 0)
        for reason, number in waiting.values_list("reason").annotate(number=Count("pk")).order_by():
            numbers[Hold.DEEDS[Hold.Reason(reason)]] += number
        if not any(numbers.values()):
            Problem.objects.clear(key)
            return
        words = {Hold.Deed.DELETE: "deletions", Hold.Deed.UPDATE: "overwritten items", Hold.Deed.CREATE: "new items"}
        held = ", ".join(f"{number} {words[deed]}" for deed, number in numbers.items() if number)
        Problem.objects.report(
            key,
            level=Problem.Level.ENROLLMENT,
            code="held",
            text=f"What looks like an accident waits for your decision: {held}.",
            remedy="Look at a sample (python manage.py holds show). Approve what is meant, refuse what is not.",
            enrollment=enrollment_id,
        )


class Hold(models.Model):
    """The guard found this write suspicious. It lapses when what it is about changes (rule 23).

    ``side`` is where the write would be done. ``survivor`` is the fingerprint of what the decision is about: the object
    that would be deleted, the one that would be copied, or what would be written over what. ``label`` is what a person
    recognises the item by, ``becomes`` the same of what it would be overwritten with, ``fields`` what differs.
    """

    class Deed(models.TextChoices):
        """What would be done."""

        DELETE = "delete", "Deletion"
        UPDATE = "update", "Overwriting"
        CREATE = "create", "Creation"

    class Reason(models.TextChoices):
        """Why it was held."""

        MANY = "many", "Many deletions at once"
        EMPTY = "empty", "The other side turned empty"
        RETURNED = "returned", "Several deleted items came back at once"
        FOLDER = "folder", "The folder vanished from the other side"
        OVERWRITES = "overwrites", "Many items changed at once"
        CREATIONS = "creations", "Many new items at once"
        EPOCH = "epoch", "Another store answers on one side"

    class State(models.TextChoices):
        """What the admin said; LAPSED when nobody did in time, and nothing is written therefore."""

        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        LAPSED = "lapsed", "Nobody decided"

    DEEDS: ClassVar[dict[Reason, Deed]] = {
        Reason.MANY: Deed.DELETE,
        Reason.EMPTY: Deed.DELETE,
        Reason.RETURNED: Deed.DELETE,
        Reason.FOLDER: Deed.DELETE,
        Reason.OVERWRITES: Deed.UPDATE,
        Reason.CREATIONS: Deed.CREATE,
        Reason.EPOCH: Deed.CREATE,
    }

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="holds")
    pairing = models.ForeignKey(Pairing, on_delete=models.CASCADE, related_name="holds")
    link = models.OneToOneField(Link, on_delete=models.CASCADE, related_name="hold")
    side = models.CharField(max_length=10)
    reason = models.CharField(max_length=10, choices=Reason)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    survivor = models.BinaryField(max_length=8)
    label = EncryptedTextField(default="")
    becomes = EncryptedTextField(default="")
    fields = models.TextField(blank=True)
    at = models.DateTimeField()

    objects: ClassVar[HoldManager] = HoldManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["enrollment", "state"], name="hold_of_enrollment"),
            models.Index(fields=["state", "at"], name="hold_by_age"),
        ]

    def __str__(self) -> str:
        return f"hold {self.pk}"

    @property
    def deed(self) -> Deed:
        """What would be done."""
        return self.DEEDS[self.Reason(self.reason)]

    @property
    def lapses_at(self) -> datetime | None:
        """When it counts as refused, or is left alone, because nobody decided; None: never."""
        return self.at + timedelta(days=settings.HOLD_DAYS) if settings.HOLD_DAYS else None

    def approve(self) -> None:
        """Let it happen, if what it is about is still what it was."""
        Hold.objects.decide(Hold.objects.filter(pk=self.pk), self.State.APPROVED)

    def refuse(self) -> None:
        """Put back what is missing or was overwritten; what is new stays where it is."""
        Hold.objects.decide(Hold.objects.filter(pk=self.pk), self.State.REFUSED)
