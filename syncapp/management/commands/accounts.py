"""Service accounts on the command line."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp.jobs import account_test, accounts, accounts_file, remedies
from syncapp.models import AccountTestStep, ServiceAccount
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Imports the file, lists what is known, tests, disables and enables."""

    help = "Service accounts: import the file (SERVICE_ACCOUNTS_FILE), list, test, disable or enable them."

    def add_arguments(self, parser: CommandParser) -> None:
        """One word says what to do."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("import", help="make the accounts those of the file, now")
        actions.add_parser("list", help="the accounts, and what each of them does")
        test = actions.add_parser("test", help="try what it takes to use an account, step by step")
        test.add_argument("name", nargs="?", help="the account's name, as listed; all of them without one")
        test.add_argument("--mailbox", default="", help="act for this mailbox, too")
        test.add_argument("--write", action="store_true", help="write something into its bin, and remove it")
        for action, words in (("disable", "use an account no more"), ("enable", "use it again")):
            actions.add_parser(action, help=words).add_argument("name", help="the account's name, as listed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when the file can't be used, and for an unknown account."""
        check_ready()
        match options["action"]:
            case "import":
                self._import()
                self._list()
            case "list":
                self._list()
            case "test":
                self._test(options["name"], options["mailbox"], write=options["write"])
            case action:
                self._switch(_named(options["name"]), on=action == "enable")

    def _import(self) -> None:
        file = settings.SERVICE_ACCOUNTS_FILE
        try:
            listed = accounts_file.read_file(file)
        except accounts_file.WrongFile as error:
            raise CommandError(str(error)) from error
        if not listed:
            raise CommandError(f'{file} lists nobody. Write: [{{"Username": "...", "Password": "..."}}]')
        if accounts_file.others_may_read(file):
            self.stderr.write(f"{file} holds passwords and can be read by others on this machine: chmod 600 {file}")
        accounts.import_accounts(listed)

    def _list(self) -> None:
        found = ServiceAccount.objects.order_by("name")
        for account in found:
            self.stdout.write(f"{account.name}: {_where(account)}, {account.auth_type}, {_state(account)}")
            if sentence := remedies.ending(account.endpoint, timezone.now().date()):
                self.stdout.write(f"  {sentence}")
        if not found:
            self.stdout.write(
                f"There is no service account. List them in {settings.SERVICE_ACCOUNTS_FILE}, then: manage.py "
                "accounts import"
            )

    def _test(self, name: str | None, mailbox: str, *, write: bool) -> None:
        tested = [_named(name)] if name else list(ServiceAccount.objects.filter(enabled=True).order_by("name"))
        if not tested:
            raise CommandError("There is no service account to test. Begin with: manage.py accounts import")
        well = [self._test_one(account, mailbox, write=write) for account in tested]
        if not all(well):
            raise CommandError(f"{well.count(False)} of {len(well)} accounts cannot be used as they are.")
        self.stdout.write("All is well." if mailbox else "All is well so far. Name a mailbox to try more: --mailbox")

    def _test_one(self, account: ServiceAccount, mailbox: str, *, write: bool) -> bool:
        self.stdout.write(f"{account.name}:")
        well = True
        for step in account_test.perform(account_test.begin(account, mailbox, write=write)):
            self.stdout.write(f"  {_MARKS[step.state]:7} {step.get_name_display()}: {step.text}")
            if step.state == AccountTestStep.State.FAILED:
                self.stdout.write(f"          {step.remedy}")
                well = False
        return well

    def _switch(self, account: ServiceAccount, *, on: bool) -> None:
        accounts.switch(account, on=on)
        if not on:
            self.stdout.write(
                f'"{account.name}" is used no more; what is under way comes to its end. To use it again: manage.py '
                f'accounts enable "{account.name}"'
            )
            return
        if account.origin == ServiceAccount.Origin.FILE:
            self._import()  # which disables it again if it is not listed any more
        account.refresh_from_db()
        if not account.enabled:
            raise CommandError(f'"{account.name}" is no longer listed in {settings.SERVICE_ACCOUNTS_FILE}.')
        self.stdout.write(f'"{account.name}" is used again.')


_MARKS: dict[str, str] = {
    AccountTestStep.State.DONE: "ok",
    AccountTestStep.State.FAILED: "FAILED",
    AccountTestStep.State.SKIPPED: "-",
}


def _named(name: str) -> ServiceAccount:
    account = ServiceAccount.objects.filter(name=name).first()
    if account is None:
        known = ", ".join(ServiceAccount.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f'There is no service account "{name}"; there are: {known or "none"}.')
    return account


def _where(account: ServiceAccount) -> str:
    where = account.endpoint or "autodiscover"
    return f"{where} for {account.domains.replace(',', ', ')}" if account.domains else where


def _state(account: ServiceAccount) -> str:
    if account.switched_off:
        return "switched off"
    if not account.enabled:
        return "no longer listed in the file"
    if account.rests_until and account.rests_until > timezone.now():
        return f"rests until {timezone.localtime(account.rests_until):%Y-%m-%d %H:%M}"
    return f"in use, {account.max_connections} connections"
