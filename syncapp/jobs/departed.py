"""What becomes of people who went away: after AWAY_DAYS everything that is remembered of them is deleted.

What was copied stays where it is, on both sides: it is theirs. Who comes back later begins anew, and what is on both
sides is adopted.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection

from django.conf import settings
from django.db import transaction

from syncapp.models import Enrollment, Transition
from syncapp.models.aside import of_a_person

logger = logging.getLogger(__name__)

_State = Enrollment.State
_AWAY = (_State.LEFT, _State.ABSENT, _State.NO_CONSENT, _State.INVITED)


def forget(now: dt.datetime, listed: Collection[str]) -> int:
    """Forget those who have been away for long enough; how many. ``listed`` are the uids that Nextcloud lists now.

    Who left and is listed all the same remains known as having left, or else the list would bring them back.
    """
    since = now - dt.timedelta(days=settings.AWAY_DAYS)
    forgotten = 0
    for row in Enrollment.objects.filter(state__in=_AWAY, state_since__lte=since):
        if row.nextcloud_uid not in listed:
            _delete(row)
        elif row.state == _State.LEFT and row.mailbox is not None:
            strip(row)
        else:
            continue
        forgotten += 1
        logger.info("enrollment %s: forgotten after %s days away (%s)", row.pk, settings.AWAY_DAYS, row.state)
    return forgotten


@transaction.atomic
def _delete(row: Enrollment) -> None:
    # Not who came back in between.
    if Enrollment.objects.select_for_update().filter(pk=row.pk, state=row.state).exists():
        Enrollment.objects.filter(pk=row.pk).delete()


@transaction.atomic
def strip(row: Enrollment) -> None:
    """Delete all but the name of the account, that it left, and the log that says how."""
    if not Enrollment.objects.select_for_update().filter(pk=row.pk, state=row.state).exists():
        return
    for model in of_a_person():
        if model is not Transition:
            model._default_manager.filter(enrollment=row.pk).delete()
    kept = {"nextcloud_login": "", "display_name": "", "token": "", "listed_address": "", "mailbox": None}
    Enrollment.objects.filter(pk=row.pk).update(
        **kept, approved=False, first_sync_done_at=None, full_comparison_at=None, last_success=None
    )
