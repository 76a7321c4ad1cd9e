"""The nonces under which we asked a server to create something; remembered even after the link has died (rule 11)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.items.fingerprint import Base
from syncapp.models.enrollment import Enrollment
from syncapp.models.link import KEY_BYTES, NONCE_BYTES


class Sent(models.Model):
    """One attempt to create an object: the key of its link, the nonce, and what was sent.

    ``hashes`` are those of the projection that was sent (once it was read back: of what became of it), ``source`` those
    of the object that it was made from, both as packed bases; ``whole`` is the fingerprint of that object. ``steps``
    are paths of elements that the side writes in requests of their own. ``linked`` once an object with this nonce
    became the link's: a second one with the same nonce is a person's copy.
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="+")
    side = models.CharField(max_length=10)
    key = models.BinaryField(max_length=KEY_BYTES)
    nonce = models.BinaryField(max_length=NONCE_BYTES)
    hashes = models.BinaryField()
    source = models.BinaryField()
    whole = models.BinaryField(max_length=8)
    steps = models.JSONField(default=list)
    linked = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "nonce"], name="one_row_per_nonce")]

    def __str__(self) -> str:
        return f"sent {self.pk}"

    def base(self, packed: bytes) -> bytes:
        """``hashes`` or ``source`` as a base for when it is not known whether the steps were done: without them."""
        steps = set(map(bytes.fromhex, self.steps))
        base = Base.unpack(bytes(packed))
        return Base({path: value for path, value in base.hashes.items() if path not in steps}, base.version).pack()
