"""What stays of a link after it ends: enough to recognise a late copy of what was sent, and to count deletions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.enrollment import Enrollment
from syncapp.models.link import KEY_BYTES
from syncapp.models.pairing import Pairing


class Tomb(models.Model):
    """A link that ended. ``deleted_on`` names the side on which *we* deleted the object, "" if people did on both."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="+")
    pairing = models.ForeignKey(Pairing, null=True, on_delete=models.SET_NULL, related_name="tombs")
    kind = models.CharField(max_length=10)
    key = models.BinaryField(max_length=KEY_BYTES, unique=True)
    exchange_digest = models.BinaryField(max_length=16, null=True)
    nextcloud_digest = models.BinaryField(max_length=16, null=True)
    deleted_on = models.CharField(max_length=10, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["pairing", "at"], name="tomb_of_pairing"),
            models.Index(fields=["enrollment", "exchange_digest"], name="tomb_exchange"),
            models.Index(fields=["enrollment", "nextcloud_digest"], name="tomb_nextcloud"),
        ]

    def __str__(self) -> str:
        return f"tomb {self.pk}"
