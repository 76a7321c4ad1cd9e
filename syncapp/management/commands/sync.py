"""Sync one person in the foreground, or say what a sync would do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from syncapp.jobs import accounts, leases, owners, preview, sync
from syncapp.management import dry_runs, people
from syncapp.management.announcements import report
from syncapp.models import Enrollment, Run, ServiceAccount
from syncapp.startup import check_ready


class Command(BaseCommand):
    """Runs slices of one enrollment until nothing is left to do."""

    help = "Sync one person now, in the foreground, and show what was done."

    def add_arguments(self, parser: CommandParser) -> None:
        """The person, and whether to compare everything."""
        people.add_argument(parser)
        parser.add_argument("--full", action="store_true", help="compare everything, not only what has changed")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
        parser.add_argument("--json", action="store_true", help="with --dry-run: print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sync. Raises CommandError when it fails."""
        check_ready()
        enrollment = people.find(options["user"])
        if options["dry_run"]:
            self._foresee(enrollment, full=options["full"], as_json=options["json"])
            return
        _check_state(enrollment, Enrollment.SYNCED)
        owner = owners.new_owner()
        with accounts.slot_for(enrollment, owner, timezone.now(), dry_runs.SLOT_SECONDS) as account:
            if account is None:
                raise CommandError("No service account is free: see `python manage.py accounts list`.")
            self._slices(enrollment, account, owner, full=options["full"])

    def _foresee(self, enrollment: Enrollment, *, full: bool, as_json: bool) -> None:
        _check_state(enrollment, Enrollment.SERVED)
        told = preview.told(dry_runs.run(enrollment, full=full))
        if as_json:
            self.stdout.write(json.dumps({"user": enrollment.nextcloud_uid, **told}))
            return
        self.stdout.write(f"What the next sync of {enrollment.nextcloud_uid} would do.")
        for line in report(told):
            self.stdout.write(line)

    def _slices(self, enrollment: Enrollment, account: ServiceAccount, owner: str, *, full: bool) -> None:
        shown = 0
        while True:
            enrollment.refresh_from_db()
            lease = leases.take(enrollment, owner)
            if lease is None:
                raise CommandError("A worker is syncing this user right now. Look at the overview page, or try later.")
            served = sync.serve(lease, enrollment, account, full=full and not shown)
            if served is None:
                raise CommandError("Another worker took over; this one has stopped.")
            shown += 1
            self._show(served, shown)
            if not served.more:
                return

    def _show(self, served: sync.Served, number: int) -> None:
        run = None if served.run_id is None else Run.objects.filter(pk=served.run_id).first()
        if run is None:
            self.stdout.write("Everything is in step; nothing had to be done.")
            return
        self.stdout.write(f"Slice {number}: {run.counted}")
        if served.outcome is Run.Outcome.FAILED:
            last = run.lines.order_by("-pk").first()
            raise CommandError(f"The run failed: {last.note if last else 'see the overview page'}")


def _check_state(enrollment: Enrollment, states: Sequence[str]) -> None:
    if enrollment.state not in states:
        raise CommandError(f"This user does not sync now: {Enrollment.State(enrollment.state).label}.")
