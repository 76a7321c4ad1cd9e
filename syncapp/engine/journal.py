"""The log that a person reads of a run: lines, counts and problems, committed with what they tell of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F

from syncapp.engine.clock import Clock
from syncapp.items.elements import Element
from syncapp.models import Link, Problem, Run, RunLine
from syncapp.models.rows import Row, insert
from syncapp.side import SideName

_REPAIRS = frozenset({"created", "updated", "deleted", "adopted", "held"})


@dataclass
class Journal:
    """Lines and counts of one run. What is noted inside a transaction is written by it, and lost with it."""

    run: Run
    clock: Clock
    counts: Counter[str] = field(default_factory=Counter)
    _at: datetime | None = None
    _lines: list[Row] = field(default_factory=list)
    _new: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Forget what was noted inside when the transaction around it fails."""
        try:
            yield
            self.counts.update(self._new)
        finally:
            self._lines, self._new, self._at = [], Counter(), None

    @property
    def at(self) -> datetime:
        """The time of the present transaction: the database's clock is asked once for it."""
        if self._at is None:
            self._at = self.clock.now()
        return self._at

    def note(
        self,
        code: str,
        link: Link | None = None,
        side: SideName | None = None,
        elements: Collection[Element] = (),
        *,
        note: str = "",
        count: str = "",
    ) -> None:
        """Add a line; ``count`` names the number of the run that it adds to. Codes and names of fields, no content.

        What is done to an item of which a full comparison found what its server had not told is a repair.
        """
        fields = " ".join(sorted({each[0] for each in elements}))
        self._lines.append(
            {
                "run_id": self.run.pk,
                "at": self.at,
                "code": code,
                "side": side or "",
                "link_id": link.pk if link else None,
                "fields": fields,
                "note": note,
            }
        )
        if count:
            self._new[count] += 1
        if count in _REPAIRS and link is not None and link.untold:
            unheard, link.untold = SideName(link.untold), ""
            self.note("repaired", link, unheard, count="repaired")

    def flush(self) -> None:
        """Write what was noted; called at the end of a transaction."""
        insert(RunLine, self._lines)
        if self._new:
            Run.objects.filter(pk=self.run.pk).update(**{name: F(name) + value for name, value in self._new.items()})

    def pending(self, number: int) -> None:
        """Say how many items wait."""
        Run.objects.filter(pk=self.run.pk).update(pending=number)

    def fail(
        self,
        link: Link,
        code: str,
        text: str,
        *,
        label: str,
        side: SideName | None = None,
        revision: str = "",
        remedy: str = "",
    ) -> None:
        """An item does not sync, and why. ``revision`` is that of an object that can't be read."""
        Problem.objects.report(
            f"item:{bytes(link.key).hex()}",
            level=Problem.Level.ITEM,
            code=code,
            text=text,
            remedy=remedy,
            actor=Problem.Actor.USER,
            enrollment=link.enrollment_id,
            link_id=link.pk,
            side=side,
            revision=revision,
            label=label,
        )
        link.has_problem = True
        self.note("failed", link, side, note=code, count="failed")

    def well(self, links: Iterable[Link]) -> None:
        """These items sync again."""
        healed = [link for link in links if link.has_problem]
        for link in healed:
            link.has_problem = False
        if healed:
            Problem.objects.filter(link_id__in=[link.pk for link in healed], level=Problem.Level.ITEM).delete()
