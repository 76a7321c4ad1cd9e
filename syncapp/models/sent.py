"""The nonces under which we asked a server to create something; remembered even after the link has died (rule 11)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.enrollment import Enrollment
from syncapp.models.link import KEY_BYTES, NONCE_BYTES


class Sent(models.Model):
    """One attempt to create an object: the key of its link, the nonce, and the hashes of what was sent.

    ``linked`` once an object with this nonce became the link's: a second one with the same nonce is a person's copy.
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="+")
    side = models.CharField(max_length=10)
    key = models.BinaryField(max_length=KEY_BYTES)
    nonce = models.BinaryField(max_length=NONCE_BYTES)
    hashes = models.BinaryField()
    linked = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "nonce"], name="one_row_per_nonce")]

    def __str__(self) -> str:
        return f"sent {self.pk}"
