"""Signing in and out."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView

from adminui.forms import SignInForm


class SignIn(LoginView):
    """The sign-in page of administrators; django-axes slows guessing down."""

    authentication_form = SignInForm
    template_name = "session/sign_in.html"
    next_page = "adminui:overview"


class SignOut(LogoutView):
    """Ends the session; by POST only, so that no foreign page can do it."""

    next_page = "adminui:sign-in"
