"""A dry run in the foreground."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.utils import timezone

from syncapp.engine.dry_run import DryRun
from syncapp.engine.lease import LeaseLost
from syncapp.jobs import accounts, leases, owners, preview
from syncapp.models import Enrollment
from syncapp.side import SideError

SLOT_SECONDS = 3600.0


def run(enrollment: Enrollment, *, full: bool = False) -> DryRun:
    """What the next run of a person would do. Raises CommandError with a sentence when that can't be found out.

    The lease and the slot of a service account are taken for the time that it takes and given back as they were.
    """
    owner = owners.new_owner()
    with accounts.slot_for(enrollment, owner, timezone.now(), SLOT_SECONDS) as account:
        if account is None:
            raise CommandError("No service account is free: see `python manage.py accounts list`.")
        try:
            with leases.undisturbed(enrollment, owner) as lease:
                return preview.foresee(lease, enrollment, account, full=full)
        except leases.Busy as error:
            raise CommandError("A worker is serving this user right now. Try again in a minute.") from error
        except LeaseLost as error:
            raise CommandError("A worker took over in between. Try again in a minute.") from error
        except SideError as error:
            side = f"{error.side.title()}: " if error.side else ""
            raise CommandError(f"Not found out. {side}{error}") from error
