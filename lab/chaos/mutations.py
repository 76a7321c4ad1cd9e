"""Deliberately broken engines: each breaks one rule of docs/architecture.md, and chaos has to notice.

They are patches of names, applied from outside for as long as a history is played; the engine knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from lab.chaos.side import MemorySide
from syncapp.engine import apply, delete, keeping, lease, match, process, resolve
from syncapp.engine.case import Case
from syncapp.engine.collect import _Folder
from syncapp.engine.guard import Guard, Judgement
from syncapp.engine.lease import Lease
from syncapp.engine.search import Hits
from syncapp.engine.work import Work
from syncapp.models import Link
from syncapp.side import Changes, SideError, SideName, Written

Patch = tuple[object, str, Any]
"""What ``mock.patch.object`` is told: whose attribute, its name, and what takes its place."""


@dataclass(frozen=True)
class Mutation:
    """One way to break the engine. ``patches`` are made anew each time: some of them remember things."""

    meaning: str
    patches: Callable[[], Sequence[Patch]]
    theme: str = "hot"
    """What histories are about in which it shows soon (``lab.chaos.generate``)."""


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Break the engine; "" leaves it as it is. Raises KeyError for a name that is none."""
    with ExitStack() as stack:
        for target, attribute, replacement in MUTATIONS[name].patches() if name else ():
            stack.enter_context(mock.patch.object(target, attribute, replacement))
        yield


# Collecting ----------------------------------------------------------------------------------------------------------


def _token_too_early() -> Sequence[Patch]:
    page_of = _Folder._page

    def page(self: _Folder, token: str) -> Changes | None:
        found = page_of(self, token)
        if found is not None and self.listed is None:
            with self.work.commit():
                self.pairing.put(self.name, token=found.token)
        return found

    return [(_Folder, "_page", page)]


def _gone_is_believed() -> Sequence[Patch]:
    return [(_Folder, "_confirmed", lambda _self, ids: ([], list(ids)))]


def _restores_not_noticed() -> Sequence[Patch]:
    def collect_folder(self: _Folder, look: str) -> None:
        self.told.clear()
        before(self, look)

    before = _Folder.collect
    return [
        (_Folder, "collect", collect_folder),
        (_Folder, "_was_told", lambda _self, _id: True),
        (_Folder, "_in_bin", lambda _self, ids: set(ids)),
    ]


# Writing -------------------------------------------------------------------------------------------------------------


def _base_not_updated() -> Sequence[Patch]:
    return [(apply, "_advance", lambda *_: None)]


def _update_without_precondition() -> Sequence[Patch]:
    return [(MemorySide, "_fresh", lambda self, id, _revision: self._alive(id))]


def _delete_without_precondition() -> Sequence[Patch]:
    def delete_it(self: MemorySide, deletion: Any, _call: Any) -> Written:
        binned = self.server.throw_away(self._alive(deletion.id))
        return Written(binned.id if binned else deletion.id)

    return [(MemorySide, "_delete", delete_it)]


def _bin_not_looked_at() -> Sequence[Patch]:
    def end(*_: Any) -> bool:
        return True

    return [(delete, "end_deletion", end), (resolve, "end_deletion", end)]


def _create_without_search() -> Sequence[Patch]:
    def nothing(_work: Work, _name: SideName, wanted: Any) -> dict[int, Hits]:
        return {link.pk: Hits() for link, _, _ in wanted}

    return [(process, "search", nothing)]


def _intent_not_recorded() -> Sequence[Patch]:
    begin = apply._begin

    def begin_without(work: Work, writes: apply.Writes) -> None:
        begin(work, writes)
        for case in writes.cases:
            case.intent = None
        Link.objects.put([case.link for case in writes.cases])

    return [(apply, "_begin", begin_without)]


def _intents_not_resolved() -> Sequence[Patch]:
    def resolved(_work: Work, cases: Sequence[Any]) -> list[Any]:
        for case in cases:
            case.intent = None
        return list(cases)

    return [(process, "resolve", resolved)]


def _history_after_the_request() -> Sequence[Patch]:
    take = apply._Answers.take
    waiting: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def later(*args: Any, **named: Any) -> None:
        waiting.append((args, named))

    def flush() -> None:
        while waiting:
            args, named = waiting.pop(0)
            keeping.keep_history(*args, **named)

    def take_and_keep(self: apply._Answers) -> None:
        flush()
        take(self)

    def bury_and_keep(*args: Any, **named: Any) -> None:
        flush()
        keeping.bury(*args, **named)

    def begin(work: Work, sides: Sequence[apply.Writes]) -> None:
        waiting.clear()  # those of a worker that has died
        write(work, sides)

    write = apply.write
    return [
        (apply, "keep_history", later),
        (delete, "keep_history", later),
        (apply._Answers, "take", take_and_keep),
        (delete, "bury", bury_and_keep),
        (apply, "write", begin),
    ]


