"""Who is left alone for a while: servers that do not answer, accounts that fail. Rests grow while nothing changes."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import F

from syncapp.models import ServerRest, ServiceAccount

NEXTCLOUD = "nextcloud"
NEXTCLOUD_ADMIN = "nextcloud-admin"
"""The calls that only the admin user may make; people's own tokens go on meanwhile."""
NEXTCLOUD_SIGN_IN = "nextcloud-sign-in"
"""The end of people's sign-in, which strangers can make fail as often as they like."""
OF_NEXTCLOUD = (NEXTCLOUD, NEXTCLOUD_ADMIN, NEXTCLOUD_SIGN_IN)
_FIRST_REST = dt.timedelta(seconds=10)
_LONGEST_REST = dt.timedelta(minutes=15)
_LONGEST_ASKED_FOR = dt.timedelta(hours=1)
# Directories lock accounts after a few wrong passwords within half an hour.
_FIRST_ACCOUNT_REST = dt.timedelta(minutes=15)
_LONGEST_ACCOUNT_REST = dt.timedelta(hours=4)


def growing(first: dt.timedelta, longest: dt.timedelta, times: int) -> dt.timedelta:
    """Twice as long each time."""
    factor: int = 2 ** min(times, 20)
    return min(longest, first * factor)


def rest_server(server: str, now: dt.datetime, seconds: float | None = None) -> None:
    """Leave a server alone, for ``seconds`` if it said so. Workers that fail at the same time count once."""
    asked = min(dt.timedelta(seconds=seconds), _LONGEST_ASKED_FOR) if seconds else None
    row = ServerRest.objects.filter(server=server).first()
    if row is None:
        until = now + (asked or _FIRST_REST)
        try:
            with transaction.atomic():
                ServerRest.objects.create(server=server, until=until)
        except IntegrityError:
            return  # another worker noticed it, too
        return
    rest = asked or growing(_FIRST_REST, _LONGEST_REST, row.failures)
    ServerRest.objects.filter(pk=row.pk, until__lte=now).update(until=now + rest, failures=F("failures") + 1)


def server_rests(server: str, now: dt.datetime) -> bool:
    """Whether to leave it alone now."""
    return ServerRest.objects.filter(server=server, until__gt=now).exists()


def server_answered(*servers: str) -> None:
    """They work again."""
    if ServerRest.objects.filter(server__in=servers).exists():  # usually there is nothing to write
        ServerRest.objects.filter(server__in=servers).delete()


def rest_account(account: ServiceAccount, now: dt.datetime) -> None:
    """Leave a service account alone after a failed login."""
    rest = growing(_FIRST_ACCOUNT_REST, _LONGEST_ACCOUNT_REST, account.failures)
    ServiceAccount.objects.filter(pk=account.pk).exclude(rests_until__gt=now).update(
        rests_until=now + rest, failures=F("failures") + 1
    )


def rest_account_for(account: ServiceAccount, now: dt.datetime, seconds: float) -> None:
    """Leave a service account alone for as long as it was told to; that is no failed login."""
    until = now + min(dt.timedelta(seconds=seconds), _LONGEST_ASKED_FOR)
    ServiceAccount.objects.filter(pk=account.pk).exclude(rests_until__gt=until).update(rests_until=until)


def account_works(account: ServiceAccount) -> None:
    """It logged in."""
    failed = ServiceAccount.objects.filter(pk=account.pk, failures__gt=0)
    if failed.exists():  # usually there is nothing to write
        failed.update(rests_until=None, failures=0)
