"""How a person lets the connector in on its own pages: who they are, the login flow, and what comes of it.

A page waits for what is done here, because a person does.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

from django.conf import settings
from django.db import transaction

from syncapp import life
from syncapp.jobs import enroll, pilot, resting, revocations, sides, troubles
from syncapp.jobs.addresses import LONGEST, mailbox_of, starts_by_itself
from syncapp.life import Reason
from syncapp.models import Enrollment, Grant, Invitation, Problem
from syncapp.nextcloud.accounts import Accounts, Identity
from syncapp.nextcloud.sign_in import AnotherAddress, SignIn
from syncapp.side import LoginFailed, NotAllowed, SideError, Throttled, Unreachable

logger = logging.getLogger(__name__)

_State, _Origin = Enrollment.State, Enrollment.Origin
_SIGN_IN_RESTS = 600.0
LASTS = dt.timedelta(minutes=20)
"""How long Nextcloud waits for somebody to grant (docs/server-behaviour.md, section 2.1)."""


class Refused(Exception):
    """It did not work. ``str()`` is a sentence for the person."""


def connect() -> SignIn:
    """Nextcloud for people who sign in."""
    return SignIn(settings.NEXTCLOUD_URL, sides.nextcloud_connections())


@contextmanager
def _asking(now: dt.datetime) -> Iterator[None]:
    """Ask Nextcloud on behalf of somebody who waits for the page. Raises Refused."""
    if resting.server_rests(resting.NEXTCLOUD, now):
        raise Refused("Nextcloud is left alone for the moment. Please try again in some minutes.")
    try:
        yield
    except (Throttled, Unreachable) as error:
        troubles.nextcloud_down(error, now)
        raise Refused("Nextcloud does not answer as it should. Please try again in some minutes.") from error
    except AnotherAddress as error:
        Problem.objects.report(
            "installation:nextcloud-address",
            level=Problem.Level.INSTALLATION,
            code="nextcloud-address",
            text="Nobody can give consent on the connector's pages: Nextcloud answers with another address.",
            remedy=str(error),
        )
        raise Refused("The connector is not set up right. An administrator can see why; please ask them.") from error
    except LoginFailed as error:
        raise Refused("Nextcloud did not accept this. Please begin again.") from error
    except NotAllowed as error:
        raise Refused("Your account in Nextcloud is disabled.") from error
    except SideError as error:
        raise Refused(f"Nextcloud did not answer as it should. {error}") from error


# Signing in ----------------------------------------------------------------------------------------------------------


def identify(code: str, now: dt.datetime) -> Identity:
    """Who comes back from Nextcloud with a code; the access that came with it is given back. Raises Refused."""
    with _asking(now), closing(connect()) as sign_in:
        token = _redeem(sign_in, code, now)
        with Accounts(settings.NEXTCLOUD_URL, bearer=token, transport=sides.nextcloud_connections()) as accounts:
            who = accounts.identity()
            accounts.revoke()
    return who


def _redeem(sign_in: SignIn, code: str, now: dt.datetime) -> str:
    """The token for a code. Anybody may come with codes of their own making, so that they must stop nobody's sync.

    Nextcloud counts such codes apart from failed logins, and answers 429 for this one address (section 2.2).
    """
    if resting.server_rests(resting.NEXTCLOUD_SIGN_IN, now):
        raise Refused("Too many sign-ins have failed. Please try again in some minutes.")
    try:
        return sign_in.redeem(settings.OAUTH_CLIENT_ID, settings.OAUTH_CLIENT_SECRET, code)
    except Throttled as error:
        resting.rest_server(resting.NEXTCLOUD_SIGN_IN, now, error.seconds or _SIGN_IN_RESTS)
        raise Refused("Too many sign-ins have failed. Please try again in some minutes.") from error


# Letting in ----------------------------------------------------------------------------------------------------------


def begin(now: dt.datetime, *, uid: str = "", enrollment: Enrollment | None = None) -> Grant:
    """Begin a login flow for whoever signed in as ``uid``, or for an invitation's enrollment. Raises Refused."""
    Grant.objects.filter(begun_at__lt=now - LASTS, password=b"").delete()
    with _asking(now), closing(connect()) as sign_in:
        started = sign_in.start()
    Problem.objects.clear("installation:nextcloud-address")
    return Grant.objects.create(
        enrollment=enrollment, uid=uid, address=started.login, token=started.token, begun_at=now
    )


