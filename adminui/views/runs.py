"""One run and the log that it wrote."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from adminui import queries
from adminui.views.access import admins_only, is_live, page
from syncapp.models import Run, RunLine


@require_safe
@admins_only
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """Counts and stored lines, in the order in which they were written."""
    found = Run.objects.select_related("enrollment").filter(pk=pk).first()
    if found is None:
        return _gone(request)
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
        at_rest=found.finished_at is not None,
    )


def _gone(request: HttpRequest) -> HttpResponse:
    """A run that finds nothing to do is removed at its end, maybe under the eyes of somebody."""
    if is_live(request):
        return page(request, "runs/gone.html", {}, at_rest=True)
    raise Http404
