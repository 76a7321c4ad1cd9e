"""What the first sync of a person would do, kept for the admin who decides whether it may."""

from __future__ import annotations

import json
import zlib
from typing import Any

from django.db import models

from syncapp import crypto
from syncapp.models.enrollment import Enrollment

_CONTEXT = "syncapp_preview.content"


class Preview(models.Model):
    """The result of a dry run: numbers in clear, and a sample of items and problems, sealed.

    ``counts`` are how often each code of a run's log would be written, by side ("" for both). ``in_step``, ``left`` and
    ``pending`` are those of ``syncapp.engine.dry_run.DryRun``.
    """

    enrollment = models.OneToOneField(Enrollment, on_delete=models.CASCADE, related_name="preview")
    at = models.DateTimeField()
    counts = models.JSONField(default=dict)
    in_step = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"preview {self.pk}"

    @staticmethod
    def sealed(content: Any) -> bytes:
        """The sample as it is stored: JSON, compressed and encrypted."""
        return crypto.seal(zlib.compress(json.dumps(content).encode(), 6), _CONTEXT)

    @property
    def opened(self) -> Any:
        """The sample that ``sealed`` was given. Raises ``crypto.WrongKey``."""
        return json.loads(zlib.decompress(crypto.unseal(bytes(self.content), _CONTEXT)))
