"""Credentials with which the connector acts on mailboxes, and the slots that bound their use."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.encrypted import EncryptedTextField


class ServiceAccount(models.Model):
    """An account of an Exchange organisation that may impersonate mailboxes.

    ``endpoint`` is the EWS address; "" means that autodiscover tells it for each mailbox. ``username`` and ``password``
    are for OAuth the application's id and secret; ``certificate`` (PEM, with its private key) may stand in for that
    secret, ``tenant`` is a directory's id or one of its domains, ``authority`` where it gives out tokens.
    ``fingerprint`` pins the server's certificate (SHA-256, small hexadecimal digits), which then no authority has to
    vouch for. ``domains`` says whom the account is for: mail domains and single addresses, small letters, separated by
    commas; "" for everybody whom no other account names.

    ``enabled`` says whether it is used at all. ``switched_off`` is an admin's word, which a file that lists the account
    does not undo. ``rests_until`` is set when the server asked for rest or the account failed; nobody uses it before.
    ``failures`` counts failed logins in a row, so that rests grow.
    """

    class AuthType(models.TextChoices):
        """How the account proves itself."""

        BASIC = "basic", "Basic"
        NTLM = "ntlm", "NTLM"
        KERBEROS = "kerberos", "Kerberos"
        OAUTH = "oauth", "OAuth 2.0"

    class Origin(models.TextChoices):
        """Where the account is managed."""

        APP = "app", "This app"
        FILE = "file", "The service accounts file"

    name = models.CharField(max_length=200, unique=True)
    endpoint = models.URLField(max_length=500, blank=True)
    auth_type = models.CharField(max_length=10, choices=AuthType, default=AuthType.BASIC)
    username = models.CharField(max_length=300)
    password = EncryptedTextField()
    certificate = EncryptedTextField(default="")
    tenant = models.CharField(max_length=255, blank=True)
    authority = models.URLField(max_length=500, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    domains = models.TextField(blank=True)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.APP)
    enabled = models.BooleanField(default=True)
    switched_off = models.BooleanField(default=False)
    max_connections = models.PositiveSmallIntegerField(default=8)
    rests_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.name

    def fits(self, mailbox: str) -> int:
        """How closely the account is meant for a mailbox: 3 by its address, 2 by its domain, 1 by nothing; 0 not."""
        if not self.domains:
            return 1
        named = self.domains.split(",")
        return 3 if mailbox in named else 2 * (mailbox.rpartition("@")[2] in named)


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