def ask(grant: Grant, now: dt.datetime) -> Enrollment | None:
    """What came of a grant; None until the person has granted. Raises Refused; the grant is over then, or goes on."""
    if not grant.password:
        with _asking(now), closing(connect()) as sign_in:
            granted = sign_in.poll(str(grant.token))
        if granted is None:
            return None
        # It is told once: whatever happens next, it must not be lost.
        grant.login, grant.password = granted.login, granted.password
        grant.save(update_fields=["login", "password"])
    with _asking(now), revocations.connect(str(grant.login), str(grant.password)) as accounts:
        who = accounts.identity()
    refused = _refusal(grant, who)
    if refused:
        with transaction.atomic():
            revocations.ask_for(str(grant.login), str(grant.password), now)
            grant.delete()
        revocations.run(now)
        raise Refused(refused)
    with transaction.atomic():
        row = _accept(grant, who, now)
        Invitation.objects.filter(enrollment=row).delete()
        grant.delete()
    revocations.run(now)
    return row


def _refusal(grant: Grant, who: Identity) -> str:
    """Why a grant by this account is not taken, "" if it is."""
    if grant.enrollment is None:
        if who.uid == grant.uid:
            return ""
        return "You allowed it with another Nextcloud account than the one that you signed in with here."
    if who.uid == grant.enrollment.nextcloud_uid:
        return ""
    if grant.enrollment.state != _State.INVITED or Enrollment.objects.filter(nextcloud_uid=who.uid).exists():
        return "This invitation is for another Nextcloud account."
    return ""


def _accept(grant: Grant, who: Identity, now: dt.datetime) -> Enrollment:
    """Make use of what was granted. Raises Refused when somebody decided in between."""
    values: dict[str, object] = {
        "nextcloud_login": grant.login,
        "display_name": who.display_name,
        "listed_address": who.email.lower()[:LONGEST],
        "token": grant.password,
        "token_refused_at": None,
        "origin": _Origin.PAGES,
        "due_at": now,
    }
    row = grant.enrollment or Enrollment.objects.filter(nextcloud_uid=who.uid).first()
    if row is None:
        return _new(who, values, now)
    if row.origin == _Origin.PAGES and row.token and row.token != grant.password:
        revocations.ask_for(row.nextcloud_login, str(row.token), now)
    row.problems.filter(code__in=("token-refused", "no-consent")).delete()
    if who.uid != row.nextcloud_uid:
        _by_another(row, who, values, now)
        return row
    state, more, wrong = _state_after(row, who)
    if not life.move(row, state, Reason.GRANTED, now, values | more):
        raise Refused("Something has changed in between. Please try again.")
    if wrong:
        enroll.report(row, wrong)
    return row


def _new(who: Identity, values: dict[str, object], now: dt.datetime) -> Enrollment:
    row = Enrollment(nextcloud_uid=who.uid, preview_first=settings.PREVIEW_FIRST, **values)
    if not enroll.start(row, who.email, Reason.GRANTED, now, in_pilot=pilot.has(who.uid, who.groups)):
        raise Refused("Something has changed in between. Please try again.")
    return row


def _by_another(row: Enrollment, who: Identity, values: dict[str, object], now: dt.datetime) -> None:
    invited = row.nextcloud_uid
    values |= {"nextcloud_uid": who.uid, "approved": False}
    if not life.move(row, _State.WAITING, Reason.GRANTED_BY_ANOTHER, now, values):
        raise Refused("Something has changed in between. Please try again.")
    Problem.objects.report(
        f"enrollment:{row.pk}:granted-by-another",
        level=Problem.Level.ENROLLMENT,
        code="granted-by-another",
        text="Another Nextcloud account than the invited one has given consent. Nothing syncs before you decide.",
        remedy=f"The link was meant for {invited} and was used by {who.uid}. Approve only if both are the same person; "
        "else remove this user and invite the right one again.",
        enrollment=row,
    )


def _state_after(row: Enrollment, who: Identity) -> tuple[str, dict[str, object], str]:
    """Where somebody whom we know goes on who lets us in, what changes besides, and what is wrong with the address."""
    if row.state == _State.INVITED:
        # The admin who invited said which mailbox belongs to this account.
        row.approved = True
        return row.ready_state, {"approved": True}, ""
    if not row.pairings.exists() and (row.state in enroll.UNSETTLED or row.mailbox is None):
        course = enroll.first(row, who.email, in_pilot=pilot.has(who.uid, who.groups))
        if row.state == _State.LEFT and course.state in (_State.PREVIEW, _State.ACTIVE):
            return _State.WAITING, course.values | {"approved": False}, ""
        return course.state, course.values, course.wrong
    if row.state in Enrollment.SERVED or row.state == _State.WAITING:
        return row.state, {}, ""
    # The name of an account may be somebody else's by now; and whoever was removed does not come back unasked.
    row.approved = row.approved and row.state != _State.LEFT and starts_by_itself(row.mailbox or "")
    held = row.state == _State.HELD and mailbox_of(who.email) != row.mailbox
    paused = row.state == _State.PAUSED
    kept = {"origin": row.origin} if held else {}
    return row.state if held or paused else row.ready_state, {"approved": row.approved, **kept}, ""
