"""The one row about this installation: the canary of the encryption key and the wrapped base key."""

from __future__ import annotations

import base64
import os

from django.db import models, transaction

from syncapp.models.encrypted import EncryptedTextField

_CANARY = "the encryption key is right"


class Installation(models.Model):
    """Row 1 and no other. ``base_key`` hashes bases; it is made once and never rotated (docs/architecture.md)."""

    canary = EncryptedTextField()
    base_key_text = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"installation since {self.created_at:%Y-%m-%d}"

    @classmethod
    def get(cls) -> Installation:
        """The row, made on first use. Raises ``crypto.WrongKey`` when ENCRYPTION_KEY is not the one that made it."""
        if known := cls.objects.filter(pk=1).first():  # every slice asks, and a transaction would lock others out
            return known
        with transaction.atomic():
            row, _ = cls.objects.get_or_create(
                pk=1,
                defaults={"canary": _CANARY, "base_key_text": base64.b64encode(os.urandom(32)).decode()},
            )
        return row

    @property
    def base_key(self) -> bytes:
        """The 32 bytes that key every fingerprint."""
        return base64.b64decode(str(self.base_key_text))
