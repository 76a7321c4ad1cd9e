"""A recurring series as Exchange keeps it: a master, exceptions with what they override, deleted dates.

Pure: works on stored properties, knows neither XML nor the store.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from lab.exchange import recurrence
from lab.exchange.records import Override, stamp
from lab.exchange.soap import EwsError
from lab.exchange.timezones import tz_of


@dataclass(frozen=True)
class Instance:
    """One occurrence: ``index`` counts from 1 over the whole pattern, deleted ones included."""

    index: int
    original: datetime
    start: datetime
    end: datetime
    override: Override | None

    @property
    def deleted(self) -> bool:
        """Whether the occurrence is in DeletedOccurrences."""
        return self.override is not None and self.override.deleted


def moment(text: str) -> datetime:
    """A stored moment."""
    return datetime.fromisoformat(text)


class Series:
    """The occurrences of a master's properties with its overrides."""

    def __init__(self, props: Mapping[str, Any], overrides: list[Override]) -> None:
        self.recurrence: recurrence.Recurrence = props["Recurrence"]
        self.zone = tz_of(props.get("StartTimeZone"))
        start, end = (moment(props[name]).astimezone(self.zone) for name in ("Start", "End"))
        self._time: time = start.time().replace(fold=0)
        # Occurrences keep their wall-clock span (MS-OXOCAL StartTimeOffset, EndTimeOffset): an all-day one stays
        # midnight to midnight across a change of the clocks.
        self._span = end.replace(tzinfo=None, fold=0) - start.replace(tzinfo=None, fold=0)
        self.overrides = {override.original: override for override in overrides}

    def instances(self) -> Iterator[Instance]:
        """Every occurrence in order of its original start, deleted ones marked."""
        for index, day in enumerate(recurrence.dates(self.recurrence), start=1):
            yield self._instance(index, day)

    def _instance(self, index: int, day: date) -> Instance:
        local = datetime.combine(day, self._time)
        original = local.replace(tzinfo=self.zone).astimezone(UTC)
        end = (local + self._span).replace(tzinfo=self.zone).astimezone(UTC)
        override = self.overrides.get(stamp(original))
        if override is None or override.deleted:
            return Instance(index, original, original, end, override)
        changed = override.props
        start = moment(changed["Start"]) if "Start" in changed else original
        return Instance(index, original, start, moment(changed["End"]) if "End" in changed else end, override)

    def alive(self) -> Iterator[Instance]:
        """The occurrences that are not deleted."""
        return (instance for instance in self.instances() if not instance.deleted)

    def by_index(self, index: int) -> Instance:
        """The occurrence with this InstanceIndex; raises EwsError when the pattern has none or it is deleted."""
        numbered = enumerate(recurrence.dates(self.recurrence), start=1)
        found = next(itertools.islice(numbered, index - 1, None), None) if index >= 1 else None
        if found is None:
            raise EwsError(
                "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
                "Occurrence with this index was not found in the recurrence.",
            )
        return self._checked(self._instance(*found))

    def by_original(self, original: datetime) -> Instance:
        """The occurrence that the pattern puts at this moment; raises EwsError like by_index."""
        for instance in self._on({self._day(original)}):
            if instance.original == original:
                return self._checked(instance)
        raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")

    def _day(self, original: datetime) -> date:
        return original.astimezone(self.zone).date()

    def _on(self, days: set[date], first: date = date.max, last: date = date.min) -> Iterator[Instance]:
        """The occurrences that the pattern puts on some days, or between two days."""
        end = max(days | {last})
        for index, day in enumerate(recurrence.dates(self.recurrence), start=1):
            if day > end:
                return
            if first <= day <= last or day in days:
                yield self._instance(index, day)

    def _checked(self, instance: Instance) -> Instance:
        if instance.deleted:
            raise EwsError(
                "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
                "Occurrence with this index was previously deleted from the recurrence.",
            )
        return instance

    def between(self, since: datetime, until: datetime) -> Iterator[Instance]:
        """Occurrences that overlap a span; exceptions moved into it or out of it count where they are."""
        moved = {o.original for o in self.overrides.values() if not o.deleted and "Start" in o.props}
        slack = self._span + timedelta(days=1)
        days = {self._day(moment(original)) for original in moved}
        for instance in self._on(days, self._day(since - slack), self._day(until)):
            if not instance.deleted and instance.start < until and instance.end > since:
                yield instance

    @property
    def first(self) -> Instance | None:
        """FirstOccurrence: the first that is not deleted."""
        return next(self.alive(), None)

    @property
    def last(self) -> Instance | None:
        """LastOccurrence; none for a series without end."""
        if self.recurrence["range"] == "NoEndRecurrence":
            return None
        # The last ones may be deleted, but no more of them than there are overrides.
        numbered = enumerate(recurrence.dates(self.recurrence), start=1)
        ending = collections.deque(numbered, maxlen=len(self.overrides) + 1)
        return self._first_alive(reversed(ending))

    def _first_alive(self, numbered: Iterable[tuple[int, date]]) -> Instance | None:
        return next((found for found in (self._instance(*each) for each in numbered) if not found.deleted), None)

    def modified(self) -> list[Instance]:
        """The exceptions, in order."""
        own = {original for original, override in self.overrides.items() if not override.deleted}
        days = {self._day(moment(original)) for original in own}
        return [instance for instance in self._on(days) if stamp(instance.original) in own] if days else []

    def check_span(self) -> None:
        """Refuse a series whose occurrences overlap each other, or that has none."""
        head = list(itertools.islice(self.instances(), 60))
        if not head:
            raise EwsError("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.")
        for earlier, later in itertools.pairwise(head):
            # An hour's grace for the days on which the clocks change.
            if self._span > later.original - earlier.original + timedelta(hours=1):
                raise EwsError(
                    "ErrorOccurrenceTimeSpanTooBig", "Duration of an occurrence is longer than the recurrence interval."
                )

    def check_exception(self, instance: Instance, start: datetime, end: datetime) -> None:
        """Refuse to move an occurrence to or over the day of a neighbour (MS-OXOCAL 3.1.4.7.4)."""
        reach = instance.index + len(self.overrides) + 1
        numbered = list(itertools.islice(enumerate(recurrence.dates(self.recurrence), start=1), reach))
        earlier = self._first_alive(reversed(numbered[: instance.index - 1]))
        later = self._first_alive(numbered[instance.index :])
        day = self._day(start)
        crossing = (earlier is not None and day <= self._day(earlier.start)) or (
            later is not None and day >= self._day(later.start)
        )
        overlapping = (earlier is not None and start < earlier.end) or (later is not None and end > later.start)
        if crossing or overlapping:
            raise EwsError(
                "ErrorOccurrenceCrossingBoundary",
                "Modified occurrence is crossing or overlapping adjacent occurrence.",
            )
