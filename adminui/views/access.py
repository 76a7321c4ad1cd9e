"""Who may see pages, and how pages and their live parts are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HTMX_STOP_POLLING, HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def is_live(request: HttpRequest) -> bool:
    """True when htmx asks for the live part of a page, not a person for the page."""
    return bool(HtmxDetails(request))


def is_admin(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Administrators are the active staff users of Django."""
    return user.is_authenticated and user.is_active and getattr(user, "is_staff", False)


def admins_only(view: View[P]) -> View[P]:
    """Ask strangers to sign in, refuse everybody else who is no administrator, and keep answers out of caches."""

    @wraps(view)
    @never_cache
    @vary_on_headers("HX-Request")
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if is_admin(request.user):
            return view(request, *args, **kwargs)
        if request.user.is_authenticated:
            raise PermissionDenied
        return _to_sign_in(request)

    return guarded


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    sign_in = reverse("adminui:sign-in")
    here = request.get_full_path() if request.method == "GET" else reverse("adminui:overview")
    if not is_live(request):
        return redirect_to_login(here, sign_in)
    # A live part must not receive the sign-in page: htmx takes the whole page there instead.
    return HttpResponseClientRedirect(f"{sign_in}?{urlencode({'next': here})}")


def page(request: HttpRequest, template: str, context: Mapping[str, Any], *, at_rest: bool = False) -> HttpResponse:
    """Render a page; when htmx asks, only its live part, which is the template of the same name with ``_live``.

    ``at_rest``: nothing will change any more, so that htmx shall stop asking.
    """
    if not is_live(request):
        return render(request, template, dict(context))
    status = HTMX_STOP_POLLING if at_rest else 200
    return render(request, template.replace(".html", "_live.html"), dict(context), status=status)
