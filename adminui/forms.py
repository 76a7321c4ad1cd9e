"""Forms of the web app."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """Name and password of a Django user that is staff; nobody else gets in."""

    error_messages = {  # noqa: RUF012 - the base class declares it as an instance attribute
        "invalid_login": _("This user name and password do not match an administrator."),
        "inactive": _("This account is switched off."),
    }

    def confirm_login_allowed(self, user: User) -> None:
        """Refuse who is not staff in the words of a wrong password: the page tells nothing about other accounts."""
        super().confirm_login_allowed(user)
        if not user.is_staff:
            raise ValidationError(self.error_messages["invalid_login"], code="invalid_login")


class ApproveForm(forms.Form):
    """The approval of one enrollment, with the mailbox that the admin saw when deciding."""

    mailbox = forms.CharField(max_length=320, widget=forms.HiddenInput)
