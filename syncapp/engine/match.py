"""Match: find out what a new object is before anything is decided about it.

An object of which only one side is known (a half-link) may be an item of ours that moved or was restored (rules 2,
14), the object of a create whose answer was lost (rules 9, 10), a late copy of what was sent (rule 11), the same item
as one on the other side (adoption, rule 19), or new.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import F

from syncapp.engine.collect import note_created_and_gone
from syncapp.engine.late import remove_late_copies, was_sent
from syncapp.engine.read import revision_of
from syncapp.engine.search import is_name_only
from syncapp.engine.work import BATCH, Due, Work
from syncapp.items import Event, Item
from syncapp.items.elements import contact_handles, contact_name, content_key
from syncapp.models import Link, Sent
from syncapp.models.link import parse_own_id
from syncapp.models.pairing import digest
from syncapp.models.statements import among, column, read
from syncapp.side import Object, SideError, SideName

_CONTENT_BYTES = 8
_CANDIDATES = """
SELECT * FROM syncapp_link WHERE enrollment_id = %s AND kind = %s
AND (key IN {keys} OR {name}_uid_digest IN {uids} AND ({other}_digest IS NOT NULL OR {other}_missing IS NOT NULL))
"""


def match(work: Work) -> bool:
    """Look at every new object and say what it is. Whether that was done within the time."""
    last = dict.fromkeys(SideName, 0)
    while True:
        ahead = {name: _Ahead(work, name, last[name]) for name in SideName}
        work.at_once([each.read for each in ahead.values() if each.links])
        if not any(each.links for each in ahead.values()):
            break
        for name in SideName:
            if work.out_of_time():
                return False
            if links := ahead[name].links:
                # Asked for only now: what was new on this side may have found its link on the other.
                still = set(column(*_new(work, name, last[name], columns="id")))
                last[name] = links[-1].pk
                _survey(work, name, [link for link in links if link.pk in still], ahead[name].found)
    adopt(work)
    return True


def _new(work: Work, name: SideName, after: int, *, columns: str = "*") -> Due:
    """The next half-links of one side that nobody has looked at."""
    half = f"{name.other}_digest IS NULL AND {name.other}_missing IS NULL AND intent IS NULL AND content IS NULL"
    return work.due(half, [], after=after, limit=BATCH, columns=columns)


class _Ahead:
    """The next batch of one side, whose objects are read at the same time as those of the other side."""

    def __init__(self, work: Work, name: SideName, after: int) -> None:
        self.links = read(Link, *_new(work, name, after))
        self.found: dict[str, Object | SideError] = {}
        self._ids = [link.side(name).id for link in self.links]
        self._side = work.side(name)

    def read(self) -> None:
        """Runs in a thread of its own: no models here."""
        self.found.update(self._side.read(self._ids))


# One batch -----------------------------------------------------------------------------------------------------------


def _survey(work: Work, name: SideName, batch: Sequence[Link], read: Mapping[str, Object | SideError]) -> None:
    """Remember what new objects are recognised by, and relink those that are not new at all."""
    objects: dict[int, Object] = {}
    gone, broken = [], []
    for link in batch:
        found = read.get(link.side(name).id)
        if isinstance(found, Object) and work.lives(name, found):
            objects[link.pk] = found
            _describe(work, link, name, found)
        elif isinstance(found, SideError):
            broken.append((link, found))
        else:
            gone.append(link)
    if gone or broken:
        with work.commit():
            note_created_and_gone(work, name, [link.side(name).id for link in gone])
            Link.objects.filter(pk__in=[link.pk for link in gone]).delete()
            work.slipped_away = work.slipped_away or bool(gone)
            for link, problem in broken:
                work.failed(link)
                revision = revision_of(problem)
                work.journal.fail(
                    link, "unreadable", str(problem), label=link.side(name).id, side=name, revision=revision
                )
            Link.objects.put([link for link, _ in broken])
    known = [link for link in batch if link.pk in objects]
    ended = _recognise(work, name, known, objects)
    # Last: what was described is not looked at again.
    with work.commit():
        Link.objects.put([link for link in known if link.pk not in ended])


def _describe(work: Work, link: Link, name: SideName, found: Object) -> None:
    side = link.side(name)
    pairing = work.pairing_of(name, found.folder)
    side.uid = found.uid
    side.pairing_id = pairing.pk if pairing else None
    side.take_revision(found.revision)
    side.whole = work.whole(found)
    link.content = _content(work, found.item)
    link.recurring = isinstance(found.item, Event) and found.item.recurrence is not None
    work.keep(name, found)


def _content(work: Work, item: Item) -> bytes:
    """Digests of what a person would call the same: two items match when they share one."""
    if isinstance(item, Event):
        keys: Iterable[tuple[str, ...]] = [content_key(item)]
    else:
        name = contact_name(item)
        keys = [(name, handle) for handle in sorted(contact_handles(item))] if name else []
    return b"".join(work.content_digest("\x1f".join(key).encode()) for key in keys)


# Who is it? ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    """A new object and a link that it may belong to, by own id or by UID."""

    new: Link
    link: Link
    nonce: bytes | None


def _recognise(work: Work, name: SideName, batch: Sequence[Link], objects: Mapping[int, Object]) -> set[int]:
    """Relink what is not new and remove late copies; the half-links that ended, or should have."""
    own = {link.pk: parsed for link in batch if (parsed := parse_own_id(objects[link.pk].own_id))}
    _meet_strangers(work, name, batch, own)
    candidates = _candidates(work, name, batch, own) + _unchanged(work, name, batch, own, objects)
    if not candidates and not own:
        return set()
    held = [each.link.side(name).id for each in candidates if each.link.side(name).id]
    alive = {
        id: found
        for id, found in work.side(name).read(held).items()
        if isinstance(found, SideError) or work.lives(name, found)
    }
    taken: set[int] = set()
    late: list[tuple[Link, Object, bytes]] = []
    twins: dict[int, Object | SideError] = {}
    with work.commit():
        for each in candidates:
            if each.new.pk in taken:
                continue
            there = each.link.side(name)
            if there.id not in alive and (there.known or each.nonce is not None):
                if each.link.pk not in taken:
                    relink(work, each.link, each.new, name, each.nonce)
                    taken |= {each.new.pk, each.link.pk}
                    alive[there.id] = objects[each.new.pk]
            elif each.nonce is not None and there.nonce is not None and bytes(there.nonce) != each.nonce:
                late.append((each.new, objects[each.new.pk], bytes(each.link.key)))
                twins[each.new.pk] = alive[there.id]
    by_own_id = {each.new.pk for each in candidates if each.nonce is not None}
    for link in batch:
        # Its link has died, but what we sent is remembered.
        if link.pk in own and link.pk not in taken | by_own_id:
            late.append((link, objects[link.pk], own[link.pk][0]))
    late = [each for each in late if was_sent(work, each[1], each[2], twins.get(each[0].pk))]
    remove_late_copies(work, name, late)
    return {each.new.pk for each in candidates if each.new.pk in taken} | {link.pk for link, _, _ in late}


def _meet_strangers(work: Work, name: SideName, batch: Sequence[Link], own: Mapping[int, tuple[bytes, bytes]]) -> None:
    """An own id that we never sent, as far as we know, was sent by us before our database was restored (rule 19).

    What it stands for is new to us on both sides. Where it has no UID, only its content tells: first contact, again.
    """
    sent = Sent.objects.filter(key__in={key for key, _ in own.values()}).values_list("key", flat=True)
    known = set(map(bytes, sent))
    strangers = {link.side(name).pairing_id for link in batch if link.pk in own and own[link.pk][0] not in known}
    met = [work.pairings[pk] for pk in strangers if pk is not None and not work.pairings[pk].first_contact]
    if met:
        with work.commit():
            for pairing in met:
                pairing.put(first_contact=True)


def _candidates(
    work: Work, name: SideName, batch: Sequence[Link], own: Mapping[int, tuple[bytes, bytes]]
) -> list[_Candidate]:
    """Links by own id first, then by UID on the same side."""
    keys = [key for key, _ in own.values()]
    uids = [link.side(name).uid_digest for link in batch if link.side(name).uid_digest]
    if not keys and not uids:
        return []
    sql = _CANDIDATES.format(name=name, other=name.other, keys=among(keys), uids=among(uids))
    found = read(Link, sql, [work.enrollment_id, work.kind, *keys, *uids])
    new = {link.pk for link in batch}
    links = [link for link in found if link.pk not in new]
    by_key = {bytes(link.key): link for link in links}
    by_uid = {bytes(uid): link for link in links if (uid := link.side(name).uid_digest)}
    candidates = [
        _Candidate(link, of, own[link.pk][1])
        for link in batch
        if link.pk in own
        and (of := by_key.get(own[link.pk][0])) is not None
        and not is_name_only(name, of, own[link.pk][1], link.side(name).uid)
    ]
    for link in batch:
        uid = link.side(name).uid_digest
        if uid and bytes(uid) in by_uid:
            candidates.append(_Candidate(link, by_uid[bytes(uid)], None))
    return candidates


def _unchanged(
    work: Work,
    name: SideName,
    batch: Sequence[Link],
    own: Mapping[int, tuple[bytes, bytes]],
    objects: Mapping[int, Object],
) -> list[_Candidate]:
    """Links by their content, for objects without any id that stays: contacts that people created in Exchange.

    Such an object was moved if it is just what a missing one was. Moved and edited at once, it can't be told from a
    new one.
    """
    nameless = [link for link in batch if link.pk not in own and not link.side(name).uid]
    if not nameless:
        return []
    gone = {f"{name}_missing__isnull": False, f"{name}_uid_digest": None, f"{name.other}_digest__isnull": False}
    missing = list(work.links().filter(**gone).exclude(pk__in=[link.pk for link in batch]).order_by("pk"))
    return [
        _Candidate(new, link, None) for new in nameless for link in missing if _same(work, name, link, objects[new.pk])
    ]


def _same(work: Work, name: SideName, link: Link, found: Object) -> bool:
    """Whether an object is what a link remembers of one side."""
    side = link.side(name)
    if side.whole is not None and bytes(side.whole) == work.whole(found):
        return True
    return side.base is not None and work.base(side, found) == work.prints(bytes(link.key)).item(found.item)


def relink(work: Work, link: Link, new: Link, name: SideName, nonce: bytes | None) -> None:
    """``new`` turns out to be the object of ``link`` on one side; the base stays (rules 2, 14). In a transaction.

    An object that a create of ours made stands for what was sent (rule 10).
    """
    created = _sent_bases(link, nonce)
    side, fresh = link.side(name), new.side(name)
    before, whole = side.nonce, side.whole
    Link.objects.filter(pk=new.pk).delete()
    work.swallowed.add(new.pk)
    side.take_from(fresh)
    side.whole = whole
    side.missing, side.lost, side.nonce = None, False, nonce
    if created is not None and (before is None or bytes(before) != nonce):
        side.whole = None
        side.base, link.side(name.other).base, link.side(name.other).whole = created
        link.pairing_id = link.side(name.other).pairing_id
    if nonce is not None:
        Sent.objects.filter(key=link.key, nonce=nonce).update(linked=True)
    if link.intent is not None and link.intent["do"] in ("create", "move") and link.intent["side"] == name.value:
        link.intent = None
    link.try_anew()
    link.untold = link.untold or new.untold
    Link.objects.put([link])
    link.mark()
    work.journal.note("relinked", link, name)


def free_id(work: Work, link: Link, name: SideName, id: str) -> None:
    """``id`` is ``link``'s object now, whatever was known under it before: hrefs are used again. In a transaction.

    A half-link was the same object, not yet recognised; a complete link's object must have gone before.
    """
    column = f"{name}_digest"
    for other in work.links().filter(**{column: digest(id)}).exclude(pk=link.pk):
        if other.half is not None:
            Link.objects.filter(pk=other.pk).delete()
            work.swallowed.add(other.pk)
            continue
        side = other.side(name)
        side.id, side.revision = "", ""
        side.missing = side.missing or work.passes
        Link.objects.put([other])
        other.mark()


def _sent_bases(link: Link, nonce: bytes | None) -> tuple[bytes, bytes, bytes] | None:
    """Once a create with this nonce is known to have been done: the bases of target and source, the source's whole.

    What the side writes in steps of its own is left out: where it is missing it was never written, and nobody took it
    away.
    """
    sent = Sent.objects.filter(key=link.key, nonce=nonce).first() if nonce is not None else None
    return None if sent is None else (sent.base(bytes(sent.hashes)), sent.base(bytes(sent.source)), bytes(sent.whole))


# Adoption ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Half:
    pk: int
    pairing: int
    uid: bytes
    content: tuple[bytes, ...]


def adopt(work: Work) -> None:
    """Pair new objects of both sides one to one: by UID in the pairing, by content, by a lone UID elsewhere."""
    halves = {name: _halves(work, name) for name in SideName}
    if not all(halves.values()):
        return
    pairs: list[tuple[int, int]] = []
    first_contact = {pk for pk, pairing in work.pairings.items() if pairing.first_contact}
    _pair(halves, pairs, lambda half: [(half.pairing, half.uid)] if half.uid else [])
    _pair(halves, pairs, lambda half: [(half.pairing, key) for key in half.content if half.pairing in first_contact])
    _pair(halves, pairs, lambda half: [half.uid] if half.uid else [], alone=True)
    for at in range(0, len(pairs), BATCH):
        _join(work, pairs[at : at + BATCH])


def _halves(work: Work, name: SideName) -> list[_Half]:
    other = name.other
    rows = (
        work.links()
        .filter(**{f"{name}_digest__isnull": False, f"{name}_missing": None, f"{name}_pairing__in": work.active})
        .filter(**{f"{other}_digest": None, f"{other}_missing": None, "intent__isnull": True, "content__isnull": False})
        .order_by("pk")
        .values_list("pk", f"{name}_pairing", f"{name}_uid_digest", "content")
    )
    return [
        _Half(
            pk,
            pairing,
            bytes(uid or b""),
            tuple(bytes(content[at : at + _CONTENT_BYTES]) for at in range(0, len(content), _CONTENT_BYTES)),
        )
        for pk, pairing, uid, content in rows
    ]


def _pair(
    halves: dict[SideName, list[_Half]],
    pairs: list[tuple[int, int]],
    keys_of: Callable[[_Half], Sequence[Hashable]],
    *,
    alone: bool = False,
) -> None:
    """Pair what shares a key, in a stable order, and take it out of ``halves``; ``alone``: by unique keys only."""
    waiting: dict[Hashable, list[_Half]] = defaultdict(list)
    for half in halves[SideName.EXCHANGE]:
        for key in keys_of(half):
            waiting[key].append(half)
    asked = Counter(key for half in halves[SideName.NEXTCLOUD] for key in keys_of(half))
    taken: set[int] = set()
    for half in halves[SideName.NEXTCLOUD]:
        for key in keys_of(half):
            free = [each for each in waiting.get(key, ()) if each.pk not in taken]
            if free and not (alone and (len(waiting[key]) > 1 or asked[key] > 1)):
                taken |= {free[0].pk, half.pk}
                pairs.append((free[0].pk, half.pk))
                break
    for name, rest in halves.items():
        halves[name] = [half for half in rest if half.pk not in taken]


def _join(work: Work, pairs: Sequence[tuple[int, int]]) -> None:
    """Make one link of two halves: from now on it is an item that both sides hold and that never agreed yet."""
    links = Link.objects.in_bulk([pk for pair in pairs for pk in pair])
    with work.commit():
        joined = []
        for exchange, nextcloud in pairs:
            link, other = links[exchange], links[nextcloud]
            link.side(SideName.NEXTCLOUD).take_from(other.side(SideName.NEXTCLOUD))
            link.content, link.initial, link.fresh_uid = None, False, False
            link.untold = link.untold or other.untold
            link.try_anew()
            same = link.side(SideName.EXCHANGE).pairing_id == link.side(SideName.NEXTCLOUD).pairing_id
            link.pairing_id = link.side(SideName.EXCHANGE).pairing_id if same else None
            joined.append(link)
            work.journal.note("adopted", link, count="adopted")
        Link.objects.filter(pk__in=[nextcloud for _, nextcloud in pairs]).delete()
        Link.objects.put(joined)
        Link.objects.filter(pk__in=[link.pk for link in joined]).update(dirty=F("dirty") + 1)
