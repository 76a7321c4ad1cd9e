"""Why one item, user, account or server does not sync, in plain words, and who must do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import F
from django.utils import timezone

from syncapp.models.encrypted import EncryptedTextField
from syncapp.models.enrollment import Enrollment
from syncapp.models.service_account import ServiceAccount
from syncapp.side import SideName


class ProblemManager(models.Manager["Problem"]):
    """Problems come and go through ``report`` and ``clear``."""

    def report(
        self,
        key: str,
        *,
        level: Problem.Level,
        code: str,
        text: str,
        remedy: str = "",
        actor: Problem.Actor | None = None,
        enrollment: Enrollment | int | None = None,
        account: ServiceAccount | int | None = None,
        link_id: int | None = None,
        side: SideName | None = None,
        revision: str = "",
        label: str = "",
    ) -> Problem:
        """Say that a problem exists (again): one row per ``key``, counted. ``text`` holds no personal content."""
        values = {
            "level": level,
            "code": code,
            "text": text,
            "remedy": remedy,
            "actor": actor or Problem.Actor.ADMIN,
            "enrollment_id": enrollment.pk if isinstance(enrollment, Enrollment) else enrollment,
            "account_id": account.pk if isinstance(account, ServiceAccount) else account,
            "link_id": link_id,
            "side": side or "",
            "revision": revision,
            "label": label,
            "last_seen": timezone.now(),
        }
        problem, made = self.get_or_create(key=key, defaults=values)
        if not made:
            self.filter(pk=problem.pk).update(count=F("count") + 1, **values)
            problem.refresh_from_db()
        return problem

    def clear(self, *keys: str) -> int:
        """The places named by ``keys`` work again. How many problems that ended."""
        return self.filter(key__in=keys).delete()[0]


class Problem(models.Model):
    """One reason at one place; the row is removed when the place works again.

    ``key`` names reason and place, so that the same problem is one row however often it happens. ``text`` holds no
    personal content; ``label`` (sealed) is what a person needs to recognise the item; ``side`` is where it failed,
    ``revision`` which revision of the object can't be read there. The problem of an item is ignored when its link is.
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
    side = models.CharField(max_length=10, blank=True)
    revision = models.TextField(blank=True)
    label = EncryptedTextField(default="")
    first_seen = models.DateTimeField(auto_now_add=True)
    last_seen = models.DateTimeField(auto_now=True)
    count = models.PositiveIntegerField(default=1)

    objects: ClassVar[ProblemManager] = ProblemManager()

    if TYPE_CHECKING:
        id: int

    def __str__(self) -> str:
        return self.key

    @property
    def is_ignored(self) -> bool:
        """Whether somebody wants the item to be left alone until it changes."""
        return self.link is not None and self.link.ignored
