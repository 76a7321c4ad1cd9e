"""Delete: what was deleted across, once the guard lets it. Nothing that history does not hold is lost by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncapp.engine import intents
from syncapp.engine.answers import not_written, of_more
from syncapp.engine.case import Case
from syncapp.engine.guard import count_written
from syncapp.engine.keeping import Former, bury, keep_history
from syncapp.engine.resolve import end_deletion
from syncapp.engine.search import search
from syncapp.engine.work import Work
from syncapp.models import History, Hold, Link
from syncapp.side import Deletion, Object, SideError, SideName, WriteResult, Written


def delete(work: Work, name: SideName, cases: Sequence[Case]) -> None:
    """Delete objects that were deleted across and that nobody has changed since. Raises like ``write``."""
    if not cases:
        return
    wholes = {case.link.pk: case.whole(name) for case in cases}
    with work.commit():
        for case in cases:
            case.intent = intents.Delete(name, wholes[case.link.pk])
        keep_history(work, [Former(case.key, name, case.objects[name], History.Reason.DELETED) for case in cases])
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
                not_written(work, name, case, result)
                Link.objects.put([case.link])
    with work.commit():
        count_written(work, name, Hold.Deed.DELETE, gone)
        bury(work, [case.link for case in gone])
        for case in gone:
            note = "returned" if case.link.returned else ""
            work.journal.note("deleted", case.link, name, note=note, count="deleted")
    if (error := of_more(results)) is not None:
        raise error


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
