"""What a side's error means: at which level it is a problem, who has to do what, and when to try again.

The table is docs/server-behaviour.md, sections 1.3, 3.2 and 4.3. A server that does not answer anybody is a problem of
the installation and rests; a service account that cannot log in is a problem of the account and rests; what concerns
one person only is that person's problem, and everybody else goes on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from syncapp import life
from syncapp.jobs import places, probe, remedies, resting
from syncapp.jobs.task import describe
from syncapp.life import Reason
from syncapp.models import Enrollment, Problem, ServerRest, ServiceAccount
from syncapp.side import (
    Gone,
    LoginFailed,
    NoMailbox,
    NotAllowed,
    NoToken,
    SideError,
    SideName,
    Throttled,
    Unreachable,
    Untrusted,
)

logger = logging.getLogger(__name__)

Level, Actor = Problem.Level, Problem.Actor

_HOUR = dt.timedelta(hours=1)
_FIRST_RETRY = dt.timedelta(seconds=30)
_TROUBLE_SECONDS = 60.0
"""How long an account rests when nobody said how long."""
_BUSY_TOGETHER = dt.timedelta(minutes=5)
CONFIRM_AFTER = _HOUR
"""How long after a refused token the one confirming try is made."""
SEVERAL = 3
"""This many refused tokens within an hour are no coincidence, nor are all of them."""

ENROLLMENT_CODES = (
    "account-unreachable",
    "busy",
    "exchange-denied",
    "folder-gone",
    "internal",
    "mailbox-unreachable",
    "nextcloud-denied",
    "no-mailbox",
    "token-refused",
)
"""What one successful run of an enrollment disproves."""


def server_key(server: str) -> str:
    """The key of a server's problem: a server has one at a time."""
    return f"server:{hashlib.sha256(server.encode()).hexdigest()[:16]}"


def account_keys(account: ServiceAccount) -> list[str]:
    """The keys of a service account's problems that a success disproves."""
    return [_account_key(account, what) for what in ("login", "busy", "token", "untrusted")]


def _account_key(account: ServiceAccount, what: str) -> str:
    return f"account:{account.pk}:{what}"


def retry_at(enrollment: Enrollment, now: dt.datetime) -> dt.datetime:
    """When to try again something that nobody knows the end of; ``attempts`` has been counted already."""
    return now + resting.growing(_FIRST_RETRY, _HOUR, max(0, enrollment.attempts - 1))


def met(error: Exception, enrollment: Enrollment, account: ServiceAccount, now: dt.datetime) -> dt.datetime:
    """Report what stopped a slice, let rest who must rest, and say when the enrollment is due again."""
    if not isinstance(error, SideError):
        logger.error("enrollment %s: %s", enrollment.pk, describe(error))
        _of_enrollment(enrollment, "internal", "The connector itself failed here; its log says where.",
                       "Please report this with the lines of the log.")  # fmt: skip
        return retry_at(enrollment, now)
    logger.warning("enrollment %s: %s at %s", enrollment.pk, type(error).__name__, error.side)
    if error.side is SideName.NEXTCLOUD:
        return _nextcloud(error, enrollment, now)
    return _exchange(error, enrollment, account, now)


def works(enrollment: Enrollment, account: ServiceAccount) -> None:
    """A slice went through: whatever its success disproves is over."""
    over = Q(key__in=[server_key(resting.NEXTCLOUD), server_key(account.endpoint), *account_keys(account)])
    over |= Q(enrollment=enrollment, level=Level.ENROLLMENT, code__in=ENROLLMENT_CODES)
    if Problem.objects.filter(over).exists():  # usually there is nothing to write
        Problem.objects.filter(over).delete()
    resting.server_answered(resting.NEXTCLOUD, account.endpoint)
    resting.account_works(account)
    if enrollment.state == Enrollment.State.UNAVAILABLE:
        life.move(enrollment, Enrollment.State.ACTIVE, Reason.MAILBOX_BACK, timezone.now())
    if enrollment.token_refused_at:
        Enrollment.objects.filter(pk=enrollment.pk).update(token_refused_at=None)
        clear_refused_tokens()


def forget_unused() -> None:
    """What was wrong with a server or an account that nobody uses any more is nobody's problem."""
    used = ServiceAccount.objects.filter(enabled=True)
    gone = ServerRest.objects.exclude(server__in=resting.OF_NEXTCLOUD)
    gone = gone.exclude(server__in=used.values("endpoint"))
    Problem.objects.clear(*(server_key(rest.server) for rest in gone))
    gone.delete()
    Problem.objects.filter(level=Level.ACCOUNT).exclude(account__in=used).delete()


def _of_enrollment(
    enrollment: Enrollment, code: str, text: str, remedy: str = "", actor: Problem.Actor = Actor.ADMIN
) -> None:
    Problem.objects.report(
        f"enrollment:{enrollment.pk}:{code}",
        level=Level.ENROLLMENT,
        code=code,
        text=text,
        remedy=remedy,
        actor=actor,
        enrollment=enrollment,
    )


