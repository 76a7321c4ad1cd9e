"""Writing the exceptions of series: each is an object of its own in Exchange, addressed through its series.

A modified occurrence has an id of its own. Any other is found by its number in the pattern, and checked before it is
written, because servers count differently (docs/server-behaviour.md, "EWS as spoken by a second server"); where the
number misleads, the calendar is searched for the time at which it would begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from syncapp.exchange.ews import operations, patterns
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.event_projection import NORMAL
from syncapp.exchange.ews.event_writing import occurrence_changes
from syncapp.exchange.ews.events import day_zone_of, named_original, original_start
from syncapp.exchange.ews.native import Native, content_of, item_id
from syncapp.exchange.ews.properties import occurrence_paths, path
from syncapp.exchange.ews.recurrence import date_of, last_day
from syncapp.exchange.ews.times import format_instant, instant_of, parse_instant
from syncapp.exchange.ews.xml import Element, text
from syncapp.items.event import Event, Occurrence
from syncapp.items.values import Kind, Moment, moment_key
from syncapp.side import ChangedMeanwhile, Gone, Refused, SideError

_FIELDS = ("title", "start", "end", "location", "description", "reminder", "busy")
_UNDELETE = "Exchange can't bring back a single deleted date of a series."
_ELSEWHERE = "Exchange does not show this date of the series under any name."


@dataclass(frozen=True)
class Step:
    """One occurrence to be written: ``names`` are the fields that get what ``values`` say, else what is inherited."""

    original: Moment
    deleted: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The occurrence's name among the exceptions of its series."""
        return moment_key(self.original)


@dataclass(frozen=True)
class SeriesWrite:
    """What is to be done to one series. ``native`` is as it stands, ``master`` as it shall be (projected).

    ``guarded`` refuses occurrences that are not as ``native`` says: only a look has compared the series' revision.
    """

    native: Native
    master: Event
    steps: Sequence[Step]
    guarded: bool = False


def steps_between(before: Event | None, after: Event, keys: frozenset[str] | None = None) -> list[Step]:
    """The steps that make the exceptions of ``before`` (None: a new series) into those of ``after``.

    ``keys`` limits them to some occurrences. A deleted occurrence that shall be there again is a step like any other
    here; whether it can be taken is seen when it is written.
    """
    old = {moment_key(each.original): each for each in before.exceptions} if before else {}
    new = {moment_key(each.original): each for each in after.exceptions}
    steps = []
    for key in sorted(old.keys() | new.keys()):
        if keys is None or key in keys:
            step = _step(old.get(key), new.get(key))
            if step.deleted or step.names:
                steps.append(step)
    return steps


def _step(old: Occurrence | None, new: Occurrence | None) -> Step:
    some = new or old
    assert some is not None
    if new is not None and new.deleted:
        return Step(some.original, deleted=old is None or not old.deleted)
    if old is not None and old.deleted:
        return Step(some.original, values=new.values if new else {}, names=frozenset(_FIELDS))
    before, after = (old.values if old else {}), (new.values if new else {})
    names = {name for name in before.keys() | after.keys() if not _same(name, before, after)}
    return Step(some.original, values=after, names=frozenset(names))


