"""Writing the exceptions of series: each is an object of its own in Exchange, addressed through its series.

A modified occurrence has an id of its own. Any other is found by its number in the pattern, and checked before it is
written, because servers count differently (docs/server-behaviour.md, "EWS as spoken by a second server"); where the
number misleads, the calendar is searched for the time at which it would begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from syncapp.exchange.ews import operations
from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.event_projection import NORMAL, PLAIN
from syncapp.exchange.ews.event_writing import occurrence_changes
from syncapp.exchange.ews.events import day_zone_of, original_start, original_starts
from syncapp.exchange.ews.markup import Markup
from syncapp.exchange.ews.native import Native, content_of, item_id
from syncapp.exchange.ews.properties import OCCURRENCE_PATHS, path
from syncapp.exchange.ews.recurrence import date_of, last_day
from syncapp.exchange.ews.times import format_instant, holdable_zone, instant_of, parse_instant
from syncapp.exchange.ews.xml import Element, text
from syncapp.items import patterns
from syncapp.items.event import Event, Occurrence
from syncapp.items.values import Kind, Moment, ZonedTime, moment_key
from syncapp.side import ChangedMeanwhile, Creation, Gone, Refused, SideError, Written

_FIELDS = ("start", "end", *PLAIN)
_TYPE = path("calendar:CalendarItemType")
_UNDELETE = "Exchange can't bring back a single deleted date of a series."
_CHANGED = "Somebody changed this date of the series in Exchange in between."
_ELSEWHERE = "Exchange does not show this date of the series under any name."
_HIDDEN = "Exchange took the change of this date of the series, but does not show it."


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
    """What is to be done to one series: where it is, how it shall be (``master``, projected), and the steps to that.

    ``named`` has the OriginalStart of modified occurrences by their ids, where the series lists them; ``modified`` the
    modified occurrences and ``deleted`` the dates without any, by key. ``guarded`` refuses occurrences that are not as
    ``modified`` says: only a look has compared the series' revision.
    """

    id: str
    folder: str
    uid: str
    day_zone: str
    master: Event
    steps: Sequence[Step]
    named: Mapping[str, str] = field(default_factory=dict)
    modified: Mapping[str, Element] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    guarded: bool = False

    def key_of(self, instant: str) -> str:
        """The key of the occurrence that would begin at this time. Raises ValueError."""
        return moment_key(original_start(parse_instant(instant), self.master, self.day_zone))

    def key_of_item(self, occurrence: Element) -> str:
        """The key of an occurrence that was read. Raises ValueError."""
        named = text(occurrence, "OriginalStart") or self.named.get(item_id(occurrence)[0], "")
        return self.key_of(named or text(occurrence, "Start"))


def of_created(written: Written, creation: Creation, master: Event, home: str) -> SeriesWrite:
    """What is to be done to a series that was just created, of which nothing was read yet."""
    day_zone = master.start.zone if isinstance(master.start, ZonedTime) else holdable_zone("", home)
    steps = steps_between(None, master)
    return SeriesWrite(written.id, creation.folder, creation.uid, day_zone, master, steps)


def of_stored(native: Native, master: Event, steps: Sequence[Step], home: str, *, guarded: bool) -> SeriesWrite:
    """What is to be done to a series that stands as ``native`` says. Raises ValueError."""
    item = native.properties
    zone = day_zone_of(item, home)
    bare = SeriesWrite(native.id, native.folder, item.text("UID"), zone, master, steps, original_starts(item))
    return replace(
        bare,
        modified={bare.key_of_item(each): each for each in native.occurrences},
        deleted=frozenset(bare.key_of(text(each, "Start")) for each in item.children("DeletedOccurrences")),
        guarded=guarded,
    )


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
    # Exchange lets no date pass its neighbour, not even for a moment: the last of those that go later goes first.
    later = [each for each in steps if _goes_later(each)]
    return [*reversed(later), *(each for each in steps if each not in later)]


def _goes_later(step: Step) -> bool:
    start = step.values.get("start")
    return start is not None and moment_key(start) > step.key


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


def write(connection: Connection, series: Sequence[SeriesWrite]) -> list[dict[str, SideError]]:
    """Take the steps of several series together; for each series the errors by the occurrence's key."""
    writer = _Writer(connection)
    jobs = [_Job(at, each, step, _unfit(each, step)) for at, each in enumerate(series) for step in each.steps]
    writer.locate([job for job in jobs if not job.problem])
    writer.change([job for job in jobs if job.is_open and not job.step.deleted])
    writer.see([job for job in jobs if job.is_open and job.step.values])
    # Changes come first, since taking a date out may move the numbers of others.
    writer.delete([job for job in jobs if job.is_open and job.step.deleted])
    failures: list[dict[str, SideError]] = [{} for _ in series]
    for job in jobs:
        if job.problem:
            failures[job.series_at][job.step.key] = job.problem
    return failures


def _unfit(series: SeriesWrite, step: Step) -> SideError | None:
    """Why this step can't be taken at all."""
    if step.deleted:
        return None
    if step.key in series.deleted:
        return Refused(_UNDELETE)
    known = series.modified.get(step.key)
    # Changed and not shown: gromox adds each further change to the series until it cannot be read any more.
    return Refused(_HIDDEN) if known is not None and _is_plain(known) else None


