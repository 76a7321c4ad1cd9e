"""Events in an Exchange mailbox: series are read and written with their exceptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from syncapp.exchange.ews import occurrences, operations
from syncapp.exchange.ews.common import EwsSide, global_object_id_term, uid_from_global_object_id
from syncapp.exchange.ews.event_projection import project_event
from syncapp.exchange.ews.event_writing import check_event, event_changes, new_event
from syncapp.exchange.ews.events import read_event
from syncapp.exchange.ews.markup import Markup
from syncapp.exchange.ews.native import Native, item_id
from syncapp.exchange.ews.occurrences import SeriesWrite, Step, of_created, of_stored, steps_between
from syncapp.exchange.ews.operations import ItemChange
from syncapp.exchange.ews.properties import EVENT_PATHS, OCCURRENCE_PATHS, clear_field, path
from syncapp.exchange.ews.xml import Element, Properties, child
from syncapp.items import Item
from syncapp.items.elements import EXCEPTIONS, elements
from syncapp.items.event import Event
from syncapp.items.values import Kind, moment_key
from syncapp.side import ChangedMeanwhile, Creation, Gone, SideError, Unreadable, Update, WriteResult, Written

_TIME_FIELDS = frozenset({"start", "end", "recurrence"})
_Failures = dict[str, SideError]
"""What went wrong with exceptions, by the key of the occurrence."""
_RECURRENCE = "calendar:Recurrence"
_VANISHED = "A date of the series was changed in Exchange while it was being read."


class EwsEventSide(EwsSide):
    """The calendars of a mailbox."""

    kind = Kind.EVENT
    steps = frozenset({EXCEPTIONS})
    _paths = EVENT_PATHS

    def project(self, item: Item) -> Event:
        assert isinstance(item, Event)
        return project_event(item, self.home)

    def check(self, item: Item, uid: str) -> None:  # noqa: ARG002 - any UID will do
        assert isinstance(item, Event)
        check_event(item, self.home)

    def _item(self, native: Native) -> Event:
        return read_event(native, self.home)

    def _uid(self, item: Properties) -> str:
        return item.text("UID") or uid_from_global_object_id(item)

    def _uid_term(self, uid: str) -> Markup:
        return global_object_id_term(uid)

    def _complete(self, found: dict[str, Native | SideError]) -> dict[str, Native | SideError]:
        """Series with their modified occurrences, all of them in as few requests as possible."""
        wanted = [
            (id, operations.item_id(reference.get("Id", "")))
            for id, native in found.items()
            if isinstance(native, Native)
            for each in native.properties.children("ModifiedOccurrences")
            if (reference := child(each, "ItemId")) is not None
        ]
        answers = operations.get_items(self.connection, [each for _, each in wanted], OCCURRENCE_PATHS)
        parts: dict[str, list[Element]] = {}
        for (id, _), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Gone):
                found[id] = ChangedMeanwhile(_VANISHED)
            elif isinstance(answer, SideError):
                found[id] = answer
            else:
                parts.setdefault(id, []).append(answer)
        for id, some in parts.items():
            native = found[id]
            if isinstance(native, Native):
                found[id] = replace(native, occurrences=tuple(some))
        return found

    def create(self, creations: Sequence[Creation]) -> list[WriteResult]:
        """CreateItem, then the exceptions of the series among them."""
        results = self._create_all(creations, [self._new(each) for each in creations])
        masters = {at: self.project(each.item) for at, each in enumerate(creations)}
        series = {
            at: of_created(result, creation, masters[at], self.home)
            for at, (creation, result) in enumerate(zip(creations, results, strict=True))
            if isinstance(result, Written) and masters[at].exceptions
        }
        return self._with_exceptions(results, series, {}, masters)

    def _new(self, creation: Creation) -> Markup | SideError:
        assert isinstance(creation.item, Event)
        try:
            return new_event(creation.item, creation.uid, creation.own_id, self.home)
        except SideError as problem:
            return problem

    def update(self, updates: Sequence[Update]) -> list[WriteResult]:
        """UpdateItem on single events and masters, then on the exceptions.

        A new time or pattern resets a series in Exchange, exceptions included; so does bringing back a deleted date,
        for which there is no other way. The exceptions are then compared with what is left, and written again.
        """
        plans = [self._plan(each) for each in updates]
        masters = {at: (plan.update, plan.changes) for at, plan in enumerate(plans) if isinstance(plan, _Plan)}
        results: list[WriteResult] = [each if isinstance(each, SideError) else Written("") for each in plans]
        for at, result in self._update_masters(masters).items():
            results[at] = result
        done = {
            at: plan for at, plan in enumerate(plans) if isinstance(plan, _Plan) and isinstance(results[at], Written)
        }
        series, lost = self._series(done, results)
        return self._with_exceptions(results, series, lost, {at: plan.master for at, plan in done.items()})

    def _plan(self, update: Update) -> _Plan | SideError:
        before, after = update.object.item, update.item
        assert isinstance(before, Event)
        assert isinstance(after, Event)
        fields = {each[0] for each in update.changed}
        master = self.project(after)
        keys = frozenset(each[1] for each in update.changed if each[0] == EXCEPTIONS)
        steps = steps_between(before, master, keys) if master.recurrence else []
        reset = master.recurrence is not None and (bool(fields & _TIME_FIELDS) or _undeletes(before, steps))
        if reset:
            fields |= _TIME_FIELDS
        try:
            changes = event_changes(before, after, fields, self.home)
        except SideError as problem:
            return problem
        return _Plan(update, master, changes, steps, reset)

    def _series(
        self, plans: Mapping[int, _Plan], results: list[WriteResult]
    ) -> tuple[dict[int, SeriesWrite], dict[int, _Failures]]:
        """What is to be done to the exceptions after the masters were written, and where that can't be known."""
        left = self._left_after_reset({at: plan for at, plan in plans.items() if plan.reset}, results)
        series, lost = {}, {}
        for at, plan in plans.items():
            native, steps = plan.update.object.source, plan.steps
            if plan.reset:
                native = left[at]
                if isinstance(native, SideError):
                    lost[at] = {moment_key(each.original): native for each in plan.master.exceptions}
                    continue
                steps = steps_between(self._item(native), plan.master)
            if steps and isinstance(results[at], Written):
                series[at] = of_stored(native, plan.master, steps, self.home, guarded=not plan.changes)
        return series, lost

    def _left_after_reset(
        self, plans: Mapping[int, _Plan], results: list[WriteResult]
    ) -> dict[int, Native | SideError]:
        """The series as a new pattern has left them.

        A server that was given the pattern that it had may not have reset anything. Where a deleted date stands in the
        way, the pattern is taken from the series and given to it again.
        """
        ids = {at: result.id for at in plans if isinstance(result := results[at], Written)}
        found = self._load_again(list(ids.values()))
        left = {at: found.get(id, Gone(_VANISHED)) for at, id in ids.items()}
        stubborn = {
            at: native
            for at, native in left.items()
            if isinstance(native, Native)
            and _undeletes(before := self._item(native), steps_between(before, plans[at].master))
        }
        if stubborn:
            for at, answer in self._give_pattern_again(stubborn, plans).items():
                if isinstance(answer, SideError):
                    results[at] = answer
            found = self._load_again([ids[at] for at in stubborn])
            left |= {at: found.get(ids[at], Gone(_VANISHED)) for at in stubborn}
        return left

    def _give_pattern_again(
        self, stubborn: Mapping[int, Native], plans: Mapping[int, _Plan]
    ) -> dict[int, Element | SideError]:
        clear = [ItemChange(each.id, each.change_key, [clear_field(path(_RECURRENCE))]) for each in stubborn.values()]
        answers = dict(zip(stubborn, operations.update_items(self.connection, self.kind, clear), strict=True))
        cleared = {at: answer for at, answer in answers.items() if not isinstance(answer, SideError)}
        masters = {at: plans[at].master for at in cleared}
        again = [
            ItemChange(*item_id(answer), event_changes(masters[at], masters[at], _TIME_FIELDS, self.home))
            for at, answer in cleared.items()
        ]
        return answers | dict(zip(cleared, operations.update_items(self.connection, self.kind, again), strict=True))

    def _load_again(self, ids: Sequence[str]) -> Mapping[str, Native | SideError]:
        try:
            return {id: self._readable(each) for id, each in self._load(ids).items()}
        except SideError as problem:
            return dict.fromkeys(ids, problem)

    def _readable(self, native: Native | SideError) -> Native | SideError:
        if isinstance(native, Native):
            try:
                self._item(native)
            except Unreadable as problem:
                return problem
        return native

    def _with_exceptions(
        self,
        results: list[WriteResult],
        series: Mapping[int, SeriesWrite],
        lost: Mapping[int, _Failures],
        masters: Mapping[int, Event],
    ) -> list[WriteResult]:
        """The results with what became of the exceptions. A series that had some written has a revision that no answer
        named."""
        failures = dict(zip(series, self._write_series(list(series.values())), strict=True)) | dict(lost)
        for at, problems in failures.items():
            written = results[at]
            if isinstance(written, SideError):
                continue
            unwritten = {each for each in elements(masters[at]) if each[0] == EXCEPTIONS and each[1] in problems}
            unwritten |= {(EXCEPTIONS, key) for key in problems}
            results[at] = Written(written.id, "", frozenset(unwritten), next(iter(problems.values()), None))
        return results

    def _write_series(self, series: Sequence[SeriesWrite]) -> list[_Failures]:
        try:
            return occurrences.write(self.connection, series)
        except SideError as problem:
            # The series themselves are written; that must not be lost for the sake of their exceptions.
            return [{step.key: problem for step in each.steps} for each in series]


@dataclass(frozen=True)
class _Plan:
    update: Update
    master: Event
    changes: list[Markup]
    steps: list[Step]
    reset: bool


def _undeletes(before: Event, steps: Sequence[Step]) -> bool:
    deleted = {moment_key(each.original) for each in before.exceptions if each.deleted}
    return any(step.key in deleted and not step.deleted for step in steps)
