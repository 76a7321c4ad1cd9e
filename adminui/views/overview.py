"""The overview: is it well, who must act, what is going on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from adminui import queries
from adminui.health import judge
from adminui.views.access import admins_only, page


@require_safe
@admins_only
def overview(request: HttpRequest) -> HttpResponse:
    """The whole installation on one page; the part below the navigation is live."""
    now = timezone.now()
    facts = queries.facts(now)
    users = queries.user_page(request.GET.get("page", "1"))
    return page(
        request,
        "overview/overview.html",
        {
            "facts": facts,
            "verdict": judge(facts, now),
            "workers_silent": facts.silent(now),
            "getting_started": not facts.accounts or not facts.users,
            "totals": queries.totals(),
            "running": queries.running(),
            "problem_groups": queries.problem_groups(),
            "waiting": queries.waiting(),
            "users": users.rows,
            "user_page": users.page,
        },
    )
