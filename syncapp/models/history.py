"""The objects that we overwrote or deleted, as they were: nobody's edit is lost without a record."""

from __future__ import annotations

import zlib
from typing import ClassVar

from django.db import models

from syncapp import crypto
from syncapp.models.encrypted import EncryptedTextField
from syncapp.models.enrollment import Enrollment
from syncapp.models.link import KEY_BYTES
from syncapp.models.pairing import Pairing

_CONTEXT = "syncapp_history.content"


class History(models.Model):
    """A native object before our write. ``fingerprint`` (keyed) keeps the same object from being stored twice.

    ``label`` (sealed) is what a person recognises it by. ``fields`` are those that were overwritten, ``conflicts``
    those of them that both sides had changed; ``winner`` is whose version stands since. ``uid`` and ``pairing`` say
    where the object belongs, so that it can be found, or made, again.

    With HISTORY_DAYS=0 nothing of an object is kept: ``content`` is empty, and a row says only what was seen in a bin.
    """

    class Reason(models.TextChoices):
        """What was about to happen to the object."""

        OVERWRITTEN = "overwritten", "Overwritten"
        DELETED = "deleted", "Deleted"
        LATE_COPY = "late-copy", "A late copy of ours, removed"
        IN_BIN = "in-bin", "Changed just before it was deleted"
        RESTORED = "restored", "Overwritten with an earlier version"

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="history")
    pairing = models.ForeignKey(Pairing, null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.BinaryField(max_length=KEY_BYTES)
    kind = models.CharField(max_length=10)
    side = models.CharField(max_length=10)
    uid = models.TextField(blank=True)
    reason = models.CharField(max_length=12, choices=Reason)
    fingerprint = models.BinaryField(max_length=16)
    content = models.BinaryField()
    label = EncryptedTextField(default="")
    fields = models.TextField(blank=True)
    conflicts = models.TextField(blank=True)
    winner = models.CharField(max_length=10, blank=True)
    run_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "side", "fingerprint"], name="history_once_per_object")
        ]
        indexes: ClassVar = [models.Index(fields=["enrollment", "-at"], name="history_of_enrollment")]

    def __str__(self) -> str:
        return f"history {self.pk}"

    @staticmethod
    def sealed(packed: bytes) -> bytes:
        """A packed native object as it is stored: compressed and encrypted."""
        return crypto.seal(zlib.compress(packed, 6), _CONTEXT)

    @property
    def packed(self) -> bytes:
        """The native object as ``Side.pack`` made it. Raises ``crypto.WrongKey``."""
        return zlib.decompress(crypto.unseal(bytes(self.content), _CONTEXT))
