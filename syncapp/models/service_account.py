"""Credentials with which the connector acts on mailboxes, and the slots that bound its use."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.encrypted import EncryptedTextField


class ServiceAccount(models.Model):
    """An account of an Exchange organisation that may impersonate mailboxes.

    ``rests_until`` is set when the server asked for rest or the account failed; nobody uses it before. ``failures``
    counts how often in a row that happened, so that rests grow.
    """

    class AuthType(models.TextChoices):
        """How the account proves itself."""

        BASIC = "basic", "Basic"
        NTLM = "ntlm", "NTLM"

    class Origin(models.TextChoices):
        """Where the account is managed."""

        APP = "app", "This app"
        FILE = "file", "The service accounts file"

    name = models.CharField(max_length=200, unique=True)
    endpoint = models.URLField(max_length=500)
    auth_type = models.CharField(max_length=10, choices=AuthType, default=AuthType.BASIC)
    username = models.CharField(max_length=300)
    password = EncryptedTextField()
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.APP)
    enabled = models.BooleanField(default=True)
    max_connections = models.PositiveSmallIntegerField(default=8)
    rests_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class AccountSlot(models.Model):
    """One connection's worth of a service account, claimed together with an enrollment's lease."""

    account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    owner = models.CharField(max_length=64, blank=True)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "number"], name="one_row_per_slot")]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.number}"
