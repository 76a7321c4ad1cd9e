"""How people let the connector in on its own pages: invitations, grants under way, and access that is to be ended."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from django.db import models

from syncapp.models.encrypted import EncryptedTextField
from syncapp.models.enrollment import Enrollment


def digest_of(secret: str) -> bytes:
    """What is kept of the secret part of a link. It has 256 random bits: nothing is gained by a slower hash."""
    return hashlib.sha256(secret.encode()).digest()


class Invitation(models.Model):
    """A link that begins the grant of one enrollment; it works once, and until ``expires_at``."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="invitations")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation {self.pk}"


class Grant(models.Model):
    """A login flow that a person has begun: for the account that they signed in with, or for an invitation.

    What Nextcloud tells once, when access was granted, is kept in ``login`` and ``password`` until it is made use of.
    """

    enrollment = models.ForeignKey(Enrollment, null=True, on_delete=models.CASCADE, related_name="grants")
    uid = models.CharField(max_length=255, blank=True)
    address = EncryptedTextField(default="")
    token = EncryptedTextField(default="")
    login = EncryptedTextField(default="")
    password = EncryptedTextField(default="")
    begun_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["begun_at"], name="grant_begun")]

    def __str__(self) -> str:
        return f"grant {self.pk}"


class Revocation(models.Model):
    """An app password that nobody needs any more and that Nextcloud is to forget; tried until it has."""

    login = EncryptedTextField()
    password = EncryptedTextField()
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"revocation {self.pk}"
