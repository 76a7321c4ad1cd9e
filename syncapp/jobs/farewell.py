"""The end of a person's sync with their copies taken back from one side, where an admin wants that.

They leave first, so that what is missing afterwards is nobody's deletion; their access is given up last.
"""

from __future__ import annotations

import datetime as dt

from syncapp.engine.farewell import TakenBack, ours, take_back
from syncapp.engine.lease import LeaseLost
from syncapp.jobs import accounts, decisions, departed, leases, owners, runs, sides
from syncapp.jobs.decisions import NotPossible
from syncapp.life import Reason
from syncapp.models import Enrollment, Run
from syncapp.side import SideError, SideName

_SLOT_SECONDS = 3600.0
_AGAIN = "Nobody syncs them any more. To go on with taking back their copies, repeat the command"


def copies(row: Enrollment, name: SideName) -> int:
    """How many copies we know to have made on one side."""
    return row.links.filter(ours(name)).count()


def remove(row: Enrollment, name: SideName, now: dt.datetime, by: str, build: sides.Build | None = None) -> TakenBack:
    """End the sync of a person, take back what is unchanged of the copies on one side, and forget all the rest.

    Raises NotPossible: before the person has left, or in the middle, and then a repetition goes on.
    """
    if row.state != Enrollment.State.LEFT:
        if not row.token:
            raise NotPossible("There is no access to this user's account in Nextcloud any more.")
        if not decisions.leave(row, Reason.REMOVED, now, by, keep_access=True):
            raise NotPossible("Something has changed in between. Please try again.")
        row.refresh_from_db()
    taken = _take_back(row, name, now, build or sides.build)
    decisions.give_up_access(row, now)
    departed.strip(row)
    return taken


def _take_back(row: Enrollment, name: SideName, now: dt.datetime, build: sides.Build) -> TakenBack:
    owner = owners.new_owner()
    with accounts.slot_for(row, owner, now, _SLOT_SECONDS) as account:
        if account is None:
            raise NotPossible(f"No service account is free. {_AGAIN}.")
        built = build(row, account)
        try:
            with leases.undisturbed(row, owner) as lease:
                run = runs.begin(row, now)
                taken = take_back(lease, run, built, name)
                runs.finish(run, Run.Outcome.DONE, now)
                return taken
        except (leases.Busy, LeaseLost) as error:
            raise NotPossible(f"A worker was still with this user. {_AGAIN} in five minutes.") from error
        except SideError as error:
            raise NotPossible(f"Not finished. {error} {_AGAIN}.") from error
        finally:
            sides.close(built)
