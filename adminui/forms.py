"""Forms of the web app."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from syncapp.items import Kind
from syncapp.models import Hold
from syncapp.side import SideName


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


class HeldForm(forms.Form):
    """The decision about one group of held writes, up to the newest that the admin saw."""

    kind = forms.ChoiceField(choices=[(kind.value, kind.value) for kind in Kind])
    side = forms.ChoiceField(choices=[(side.value, side.value) for side in SideName])
    reason = forms.ChoiceField(choices=Hold.Reason.choices)
    newest = forms.IntegerField(min_value=1)
    decision = forms.ChoiceField(choices=[("delete", "delete"), ("keep", "keep")])

    def seen(self) -> Q:
        """Which holds the page showed."""
        data = self.cleaned_data
        return Q(pairing__kind=data["kind"], side=data["side"], reason=data["reason"], pk__lte=data["newest"])

    def approves(self) -> bool:
        """Whether they shall happen."""
        return bool(self.cleaned_data["decision"] == "delete")
