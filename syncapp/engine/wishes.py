"""What is wanted back from history: where it is now, what has to be done about it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from syncapp.engine.work import Work
from syncapp.items import FIELDS, Item
from syncapp.items.elements import Element, Part, elements
from syncapp.models import History, Link, Restoration, Sent, Tomb
from syncapp.models.link import parse_own_id
from syncapp.models.pairing import digest
from syncapp.side import Found, Object, SideError, SideName

_State = Restoration.State
_RACED = "Somebody changed the item at the same time. Look at it, and ask again if this version is still wanted."


class Next(Enum):
    """What has to be done about a wish."""

    OVERWRITE = auto()
    UNBIN = auto()
    CREATE = auto()
    LATER = auto()
    NOTHING = auto()


@dataclass
class Wish:
    """A wish, the version that it is about, and what stands there now."""

    row: Restoration
    kept: History
    item: Item
    native: bytes
    next: Next = Next.LATER
    link: Link | None = None
    found: Object | None = None
    binned: Found | None = None
    changed: frozenset[Element] = field(default_factory=frozenset)

    @property
    def key(self) -> bytes:
        """The key of the link that the version was kept of."""
        return bytes(self.kept.key)

    @property
    def link_key(self) -> bytes:
        """The key of the link that has the object now."""
        return self.key if self.link is None else bytes(self.link.key)


# Where is it? --------------------------------------------------------------------------------------------------------


@dataclass
class Search:
    """Where the objects of wishes are on one side."""

    work: Work
    name: SideName

    def locate(self, wishes: Sequence[Wish]) -> None:
        """Find out what has to be done about each wish."""
        links = {bytes(link.key): link for link in self.work.links().filter(key__in=[wish.key for wish in wishes])}
        at: dict[str, Wish] = {}
        for wish in wishes:
            wish.next, wish.link, wish.found = Next.LATER, links.get(wish.key), None
            if wish.link is not None and self._stands(wish.link):
                at[wish.link.side(self.name).id] = wish
        unknown = [wish for wish in wishes if wish.link is None]
        at |= self._search(unknown)
        read = self.work.side(self.name).read(list(at)) if at else {}
        for id, wish in at.items():
            self._compare(wish, read.get(id))

    def _stands(self, link: Link) -> bool:
        """Whether an object of a link is there to be overwritten.

        What was begun with it is finished first. What is missing is put back by the engine, as if its server had lost
        it; then it can be overwritten.
        """
        side, across = link.side(self.name), link.side(self.name.other)
        if link.intent is not None:
            return False
        if side.missing is not None and across.there:
            with self.work.commit():
                link.mark(not_before=None, attempts=0, failures=0, **{f"{self.name}_lost": True})
        return side.there

    def _search(self, wishes: Sequence[Wish]) -> dict[str, Wish]:
        """Look for what no link knows: by the ids that we gave it, and by its UID. The ids of what is alive."""
        if not wishes:
            return {}
        uids = {wish.kept.uid for wish in wishes if wish.kept.uid}
        found = self.work.side(self.name).find({wish.key.hex() for wish in wishes}, uids)
        owners = self._owners(found)
        alive: dict[str, Wish] = {}
        for wish in wishes:
            mine = [each for each in found if _is_of(each, wish)]
            here = next((each for each in mine if self.work.lives(self.name, each)), None)
            if here is not None:
                self._meet(wish, here, owners.get(here.id))
                if wish.link is not None and wish.link.intent is None:
                    alive[here.id] = wish
                continue
            wish.binned = next((each for each in reversed(mine) if each.in_bin), None)
            wish.next = Next.CREATE if wish.binned is None else Next.UNBIN
        return alive

    def _owners(self, found: Iterable[Found]) -> dict[str, Link]:
        column = f"{self.name}_digest__in"
        known = self.work.links().filter(**{column: [digest(each.id) for each in found]})
        return {link.side(self.name).id: link for link in known}

    def _meet(self, wish: Wish, here: Found, owner: Link | None) -> None:
        """What is wanted back is alive: under another link by now, or not yet collected."""
        if owner is None:
            with self.work.commit():
                wish.link = revive(self.work, self.name, wish, here.id, here.uid, here.folder, here.own_id)
            return
        wish.link, wish.row.key = owner, owner.key
        with self.work.commit():
            wish.row.save(update_fields=["key"])

    def _compare(self, wish: Wish, found: Object | SideError | None) -> None:
        """What has to change so that the object is the wanted version; it may be so already."""
        if isinstance(found, SideError):
            fail(self.work, wish.row, str(found))
            wish.next = Next.NOTHING
            return
        if found is None or not self.work.lives(self.name, found):
            return  # gone just now: the collect will say so
        wish.found, wish.changed = found, self._differing(found.item, wish.item)
        begun, wish.row.revision = wish.row.revision, ""
        if self.work.whole(found) == bytes(wish.kept.fingerprint) or (begun and not wish.changed):
            done(self.work, self.name, wish, "put-back")
        elif begun and begun != found.revision:
            fail(self.work, wish.row, _RACED)
            wish.next = Next.NOTHING
        else:
            wish.next = Next.OVERWRITE

    def _differing(self, now: Item, wanted: Item) -> frozenset[Element]:
        before, after = elements(now), elements(wanted)
        paths = {path for path in {*before, *after} if _normal(before.get(path)) != _normal(after.get(path))}
        barred = {each.name for each in FIELDS[wanted.kind] if each.read_only and self.name is SideName.EXCHANGE}
        return frozenset(path for path in paths if path[0] not in barred)


def revive(work: Work, name: SideName, wish: Wish, id: str, uid: str, folder: str, own: str) -> Link:
    """The link lives again, with what is there on one side as something new. In a transaction."""
    pairing = work.pairing_of(name, folder)
    link = Link(enrollment_id=work.enrollment_id, kind=work.kind, key=wish.key, dirty=1)
    side, parsed = link.side(name), parse_own_id(own)
    side.id, side.uid, side.pairing_id = id, uid, pairing.pk if pairing else None
    if parsed is not None and parsed[0] == wish.key:
        side.nonce = parsed[1]
        Sent.objects.filter(key=wish.key, nonce=parsed[1]).update(linked=True)
    Tomb.objects.filter(key=wish.key).delete()
    link.save()
    wish.row.nonce = None
    wish.row.save(update_fields=["nonce"])
    return link


def _is_of(found: Found, wish: Wish) -> bool:
    """Whether an object is of the item that is wanted back."""
    own = parse_own_id(found.own_id)
    return (own is not None and own[0] == wish.key) or bool(wish.kept.uid and found.uid == wish.kept.uid)


def _normal(part: Part | None) -> str | None:
    return None if part is None else part.normal


# What came of it -----------------------------------------------------------------------------------------------------


def done(work: Work, name: SideName, wish: Wish, code: str) -> None:
    """The version stands there again."""
    wish.next = Next.NOTHING
    with work.commit():
        note_done(work, name, wish, code)
        wish.row.save()


def note_done(work: Work, name: SideName, wish: Wish, code: str) -> None:
    """See ``done``; in a transaction, and to be saved."""
    row, journal = wish.row, work.journal
    row.state, row.text, row.revision, row.done_at, row.run_id = _State.DONE, "", "", journal.at, journal.run.pk
    journal.note(code, wish.link, name, wish.changed, count="created" if code == "made-again" else "updated")


def fail(work: Work, row: Restoration, text: str) -> None:
    """It can't be put back; ``text`` says why."""
    with work.commit():
        note_failed(work, row, text)
        row.save()


def note_failed(work: Work, row: Restoration, text: str) -> None:
    """See ``fail``; in a transaction, and to be saved."""
    journal = work.journal
    row.state, row.text, row.done_at, row.run_id = _State.FAILED, text, journal.at, journal.run.pk
    journal.note("not-put-back", side=SideName(row.side), note=text, count="failed")
