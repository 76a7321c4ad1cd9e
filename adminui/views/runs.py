"""One run and the log that it wrote."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from adminui import queries
from adminui.views.access import admins_only, page
from syncapp.models import Run, RunLine


@require_safe
@admins_only
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """Counts and stored lines, in the order in which they were written."""
    found = get_object_or_404(Run.objects.select_related("enrollment"), pk=pk)
    lines = Paginator(RunLine.objects.filter(run=found).order_by("at", "pk"), queries.LINES_PER_PAGE)
    return page(
        request,
        "runs/run.html",
        {
            "run": found,
            "enrollment": found.enrollment,
            "progress": queries.Progress.of(found),
            "lines": lines.get_page(request.GET.get("page", "1")),
        },
    )