def _same(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return name in before and name in after and NORMAL[name](before[name]) == NORMAL[name](after[name])


def write(connection: Connection, series: Sequence[SeriesWrite], home: str) -> list[dict[str, SideError]]:
    """Take the steps of several series together; for each series the errors by the occurrence's key."""
    writer = _Writer(connection, home)
    jobs = [_Job(at, each, step) for at, each in enumerate(series) for step in each.steps]
    for job in jobs:
        job.problem = writer.unfit(job)
    writer.locate([job for job in jobs if not job.problem])
    writer.send([job for job in jobs if not job.problem and not job.done])
    failures: list[dict[str, SideError]] = [{} for _ in series]
    for job in jobs:
        if job.problem:
            failures[job.series_at][job.step.key] = job.problem
    return failures


@dataclass
class _Job:
    series_at: int
    series: SeriesWrite
    step: Step
    found: Element | None = None
    done: bool = False
    problem: SideError | None = None


class _Writer:
    def __init__(self, connection: Connection, home: str) -> None:
        self._connection = connection
        self._home = home

    def unfit(self, job: _Job) -> SideError | None:
        """Why this step can't be taken at all."""
        deleted = {text(each, "Start") for each in job.series.native.item.iterfind(".//{*}DeletedOccurrence")}
        names = {moment_key(self._original(job, value)) for value in deleted}
        if job.step.key in names:
            return None if job.step.deleted else Refused(_UNDELETE)
        return None

    def locate(self, jobs: Sequence[_Job]) -> None:
        """Find each job's occurrence as it is now."""
        ids = [self._address(job) for job in jobs]
        asked = [(job, id) for job, id in zip(jobs, ids, strict=True) if id is not None]
        answers = operations.get_items(self._connection, [id for _, id in asked], occurrence_paths())
        for (job, _), answer in zip(asked, answers, strict=True):
            if not isinstance(answer, SideError) and self._is(job, answer):
                job.found = answer
        for job in jobs:
            if job.found is None:
                job.found = self._search(job)
            self._judge(job)

    def _address(self, job: _Job) -> Element | None:
        if (known := self._known(job)) is not None:
            return operations.item_id(item_id(known)[0])
        index = _index(job.series.master, job.step.original)
        return None if index is None else operations.occurrence_id(job.series.native.id, index)

    def _known(self, job: _Job) -> Element | None:
        for each in job.series.native.occurrences:
            if moment_key(self._original(job, named_original(each, job.series.native.item))) == job.step.key:
                return each
        return None

    def _original(self, job: _Job, value: str) -> Moment:
        return original_start(parse_instant(value), job.series.native.item, job.series.master, self._home)

    def _is(self, job: _Job, item: Element) -> bool:
        if text(item, "CalendarItemType") not in ("Occurrence", "Exception"):
            return False
        value = named_original(item, job.series.native.item) or text(item, "Start")
        return moment_key(self._original(job, value)) == job.step.key

    def _search(self, job: _Job) -> Element | None:
        """The occurrence as the calendar shows it at the time at which it would begin."""
        native = job.series.native
        begin = instant_of(job.step.original, day_zone_of(native.item, self._home))
        shown = operations.view_calendar(
            self._connection,
            native.folder,
            format_instant(begin),
            format_instant(begin + timedelta(minutes=1)),
            [path("calendar:CalendarItemType")],
        )
        ids = [operations.item_id(item_id(each)[0]) for each in shown if not _is_single(each)]
        answers = operations.get_items(self._connection, ids, occurrence_paths())
        uid = text(native.item, "UID")
        found = (each for each in answers if not isinstance(each, SideError))
        return next((each for each in found if text(each, "UID") == uid and self._is(job, each)), None)

    def _judge(self, job: _Job) -> None:
        if job.found is None:
            # A date that shall be deleted and is not to be found is as it shall be.
            job.done = job.step.deleted
            job.problem = None if job.done else Gone(_ELSEWHERE)
        elif job.series.guarded:
            known = self._known(job)
            unchanged = content_of(known) == content_of(job.found) if known is not None else _is_plain(job.found)
            if not unchanged:
                job.problem = ChangedMeanwhile("Somebody changed this date of the series in Exchange in between.")

    def send(self, jobs: Sequence[_Job]) -> None:
        """Write what was found: changes first, since taking a date out may move the numbers of others."""
        modified = [(job, change) for job in jobs if not job.step.deleted and (change := self._change(job))]
        answers = operations.update_items(self._connection, Kind.EVENT, [change for _, change in modified])
        for (job, _), answer in zip(modified, answers, strict=True):
            if isinstance(answer, ChangedMeanwhile) and len(job.series.steps) > 1:
                # Our own write to a neighbour has given the whole series a new change key.
                self._again(job)
            elif isinstance(answer, SideError):
                job.problem = answer
        deleted = [job for job in jobs if job.step.deleted]
        problems = operations.delete_items(self._connection, Kind.EVENT, [item_id(_found(job))[0] for job in deleted])
        for job, problem in zip(deleted, problems, strict=True):
            job.problem = None if isinstance(problem, Gone) else problem

    def _again(self, job: _Job) -> None:
        before = _found(job)
        (now,) = operations.get_items(self._connection, [operations.item_id(item_id(before)[0])], occurrence_paths())
        if isinstance(now, SideError):
            job.problem = now
            return
        if content_of(now) != content_of(before):
            job.problem = ChangedMeanwhile("Somebody changed this date of the series in Exchange in between.")
            return
        job.found = now
        change = self._change(job)
        assert change is not None
        (answer,) = operations.update_items(self._connection, Kind.EVENT, [change])
        job.problem = answer if isinstance(answer, SideError) else None

    def _change(self, job: _Job) -> operations.ItemChange | None:
        id, change_key = item_id(_found(job))
        day_zone = day_zone_of(job.series.native.item, self._home)
        step = job.step
        updates = occurrence_changes(step.values, step.original, job.series.master, step.names, day_zone)
        return operations.ItemChange(id, change_key, updates) if updates else None


def _found(job: _Job) -> Element:
    assert job.found is not None
    return job.found


def _is_single(item: Element) -> bool:
    return text(item, "CalendarItemType") == "Single"


def _is_plain(item: Element) -> bool:
    return text(item, "CalendarItemType") == "Occurrence"


def _index(master: Event, original: Moment) -> int | None:
    """The number of an occurrence in its pattern, from 1; deleted ones count."""
    assert master.recurrence is not None
    day, first = date_of(original), date_of(master.start)
    for number, each in enumerate(
        patterns.limited(master.recurrence, first, last_day(master.recurrence, master.start)), 1
    ):
        if each >= day:
            return number if each == day else None
    return None
