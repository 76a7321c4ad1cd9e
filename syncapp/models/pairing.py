"""One kind of item between one Exchange folder and one Nextcloud collection."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from syncapp.items import Kind
from syncapp.models.enrollment import Enrollment
from syncapp.side import SideName


def digest(text: str) -> bytes:
    """The key under which an id is looked up: ids are case-sensitive, collations of databases are not."""
    return hashlib.sha256(text.encode()).digest()[:16]


class Pairing(models.Model):
    """What is kept the same, with a sync token, a look and an epoch per side.

    The window (days back, days ahead) bounds only which events are first loaded. ``first_contact`` lasts until
    everything that the first listings found has been dealt with: only then items are adopted by content (rule 19).
    A ``distrusted`` side has another epoch or was restored: nothing that is missing there counts as deleted (rule 22).
    ``new_epoch``: the present first contact is one with another store than before, which the guard looks at (rule 23).
    ``vanished_at`` is when a folder was first not there any more. ``recent`` counts what went through unasked of late.
    """

    class Direction(models.TextChoices):
        """Which way changes travel."""

        BOTH = "both", "Both ways"
        TO_NEXTCLOUD = "to-nextcloud", "From Exchange to Nextcloud"
        TO_EXCHANGE = "to-exchange", "From Nextcloud to Exchange"

    class ConflictRule(models.TextChoices):
        """Who wins when the same field was changed on both sides to different things."""

        EXCHANGE = "exchange", "Exchange wins"
        NEXTCLOUD = "nextcloud", "Nextcloud wins"
        LATEST = "latest", "The latest change wins"

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="pairings")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in Kind])
    exchange_folder = models.TextField()
    nextcloud_folder = models.TextField()
    exchange_digest = models.BinaryField(max_length=16, editable=False)
    nextcloud_digest = models.BinaryField(max_length=16, editable=False)
    direction = models.CharField(max_length=12, choices=Direction, default=Direction.BOTH)
    conflict_rule = models.CharField(max_length=10, choices=ConflictRule, default=ConflictRule.EXCHANGE)
    days_back = models.PositiveIntegerField(default=30)
    days_ahead = models.PositiveIntegerField(default=365)
    enabled = models.BooleanField(default=True)

    exchange_token = models.TextField(blank=True)
    nextcloud_token = models.TextField(blank=True)
    exchange_look = models.TextField(blank=True)
    nextcloud_look = models.TextField(blank=True)
    exchange_epoch = models.TextField(blank=True)
    nextcloud_epoch = models.TextField(blank=True)
    exchange_distrusted = models.BooleanField(default=False)
    nextcloud_distrusted = models.BooleanField(default=False)
    exchange_vanished_at = models.DateTimeField(null=True, blank=True)
    nextcloud_vanished_at = models.DateTimeField(null=True, blank=True)
    first_contact = models.BooleanField(default=True)
    new_epoch = models.BooleanField(default=False)
    recent = models.JSONField(default=dict)
    first_listed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            # Installation-wide: two people can't sync the same shared calendar in a circle.
            models.UniqueConstraint(fields=["nextcloud_digest", "kind"], name="one_pairing_per_collection"),
            models.UniqueConstraint(fields=["exchange_digest", "kind"], name="one_pairing_per_folder"),
        ]

    def __str__(self) -> str:
        return f"pairing {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the digests true to the folders they stand for; a folder of a mailbox is named with its mailbox."""
        self.exchange_digest = digest(f"{self.enrollment.mailbox}\n{self.exchange_folder}")
        self.nextcloud_digest = digest(self.nextcloud_folder)
        super().save(*args, **kwargs)

    def folder(self, side: SideName) -> str:
        """The id of the folder on one side."""
        return self.exchange_folder if side is SideName.EXCHANGE else self.nextcloud_folder

    def token(self, side: SideName) -> str:
        """The sync token of one side, "" before its first complete listing."""
        return self.exchange_token if side is SideName.EXCHANGE else self.nextcloud_token

    def look(self, side: SideName) -> str:
        """What the cheap look at one side said when its token was new."""
        return self.exchange_look if side is SideName.EXCHANGE else self.nextcloud_look

    def epoch(self, side: SideName) -> str:
        """The identity of the store behind one side, "" when it was never asked."""
        return self.exchange_epoch if side is SideName.EXCHANGE else self.nextcloud_epoch

    def distrusted(self, side: SideName) -> bool:
        """Whether what is missing on one side may not count as deleted."""
        return self.exchange_distrusted if side is SideName.EXCHANGE else self.nextcloud_distrusted

    def vanished_at(self, side: SideName) -> datetime | None:
        """When the folder of one side was first found missing; None while it is there."""
        return self.exchange_vanished_at if side is SideName.EXCHANGE else self.nextcloud_vanished_at

    @property
    def listed(self) -> bool:
        """Whether both sides have been listed completely: nothing is created before (rule 19)."""
        return bool(self.exchange_token and self.nextcloud_token)

    @property
    def first_sync(self) -> bool:
        """Whether both sides meet for the first time: nothing that this creates or merges is suspicious."""
        return self.first_contact and not self.new_epoch

    def put(self, side: SideName | None = None, **values: Any) -> None:
        """Write columns, those of one side under their names without it."""
        named = {f"{side}_{name}" if side else name: value for name, value in values.items()}
        Pairing.objects.filter(pk=self.pk).update(**named)
        for name, value in named.items():
            setattr(self, name, value)

    # What went through of late, by side and deed and hour ------------------------------------------------------------

    def went_through(self, side: SideName, deed: str, since: datetime) -> int:
        """How much of a sort was written on one side since a time, to the hour, without anybody being asked."""
        hours: dict[str, int] = self.recent.get(f"{side} {deed}", {})
        return sum(number for hour, number in hours.items() if int(hour) >= _hour(since))

    def count(self, side: SideName, deed: str, number: int, at: datetime) -> None:
        """Add to that. What is older than a day is forgotten."""
        name, now = f"{side} {deed}", _hour(at)
        kept = {hour: known for hour, known in self.recent.get(name, {}).items() if int(hour) >= now - 24}
        kept[str(now)] = kept.get(str(now), 0) + number
        self.put(recent={**self.recent, name: kept})


def _hour(at: datetime) -> int:
    return int(at.timestamp()) // 3600