@dataclass(eq=False)
class _Job:
    series_at: int
    series: SeriesWrite
    step: Step
    problem: SideError | None = None
    found: Element | None = None
    """The occurrence as it is now."""

    @property
    def is_open(self) -> bool:
        """Whether there is anything to send."""
        return self.problem is None and self.found is not None

    @property
    def known(self) -> Element | None:
        """The occurrence as it was when the series was read, if it was modified then."""
        return self.series.modified.get(self.step.key)


class _Writer:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def locate(self, jobs: Sequence[_Job]) -> None:
        """Find each job's occurrence as it is now."""
        asked = [(job, id) for job in jobs if (id := _address(job)) is not None]
        answers = operations.get_items(self._connection, [id for _, id in asked], OCCURRENCE_PATHS)
        for (job, _), answer in zip(asked, answers, strict=True):
            if not isinstance(answer, SideError) and _is(job, answer):
                job.found = answer
        for job in jobs:
            if job.found is None:
                job.found = self._search(job)
            job.problem = _judge(job)

    def _search(self, job: _Job) -> Element | None:
        """The occurrence as the calendar shows it at the time at which it would begin."""
        series = job.series
        begin = instant_of(job.step.original, series.day_zone)
        shown = operations.view_calendar(
            self._connection,
            series.folder,
            format_instant(begin),
            format_instant(begin + timedelta(minutes=1)),
            _TYPE,
        )
        ids = [operations.item_id(item_id(each)[0]) for each in shown if not _is_single(each)]
        answers = operations.get_items(self._connection, ids, OCCURRENCE_PATHS)
        found = (each for each in answers if not isinstance(each, SideError))
        return next((each for each in found if text(each, "UID") == series.uid and _is(job, each)), None)

    def change(self, jobs: Sequence[_Job]) -> None:
        """Write what is changed, of all series at a time.

        Where a write has given its whole series a new change key, the others of that series follow one by one, each
        after a look at whether anybody else was there.
        """
        waiting = self._update(jobs)
        while waiting:
            turn = list({job.series_at: job for job in reversed(waiting)}.values())
            for job in self._update(self._look_again(turn)):
                job.problem = ChangedMeanwhile(_CHANGED)
            waiting = [job for job in waiting if job not in turn]

    def _update(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Send changes; the jobs that met a change key which may be that of our own write to a neighbour."""
        changes = [(job, change) for job in jobs if (change := _change(job))]
        answers = operations.update_items(self._connection, Kind.EVENT, [change for _, change in changes])
        met = []
        for (job, _), answer in zip(changes, answers, strict=True):
            if isinstance(answer, ChangedMeanwhile) and len(job.series.steps) > 1:
                met.append(job)
            elif isinstance(answer, SideError):
                job.problem = answer
            else:
                job.found = answer
        return met

    def _look_again(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Read occurrences again; the jobs whose occurrence nobody else changed."""
        ids = [operations.item_id(item_id(_found(job))[0]) for job in jobs]
        answers = operations.get_items(self._connection, ids, OCCURRENCE_PATHS)
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, SideError):
                job.problem = answer
            elif content_of(answer) != content_of(_found(job)):
                job.problem = ChangedMeanwhile(_CHANGED)
            else:
                job.found = answer
        return [job for job in jobs if not job.problem]

    def see(self, jobs: Sequence[_Job]) -> None:
        """See that changes are shown: what a server took and hides must not look as if somebody had undone it."""
        ids = [operations.item_id(item_id(_found(job))[0]) for job in jobs]
        for job, now in zip(jobs, operations.get_items(self._connection, ids, _TYPE), strict=True):
            if not isinstance(now, SideError) and _is_plain(now):
                job.problem = Refused(_HIDDEN)

    def delete(self, jobs: Sequence[_Job]) -> None:
        """Take dates out of their series."""
        ids = [item_id(_found(job))[0] for job in jobs]
        problems = operations.delete_items(self._connection, Kind.EVENT, ids)
        for job, problem in zip(jobs, problems, strict=True):
            job.problem = None if isinstance(problem, Gone) else problem


def _address(job: _Job) -> Markup | None:
    if job.known is not None:
        return operations.item_id(item_id(job.known)[0])
    index = _index(job.series.master, job.step.original)
    return None if index is None else operations.occurrence_id(job.series.id, index)


def _is(job: _Job, item: Element) -> bool:
    is_occurrence = text(item, "CalendarItemType") in ("Occurrence", "Exception")
    return is_occurrence and job.series.key_of_item(item) == job.step.key


def _judge(job: _Job) -> SideError | None:
    """Why an occurrence that was looked for can't be written as it is."""
    if job.found is None:
        # A date that shall be deleted and is not to be found is as it shall be.
        return None if job.step.deleted else Gone(_ELSEWHERE)
    if job.series.guarded:
        known = job.known
        unchanged = content_of(known) == content_of(job.found) if known is not None else _is_plain(job.found)
        return None if unchanged else ChangedMeanwhile(_CHANGED)
    return None


def _change(job: _Job) -> operations.ItemChange | None:
    step, series = job.step, job.series
    updates = occurrence_changes(step.values, step.original, series.master, step.names, series.day_zone)
    return operations.ItemChange(*item_id(_found(job)), updates) if updates else None


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
