"""Late copies: a create of ours that landed after its own retry, or after its link had died (rule 11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from syncapp.engine.keeping import Former, keep_history
from syncapp.engine.work import Work
from syncapp.items.fingerprint import Base
from syncapp.models import History, Link, Sent
from syncapp.models.link import parse_own_id
from syncapp.side import Deletion, Gone, Object, SideError, SideName, Written


def was_sent(work: Work, found: Object, key: bytes, twin: Object | SideError | None = None) -> bool:
    """Whether an object is just what we sent under its nonce, and that nonce was never linked.

    Anything else is a person's: a copy, something restored from the bin, or edited since. What a server made of the
    same content in another attempt counts as sent, also when that is seen only at its ``twin``, the linked object.
    """
    own = parse_own_id(found.own_id)
    attempts = list(Sent.objects.filter(enrollment_id=work.enrollment_id, key=key))
    mine = next((each for each in attempts if own is not None and bytes(each.nonce) == own[1]), None)
    if mine is None or mine.linked:
        return False
    known: dict[bytes, set[bytes]] = defaultdict(set)
    for attempt in attempts:
        for path, value in Base.unpack(bytes(attempt.hashes)).hashes.items():
            known[path].add(value)
    prints = work.prints(key)
    if isinstance(twin, Object):
        for path, value in prints.item(twin.item).items():
            known[path].add(value)
    sent = Base.unpack(bytes(mine.hashes)).hashes.keys()
    hashes = prints.item(found.item)
    missing = sent - hashes.keys() - set(map(bytes.fromhex, mine.steps))
    return not missing and hashes.keys() <= sent and all(value in known[path] for path, value in hashes.items())


def remove_late_copies(work: Work, name: SideName, copies: Sequence[tuple[Link, Object, bytes]]) -> None:
    """Delete late copies (half-link, object, key of the link that sent it), kept in history."""
    if not copies:
        return
    with work.commit():
        keep_history(work, [Former(key, name, found, History.Reason.LATE_COPY) for _, found, key in copies])
    side = work.side(name)
    work.before_write(name, len(copies))
    results = side.delete([Deletion(found.id, found.revision) for _, found, _ in copies])
    binned = side.read([each.id for each in results if isinstance(each, Written)])
    for (link, found, key), result in zip(copies, results, strict=True):
        if not isinstance(result, Written):
            continue
        copy = binned.get(result.id)
        if isinstance(copy, Object) and copy.in_bin and work.whole(copy) != work.whole(found):
            _give_back(work, name, link, copy, key, found.folder)
            continue
        with work.commit():
            work.journal.note("late-copy-removed", link, name)
            Link.objects.filter(pk=link.pk).delete()


def _give_back(work: Work, name: SideName, link: Link, copy: Object, key: bytes, folder: str) -> None:
    """A person edited the copy just before our delete, which checks no revision: it is theirs now (rule 13)."""
    with work.commit():
        keep_history(work, [Former(key, name, copy, History.Reason.IN_BIN)])
    work.before_write(name)
    try:
        restored = work.side(name).restore(copy.id, folder)
    except Gone:
        return
    with work.commit():
        link.side(name).id = restored.id
        Link.objects.put([link])
        work.journal.note("edited-before-deletion", link, name)
