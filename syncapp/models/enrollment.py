"""One person: a Nextcloud account, a mailbox and consent; and the lease of the worker that serves them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from syncapp.models.encrypted import EncryptedTextField
from syncapp.models.service_account import ServiceAccount


class Enrollment(models.Model):
    """A person whose items are kept the same on both sides.

    ``mailbox`` is the primary SMTP address, in lower case, or None while no mailbox is known; two enrollments never
    share one. ``listed_address`` is what Nextcloud says now: when it moves away from ``mailbox``, the enrollment is
    held and never re-pointed (docs/server-behaviour.md, section 1). ``token`` is the app password for DAV;
    ``token_refused_at`` is when Nextcloud first refused it: from then on it is not used, but for one confirming try.
    ``approved``: that this account and this mailbox belong to the same person was decided, by an admin or by a rule of
    the configuration. ``preview_first``: the first sync waits until an admin has seen what it would do, and approved.
    ``exchange_url`` is the EWS address that autodiscover told for the mailbox, "" while nobody asked.

    ``state`` is changed by ``syncapp/life.py`` alone, which knows what may follow what and keeps a log.
    """

    class State(models.TextChoices):
        """Whether the person's items sync, and if not, why."""

        INVITED = "invited", "Invited"
        LATER = "later", "Not in the pilot yet"
        WAITING = "waiting", "Waiting for approval"
        PREVIEW = "preview", "Waiting for a preview to be approved"
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        ABSENT = "absent", "Not listed by Nextcloud"
        HELD = "held", "Held: the address changed"
        NO_CONSENT = "no-consent", "Needs consent"
        NO_MAILBOX = "no-mailbox", "No mailbox"
        UNAVAILABLE = "unavailable", "Mailbox unavailable"
        LEFT = "left", "Left"

    class Origin(models.TextChoices):
        """Where consent was given."""

        APP = "app", "In Nextcloud's consent app"
        PAGES = "pages", "On the connector's pages"

    SYNCED: ClassVar = (State.ACTIVE, State.UNAVAILABLE)
    """The states in which workers sync, or try to."""
    SERVED: ClassVar = (State.PREVIEW, *SYNCED)
    """The states in which the connector talks to both servers for this person."""

    nextcloud_uid = models.CharField(max_length=255, unique=True)
    nextcloud_login = models.CharField(max_length=255)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.APP)
    display_name = EncryptedTextField(default="")
    token = EncryptedTextField(default="")
    token_refused_at = models.DateTimeField(null=True, blank=True)
    mailbox = models.CharField(max_length=320, unique=True, null=True, blank=True)
    listed_address = models.CharField(max_length=320, blank=True)
    exchange_url = models.CharField(max_length=500, blank=True)
    calendar = models.CharField(max_length=255, default="personal")
    address_book = models.CharField(max_length=255, default="contacts")
    state = models.CharField(max_length=20, choices=State, default=State.WAITING)
    state_since = models.DateTimeField(default=timezone.now)
    approved = models.BooleanField(default=False)
    preview_first = models.BooleanField(default=False)
    account = models.ForeignKey(ServiceAccount, null=True, blank=True, on_delete=models.SET_NULL)

    due_at = models.DateTimeField(db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    full_comparison_at = models.DateTimeField(null=True, blank=True)
    last_success = models.DateTimeField(null=True, blank=True)
    first_sync_done_at = models.DateTimeField(null=True, blank=True)

    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    passes = models.PositiveBigIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["state", "due_at"], name="enrollment_due")]

    def __str__(self) -> str:
        return f"enrollment {self.pk}"

    @property
    def ready_state(self) -> Enrollment.State:
        """The state of somebody whom nothing but an approval keeps from being synced."""
        if not self.approved:
            return self.State.WAITING
        return self.State.PREVIEW if self.preview_first else self.State.ACTIVE
