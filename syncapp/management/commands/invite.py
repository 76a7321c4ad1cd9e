"""Invite a person to give consent on the connector's pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp.jobs import invitations
from syncapp.jobs.decisions import NotPossible
from syncapp.management import people
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Prints a link that works once."""

    help = "Make a link with which one person lets the connector into their Nextcloud account."

    def add_arguments(self, parser: CommandParser) -> None:
        """The account and the mailbox, which the admin says belong together."""
        parser.add_argument("user", help="user id in Nextcloud")
        parser.add_argument("mailbox", help="primary address of the mailbox of the same person")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it. Raises CommandError when the person can't be invited."""
        check_ready()
        if not settings.CONNECTOR_URL:
            raise CommandError("CONNECTOR_URL is empty in .env: people could not reach the connector's pages.")
        try:
            secret = invitations.invite(options["user"], options["mailbox"], timezone.now(), by=people.COMMAND_LINE)
        except NotPossible as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{settings.CONNECTOR_URL}/join/{secret}/")
        self.stdout.write(
            f"Give this link to the person with the Nextcloud account {options['user']}, and to nobody else. It works "
            f"once, within {settings.INVITATION_DAYS} days; it syncs {options['mailbox']} as soon as that account "
            "allows it."
        )
