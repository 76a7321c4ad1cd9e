"""What was done for a person: runs, and the log of one of them in words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp.management import people
from syncapp.models import Enrollment, Run, RunLine
from syncapp.startup import check_ready
from syncapp.words import sentence

_SHOWN = 20


class Command(BaseCommand):
    """Lists runs, or tells one of them."""

    help = "List the last runs of a person, or show the log of one of them in words."

    def add_arguments(self, parser: CommandParser) -> None:
        """The person, and perhaps one of their runs."""
        people.add_argument(parser)
        parser.add_argument("--run", type=int, metavar="ID", help="show the log of this run")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it. Raises CommandError when there is nobody or no run of that name."""
        check_ready()
        enrollment = people.find(options["user"])
        if options["run"] is None:
            self._list(enrollment)
        else:
            self._tell(enrollment, options["run"])

    def _list(self, enrollment: Enrollment) -> None:
        runs = list(enrollment.runs.order_by("-started_at", "-pk")[:_SHOWN])
        if not runs:
            self.stdout.write("There is no run yet. Looks that find nothing leave none behind.")
        for run in runs:
            self.stdout.write(f"{run.pk}  {_time(run.started_at)}  {_ended(run)}: {run.counted}")
        if runs:
            self.stdout.write(f"The log of one: python manage.py runs {enrollment.nextcloud_uid} --run {runs[0].pk}")

    def _tell(self, enrollment: Enrollment, pk: int) -> None:
        run = enrollment.runs.filter(pk=pk).first()
        if run is None:
            raise CommandError("This person has no run of that number.")
        self.stdout.write(f"Run {run.pk} of {_time(run.started_at)}, {_ended(run)}: {run.counted}")
        for line in RunLine.objects.filter(run=run).order_by("at", "pk"):
            item = f"item {line.link_id}: " if line.link_id else ""
            self.stdout.write(f"{timezone.localtime(line.at):%H:%M:%S}  {item}{sentence(line)}")


def _time(moment: dt.datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"


def _ended(run: Run) -> str:
    return Run.Outcome(run.outcome).label.lower() if run.outcome else "under way"
