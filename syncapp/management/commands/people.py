"""Who is enrolled, and what admins decide about them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp import life, words
from syncapp.jobs import decisions, farewell
from syncapp.jobs.decisions import NotPossible
from syncapp.life import Reason
from syncapp.management import people
from syncapp.models import Enrollment
from syncapp.side import SideName
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Lists people, tells what happened to one, and decides."""

    help = "List who is enrolled, show one person, or approve, pause, resume, remove or readmit them."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and with whom."""
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("list", help="everybody, with state and mailbox")
        people.add_argument(what.add_parser("show", help="one person, and what happened to them"))
        approve = what.add_parser("approve", help="account and mailbox belong to the same person")
        people.add_argument(approve)
        approve.add_argument("mailbox", help="the mailbox that you have made sure of")
        remove = what.add_parser("remove", help="end the sync; what was copied stays, or is taken back from one side")
        people.add_argument(remove)
        remove.add_argument("--copies", choices=["stay", *SideName], default="stay",
                            help="from which side the copies that nobody has changed go to the bin")  # fmt: skip
        for name, meaning in {
            "pause": "stop the sync until it is resumed",
            "resume": "let a paused person go on",
            "readmit": "let somebody who left come back, whom the consent app lists",
        }.items():
            people.add_argument(what.add_parser(name, help=meaning))

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when it is not possible."""
        check_ready()
        if options["what"] == "list":
            self._list()
            return
        row = people.find(options["user"])
        if options["what"] == "show":
            self._show(row)
            return
        if options.get("copies", "stay") != "stay":
            self._take_back(row, SideName(options["copies"]))
            return
        try:
            done = self._decide(row, timezone.now(), options)
        except NotPossible as error:
            raise CommandError(str(error)) from error
        if not done:
            raise CommandError("Not done: the state or the mailbox is another one by now. Please look again.")
        row.refresh_from_db()
        self.stdout.write(f"{row.nextcloud_uid}: {Enrollment.State(row.state).label}. {life.TOLD[row.state]}")

    def _take_back(self, row: Enrollment, name: SideName) -> None:
        side = words.side_name(name)
        self.stdout.write(f"Taking back what the connector copied to {side}: {farewell.copies(row, name)} items ...")
        try:
            taken = farewell.remove(row, name, timezone.now(), people.COMMAND_LINE)
        except NotPossible as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Copies put into the bin of {side}: {taken.removed}. "
            f"Left because somebody has changed them: {taken.left}. "
            f"{row.nextcloud_uid} has left, and nothing else is remembered of them."
        )

    def _decide(self, row: Enrollment, now: dt.datetime, options: dict[str, Any]) -> bool:
        by = people.COMMAND_LINE
        match options["what"]:
            case "approve":
                return decisions.approve(row.pk, options["mailbox"].lower(), now, by)
            case "pause":
                return decisions.pause(row, now, by)
            case "resume":
                return decisions.resume(row, now, by)
            case "remove":
                return decisions.leave(row, Reason.REMOVED, now, by)
        return decisions.readmit(row, now, by)

    def _list(self) -> None:
        for row in Enrollment.objects.order_by("nextcloud_uid"):
            self.stdout.write(
                f"{row.nextcloud_uid}: {Enrollment.State(row.state).label}, {row.mailbox or 'no mailbox'}"
            )
        if not Enrollment.objects.exists():
            self.stdout.write("Nobody is enrolled. Next: `python manage.py refresh`, or `python manage.py invite`.")

    def _show(self, row: Enrollment) -> None:
        self.stdout.write(f"{row.nextcloud_uid}: {Enrollment.State(row.state).label}, {row.mailbox or 'no mailbox'}")
        self.stdout.write(f"They are told: {life.TOLD[row.state]}")
        for problem in row.problems.exclude(level="item"):
            self.stdout.write(f"Problem: {problem.text} {problem.remedy}")
        for each in row.transitions.order_by("at", "pk"):
            by = f" by {each.by}" if each.by else ""
            at = timezone.localtime(each.at).strftime("%Y-%m-%d %H:%M")
            self.stdout.write(f"{at}  {life.sentence(each)}{by}")
