"""One user: state, pairings, problems and runs; approval and "sync now"."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from adminui import actions, queries
from adminui.forms import ApproveForm, HeldForm
from adminui.views.access import admins_only, page
from syncapp.jobs import decisions
from syncapp.models import Enrollment, Problem


@require_safe
@admins_only
def user(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything about one enrollment that is no content of items."""
    enrollment = get_object_or_404(Enrollment.objects.select_related("account"), pk=pk)
    now = timezone.now()
    (row,) = queries.user_rows([enrollment])
    return page(
        request,
        "users/user.html",
        {
            "enrollment": enrollment,
            "row": row,
            "being_synced": enrollment.lease_until is not None and enrollment.lease_until > now,
            "is_due": enrollment.due_at <= now,
            "can_sync": enrollment.state in Enrollment.SYNCED,
            "is_waiting": enrollment.state == Enrollment.State.WAITING,
            "held_groups": queries.held_groups(enrollment),
            "pairings": list(enrollment.pairings.order_by("kind", "pk")),
            "problem_groups": queries.problem_groups(Problem.objects.filter(enrollment=enrollment)),
            "life": queries.life_of(enrollment),
            "runs": queries.runs_of(enrollment, request.GET.get("page", "1")),
        },
    )


@require_POST
@admins_only
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a waiting enrollment sync with the mailbox that the page named."""
    enrollment = get_object_or_404(Enrollment, pk=pk)
    form = ApproveForm(request.POST)
    if form.is_valid() and decisions.approve(
        pk, form.cleaned_data["mailbox"], timezone.now(), by=request.user.get_username()
    ):
        messages.success(
            request,
            _("Approved. The first sync waits until its preview was approved, too.")
            if enrollment.preview_first
            else _("Approved. The first sync starts within a minute."),
        )
    else:
        messages.error(
            request,
            _("Not approved: the state or the mailbox has changed since the page was shown. Please look again."),
        )
    return redirect("adminui:user", pk=enrollment.pk)


@require_POST
@admins_only
def sync_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Make an active enrollment due at once."""
    enrollment = get_object_or_404(Enrollment, pk=pk)
    if actions.sync_now(pk, timezone.now()):
        messages.success(request, _("Due now: a worker takes it within a minute."))
    else:
        messages.error(request, _("Only active users are synced; the state below says what is missing."))
    return redirect("adminui:user", pk=enrollment.pk)


@require_POST
@admins_only
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Let what is held happen, or undo it."""
    enrollment = get_object_or_404(Enrollment, pk=pk)
    form = HeldForm(request.POST)
    decided = 0
    if form.is_valid():
        decided = actions.decide(pk, form.seen(), form.approves(), timezone.now(), actor_id=int(request.user.pk or 0))
    if decided:
        messages.success(
            request,
            ngettext(
                "Decided for %d item; it is done within a minute.",
                "Decided for %d items; it is done within minutes.",
                decided,
            )
            % decided,
        )
    else:
        messages.error(request, _("Nothing was decided: these items do not wait any more. Please look again."))
    return redirect("adminui:user", pk=enrollment.pk)
