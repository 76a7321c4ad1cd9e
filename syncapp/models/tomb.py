"""What stays of a link after it ends: enough to recognise what comes back, and to know where it belonged."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.enrollment import Enrollment
from syncapp.models.link import KEY_BYTES
from syncapp.models.pairing import Pairing


class Tomb(models.Model):
    """A link that ended."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="+")
    pairing = models.ForeignKey(Pairing, null=True, on_delete=models.SET_NULL, related_name="tombs")
    kind = models.CharField(max_length=10)
    key = models.BinaryField(max_length=KEY_BYTES, unique=True)
    exchange_digest = models.BinaryField(max_length=16, null=True)
    nextcloud_digest = models.BinaryField(max_length=16, null=True)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["enrollment", "exchange_digest"], name="tomb_exchange"),
            models.Index(fields=["enrollment", "nextcloud_digest"], name="tomb_nextcloud"),
        ]

    def __str__(self) -> str:
        return f"tomb {self.pk}"