def _read_back_believed() -> Sequence[Patch]:
    def check(case: Any, intent: Any) -> bool:
        case.intent = None
        if intent.side not in case.objects:
            return False
        case.take(intent.side, case.hashes(intent.side))
        return True

    return [(apply, "check", check), (resolve, "check", check)]


def _late_copies_kept() -> Sequence[Patch]:
    return [(match, "was_sent", lambda *_: False)]


def _failed_write_settles() -> Sequence[Patch]:
    take = apply._Answers._take_update

    def take_update(self: apply._Answers, job: Any, result: Any) -> None:
        take(self, job, result)
        if isinstance(result, SideError):
            apply._advance(job.case, self.name, job.write.target, ())
            apply._advance(job.case, self.name.other, job.write.source, ())
            Link.objects.put([job.case.link])

    return [(apply._Answers, "_take_update", take_update)]


# Judging -------------------------------------------------------------------------------------------------------------


def _both_sides_are_listened_to() -> Sequence[Patch]:
    return [(Case, "source", property(lambda _self: None))]


def _returned_lives() -> Sequence[Patch]:
    return [(Guard, "returned", lambda _self, _case, _on: Judgement.REFUSED)]


def _adoption_not_one_to_one() -> Sequence[Patch]:
    def pair(halves: Any, pairs: list[tuple[int, int]], keys_of: Any, *, alone: bool = False) -> None:
        exchange, nextcloud = halves[SideName.EXCHANGE], halves[SideName.NEXTCLOUD]
        for half in nextcloud:
            for each in exchange:
                if not alone and set(keys_of(half)) & set(keys_of(each)) and half.pk not in {pk for _, pk in pairs}:
                    pairs.append((each.pk, half.pk))

    return [(match, "_pair", pair)]


# Concurrency ---------------------------------------------------------------------------------------------------------


def _lease_ignored() -> Sequence[Patch]:
    claim = lease._CLAIM.replace("AND (lease_owner = ''", "AND (1 = 1 OR lease_owner = ''")
    return [(lease, "_CLAIM", claim)]


def _fence_not_checked() -> Sequence[Patch]:
    return [(Lease, "hold", lambda _self: None)]


MUTATIONS: Mapping[str, Mutation] = {
    "token-too-early": Mutation(
        "the token is saved before what it tells of (step 1)",
        _token_too_early,
        "collects",
    ),
    "gone-is-believed": Mutation(
        "what is reported as gone is not read again (rule 3)",
        _gone_is_believed,
        "lies",
    ),
    "restores-not-noticed": Mutation(
        "what a listing lacks was deleted by somebody (rules 6, 22)",
        _restores_not_noticed,
        "restores",
    ),
    "base-not-updated": Mutation(
        "the answer to an update does not move the bases (rule 7)",
        _base_not_updated,
    ),
    "update-without-precondition": Mutation(
        "updates are sent without a revision",
        _update_without_precondition,
    ),
    "delete-without-precondition": Mutation(
        "deletes are sent without a revision",
        _delete_without_precondition,
        "deletions",
    ),
    "bin-not-looked-at": Mutation(
        "nobody looks at what a delete put into the bin (rule 13)",
        _bin_not_looked_at,
        "deletions",
    ),
    "create-without-search": Mutation(
        "nothing is searched for before it is created (rule 12)",
        _create_without_search,
    ),
    "intent-not-recorded": Mutation(
        "writes are begun without an intent (rule 7)",
        _intent_not_recorded,
        "conflicts",
    ),
    "intents-not-resolved": Mutation(
        "what was begun is forgotten (rule 9)",
        _intents_not_resolved,
        "conflicts",
    ),
    "history-after": Mutation(
        "history is written after the request (rule 7)",
        _history_after_the_request,
        "conflicts",
    ),
    "read-back-believed": Mutation(
        "whatever is read after a write was written by it (rule 8)",
        _read_back_believed,
    ),
    "failed-write-settles": Mutation(
        "a write that failed moves the bases (rule 15)",
        _failed_write_settles,
        "conflicts",
    ),
    "late-copies-kept": Mutation(
        "a create that lands after its retry is taken for new (rule 11)",
        _late_copies_kept,
        "late",
    ),
    "adoption-not-one-to-one": Mutation(
        "one object is adopted by several (rule 19)",
        _adoption_not_one_to_one,
        "copies",
    ),
    "returned-lives": Mutation(
        "what a restored server brings back lives (rule 22)",
        _returned_lives,
        "returns",
    ),
    "both-sides-heard": Mutation(
        "a one-way pairing listens to its target (rule 24)",
        _both_sides_are_listened_to,
        "one-way",
    ),
    "lease-ignored": Mutation(
        "a second worker takes a lease that holds (rule 21)",
        _lease_ignored,
        "races",
    ),
    "fence-not-checked": Mutation(
        "commits do not check the fence (rule 21)",
        _fence_not_checked,
        "races",
    ),
}