# Exchange ----------------------------------------------------------------------------------------------------------


def _exchange(error: SideError, enrollment: Enrollment, account: ServiceAccount, now: dt.datetime) -> dt.datetime:
    match error:
        case LoginFailed():
            resting.rest_account(account, now)
            _of_account(account, "login", "exchange-login", str(error), remedies.LOGIN[account.auth_type])
            return now
        case Throttled(whole_server=True):
            _server_rests(account.endpoint, "exchange-busy", str(error), "", now, error.seconds, Actor.NOBODY)
            return now
        case Throttled():
            return _exchange_busy(error, enrollment, account, now)
        case NoToken():
            resting.rest_account_for(account, now, _TROUBLE_SECONDS)
            _of_account(account, "token", "exchange-token", str(error), remedies.tokens(account.auth_type))
            return now
        case Untrusted():
            resting.rest_account_for(account, now, _TROUBLE_SECONDS)
            _of_account(account, "untrusted", "exchange-untrusted", str(error), remedies.TRUST)
            return now
        case Unreachable():
            return _exchange_unreachable(error, enrollment, account, now)
        case NotAllowed():
            _of_enrollment(enrollment, "exchange-denied", str(error))
            return now + _HOUR
        case NoMailbox():
            _of_enrollment(enrollment, "no-mailbox", str(error),
                           "Check the address in Nextcloud, and that the mailbox exists in Exchange.")  # fmt: skip
            if enrollment.state == Enrollment.State.ACTIVE:
                life.move(enrollment, Enrollment.State.UNAVAILABLE, Reason.MAILBOX_GONE, now)
            return now + _HOUR
        case Gone():
            _of_enrollment(enrollment, "folder-gone", "A folder that was synced is gone from the mailbox.",
                           "Restore the folder, or choose another one.")  # fmt: skip
            return now + _HOUR
    _of_enrollment(enrollment, "mailbox-unreachable", str(error))
    return retry_at(enrollment, now)


def _exchange_busy(error: Throttled, enrollment: Enrollment, account: ServiceAccount, now: dt.datetime) -> dt.datetime:
    """Who asked too much rests as long as it was told: the account, or the mailbox whose budget it was.

    Two mailboxes of an account at about the same time are no coincidence.
    """
    seconds = error.seconds or _TROUBLE_SECONDS
    if not error.account:
        _of_enrollment(enrollment, "busy", str(error), actor=Actor.NOBODY)
        others = Problem.objects.filter(code="busy", enrollment__account=account, last_seen__gt=now - _BUSY_TOGETHER)
        if not others.exclude(enrollment=enrollment).exists():
            return now + dt.timedelta(seconds=seconds)
    resting.rest_account_for(account, now, seconds)
    _of_account(account, "busy", "exchange-busy", str(error), "", Actor.NOBODY)
    return now if error.account else now + dt.timedelta(seconds=seconds)


def _of_account(
    account: ServiceAccount, what: str, code: str, text: str, remedy: str, actor: Problem.Actor = Actor.ADMIN
) -> None:
    Problem.objects.report(
        _account_key(account, what),
        level=Level.ACCOUNT,
        code=code,
        text=text,
        remedy=remedy,
        actor=actor,
        account=account,
    )


def _exchange_unreachable(
    error: Unreachable, enrollment: Enrollment, account: ServiceAccount, now: dt.datetime
) -> dt.datetime:
    if not account.endpoint or probe.exchange(account) is probe.Health.UP:
        _of_enrollment(enrollment, "mailbox-unreachable", str(error), actor=Actor.NOBODY)
        return retry_at(enrollment, now)
    _server_rests(account.endpoint, "exchange-unreachable", str(error),
                  "Check that the server runs, that EXCHANGE_URL (or the account's endpoint) is right, and that this "
                  "machine can reach it.", now)  # fmt: skip
    return now


def _server_rests(
    server: str,
    code: str,
    text: str,
    remedy: str,
    now: dt.datetime,
    seconds: float | None = None,
    actor: Problem.Actor = Actor.ADMIN,
) -> None:
    resting.rest_server(server, now, seconds)
    Problem.objects.report(
        server_key(server), level=Level.INSTALLATION, code=code, text=text, remedy=remedy, actor=actor
    )


# Nextcloud ---------------------------------------------------------------------------------------------------------


def _nextcloud(error: SideError, enrollment: Enrollment, now: dt.datetime) -> dt.datetime:
    match error:
        case LoginFailed():
            return _token_refused(enrollment, now)
        case Throttled() | Unreachable():
            if nextcloud_down(error, now):
                return now
            _of_enrollment(enrollment, "account-unreachable",
                           "Nextcloud answers, but not for this account; it may be disabled there.",
                           "Check the account in Nextcloud.")  # fmt: skip
            return retry_at(enrollment, now)
        case NotAllowed() | NoMailbox():
            _of_enrollment(enrollment, "nextcloud-denied", str(error),
                           "Check in Nextcloud that the account exists and is enabled.")  # fmt: skip
            return now + _HOUR
        case Gone():
            _of_enrollment(enrollment, "folder-gone", "A calendar or address book that was synced is gone.",
                           "Restore it in Nextcloud, or choose another one.", Actor.USER)  # fmt: skip
            return now + _HOUR
    _of_enrollment(enrollment, "account-unreachable", str(error))
    return retry_at(enrollment, now)


