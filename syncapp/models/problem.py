"""Why one item, user, account or server does not sync, in plain words, and who must do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from syncapp.models.encrypted import EncryptedTextField
from syncapp.models.enrollment import Enrollment
from syncapp.models.service_account import ServiceAccount


class Problem(models.Model):
    """One reason at one place; the row is removed when the place works again.

    ``key`` names reason and place, so that the same problem is one row however often it happens. ``text`` holds no
    personal content; ``label`` (sealed) is what a person needs to recognise the item.
    """

    class Level(models.TextChoices):
        """How much is affected."""

        INSTALLATION = "installation", "Installation"
        ACCOUNT = "account", "Service account"
        ENROLLMENT = "enrollment", "User"
        ITEM = "item", "Item"

    class Actor(models.TextChoices):
        """Who can do something about it."""

        ADMIN = "admin", "Administrator"
        USER = "user", "User"
        NOBODY = "nobody", "Nobody: it is tried again by itself"

    key = models.CharField(max_length=100, unique=True)
    level = models.CharField(max_length=12, choices=Level)
    code = models.CharField(max_length=40)
    text = models.TextField()
    remedy = models.TextField(blank=True)
    actor = models.CharField(max_length=8, choices=Actor, default=Actor.ADMIN)
    enrollment = models.ForeignKey(Enrollment, null=True, on_delete=models.CASCADE, related_name="problems")
    account = models.ForeignKey(ServiceAccount, null=True, on_delete=models.CASCADE, related_name="problems")
    link = models.ForeignKey("syncapp.Link", null=True, on_delete=models.CASCADE, related_name="problems")
    label = EncryptedTextField(default="")
    first_seen = models.DateTimeField(auto_now_add=True)
    last_seen = models.DateTimeField(auto_now=True)
    count = models.PositiveIntegerField(default=1)

    if TYPE_CHECKING:
        id: int

    def __str__(self) -> str:
        return self.key
