"""Who is enrolled: reads the consent app's list and the service accounts file, and draws the careful conclusions.

Absence is not revocation; an address that people may type themselves is no proof of identity
(docs/server-behaviour.md, sections 1.3 and 1.6).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from syncapp import life
from syncapp.jobs import accounts, accounts_file, departed, enroll, pilot, places, resting, sides, troubles
from syncapp.jobs.task import task
from syncapp.life import Reason
from syncapp.models import Enrollment, Problem, ServiceAccount
from syncapp.nextcloud import consent
from syncapp.nextcloud.consent import AppMissing, Person, UnknownPerson
from syncapp.nextcloud.token import DamagedToken, SecretMismatch, open_token
from syncapp.side import LoginFailed, NotAllowed, SideError, Throttled, Unreachable

logger = logging.getLogger(__name__)

_State = Enrollment.State


class ConsentApp(Protocol):
    """The calls of the consent app; syncapp/nextcloud/consent.py is the real one."""

    def actives(self) -> Sequence[Person]:
        """Everybody who consents now. Raises ``SideError``."""

    def invalidate(self, uid: str) -> None:
        """Tell the app that somebody's app password does not work any more. Raises ``SideError``."""

    def members(self, group: str) -> Collection[str]:
        """The uids of the members of a group in Nextcloud. Raises ``SideError``."""

    def close(self) -> None:
        """Let go of connections."""


def connect() -> ConsentApp:
    """The consent app of the configuration."""
    return consent.ConsentApp(
        settings.NEXTCLOUD_URL,
        settings.NEXTCLOUD_ADMIN_USER,
        settings.NEXTCLOUD_ADMIN_PASSWORD,
        sides.nextcloud_connections(),
    )


@dataclass(frozen=True)
class Refreshed:
    """What a reading of the list came to. ``sentence`` says what was wrong, if something was."""

    listed: int = 0
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
_OPEN_KEY = "installation:accounts-file-open"


def import_file() -> str:
    """Bring in the service accounts file; the sentence that says why not, or ""."""
    sentence = ""
    try:
        accounts.import_accounts(accounts_file.read_file(settings.SERVICE_ACCOUNTS_FILE))
        Problem.objects.clear(_FILE_KEY)
        troubles.forget_unused()
    except accounts_file.WrongFile as error:
        sentence = str(error)
        _report(_FILE_KEY, "accounts-file", sentence,
                "Correct the file; it is read again by itself. The accounts known so far stay in use.")  # fmt: skip
    if accounts_file.others_may_read(settings.SERVICE_ACCOUNTS_FILE):
        _report(_OPEN_KEY, "accounts-file-open",
                f"{settings.SERVICE_ACCOUNTS_FILE.name} holds passwords and can be read by others on this machine.",
                f"chmod 600 {settings.SERVICE_ACCOUNTS_FILE}")  # fmt: skip
    else:
        Problem.objects.clear(_OPEN_KEY)
    if ServiceAccount.objects.filter(enabled=True).exists():
        Problem.objects.clear(_NONE_KEY)
    elif not sentence:
        sentence = "There is no Exchange service account."
        _report(_NONE_KEY, "no-account", sentence,
                f"List one in {settings.SERVICE_ACCOUNTS_FILE.name}: "
                '[{"Username": "...", "Password": "..."}]')  # fmt: skip
    return sentence


# The list ----------------------------------------------------------------------------------------------------------

_LIST_KEY = "installation:consent-list"
_SECRET_KEY, _DAMAGED_KEY = "installation:shared-secret", "installation:damaged-tokens"


def refresh(now: dt.datetime, open_app: Callable[[], ConsentApp] | None = None) -> Refreshed:
    """Bring enrollments up to date with the consent app's list; whatever goes wrong is reported as a problem."""
    if not settings.SHARED_SECRET:
        # Who is in the group is told when somebody signs in: there is nobody who may ask for it.
        _let_begin(pilot.read(lambda _group: ()), now)
        departed.forget(now, ())  # there is no consent app, and no list
        return Refreshed()
    if resting.server_rests(resting.NEXTCLOUD, now) or resting.server_rests(resting.NEXTCLOUD_ADMIN, now):
        return Refreshed(sentence="Nextcloud is left alone for the moment; see the problems.")
    app = (open_app or connect)()
    try:
        listed = app.actives()
        if not listed and _of_the_list().filter(state__in=Enrollment.SERVED).exists():
            sentence = "Nextcloud's list of people who consented is empty, though people are enrolled."
            _report(_LIST_KEY, "consent-list-empty", sentence,
                    "Check the consent app. Until somebody is listed, nobody's state changes.")  # fmt: skip
            return Refreshed(sentence=sentence)
        Problem.objects.clear(_LIST_KEY, troubles.server_key(resting.NEXTCLOUD))
        resting.server_answered(resting.NEXTCLOUD, resting.NEXTCLOUD_ADMIN)
        opened = _open(listed)
        result = _take(listed, opened, pilot.read(app.members), now)
        _invalidate(app, listed, opened.tokens)
        return result
    except SideError as error:
        return Refreshed(sentence=_list_failed(error, now))
    finally:
        app.close()


