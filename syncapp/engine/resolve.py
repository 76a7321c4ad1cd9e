"""Resolve: finish what was begun before deciding anything new (rule 9).

Each intent is judged by what its side holds now. What was written is settled; what was not stays as it was, so that
the next decision sends it again in the same direction; what is neither is a person's doing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from syncapp.engine import intents
from syncapp.engine.case import Case
from syncapp.engine.decide import Delta, moved
from syncapp.engine.guard import count_written
from syncapp.engine.keeping import Former, bury, keep_history
from syncapp.engine.match import free_id, relink
from syncapp.engine.search import Hits, search
from syncapp.engine.work import Work
from syncapp.items.fingerprint import Base
from syncapp.models import History, Hold, Link, Sent
from syncapp.models.link import parse_own_id
from syncapp.models.pairing import digest
from syncapp.side import Found, Gone, Object, SideError, SideName, Written

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def resolve(work: Work, cases: Sequence[Case]) -> list[Case]:
    """The cases that can be decided now; the others were changed in the database and come again as dirty links."""
    going_on: list[Case] = []
    asking: list[Case] = []
    for case in cases:
        intent = case.intent
        match intent:
            case None:
                going_on.append(case)
            case intents.Check():
                check(case, intent)
                going_on.append(case)
            case intents.Change():
                _change(case, intent)
                going_on.append(case)
            case intents.Move():
                case.intent = None
                going_on.append(case)
            case intents.Delete() if intent.side in case.objects:
                # It was not done, or a person brought the object back: decide again.
                case.intent = None
                going_on.append(case)
            case intents.Create() | intents.Delete():
                asking.append(case)
    for name in SideName:
        here = [case for case in asking if case.intent is not None and case.intent.side is name]
        going_on += _resolve_by_search(work, name, here)
    return going_on


def check(case: Case, intent: intents.Check) -> bool:
    """A write was answered: take what was read for what became of it, if it speaks of that write (rule 8).

    Whether it did. If it didn't, the base stays the projection of what was sent: what differs from it has changed.
    """
    case.intent = None
    found = case.objects.get(intent.side)
    if found is None or not intent.revision or found.revision != intent.revision:
        return False
    old, now = case.base(intent.side), case.hashes(intent.side)
    if intent.only is not None:
        case.take(intent.side, moved(old, {path: now.get(path) for path in intent.only - intent.open}))
        return True
    # Where the write altered more than it was told to, that is how this server keeps it: nobody's edit.
    case.take(intent.side, moved(now, {path: old.get(path) for path in intent.open}))
    return True


def _change(case: Case, intent: intents.Change) -> None:
    """The answer to an update was lost: settle element by element what was done of it.

    What is neither as it was before nor as it was sent was altered by the server or edited by a person, who may have
    seen what we wrote. It counts as written and changed since, and travels; but where its source was or will be edited
    again, that wins over what may be no more than the server's version of the value before (rule 17).
    """
    case.intent = None
    source = intent.side.other
    if intent.side not in case.objects:
        return
    if not intent.is_current:
        # Its hashes say nothing any more: the bases stay, and what differs goes to the source (rule 17).
        case.link.prefer = source.value
        return
    now = case.hashes(intent.side)
    written = {path for path, value in intent.target.items() if now.get(path) == value}
    strange = {path for path in intent.target.keys() - written if now.get(path) != intent.before.get(path)}
    if strange:
        case.link.prefer = source.value
    there = case.hashes(source) if source in case.objects else intent.source
    done = written | {path for path in strange if there.get(path) == intent.source.get(path)}
    _move(case, intent.side, {path: intent.target[path] for path in done})
    _move(case, source, {path: intent.source.get(path) for path in done})
    if now == case.base(intent.side):
        # Nothing here but what we wrote: whoever deletes it across has deleted all of it (rule 5).
        case.take(intent.side, now)


def _move(case: Case, name: SideName, delta: Delta) -> None:
    side = case.side(name)
    base = Base.unpack(bytes(side.base)).hashes if side.base is not None else {}
    side.base = Base(moved(base, delta)).pack()


# Creates and deletes: ask the side -----------------------------------------------------------------------------------


def attach(work: Work, link: Link, name: SideName, found: Found) -> None:
    """``found`` is the object of ``link`` on this side, whether or not it was collected yet. In a transaction.

    Not if another link has got it since the search: then the next slice searches again.
    """
    known = work.links().filter(**{f"{name}_digest": digest(found.id)}).exclude(pk=link.pk).first()
    if known is not None and known.half is None:
        return
    new = known or Link(enrollment_id=work.enrollment_id, kind=work.kind)
    if known is None:
        pairing = work.pairing_of(name, found.folder)
        side = new.side(name)
        side.id, side.uid, side.pairing_id = found.id, found.uid, pairing.pk if pairing else None
    own = parse_own_id(found.own_id)
    relink(work, link, new, name, own[1] if own and own[0] == bytes(link.key) else None)


def _resolve_by_search(work: Work, name: SideName, cases: Sequence[Case]) -> list[Case]:
    if not cases:
        return []
    hits = search(work, name, [(case.link, _uid(case), True) for case in cases])
    going_on: list[Case] = []
    for case in cases:
        intent = case.intent
        if isinstance(intent, intents.Create):
            if _created(work, case, intent, hits[case.link.pk]):
                going_on.append(case)
        elif isinstance(intent, intents.Delete) and _deleted(work, case, intent, hits[case.link.pk]):
            going_on.append(case)
    return going_on


def _uid(case: Case) -> str:
    intent = case.intent
    if isinstance(intent, intents.Create):
        return intent.uid
    return case.side(intent.side).uid if intent is not None else ""


def _created(work: Work, case: Case, intent: intents.Create, hits: Hits) -> bool:
    """The answer to a create was lost. Whether the case can go on as it is."""
    own = f"{case.key.hex()}.{intent.nonce.hex()}"
    if hits.alive:
        with work.commit():
            attach(work, case.link, intent.side, hits.alive[0])
        return False
    in_bin = [
        each for each in hits.binned if each.own_id.startswith(own) or (not each.own_id and each.uid == intent.uid)
    ]
    case.intent = None
    if in_bin or intent.gone:
        # It was created, and a person deleted it: an absence like any other (rule 10).
        sent = Sent.objects.get(key=case.key, nonce=intent.nonce)
        side = case.side(intent.side)
        side.id, side.uid, side.nonce = in_bin[0].id if in_bin else "", intent.uid, intent.nonce
        source = case.side(intent.side.other)
        side.base, source.base, source.whole = bytes(sent.hashes), bytes(sent.source), bytes(sent.whole)
        side.missing, side.lost = work.passes, False
        side.pairing_id = case.link.pairing_id = source.pairing_id
        with work.commit():
            Sent.objects.filter(pk=sent.pk).update(linked=True)
            Link.objects.put([case.link])
            work.journal.note("created-and-deleted", case.link, intent.side)
        return True
    if hits.taken:
        case.link.fresh_uid = True
    return True


def _deleted(work: Work, case: Case, intent: intents.Delete, hits: Hits) -> bool:
    """The answer to a delete was lost, and the object is gone. Whether the case can go on as it is."""
    name = intent.side
    if hits.alive:
        with work.commit():
            attach(work, case.link, name, hits.alive[0])
        return False
    binned = work.side(name).read([each.id for each in hits.binned]) if hits.binned else {}
    if not end_deletion(work, case, name, intent.whole, binned.values()):
        return False
    case.intent = None
    if name.other in case.objects:
        # It came back across meanwhile. Our own delete is nobody's wish: put the object back (rule 4).
        case.side(name).lost = True
        return True
    with work.commit():
        count_written(work, name, Hold.Deed.DELETE, [case])
        bury(work, [case.link])
        work.journal.note("deleted", case.link, name, count="deleted")
    return False


def end_deletion(
    work: Work, case: Case, name: SideName, whole: bytes, binned: Iterable[Object | SideError | None]
) -> bool:
    """Judge what lies in the bin after a delete: is it what we had read (rule 13)? If not, restore it; answer False.

    DeleteItem checks no revision: somebody may have edited the object between our read and our delete. What history
    holds already is no edit that would be lost (and a server that alters what it bins is restored from but once).
    """
    side = work.side(name)
    copies = [each for each in binned if isinstance(each, Object) and each.in_bin]
    if not copies or any(work.whole(each) == whole for each in copies):
        return True
    changed = max(copies, key=lambda each: each.modified or _LONG_AGO)
    if History.objects.filter(key=case.key, side=name, fingerprint=work.whole(changed)).exists():
        return True
    with work.commit():
        keep_history(work, [Former(case.key, name, changed, History.Reason.IN_BIN)])
        case.intent = intents.Move(name)
        Link.objects.put([case.link])
    pairing = work.pairings.get(case.side(name).pairing_id or 0) or case.pairing
    assert pairing is not None
    work.before_write(name)
    try:
        restored: Written = side.restore(changed.id, pairing.folder(name))
    except Gone:
        return True
    with work.commit():
        there = case.side(name)
        free_id(work, case.link, name, restored.id)
        there.id, there.missing, there.lost = restored.id, None, False
        there.pairing_id = pairing.pk
        case.intent = None
        Link.objects.put([case.link])
        case.link.mark()
        work.journal.note("edited-before-deletion", case.link, name)
    return False
