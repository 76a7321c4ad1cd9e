"""A recurring series as Exchange keeps it: a master, exceptions with what they override, deleted dates.

Pure: works on stored properties, knows neither XML nor the store.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
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
        found = next(itertools.islice(self.instances(), max(index - 1, 0), None), None) if index >= 1 else None
        if found is None:
            raise EwsError(
                "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
                "Occurrence with this index was not found in the recurrence.",
            )
        return self._checked(found)

    def by_original(self, original: datetime) -> Instance:
        """The occurrence that the pattern puts at this moment; raises EwsError like by_index."""
        for instance in self.instances():
            if instance.original == original:
                return self._checked(instance)
            if instance.original > original:
                break
        raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")

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
        for instance in self.instances():
            past = instance.original >= until
            if past and not moved:
                return
            if past and stamp(instance.original) not in moved:
                if instance.original > until + timedelta(days=800):
                    return
                continue
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
        last = None
        for instance in self.alive():
            last = instance
        return last

    def modified(self) -> list[Instance]:
        """The exceptions, in order."""
        wanted = {original for original, override in self.overrides.items() if not override.deleted}
        return [instance for instance in self._among(wanted) if not instance.deleted]

    def _among(self, originals: set[str]) -> Iterator[Instance]:
        if not originals:
            return
        latest = moment(max(originals))
        for instance in itertools.takewhile(lambda instance: instance.original <= latest, self.instances()):
            if stamp(instance.original) in originals:
                yield instance

    def check_span(self) -> None:
        """Refuse a series whose occurrences overlap each other, or that has none."""
        head = list(itertools.islice(self.instances(), 60))
        if not head:
            raise EwsError("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.")
        for earlier, later in itertools.pairwise(head):
            if earlier.original + (earlier.end - earlier.original) > later.original and self._span > (
                later.original - earlier.original + timedelta(hours=1)
            ):
                raise EwsError(
                    "ErrorOccurrenceTimeSpanTooBig", "Duration of an occurrence is longer than the recurrence interval."
                )

    def check_exception(self, instance: Instance, start: datetime, end: datetime) -> None:
        """Refuse to move an occurrence to or over the day of a neighbour (MS-OXOCAL 3.1.4.7.4)."""
        earlier: Instance | None = None
        later: Instance | None = None
        for other in self.alive():
            if other.index < instance.index:
                earlier = other
            elif other.index > instance.index:
                later = other
                break
        day = start.astimezone(self.zone).date()
        crossing = (earlier is not None and day <= earlier.start.astimezone(self.zone).date()) or (
            later is not None and day >= later.start.astimezone(self.zone).date()
        )
        overlapping = (earlier is not None and start < earlier.end) or (later is not None and end > later.start)
        if crossing or overlapping:
            raise EwsError(
                "ErrorOccurrenceCrossingBoundary",
                "Modified occurrence is crossing or overlapping adjacent occurrence.",
            )
