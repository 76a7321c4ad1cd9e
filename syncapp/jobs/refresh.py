"""Who is enrolled: reads the consent app's list and the service accounts file, and draws the careful conclusions.

Absence is not revocation; an address that people may type themselves is no proof of identity
(docs/server-behaviour.md, sections 1.3 and 1.6).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from syncapp.jobs import accounts, enroll, places, resting, troubles
from syncapp.jobs.task import task
from syncapp.models import Enrollment, Problem, ServiceAccount
from syncapp.side import LoginFailed, NotAllowed, SideError, Throttled, Unreachable

logger = logging.getLogger(__name__)

_State = Enrollment.State


class ConsentApp(Protocol):
    """The calls of the consent app; syncapp/nextcloud/consent.py is the real one."""

    def actives(self) -> Sequence[enroll.Listed]:
        """Everybody who consents now. Raises ``SideError``."""

    def invalidate(self, uid: str) -> None:
        """Tell the app that somebody's app password does not work any more. Raises ``SideError``."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True)
class Refreshed:
    """What a reading of the list came to. ``sentence`` says why there is nothing, if so."""

    listed: int = 0
    undecipherable: int = 0
    absent: int = 0
    sentence: str = ""


def refresh_if_due() -> None:
    """Refresh if nobody did within REFRESH_INTERVAL."""
    if places.take_turn(places.REFRESH, dt.timedelta(seconds=settings.REFRESH_INTERVAL), timezone.now()):
        refresh_enrollments()


@task
def refresh_enrollments() -> None:
    """Read the file and the list once."""
    import_file()
    refresh(timezone.now())


# The service accounts file -----------------------------------------------------------------------------------------

_FILE_KEY, _NONE_KEY = "installation:accounts-file", "installation:no-account"


def import_file() -> str:
    """Bring in the service accounts file; the sentence that says why not, or ""."""
    sentence = ""
    try:
        accounts.import_accounts(accounts.read_file(settings.SERVICE_ACCOUNTS_FILE))
        Problem.objects.clear(_FILE_KEY)
    except accounts.WrongFile as error:
        sentence = str(error)
        _report(_FILE_KEY, "accounts-file", sentence,
                "Correct the file; it is read again by itself. The accounts known so far stay in use.")  # fmt: skip
    if ServiceAccount.objects.filter(enabled=True).exists():
        Problem.objects.clear(_NONE_KEY)
    elif not sentence:
        sentence = "There is no Exchange service account."
        _report(_NONE_KEY, "no-account", sentence,
                f"List one in {settings.SERVICE_ACCOUNTS_FILE.name}: "
                '[{"Username": "...", "Password": "..."}]')  # fmt: skip
    return sentence


# The list ----------------------------------------------------------------------------------------------------------

_LIST_KEY, _SECRET_KEY = "installation:consent-list", "installation:shared-secret"


def refresh(now: dt.datetime, connect: Callable[[], ConsentApp] = enroll.connect) -> Refreshed:
    """Bring enrollments up to date with the consent app's list; whatever goes wrong is reported as a problem."""
    if resting.server_rests(resting.NEXTCLOUD, now) or resting.server_rests(resting.NEXTCLOUD_ADMIN, now):
        return Refreshed(sentence="Nextcloud is left alone for the moment; see the problems.")
    app = connect()
    try:
        listed = app.actives()
        if not listed and Enrollment.objects.filter(state=_State.ACTIVE).exists():
            sentence = "Nextcloud's list of people who consented is empty, though people are enrolled."
            _report(_LIST_KEY, "consent-list-empty", sentence,
                    "Check the consent app. Until somebody is listed, nobody's state changes.")  # fmt: skip
            return Refreshed(sentence=sentence)
        Problem.objects.clear(_LIST_KEY, troubles.server_key(resting.NEXTCLOUD))
        resting.server_answered(resting.NEXTCLOUD, resting.NEXTCLOUD_ADMIN)
        result = _take(listed, now)
        _invalidate(app, listed)
        return result
    except SideError as error:
        return Refreshed(sentence=_list_failed(error, now))
    finally:
        app.close()


def _take(listed: Sequence[enroll.Listed], now: dt.datetime) -> Refreshed:
    people = {person.uid: person for person in listed}
    tokens = {uid: enroll.open_token(person.token) for uid, person in people.items()}
    closed = sum(token is None for token in tokens.values())
    _judge_secret(closed, len(people))
    known = {row.nextcloud_uid: row for row in Enrollment.objects.all()}
    for uid, person in people.items():
        enroll.take(known.get(uid), person, tokens[uid], now)
    absent = [row.pk for uid, row in known.items() if uid not in people and row.state == _State.ACTIVE]
    Enrollment.objects.filter(pk__in=absent, state=_State.ACTIVE).update(state=_State.ABSENT)
    logger.info("list read: %s people, %s newly absent", len(people), len(absent))
    return Refreshed(listed=len(people), undecipherable=closed, absent=len(absent))


def _judge_secret(closed: int, total: int) -> None:
    """Tokens that do not open are one error of the configuration, not one error for each person (section 1.4)."""
    if not closed:
        Problem.objects.clear(_SECRET_KEY)
        return
    share = "any token" if closed == total else f"the tokens of {closed} of {total} people"
    _report(_SECRET_KEY, "shared-secret",
            f"SHARED_SECRET in .env does not open {share} that Nextcloud hands out.",
            "Make SHARED_SECRET the secret that is entered in the consent app's settings in Nextcloud, and restart "
            "the connector. Whoever synced before goes on with the token known so far.")  # fmt: skip


def _invalidate(app: ConsentApp, listed: Sequence[enroll.Listed]) -> None:
    """Tell the app whose token was refused twice, as long as it lists that very token."""
    by_uid = {person.uid: person for person in listed}
    for row in Enrollment.objects.filter(state=_State.NO_CONSENT, nextcloud_uid__in=list(by_uid)):
        if enroll.open_token(by_uid[row.nextcloud_uid].token) == row.token:
            app.invalidate(row.nextcloud_uid)


def _list_failed(error: SideError, now: dt.datetime) -> str:
    match error:
        case Throttled() | Unreachable():
            if not troubles.nextcloud_down(error, now):
                _report(_LIST_KEY, "consent-list", str(error),
                        "Check that the consent app is installed and enabled in Nextcloud.")  # fmt: skip
        case LoginFailed():
            # Each failed login brings this machine nearer to being locked out for everybody (section 3.2.15).
            resting.rest_server(resting.NEXTCLOUD_ADMIN, now, 600)
            _report(_LIST_KEY, "admin-login", "Nextcloud does not accept NEXTCLOUD_ADMIN_USER with its password.",
                    "Put a valid app password of a member of the admin group into .env and restart the "
                    "connector.")  # fmt: skip
        case NotAllowed():
            _report(_LIST_KEY, "admin-denied", "NEXTCLOUD_ADMIN_USER may not read the list of people who consented.",
                    "Make that user a member of Nextcloud's group admin.")  # fmt: skip
        case _:
            _report(_LIST_KEY, "consent-list", str(error), "Check the consent app in Nextcloud.")
    return str(error)


def _report(key: str, code: str, text: str, remedy: str) -> None:
    Problem.objects.report(key, level=Problem.Level.INSTALLATION, code=code, text=text, remedy=remedy)
