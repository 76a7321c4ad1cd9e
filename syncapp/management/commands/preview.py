"""What the first sync of a person would do, and the approval that it waits for."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp.jobs import preview
from syncapp.management import dry_runs, people
from syncapp.management.announcements import report
from syncapp.models import Enrollment, Preview
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Shows a preview, and decides about it."""

    help = "Show what the first sync of a person would do, and let it begin with --approve."

    def add_arguments(self, parser: CommandParser) -> None:
        """The person, and what to do."""
        people.add_argument(parser)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--approve", action="store_true", help="let the first sync begin")
        what.add_argument("--again", action="store_true", help="make the preview anew, now")
        what.add_argument("--require", action="store_true", help="let this person's first sync wait for a preview")
        parser.add_argument("--json", action="store_true", help="print the preview as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when the person does not wait for a preview, or when it can't be made."""
        check_ready()
        enrollment = people.find(options["user"])
        if options["require"]:
            self._require(enrollment)
            return
        if enrollment.state != Enrollment.State.PREVIEW:
            raise CommandError(
                f"This user does not wait for a preview: {Enrollment.State(enrollment.state).label}. "
                f"What their next sync would do: python manage.py sync {enrollment.nextcloud_uid} --dry-run"
            )
        stored = Preview.objects.filter(enrollment=enrollment).first()
        if options["approve"]:
            self._approve(stored)
            return
        if stored is None or options["again"]:
            stored = preview.store(enrollment, dry_runs.run(enrollment))
        self._show(enrollment, stored, as_json=options["json"])

    def _show(self, enrollment: Enrollment, stored: Preview, *, as_json: bool) -> None:
        kept = preview.kept(stored)
        if as_json:
            self.stdout.write(json.dumps({"user": enrollment.nextcloud_uid, **kept}))
            return
        self.stdout.write(f"What the first sync of {enrollment.nextcloud_uid} would do.")
        for line in report(kept):
            self.stdout.write(line)
        self.stdout.write(f"Let it begin: python manage.py preview {enrollment.nextcloud_uid} --approve")

    def _approve(self, stored: Preview | None) -> None:
        if stored is None:
            raise CommandError("There is no preview yet that could be approved; without --approve it is made.")
        if not preview.approve(stored, timezone.now(), by=people.COMMAND_LINE):
            raise CommandError("The preview has changed in between. Look at it again.")
        self.stdout.write("Approved. The first sync begins within a minute if the workers run.")

    def _require(self, enrollment: Enrollment) -> None:
        if not preview.require(enrollment.pk, timezone.now(), by=people.COMMAND_LINE):
            raise CommandError("This user's first sync has begun already.")
        self.stdout.write("The first sync of this user waits until a preview was approved.")
