"""The test of a service account: what was tried, step by step, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from syncapp.models.service_account import ServiceAccount


class AccountTest(models.Model):
    """One test of an account. ``mailbox`` is whom it shall act for, "" for nobody; with ``write`` it writes there."""

    account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="+")
    mailbox = models.CharField(max_length=320, blank=True)
    write = models.BooleanField(default=False)
    asked_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"test of {self.account_id}"


class AccountTestStep(models.Model):
    """One step of a test; ``text`` says what is so, ``remedy`` what to do about a failure."""

    class Name(models.TextChoices):
        """What is tried, in this order."""

        ADDRESS = "address", "Autodiscover"
        NAME = "name", "Name resolution"
        CONNECTION = "connection", "Connection and certificate"
        TOKEN = "token", "Token"
        LOGIN = "login", "Login"
        IMPERSONATION = "impersonation", "Impersonation"
        FOLDERS = "folders", "Folders"
        WRITE = "write", "Write and remove"

    class State(models.TextChoices):
        """How it ended."""

        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Not tried"

    test = models.ForeignKey(AccountTest, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=15, choices=Name)
    state = models.CharField(max_length=10, choices=State)
    text = models.TextField()
    remedy = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
