"""The pages of people, not of admins: sign in with Nextcloud or by an invitation, let the connector in, take it back.

A session holds who somebody is: the account that they signed in with, or the invitation that they opened. It is no
session of an administrator, and gives nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from adminui.views.access import page
from syncapp import life
from syncapp.jobs import decisions, enroll, grants, invitations, pilot
from syncapp.life import Reason
from syncapp.models import Enrollment, Grant, Invitation

P = ParamSpec("P")
_ACCOUNT, _INVITATION, _GRANT, _STATE = "me.account", "me.invitation", "me.grant", "me.state"
_State = Enrollment.State


@dataclass(frozen=True)
class Me:
    """Who looks at the page: an account that has signed in, or an invitation that was opened here."""

    uid: str = ""
    enrollment: Enrollment | None = None


def who(request: HttpRequest) -> Me | None:
    """Whose session it is; None for a stranger."""
    if uid := request.session.get(_ACCOUNT):
        return Me(uid, Enrollment.objects.filter(nextcloud_uid=uid).first())
    # An invitation that was replaced by another one, or used up, lets nobody in any more.
    opened = Invitation.objects.select_related("enrollment").filter(pk=request.session.get(_INVITATION, 0)).first()
    return None if opened is None else Me(enrollment=opened.enrollment)


def _sign_in_as(request: HttpRequest, uid: str) -> None:
    """Let the session be that of an account; a session that somebody else may know is worth nothing afterwards."""
    request.session.cycle_key()
    request.session.pop(_INVITATION, None)
    request.session[_ACCOUNT] = uid


def for_people(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Only where people may give consent here; kept out of caches."""

    @wraps(view)
    @never_cache
    @vary_on_headers("HX-Request")
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not settings.CONNECTOR_URL:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@for_people
def me(request: HttpRequest) -> HttpResponse:
    """Where somebody stands, and what they can do; while they are at Nextcloud's page, what came of it."""
    found = who(request)
    grant = Grant.objects.filter(pk=request.session.get(_GRANT, 0)).first() if found else None
    refused = ""
    if grant is not None:
        try:
            row = grants.ask(grant, timezone.now())
        except grants.Refused as error:
            refused = str(error)
            grant = Grant.objects.filter(pk=grant.pk).first()
        else:
            if row is not None:
                _sign_in_as(request, row.nextcloud_uid)
                found, grant = who(request), None
        if grant is None:
            request.session.pop(_GRANT, None)
    enrollment = found.enrollment if found else None
    return page(
        request,
        "me/me.html",
        {
            "found": found,
            "enrollment": enrollment,
            "told": life.TOLD.get(enrollment.state, "") if enrollment else "",
            "grant": grant,
            "refused": refused,
            "can_sign_in": bool(settings.OAUTH_CLIENT_ID),
            "can_grant": _can_grant(enrollment),
            "can_retract": enrollment is not None and enrollment.state not in (_State.LEFT, _State.INVITED),
        },
        at_rest=grant is None,
    )


def _can_grant(enrollment: Enrollment | None) -> bool:
    """Whether there is anything to give: not for who has given it, here or in the consent app."""
    return enrollment is None or enrollment.state in (_State.INVITED, _State.LEFT, _State.NO_CONSENT, _State.ABSENT)


@require_safe
@for_people
def sign_in(request: HttpRequest) -> HttpResponse:
    """Send somebody to Nextcloud to say who they are."""
    if not settings.OAUTH_CLIENT_ID:
        raise Http404
    request.session[_STATE] = secrets.token_urlsafe(32)
    return redirect(grants.connect().authorize_url(settings.OAUTH_CLIENT_ID, request.session[_STATE]))


@require_safe
@for_people
def signed_in(request: HttpRequest) -> HttpResponse:
    """Somebody comes back from Nextcloud; that they were sent there by this session is part of the proof."""
    expected = request.session.pop(_STATE, "")
    code = request.GET.get("code", "")
    if not (expected and code and constant_time_compare(expected, request.GET.get("state", ""))):
        messages.error(request, _("The sign-in did not begin here, or was made use of already. Please begin again."))
        return redirect("adminui:me")
    try:
        identity = grants.identify(code, timezone.now())
    except grants.Refused as error:
        messages.error(request, str(error))
        return redirect("adminui:me")
    _sign_in_as(request, identity.uid)
    later = Enrollment.objects.filter(
        nextcloud_uid=identity.uid, state=_State.LATER, origin=Enrollment.Origin.PAGES
    ).first()
    if later is not None and pilot.has(identity.uid, identity.groups):
        enroll.let_begin(later, timezone.now())
    return redirect("adminui:me")


@require_safe
@for_people
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Open an invitation: it becomes a session, and its address is left at once and told to nobody."""
    opened = invitations.open_link(secret, timezone.now()) if request.method == "GET" else None
    if opened is None:
        answer = render(request, "me/no_invitation.html", status=410)
    else:
        request.session.cycle_key()
        for name in (_ACCOUNT, _GRANT):
            request.session.pop(name, None)
        request.session[_INVITATION] = opened.pk
        answer = redirect("adminui:me")
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@require_POST
@for_people
def grant(request: HttpRequest) -> HttpResponse:
    """Begin to let the connector in; the page that follows leads to Nextcloud."""
    found = who(request)
    if found is not None and _can_grant(found.enrollment):
        try:
            begun = (
                grants.begin(timezone.now(), uid=found.uid)
                if found.uid
                else grants.begin(timezone.now(), enrollment=found.enrollment)
            )
            request.session[_GRANT] = begun.pk
        except grants.Refused as error:
            messages.error(request, str(error))
    return redirect("adminui:me")


@require_POST
@for_people
def retract(request: HttpRequest) -> HttpResponse:
    """Take consent back: nothing is read or written any more, and the app password ends."""
    found = who(request)
    enrollment = found.enrollment if found and found.uid else None
    if enrollment is not None and decisions.leave(enrollment, Reason.RETRACTED, timezone.now()):
        messages.success(request, _("You do not take part any more. What was copied stays where it is."))
    return redirect("adminui:me")


@require_POST
@for_people
def sign_out(request: HttpRequest) -> HttpResponse:
    """Forget who somebody is; an administrator who is signed in here stays so."""
    for name in (_ACCOUNT, _INVITATION, _GRANT, _STATE):
        request.session.pop(name, None)
    request.session.cycle_key()
    return redirect("adminui:me")
