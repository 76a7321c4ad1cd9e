"""The person whom an argument of a command means."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db.models import Q

from syncapp.models import Enrollment


def enrolled(user: str) -> Enrollment:
    """The enrollment of a user id in Nextcloud or of a mailbox address. Raises CommandError."""
    found = Enrollment.objects.filter(Q(nextcloud_uid=user) | Q(mailbox=user.lower())).first()
    if found is None:
        raise CommandError("Nobody of that name is enrolled: see `python manage.py refresh`.")
    return found
