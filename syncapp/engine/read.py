"""Read: the objects of dirty links from both sides, in batches, and what that says about where they are."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from syncapp.engine.case import Case
from syncapp.engine.work import BATCH, Work, title_of
from syncapp.models import Link, Problem, statements
from syncapp.models.statements import among
from syncapp.side import Object, SideError, SideName, Unreadable

_ROUNDS = 4
"""How often one item is worked on in a slice: what isn't settled then goes on in the next one."""
_ROWS = ("nextcloud_digest IS NULL", "nextcloud_digest IS NOT NULL")
_SUSPECT = 2
_DEADLY = 4
"""After how many beginnings without an end an item is looked at alone, and is a problem."""


class Turns:
    """The dirty links that are due, in batches, each of them once (or once more when its row becomes the other one).

    ``suspects`` are those on which work was begun before and came to no end: each may have killed its worker, and comes
    alone. What merely failed comes with the others, and costs no requests of its own.

    What Nextcloud lacks and all else stand in two rows, and a batch takes of both. After a first listing what one side
    lacks stands before what the other does, and each server would have to wait for the other to be done.
    """

    def __init__(self, work: Work, *, suspects: bool) -> None:
        self._work = work
        self._begun, self._most = ("attempts >= %s", 1) if suspects else ("attempts < %s", BATCH)
        self._after = dict.fromkeys(_ROWS, 0)

    def next(self) -> list[Link]:
        """The next batch; nobody is left when it is empty."""
        first, second = (self._waiting(row) for row in _ROWS)
        first = first[: max(self._most // 2, self._most - len(second))]
        second = second[: self._most - len(first)]
        for row, taken in zip(_ROWS, (first, second), strict=True):
            if taken:
                self._after[row] = taken[-1]
        pks = first + second
        return statements.read(Link, f"SELECT * FROM syncapp_link WHERE id IN {among(pks)} ORDER BY id", pks)  # noqa: S608

    def _waiting(self, row: str) -> list[int]:
        """The keys of those who come next in a row. Nobody looks again at the end of one."""
        while row in self._after:
            where = f"{self._begun} AND {row}"
            due = self._work.due(where, [_SUSPECT], after=self._after[row], limit=self._most, columns="id")
            found = statements.column(*due)
            if waiting := [pk for pk in found if self._work.rounds[pk] < _ROUNDS]:
                return waiting
            if found:
                self._after[row] = found[-1]
            else:
                del self._after[row]
        return []


def begin(work: Work, batch: Sequence[Link]) -> None:
    """Count the attempt before the work: an item that kills its worker can't do so for ever."""
    with work.commit():
        Link.objects.begin(batch)
        for link in batch:
            link.attempts += 1
            link.not_before = work.retry_at(link.attempts)
            if link.not_before is not None:
                Link.objects.filter(pk=link.pk).update(not_before=link.not_before)
            if link.attempts >= _DEADLY:
                _report_deadly(work, link)
    for link in batch:
        work.rounds[link.pk] += 1


def give_back(work: Work, batch: Sequence[Link]) -> None:
    """That a server wants to rest is no item's fault: the beginning does not count."""
    begun = Link.objects.filter(pk__in=[link.pk for link in batch], attempts__gt=0)
    with work.commit():
        begun.update(attempts=F("attempts") - 1, not_before=None)


def _report_deadly(work: Work, link: Link) -> None:
    work.journal.fail(
        link,
        "deadly",
        f"The work on this item was begun {link.attempts} times and never came to an end.",
        label="",
        remedy="If this goes on: report it with the lines of the log, and let the item be ignored meanwhile.",
    )
    Link.objects.filter(pk=link.pk).update(has_problem=True)


def read(work: Work, batch: Sequence[Link]) -> list[Case]:
    """The cases of a batch, with what is alive on each side, and absences noted.

    An object that can't be read is its item's problem, and no absence: such links are left out.
    """
    cases = {link.pk: Case(work, link) for link in batch}
    unreadable: dict[int, tuple[SideName, SideError]] = {}
    for name in _trouble_first(batch):
        wanted = [link for link in batch if link.pk not in unreadable]
        found = _read_side(work, name, [link.side(name).id for link in wanted if link.side(name).id])
        for link in wanted:
            answer = found.get(link.side(name).id) if link.side(name).id else None
            if isinstance(answer, SideError):
                unreadable[link.pk] = (name, answer)
            else:
                _place(work, cases[link.pk], name, answer)
    if unreadable:
        with work.commit():
            for pk, (name, problem) in unreadable.items():
                _refuse(work, cases[pk], name, problem)
    return [case for pk, case in cases.items() if pk not in unreadable]


def _trouble_first(batch: Sequence[Link]) -> Sequence[SideName]:
    """The sides in the order in which they are read: what can't be read shall not cost a second request."""
    if len(batch) == 1 and batch[0].has_problem:
        troubled = Problem.objects.filter(link=batch[0]).values_list("side", flat=True).first()
        return sorted(SideName, key=lambda name: name != troubled)
    return list(SideName)


def _read_side(work: Work, name: SideName, ids: Sequence[str]) -> dict[str, Object | SideError]:
    found: dict[str, Object | SideError] = {}
    for id in ids:
        cached = work.cache.pop((name, id), None)
        if cached is not None:
            found[id] = cached
    missing = [id for id in ids if id not in found]
    if missing:
        found.update(work.side(name).read(missing))
    return found


def _refuse(work: Work, case: Case, name: SideName, problem: SideError) -> None:
    label = next((title_of(each.item) for each in case.objects.values()), "")
    work.journal.fail(case.link, "unreadable", str(problem), label=label, side=name, revision=revision_of(problem))
    work.failed(case.link)
    tries = {each: getattr(case.link, each) for each in ("attempts", "failures", "not_before")}
    Link.objects.filter(pk=case.link.pk).update(has_problem=True, **tries)


def revision_of(problem: SideError) -> str:
    """The revision of an object that can't be read, "" where it is not known."""
    return problem.revision if isinstance(problem, Unreadable) else ""


def _place(work: Work, case: Case, name: SideName, found: Object | None) -> None:
    """Say where the object is on one side, in memory: it is stored with whatever is decided next."""
    side = case.side(name)
    if found is None or not work.lives(name, found):
        if side.known and side.missing is None:
            pairing = work.pairings.get(side.pairing_id or 0)
            side.missing, side.lost = work.passes, bool(pairing and pairing.distrusted(name))
        return
    if side.uid and found.uid and side.uid != found.uid and case.link.half is None:
        _split(work, case, name, found)
        return
    pairing = work.pairing_of(name, found.folder)
    assert pairing is not None
    side.missing, side.lost, side.pairing_id = None, False, pairing.pk
    if found.uid:
        side.uid = found.uid
    case.objects[name] = found


def _split(work: Work, case: Case, name: SideName, found: Object) -> None:
    """Another UID at a known address: the old item is gone, and what stands there is a new one (rule 18)."""
    side = case.side(name)
    pairing = work.pairing_of(name, found.folder)
    assert pairing is not None
    new = Link(enrollment_id=work.enrollment_id, kind=work.kind, dirty=1)
    new.side(name).id, new.side(name).pairing_id = found.id, pairing.pk
    side.id, side.revision, side.missing = "", "", work.passes
    with work.commit():
        Link.objects.put([case.link])
        new.save()
        work.journal.note("another-uid", case.link, name)