def nextcloud_down(error: Unreachable | Throttled, now: dt.datetime) -> bool:
    """Find out whether the whole server is down or busy; if so, let it rest and report it.

    A 429 is meant for everything that comes from this machine (section 3.2.15); in maintenance it may answer with a
    Retry-After, too.
    """
    health = probe.nextcloud()
    seconds = error.seconds if isinstance(error, Throttled) else None
    if health is probe.Health.MAINTENANCE:
        _server_rests(resting.NEXTCLOUD, "nextcloud-maintenance", "Nextcloud is in maintenance mode.",
                      "When the work on it is done: occ maintenance:mode --off", now, seconds or 60)  # fmt: skip
    elif isinstance(error, Throttled):
        _server_rests(resting.NEXTCLOUD, "nextcloud-busy",
                      "Nextcloud answers nothing from this machine for a while, after failed logins or too many "
                      "requests.",
                      "It ends by itself. To keep it from happening, allow this machine's address in Nextcloud: "
                      "occ config:app:set bruteForce whitelist_1 --value=ADDRESS/32", now, seconds or 600)  # fmt: skip
    elif health is probe.Health.DOWN:
        _server_rests(resting.NEXTCLOUD, "nextcloud-unreachable", str(error),
                      "Check that the server runs, that NEXTCLOUD_URL in .env is right, and that this machine can "
                      "reach it.", now)  # fmt: skip
    return health is not probe.Health.UP or isinstance(error, Throttled)


# Refused tokens (docs/server-behaviour.md, section 1.3) ------------------------------------------------------------


def _token_refused(enrollment: Enrollment, now: dt.datetime) -> dt.datetime:
    """Stop using the token, read the list again, make one confirming try later; only then give up the consent."""
    if not Enrollment.objects.filter(pk=enrollment.pk, state__in=Enrollment.SERVED).exists():
        return now + CONFIRM_AFTER  # they left while a worker was with them
    if enrollment.token_refused_at is None:
        Enrollment.objects.filter(pk=enrollment.pk).update(token_refused_at=now)
        enrollment.token_refused_at = now
        places.make_due(places.REFRESH)
        _of_enrollment(enrollment, "token-refused",
                       "Nextcloud no longer accepts this user's app password. It is tried once more in an hour.",
                       actor=Actor.NOBODY)  # fmt: skip
        several_refused(enrollment)
    elif now < enrollment.token_refused_at + CONFIRM_AFTER:
        # A sync that somebody started by hand is not the confirming try.
        return enrollment.token_refused_at + CONFIRM_AFTER
    elif not several_refused(enrollment):
        # The next reading of the list asks the consent app to invalidate it: jobs/refresh.py.
        life.move(enrollment, Enrollment.State.NO_CONSENT, Reason.TOKEN_REFUSED, now)
        enrollment.problems.filter(code="token-refused").delete()
        _of_enrollment(enrollment, "no-consent",
                       "Nextcloud does not accept this user's app password any more.",
                       _where_to_consent(enrollment), Actor.USER)  # fmt: skip
        places.make_due(places.REFRESH)
    return now + CONFIRM_AFTER


def _where_to_consent(enrollment: Enrollment) -> str:
    if enrollment.origin == Enrollment.Origin.PAGES:
        return f"The user has to give consent again, at {settings.CONNECTOR_URL}/me/, or be invited again."
    return "The user has to give consent again, in Nextcloud's personal settings."


def several_refused(enrollment: Enrollment) -> bool:
    """Whether tokens of several people were refused about when this one was; if so, report it."""
    first = enrollment.token_refused_at
    if first is None:
        return False
    active = Enrollment.objects.filter(state__in=Enrollment.SERVED)
    refused = active.filter(token_refused_at__range=(first - _HOUR, first + _HOUR)).count()
    if refused < SEVERAL and not 2 <= refused == active.count():
        return False
    Problem.objects.report(
        "installation:tokens-refused",
        level=Level.INSTALLATION,
        code="tokens-refused",
        text="Nextcloud refuses the app passwords of several users at once. Nobody's consent is given up for that.",
        remedy="Look for the common cause: LDAP, a proxy before Nextcloud, a change of its secret.",
    )
    return True


def clear_refused_tokens() -> None:
    """End the problem of the installation when no token is refused any more."""
    if not Enrollment.objects.filter(state__in=Enrollment.SERVED, token_refused_at__isnull=False).exists():
        Problem.objects.clear("installation:tokens-refused")
