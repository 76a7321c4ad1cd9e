"""Search: which objects of a side, living or in the bin, belong to a link by own id or UID (rules 1, 9, 12)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syncapp.engine.work import Work
from syncapp.models import Link
from syncapp.models.link import parse_own_id
from syncapp.models.pairing import digest
from syncapp.side import Found, SideName


@dataclass(frozen=True)
class Hits:
    """What a search found for one link: alive in a folder of ours, or in the bin; nothing that belongs to others."""

    alive: tuple[Found, ...] = ()
    binned: tuple[Found, ...] = ()
    taken: bool = False
    """Whether another link has an object with this UID."""


def search(work: Work, name: SideName, wanted: Iterable[tuple[Link, str, bool]]) -> dict[int, Hits]:
    """Look for objects by (link, UID, whether by own id, too) on one side, in one request."""
    wanted = list(wanted)
    keys = {bytes(link.key).hex() for link, _, by_key in wanted if by_key}
    uids = {uid for _, uid, _ in wanted if uid}
    found = work.side(name).find(keys, uids) if keys or uids else []
    column = f"{name}_digest"
    known = work.links().filter(**{f"{column}__in": [digest(each.id) for each in found]})
    owners = {link.side(name).id: link for link in known}
    return {link.pk: _hits_of(work, name, link, uid, found, owners) for link, uid, _ in wanted}


def _hits_of(work: Work, name: SideName, link: Link, uid: str, found: Iterable[Found], owners: dict[str, Link]) -> Hits:
    alive, binned, taken = [], [], False
    for each in found:
        own = parse_own_id(each.own_id)
        ours = own is not None and own[0] == bytes(link.key) and not is_name_only(name, link, own[1], each.uid)
        if not ours and not (uid and each.uid == uid):
            continue
        owner = owners.get(each.id)
        if owner is not None and owner.pk != link.pk and owner.half is None:
            taken = taken or work.lives(name, each)
        elif each.in_bin:
            binned.append(each)
        elif work.lives(name, each):
            alive.append(each)
    alive.sort(key=lambda each: each.own_id.startswith(bytes(link.key).hex()), reverse=True)
    return Hits(tuple(alive), tuple(binned), taken)


def is_name_only(name: SideName, link: Link, nonce: bytes, uid: str) -> bool:
    """Whether what stands under the own id of a link's object is another item, by its UID (rule 18).

    On Nextcloud the own id is no more than a name, under which a client may have put something else.
    """
    side = link.side(name)
    linked = side.nonce is not None and bytes(side.nonce) == nonce
    return name is SideName.NEXTCLOUD and linked and bool(uid and side.uid) and uid != side.uid