def _of_the_list() -> QuerySet[Enrollment]:
    """Whose consent the app has; that of others was given on the connector's pages."""
    return Enrollment.objects.filter(origin=Enrollment.Origin.APP)


def _take(listed: Sequence[Person], opened: _Opened, wanted: pilot.Pilot, now: dt.datetime) -> Refreshed:
    known = {row.nextcloud_uid: row for row in Enrollment.objects.all()}
    for person in listed:
        row, token = known.get(person.uid), opened.tokens.get(person.uid)
        enroll.take(row, person, token, now, in_pilot=person.uid in wanted)
    there = {person.uid for person in listed}
    gone = [row for row in _of_the_list().filter(state__in=Enrollment.SERVED) if row.nextcloud_uid not in there]
    _let_begin(wanted, now)
    departed.forget(now, there)
    absent = sum(life.move(row, _State.ABSENT, Reason.NOT_LISTED, now) for row in gone)
    logger.debug("list read: %s people, %s newly absent", len(there), absent)
    return Refreshed(len(there), absent, opened.sentence)


def _let_begin(wanted: pilot.Pilot, now: dt.datetime) -> None:
    later = Enrollment.objects.filter(state=_State.LATER, origin=Enrollment.Origin.PAGES)
    for row in later:
        if row.nextcloud_uid in wanted:
            enroll.let_begin(row, now)


@dataclass
class _Opened:
    """The tokens that could be opened, by user, and why others could not."""

    tokens: dict[str, str] = field(default_factory=dict)
    mismatches: int = 0
    damaged: int = 0
    sentence: str = ""


def _open(listed: Sequence[Person]) -> _Opened:
    """Open everybody's token; what goes wrong is one problem, not one for each person (section 1.4)."""
    opened = _Opened()
    for person in listed:
        try:
            opened.tokens[person.uid] = _open_one(person)
        except SecretMismatch as error:
            opened.mismatches += 1
            opened.sentence = str(error)
        except DamagedToken:
            opened.damaged += 1
    if opened.mismatches:
        _report(_SECRET_KEY, "shared-secret", opened.sentence,
                f"Correct .env and restart the connector. This concerns {opened.mismatches} of {len(listed)} people; "
                "whoever synced before goes on with the token known so far.")  # fmt: skip
    if opened.damaged:
        _report(_DAMAGED_KEY, "damaged-tokens",
                f"The tokens that the consent app lists for {opened.damaged} of {len(listed)} people are damaged.",
                "These people have to give consent again.")  # fmt: skip
    over = {_SECRET_KEY: opened.mismatches, _DAMAGED_KEY: opened.damaged}
    Problem.objects.clear(*(key for key, count in over.items() if not count))
    return opened


def _open_one(person: Person) -> str:
    return open_token(person.token, [settings.SHARED_SECRET, settings.SHARED_SECRET_PREVIOUS])


def _invalidate(app: ConsentApp, listed: Sequence[Person], opened: Mapping[str, str]) -> None:
    """Tell the app whose token was refused twice, as long as it lists that very token."""
    by_uid = {person.uid: person for person in listed}
    for row in _of_the_list().filter(state=_State.NO_CONSENT, nextcloud_uid__in=list(by_uid)):
        if opened.get(row.nextcloud_uid) == row.token:
            # Unknown by now: then there is nothing to invalidate.
            with contextlib.suppress(UnknownPerson):
                app.invalidate(row.nextcloud_uid)


def _list_failed(error: SideError, now: dt.datetime) -> str:
    match error:
        case Throttled() | Unreachable():
            if not troubles.nextcloud_down(error, now):
                _report(_LIST_KEY, "consent-list", str(error),
                        "Look into Nextcloud's log.")  # fmt: skip
        case LoginFailed():
            # Each failed login brings this machine nearer to being locked out for everybody (section 3.2.15).
            resting.rest_server(resting.NEXTCLOUD_ADMIN, now, 600)
            _report(_LIST_KEY, "admin-login", "Nextcloud does not accept NEXTCLOUD_ADMIN_USER with its password.",
                    "Put a valid app password of a member of the admin group into .env and restart the "
                    "connector.")  # fmt: skip
        case NotAllowed():
            _report(_LIST_KEY, "admin-denied", "NEXTCLOUD_ADMIN_USER may not read the list of people who consented.",
                    "Make that user a member of Nextcloud's group admin.")  # fmt: skip
        case AppMissing():
            _report(_LIST_KEY, "consent-app-missing", str(error),
                    "Install and enable the app Sendent Sync in Nextcloud.")  # fmt: skip
        case _:
            _report(_LIST_KEY, "consent-list", str(error), "Check the consent app in Nextcloud.")
    return str(error)


def _report(key: str, code: str, text: str, remedy: str) -> None:
    Problem.objects.report(key, level=Problem.Level.INSTALLATION, code=code, text=text, remedy=remedy)
