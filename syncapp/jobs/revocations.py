"""App passwords that nobody needs any more: Nextcloud is asked to forget them until it has."""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings

from syncapp.jobs import resting, sides, troubles
from syncapp.models import Revocation
from syncapp.nextcloud.accounts import Accounts
from syncapp.side import LoginFailed, SideError, Throttled, Unreachable

logger = logging.getLogger(__name__)

_LATER = dt.timedelta(hours=1)


def connect(login: str, password: str) -> Accounts:
    """Nextcloud as somebody with an app password sees it."""
    return Accounts(settings.NEXTCLOUD_URL, login, password, transport=sides.nextcloud_connections())


def ask_for(login: str, password: str, now: dt.datetime) -> None:
    """Remember an app password that is to be ended."""
    Revocation.objects.create(login=login, password=password, due_at=now)


def run(now: dt.datetime) -> int:
    """End what is due; how many ended. A server that does not answer is left alone; an account may be disabled."""
    ended = 0
    for row in Revocation.objects.filter(due_at__lte=now).order_by("due_at"):
        if resting.server_rests(resting.NEXTCLOUD, now):
            break
        try:
            with connect(str(row.login), str(row.password)) as accounts:
                accounts.revoke()
        except LoginFailed:
            logger.info("an app password was ended by somebody else")
        except (Throttled, Unreachable) as error:
            if troubles.nextcloud_down(error, now):
                break
            _put_off(row, error, now)
            continue
        except SideError as error:
            _put_off(row, error, now)
            continue
        ended += row.delete()[0]
    return ended


def _put_off(row: Revocation, error: SideError, now: dt.datetime) -> None:
    logger.warning("%s: not ended yet (%s)", row, error)
    Revocation.objects.filter(pk=row.pk).update(due_at=now + _LATER)
