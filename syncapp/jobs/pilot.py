"""Who may begin while the connector is tried with some people: a list, a group in Nextcloud, or both."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.conf import settings

from syncapp.models import Problem
from syncapp.side import SideError, Throttled

_KEY = "installation:pilot-group"


@dataclass(frozen=True)
class Pilot:
    """The uids of those who may begin; None when everybody may."""

    uids: frozenset[str] | None

    def __contains__(self, uid: str) -> bool:
        return self.uids is None or uid in self.uids


def is_wanted() -> bool:
    """Whether there is a pilot at all."""
    return bool(settings.PILOT_USERS or settings.PILOT_GROUP)


def has(uid: str, groups: Collection[str]) -> bool:
    """Whether somebody belongs to the pilot who is in these groups; true where there is none."""
    return not is_wanted() or uid in settings.PILOT_USERS or settings.PILOT_GROUP in groups


def read(members: Callable[[str], Collection[str]]) -> Pilot:
    """The pilot of the configuration; ``members`` asks Nextcloud for those of a group.

    A group that can't be read is a problem of the installation, and nobody of it begins meanwhile. Raises Throttled,
    which concerns more than this one question.
    """
    if not is_wanted():
        Problem.objects.clear(_KEY)
        return Pilot(None)
    found = set(settings.PILOT_USERS)
    if settings.PILOT_GROUP:
        try:
            found |= set(members(settings.PILOT_GROUP))
        except Throttled:
            raise
        except SideError as error:
            Problem.objects.report(
                _KEY,
                level=Problem.Level.INSTALLATION,
                code="pilot-group",
                text=f"The members of the group PILOT_GROUP can't be read, so nobody of it begins. {error}",
                remedy="Check the name of the group (its id, not what it is shown as) in .env and in Nextcloud.",
            )
            return Pilot(frozenset(found))
    Problem.objects.clear(_KEY)
    return Pilot(frozenset(found))
