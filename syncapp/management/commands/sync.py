"""Sync one person in the foreground."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from syncapp.jobs import accounts, owners, sync
from syncapp.models import Enrollment, Run, ServiceAccount
from syncapp.startup import check_ready

_SLOT_SECONDS = 3600.0


class Command(BaseCommand):
    """Runs slices of one enrollment until nothing is left to do."""

    help = "Sync one person now, in the foreground, and show what was done."

    def add_arguments(self, parser: CommandParser) -> None:
        """The person, and whether to compare everything."""
        parser.add_argument("user", help="user id in Nextcloud, or address of the mailbox")
        parser.add_argument("--full", action="store_true", help="compare everything, not only what has changed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sync. Raises CommandError when it fails."""
        check_ready()
        enrollment = self._find(options["user"])
        owner = owners.new_owner()
        with accounts.slot_for(enrollment, owner, timezone.now(), _SLOT_SECONDS) as account:
            if account is None:
                raise CommandError("No service account is free: see `python manage.py accounts list`.")
            self._slices(enrollment, account, owner, full=options["full"])

    def _find(self, user: str) -> Enrollment:
        found = Enrollment.objects.filter(Q(nextcloud_uid=user) | Q(mailbox=user.lower())).first()
        if found is None:
            raise CommandError("Nobody of that name is enrolled: see `python manage.py refresh`.")
        if found.state != Enrollment.State.ACTIVE:
            raise CommandError(f"This user does not sync now: {Enrollment.State(found.state).label}.")
        return found

    def _slices(self, enrollment: Enrollment, account: ServiceAccount, owner: str, *, full: bool) -> None:
        shown = 0
        while True:
            enrollment.refresh_from_db()
            lease = sync.take(enrollment, owner)
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
        self.stdout.write(
            f"Slice {number}: {run.created} created, {run.updated} updated, {run.deleted} deleted, "
            f"{run.adopted} adopted, {run.held} held, {run.failed} failed, {run.pending} pending."
        )
        if served.outcome is Run.Outcome.FAILED:
            last = run.lines.order_by("-pk").first()
            raise CommandError(f"The run failed: {last.note if last else 'see the overview page'}")
