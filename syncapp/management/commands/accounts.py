"""Service accounts on the command line."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp.jobs import accounts
from syncapp.models import ServiceAccount
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Imports the file, or lists what is known."""

    help = "Import the service accounts file (SERVICE_ACCOUNTS_FILE), or list the accounts that are known."

    def add_arguments(self, parser: CommandParser) -> None:
        """One word says what to do."""
        parser.add_argument("action", choices=["import", "list"])

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when the file can't be used."""
        check_ready()
        if options["action"] == "import":
            self._import()
        for account in ServiceAccount.objects.order_by("name"):
            self.stdout.write(f"{account.name}: {account.endpoint}, {account.auth_type}, {_state(account)}")

    def _import(self) -> None:
        try:
            listed = accounts.read_file(settings.SERVICE_ACCOUNTS_FILE)
        except accounts.WrongFile as error:
            raise CommandError(str(error)) from error
        if not listed:
            raise CommandError(
                f'{settings.SERVICE_ACCOUNTS_FILE} lists nobody. Write: [{{"Username": "...", "Password": "..."}}]'
            )
        accounts.import_accounts(listed)


def _state(account: ServiceAccount) -> str:
    if not account.enabled:
        return "switched off"
    if account.rests_until and account.rests_until > timezone.now():
        return f"rests until {timezone.localtime(account.rests_until):%Y-%m-%d %H:%M}"
    return f"in use, {account.max_connections} connections"
