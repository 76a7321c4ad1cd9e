"""How commands name a person."""

from __future__ import annotations

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q

from syncapp.models import Enrollment

COMMAND_LINE = "the command line"
"""Who did something, in the log of a person."""


def add_argument(parser: CommandParser) -> None:
    """The person, as the first word of a command."""
    parser.add_argument("user", help="user id in Nextcloud, or address of the mailbox")


def find(user: str) -> Enrollment:
    """The enrollment of that person. Raises CommandError when there is none."""
    found = Enrollment.objects.filter(Q(nextcloud_uid=user) | Q(mailbox=user.lower())).first()
    if found is None:
        raise CommandError("Nobody of that name is enrolled: see `python manage.py refresh`.")
    return found
