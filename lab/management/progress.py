"""How far the connector is, read from its own tables, for the terminal of a demo."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum

from lab.scenario.people import USERS
from syncapp.models import Enrollment, Link, Problem, Run


@dataclass(frozen=True)
class Totals:
    """What all runs together have done."""

    users: int
    items: int
    created: int
    updated: int
    deleted: int
    adopted: int
    problems: int

    @classmethod
    def now(cls) -> Totals:
        """Read them."""
        names = ("created", "updated", "deleted", "adopted")
        sums = Run.objects.aggregate(**{name: Sum(name, default=0) for name in names})
        return cls(
            users=Enrollment.objects.filter(state=Enrollment.State.ACTIVE).count(),
            items=_in_step(),
            problems=Problem.objects.count(),
            **sums,
        )

    def since(self, before: Totals) -> str:
        """What has happened since, in words."""
        names = ("created", "updated", "deleted", "adopted", "problems")
        changes = {name: getattr(self, name) - getattr(before, name) for name in names}
        return ", ".join(f"{count} {name}" for name, count in changes.items() if count) or f"{self.items} items in step"


def _in_step() -> int:
    return Link.objects.filter(Link.in_step()).count()


class FirstSync:
    """The first sync of so many people: those of the demo."""

    def __init__(self, people: int = len(USERS)) -> None:
        self._people = people
        self.look()

    def look(self) -> None:
        """Read how far it is."""
        self.items_done = _in_step()
        self.items_known = self.items_done + Link.objects.filter(dirty__gt=0).count()
        self._through = Enrollment.objects.filter(first_sync_done_at__isnull=False).count()

    @property
    def done(self) -> bool:
        """Whether everybody's first sync has come to its end."""
        return self._through == self._people

    @property
    def words(self) -> str:
        """Where it stands, for a person."""
        return f"{self.items_done} items in step, {self._through} of {self._people} people done"
