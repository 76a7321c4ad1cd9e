"""Apply: every write is three commits (rule 7): the intent and the history; the answer; what a read says became of it.

All functions here take a batch for one side. No request is made inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from syncapp.engine import intents
from syncapp.engine.case import Case
from syncapp.engine.decide import Decision, Delta, Write, moved
from syncapp.engine.keeping import bury, keep_history
from syncapp.engine.match import free_id
from syncapp.engine.resolve import check, end_deletion, search
from syncapp.engine.work import Work, title_of
from syncapp.items.fingerprint import Base
from syncapp.models import History, Hold, Link, Sent
from syncapp.models.rows import Row, insert
from syncapp.side import (
    AlreadyThere,
    ChangedMeanwhile,
    Creation,
    Deletion,
    Gone,
    Object,
    Refused,
    SideError,
    SideName,
    Unreadable,
    Update,
    WriteResult,
    Written,
)

_OF_ONE_ITEM = (Refused, Unreadable, AlreadyThere)
_DECIDE_AGAIN = (ChangedMeanwhile, Gone)


def settle(work: Work, cases: Sequence[Case]) -> None:
    """Store cases of which nothing more is to be done; newer dirt stays (rule 20)."""
    if not cases:
        return
    with work.commit():
        for case in cases:
            case.worked()
            case.link.prefer = ""
        work.journal.well(case.link for case in cases)
        Link.objects.put([case.link for case in cases])
        Link.objects.clean((case.link.pk, case.dirty) for case in cases)


def put_off(work: Work, cases: Sequence[Case]) -> None:
    """Store cases that have to wait for another pass; they stay dirty."""
    if not cases:
        return
    with work.commit():
        for case in cases:
            case.worked()
        Link.objects.put([case.link for case in cases])
    for case in cases:
        work.park(case.link)


# Updates -------------------------------------------------------------------------------------------------------------


@dataclass
class Updating:
    """A case whose object on one side is to be changed."""

    case: Case
    decision: Decision
    write: Write


def update(work: Work, name: SideName, jobs: Sequence[Updating]) -> None:
    """Change objects. Raises what concerns more than an item, after everything that is known was stored."""
    if not jobs:
        return
    with work.commit():
        for job in jobs:
            _begin_update(work, name, job)
        Link.objects.put([job.case.link for job in jobs])
    side = work.side(name)
    work.before_write(name, len(jobs))
    results = side.update([Update(job.case.objects[name], job.write.item, job.write.changed) for job in jobs])
    done: list[Updating] = []
    with work.commit():
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Written):
                _updated(work, name, job, result)
                done.append(job)
            else:
                _not_written(work, name, job.case, result)
        Link.objects.put([job.case.link for job in jobs])
    _read_back(work, name, {job.case.link.pk: job.case for job in done}, _final(name, done, results, jobs))
    _raise_first(results)


def _begin_update(work: Work, name: SideName, job: Updating) -> None:
    case, write = job.case, job.write
    for each in SideName:
        case.take(each, job.decision.bases[each])
    case.intent = intents.Change(name, write.target, write.source, write.before)
    keep_history(
        work, case.key, name, [case.objects[name]], History.Reason.OVERWRITTEN, job.decision.conflicts & write.changed
    )


def _updated(work: Work, name: SideName, job: Updating, result: Written) -> None:
    case, write = job.case, job.write
    skipped = {work.prints(case.key).path(each) for each in result.unwritten}
    open_paths = _open(case, name, write)
    _advance(case, name, write.target, skipped)
    _advance(case, name.other, write.source, skipped)
    in_steps = any(each[0] in work.side(name).steps for each in write.changed)
    _answered(case, name, result, open_paths, frozenset(write.target) if in_steps else None)
    work.journal.note("updated", case.link, name, write.changed, count="updated")
    if job.decision.conflicts:
        work.journal.note("conflict", case.link, name, job.decision.conflicts, note=f"{job.decision.winner} won")
    _unwritten(work, name, case, result)


def _open(case: Case, name: SideName, write: Write) -> frozenset[bytes]:
    """What had changed on this side before our write and was no part of it: it still has to travel."""
    base, now = case.base(name), case.hashes(name)
    changed = {path for path in base.keys() | now.keys() if base.get(path) != now.get(path)}
    return frozenset(changed - write.target.keys())


def _advance(case: Case, name: SideName, delta: Delta, skipped: set[bytes]) -> None:
    base = moved(case.base(name), {path: value for path, value in delta.items() if path not in skipped})
    case.take(name, base)


def _answered(
    case: Case, name: SideName, result: Written, open_paths: frozenset[bytes], only: frozenset[bytes] | None
) -> None:
    side = case.side(name)
    side.id, side.whole = result.id, None
    if result.revision:
        side.take_revision(result.revision)
    case.intent = intents.Check(name, result.revision, open_paths, only) if result.revision else None
    if not result.revision:
        # No read will prove to speak of this write: what reads differently may be no more than the server's version of
        # what we sent, and loses to what its source says since (rules 8, 17).
        case.link.prefer = name.other.value
    if result.problem is None:
        case.worked()


def _unwritten(work: Work, name: SideName, case: Case, result: Written) -> None:
    """A step failed after the object was written: it is finished in the same direction, later."""
    if result.problem is not None:
        item = next(iter(case.objects.values())).item
        if isinstance(result.problem, _OF_ONE_ITEM):
            work.journal.fail(case.link, "unwritten", str(result.problem), label=title_of(item), side=name)
        case.link.not_before = work.retry_at(case.link.attempts + 1)


def _final(
    name: SideName, done: Sequence[Updating], results: Sequence[WriteResult], jobs: Sequence[Updating]
) -> set[int]:
    """The links with which nothing remains to be done once their write was read back."""
    whole = {job.case.link.pk for job, each in zip(jobs, results, strict=True) if _complete(each)}
    return {job.case.link.pk for job in done if job.case.link.pk in whole and set(job.decision.writes) == {name}}


def _complete(result: WriteResult) -> bool:
    return isinstance(result, Written) and result.problem is None and not result.unwritten


def _read_back(
    work: Work, name: SideName, written: Mapping[int, Case], final: set[int], *, created: bool = False
) -> None:
    """The third commit: what the side made of what it was given becomes the base, if the read speaks of our write."""
    cases = [case for case in written.values() if isinstance(case.intent, intents.Check)]
    if not cases:
        return
    read = work.side(name).read([case.side(name).id for case in cases])
    clean: list[tuple[int, int]] = []
    with work.commit():
        for case in cases:
            intent, before = case.intent, bytes(case.side(name).base or b"")
            assert isinstance(intent, intents.Check)
            found = read.get(case.side(name).id)
            case.objects.pop(name, None)
            if isinstance(found, Object) and work.lives(name, found):
                case.objects[name] = found
                case.side(name).uid = found.uid or case.side(name).uid
            # Without a whole, something on this side waits to travel.
            if check(case, intent) and case.link.pk in final and case.side(name).whole is not None:
                case.link.prefer = ""
                work.journal.well([case.link])
                clean.append((case.link.pk, case.dirty))
                if created:
                    _remember_made(case, name, before)
        Link.objects.put([case.link for case in cases])
        Link.objects.clean(clean)


def _remember_made(case: Case, name: SideName, sent: bytes) -> None:
    """What a server made of a new object is how a late copy of it will look (rule 11)."""
    side = case.side(name)
    if side.base != sent:
        Sent.objects.filter(key=case.key, nonce=side.nonce).update(hashes=side.base)


def _not_written(work: Work, name: SideName, case: Case, result: SideError) -> None:
    if isinstance(result, _OF_ONE_ITEM):
        case.intent = None
        item = next(iter(case.objects.values())).item
        code = "refused" if isinstance(result, Refused) else "not-possible"
        work.journal.fail(case.link, code, str(result), label=title_of(item), side=name)
        case.link.not_before = work.retry_at(case.link.attempts + 4)
    elif isinstance(result, _DECIDE_AGAIN):
        case.intent = None
        work.journal.note("changed-meanwhile", case.link, name)


def _raise_first(results: Sequence[WriteResult]) -> None:
    """What concerns more than one item is for the caller. The intents of such items stay: they may have been done."""
    for result in results:
        if isinstance(result, SideError) and not isinstance(result, (*_OF_ONE_ITEM, *_DECIDE_AGAIN)):
            raise result


# Moves and restores --------------------------------------------------------------------------------------------------


def move(work: Work, name: SideName, case: Case, pairing_id: int) -> None:
    """Put an object into the folder of a pairing, where it stands across already."""
    folder = work.pairings[pairing_id].folder(name)
    with work.commit():
        case.intent = intents.Move(name)
        Link.objects.put([case.link])
    side, found = work.side(name), case.objects[name]
    work.before_write(name)
    _relocate(work, name, case, pairing_id, lambda: side.move(found.id, found.revision, folder), "moved")


def restore(work: Work, name: SideName, case: Case, id: str, pairing_id: int) -> None:
    """Take an object out of the bin instead of creating it again; what stands across is then written over it."""
    folder = work.pairings[pairing_id].folder(name)
    with work.commit():
        case.intent = intents.Move(name)
        case.link.prefer = name.other.value
        Link.objects.put([case.link])
    side = work.side(name)
    work.before_write(name)
    _relocate(work, name, case, pairing_id, lambda: side.restore(id, folder), "restored")


def _relocate(
    work: Work, name: SideName, case: Case, pairing_id: int, request: Callable[[], Written], code: str
) -> None:
    try:
        result: WriteResult = request()
    except (*_OF_ONE_ITEM, *_DECIDE_AGAIN) as problem:
        result = problem
    with work.commit():
        case.intent = None
        if isinstance(result, Written):
            side = case.side(name)
            free_id(work, case.link, name, result.id)
            side.id, side.pairing_id, side.missing, side.lost = result.id, pairing_id, None, False
            if result.revision:
                side.take_revision(result.revision)
            case.link.pairing_id = pairing_id
            case.worked()
            work.journal.note(code, case.link, name, count="updated")
        else:
            _not_written(work, name, case, result)
        Link.objects.put([case.link])


# Creates -------------------------------------------------------------------------------------------------------------


@dataclass
class Creating:
    """A case whose item is to be created on one side: what is sent, and the bases that this will make."""

    case: Case
    creation: Creation
    nonce: bytes
    pairing_id: int
    target: Mapping[bytes, bytes]
    source: Mapping[bytes, bytes]
    steps: frozenset[bytes]


def create(work: Work, name: SideName, jobs: Sequence[Creating]) -> None:
    """Create objects that a search did not find. Raises like ``update``."""
    if not jobs:
        return
    with work.commit():
        insert(Sent, [_sent(work, name, job) for job in jobs])
        for job in jobs:
            job.case.intent = intents.Create(name, job.nonce, job.creation.uid)
            job.case.side(name.other).take_revision(job.case.objects[name.other].revision)
        Link.objects.put([job.case.link for job in jobs])
    side = work.side(name)
    work.before_write(name, len(jobs))
    results = side.create([job.creation for job in jobs])
    done: dict[int, Case] = {}
    final: set[int] = set()
    with work.commit():
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Written):
                _created(work, name, job, result)
                done[job.case.link.pk] = job.case
                if _complete(result):
                    final.add(job.case.link.pk)
            elif isinstance(result, AlreadyThere):
                # Found by the next search, or nobody can say where it is: then another UID is chosen.
                job.case.link.fresh_uid = job.case.link.attempts > 1
                job.case.intent = None
            else:
                _not_written(work, name, job.case, result)
        linked = [job for job in jobs if job.case.link.pk in done]
        keys, nonces = [job.case.key for job in linked], [job.nonce for job in linked]
        Sent.objects.filter(key__in=keys, nonce__in=nonces).update(linked=True)
        if work.has_holds:
            Hold.objects.filter(link__in=list(done)).delete()
        settled = [case for pk, case in done.items() if pk in final and case.intent is None and case.side(name).whole]
        work.journal.well(case.link for case in settled)
        Link.objects.put([job.case.link for job in jobs])
        Link.objects.clean((case.link.pk, case.dirty) for case in settled)
    _read_back(work, name, done, final, created=True)
    _raise_first(results)


def _sent(work: Work, name: SideName, job: Creating) -> Row:
    return {
        "enrollment_id": work.enrollment_id,
        "side": name,
        "key": job.case.key,
        "nonce": job.nonce,
        "hashes": Base(job.target).pack(),
        "source": Base(job.source).pack(),
        "whole": job.case.whole(name.other),
        "steps": [path.hex() for path in sorted(job.steps)],
        "at": work.journal.at,
    }


def _created(work: Work, name: SideName, job: Creating, result: Written) -> None:
    case, link = job.case, job.case.link
    skipped = {work.prints(case.key).path(each) for each in result.unwritten}
    there = case.side(name)
    there.id, there.uid, there.nonce, there.pairing_id = result.id, job.creation.uid, job.nonce, job.pairing_id
    there.missing, there.lost, there.earlier, there.revision = None, False, b"", ""
    there.base = Base({path: value for path, value in job.target.items() if path not in skipped}).pack()
    case.take(name.other, {path: value for path, value in job.source.items() if path not in skipped})
    link.pairing_id, link.fresh_uid, link.initial, link.content = job.pairing_id, False, False, None
    _answered(case, name, result, frozenset(), frozenset(job.target) if job.steps else None)
    if result.whole is not None and _complete(result):
        # The answer says what a read would say: the base is what was sent, and there is nothing to read back.
        case.intent, there.whole, link.prefer = None, work.content_digest(result.whole), ""
    work.journal.note("created", link, name, count="created")
    _unwritten(work, name, case, result)


# Deletes -------------------------------------------------------------------------------------------------------------


def delete(work: Work, name: SideName, cases: Sequence[Case]) -> None:
    """Delete objects that were deleted across and that nobody has changed since. Raises like ``update``."""
    if not cases:
        return
    wholes = {case.link.pk: case.whole(name) for case in cases}
    with work.commit():
        for case in cases:
            case.intent = intents.Delete(name, wholes[case.link.pk])
            keep_history(work, case.key, name, [case.objects[name]], History.Reason.DELETED)
        Link.objects.put([case.link for case in cases])
    side = work.side(name)
    work.before_write(name, len(cases))
    results = side.delete([Deletion(case.objects[name].id, case.objects[name].revision) for case in cases])
    binned = _in_bin(work, name, cases, results)
    gone: list[Case] = []
    for case, result in zip(cases, results, strict=True):
        if isinstance(result, Written):
            if end_deletion(work, case, name, wholes[case.link.pk], binned[case.link.pk]):
                gone.append(case)
        else:
            with work.commit():
                _not_written(work, name, case, result)
                Link.objects.put([case.link])
    with work.commit():
        bury(work, [case.link for case in gone], deleted_on=name)
        for case in gone:
            work.journal.note("deleted", case.link, name, count="deleted")
    _raise_first(results)


def _in_bin(
    work: Work, name: SideName, cases: Sequence[Case], results: Sequence[WriteResult]
) -> Mapping[int, list[Object | SideError]]:
    """What lies in the bin of objects that were just deleted, by link.

    Where Exchange doesn't say what they are called there, they are searched for. Nextcloud checks the revision itself.
    """
    side = work.side(name)
    ids = {
        case.link.pk: [result.id] for case, result in zip(cases, results, strict=True) if isinstance(result, Written)
    }
    read = side.read([id for pk in ids for id in ids[pk]])
    unseen = [case for case in cases if case.link.pk in ids and not set(ids[case.link.pk]) & read.keys()]
    if unseen and name is SideName.EXCHANGE:
        hits = search(work, name, [(case.link, case.side(name).uid, True) for case in unseen])
        ids |= {case.link.pk: [each.id for each in hits[case.link.pk].binned] for case in unseen}
        found = [id for case in unseen for id in ids[case.link.pk]]
        read = {**read, **(side.read(found) if found else {})}
    return {pk: [read[id] for id in of_link if id in read] for pk, of_link in ids.items()}
