"""Collect: ask each side what has changed since its token, and mark the links concerned.

One transaction marks links (ids never seen become half-links) and stores the new token: from then on nothing can be
forgotten. A collect that reached every pairing on both sides is a complete pass; absences are acted upon only when
they were noted before the start of one (rule 1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from django.db.models import BinaryField, F, Q, QuerySet
from django.db.models.functions import Substr

from syncapp.engine import intents
from syncapp.engine.look import unmoved
from syncapp.engine.search import search
from syncapp.engine.work import Work
from syncapp.items import fields
from syncapp.models import Hold, Link, Pairing, Problem, Tomb
from syncapp.models.link import had_revision, new_key, own_id
from syncapp.models.pairing import digest
from syncapp.models.rows import insert
from syncapp.side import Change, Changes, Gone, Look, Object, Side, SideName, TokenLost, Unreadable

T = TypeVar("T")

STAYS_AWAY = timedelta(hours=24)
"""How long a folder may be missing before what was in it is held as deleted."""
_CHUNK = 500
"""Ids per query and per confirming read."""


def collect(work: Work, *, full: bool = False) -> None:
    """One pass over all pairings of a kind on both sides; ``full`` lists everything whatever the tokens say.

    ``work.complete`` is the number of this pass if it reached every pairing. Raises the side's errors and LeaseLost.
    """
    work.begin_pass()
    work.broken.clear()
    work.vanished.clear()
    compared: dict[SideName, list[int]] = {}
    for name in SideName:
        side = work.side(name)
        seen = work.looked.take(work.kind, side, [each.folder(name) for each in work.pairings.values()])
        _check_epoch(work, name, seen.epoch)
        compared[name] = _collect_side(work, side, seen.looks, full)
    if full:
        _mark_unseen(work, compared)
    if not work.broken:
        work.complete = work.passes


def anything_gone(work: Work) -> bool:
    """Whether this pass noted an absence, so that one more is needed before it may be acted upon."""
    noted = Q(exchange_missing=work.passes) | Q(nextcloud_missing=work.passes)
    return work.links().filter(noted, dirty__gt=0).exists()


def _mark_unseen(work: Work, compared: Mapping[SideName, Collection[int]]) -> None:
    """What no listing shows, once both sides were listed: in ``compared`` pairings no server told of it either.

    An edited occurrence may leave the revision of its series as it was. And after an upgrade of a normal form
    everything is read once, so that its base is one of today.
    """
    there: dict[str, Any] = {f"{name}_pairing__in": work.active for name in SideName}
    clean = work.links().filter(dirty=0, ignored=False, **there)
    with work.commit():
        for name in SideName:
            told_nothing = {f"{name}_pairing__in": compared[name]}
            clean.filter(recurring=True, **told_nothing).update(dirty=1, untold=name)
        clean.filter(recurring=True).update(dirty=1)
        for name in SideName:
            _renew_bases(clean, name)


def _renew_bases(clean: QuerySet[Link], name: SideName) -> None:
    form = Substr(f"{name}_base", 1, 1, output_field=BinaryField())
    outdated = clean.filter(**{f"{name}_base__isnull": False}).annotate(form=form)
    old = list(outdated.exclude(form=bytes([fields.NORMAL_FORM_VERSION])).values_list("pk", flat=True))
    for chunk in _chunks(old):
        Link.objects.filter(pk__in=chunk).update(dirty=1)


# Epochs --------------------------------------------------------------------------------------------------------------


def _check_epoch(work: Work, name: SideName, epoch: str) -> None:
    for pairing in work.pairings.values():
        known = pairing.epoch(name)
        if known == epoch:
            continue
        with work.commit():
            if known:
                distrust(work, pairing, name)
                pairing.put(new_epoch=True)
            pairing.put(name, epoch=epoch)


def distrust(work: Work, pairing: Pairing, name: SideName) -> None:
    """Another store, or a restored one, answers now: nothing that is remembered about this side holds (rule 22).

    Everything is listed and read again, nothing missing counts as deleted, and where the sides differ the other side
    is the one that is believed. Called inside a transaction.
    """
    work.journal.note("distrusted", side=name)
    values: dict[str, Any] = {f"{each}_{what}": None for each in SideName for what in ("base", "whole")}
    values |= {f"{name}_revision": "", f"{name}_earlier": b"", "prefer": name.other}
    links = work.links().filter(**{f"{name}_pairing": pairing})
    links.update(dirty=F("dirty") + 1, **Link.ANEW, **values)
    links.filter(**{f"{name}_missing__isnull": False}).update(**{f"{name}_lost": True})
    pairing.put(name, token="", look="", distrusted=True)
    pairing.put(first_contact=True)


# One side ------------------------------------------------------------------------------------------------------------


def _collect_side(work: Work, side: Side, looks: Mapping[str, Look], full: bool) -> list[int]:
    """The pairings of which everything was listed although their tokens hold."""
    name, compared = side.name, list[int]()
    for pairing in work.pairings.values():
        look = looks.get(pairing.folder(name))
        away = pairing.vanished_at(name) is not None
        try:
            if look is None:
                raise Gone("The folder does not exist any more.")
            if full or away or not unmoved(pairing, name, look):
                # What was noted as gone with a folder is there again only if a listing says so.
                folder = _Folder(work, side, pairing, full or away, away)
                folder.collect(look.token or "")
                if folder.compared:
                    compared.append(pairing.pk)
        except Gone:
            _note_vanished(work, pairing, name)
            continue
        if away:
            _note_back(work, pairing, name)
    return compared


# Folders that are not there ------------------------------------------------------------------------------------------


def _note_vanished(work: Work, pairing: Pairing, name: SideName) -> None:
    """The folder is not there: nothing of it counts as deleted. Once it stays away, an admin may say that it is.

    For the rest it counts then as looked at, so that it stands in the way of no other folder.
    """
    with work.commit():
        since = pairing.vanished_at(name)
        if since is None:
            since = work.journal.at
            pairing.put(name, vanished_at=since)
            work.journal.note("folder-missing", side=name)
        Problem.objects.report(
            _missing_key(pairing, name),
            level=Problem.Level.ENROLLMENT,
            code="folder-missing",
            text=f"A folder that is to be kept the same does not exist in {name.title()}.",
            remedy="Create the folder again, or choose another one for this person.",
            enrollment=work.enrollment_id,
        )
        if work.journal.at < since + STAYS_AWAY or pairing.vanished_at(name.other) is not None:
            work.broken.add(pairing.pk)
            return
        work.vanished[pairing.pk] = name
        gone = work.links().filter(**{f"{name}_pairing": pairing, f"{name}_missing": None})
        noted = {f"{name}_missing": work.passes, f"{name}_lost": pairing.distrusted(name)}
        gone.update(dirty=F("dirty") + 1, **Link.ANEW, **noted)


def _note_back(work: Work, pairing: Pairing, name: SideName) -> None:
    """The folder is there again, with or without what was in it: what is held of it is decided anew."""
    with work.commit():
        pairing.put(name, vanished_at=None)
        Problem.objects.clear(_missing_key(pairing, name))
        work.journal.note("folder-back", side=name)
        still = work.links().filter(**{f"{name}_pairing": pairing, f"{name}_missing__isnull": False})
        still.update(dirty=F("dirty") + 1, **Link.ANEW)


def _missing_key(pairing: Pairing, name: SideName) -> str:
    return f"pairing:{pairing.pk}:{name}:missing"


class _Known(NamedTuple):
    """What a link says of its object on the side that is collected."""

    pk: int
    dirty: int
    has_problem: bool
    revision: str
    earlier: bytes
    missing: int | None


@dataclass
class _Folder:
    """The collect of one folder. ``away``: it was not there at the last one, and what it held was noted as missing.

    ``told`` are the ids of which a good token told something. ``listed`` are those of a full listing, None while
    changes are being told. ``compared`` is the token before a listing that is made although nothing is wrong with it:
    what that listing finds beyond what was told since then, ``untold``, is what the server had kept to itself.
    """

    work: Work
    side: Side
    pairing: Pairing
    full: bool
    away: bool = False
    listed: set[str] | None = None
    told: set[str] = field(default_factory=set)
    lost_token: bool = False
    restored: bool = False
    compared: str = ""
    untold: set[str] = field(default_factory=set)

    @property
    def name(self) -> SideName:
        return self.side.name

    def collect(self, look: str) -> None:
        """What happened since the token; all there is when there is none, when it was lost, and for a full comparison.

        After a comparison the token is still the one of the changes: what happens during the listing is told by the
        next ones. A listing that is cut short begins again, for its token is stored with its end.
        """
        token = self.pairing.token(self.name)
        if token:
            token = self._pages(token, look)
        if self.listed is None and (self.full or not token):
            # What was noted as gone with a folder that is back is no news that a server kept to itself.
            self.compared = "" if self.away else token
            self.listed = set()
            listed = self._pages("", look)
            token = token or listed
        if self.listed is not None:
            self._end_listing(token, look)

    def _pages(self, token: str, look: str) -> str:
        """All pages from ``token`` on, "" for a listing. The token after the last, "" when ``token`` was lost."""
        while True:
            page = self._page(token)
            if page is None:
                if self.listed is None:
                    return ""
                self.listed, token = set(), ""
                continue
            alive, absent = self._confirmed(page.gone)
            with self.work.commit():
                self._mark([*page.changed, *alive])
                self._note_absent(absent, lost=False)
                if self.listed is None:
                    done = {} if page.more else {"look": look}
                    self.pairing.put(self.name, token=page.token, **done)
            token = page.token
            if not page.more:
                return token

    def _page(self, token: str) -> Changes | None:
        """One page, None when the token was lost."""
        try:
            page = self.side.changes(self.pairing.folder(self.name), token or None)
        except TokenLost:
            if not token:
                raise
            self.lost_token = True
            self.work.journal.note("token-lost", side=self.name)
            return None
        if self.listed is None and page.full:
            self.listed = set()
        if self.listed is None:
            self.told.update(page.gone, (each.id for each in page.changed))
        else:
            self.listed.update(each.id for each in page.changed)
        return page

    def _end_listing(self, token: str, look: str) -> None:
        """What is known and was not listed is not there, once a read says so too (rules 3, 6)."""
        assert self.listed is not None
        known = self.work.links().filter(**{f"{self.name}_pairing": self.pairing})
        there = known.filter(**{f"{self.name}_missing": None})
        if self.lost_token or (self.away and not there.exists()):
            # Nothing is proven that no token told of. What waits for an admin was told, unless it went with the folder.
            known = known.filter(Q(hold=None) | Q(hold__reason=Hold.Reason.FOLDER))
        else:
            known = there
        ids = known.values_list(f"{self.name}_id_text", flat=True)
        unlisted = [id for id in ids if id and id not in self.listed | self.told]
        alive, absent = self._confirmed(unlisted)
        trusted = not (self.restored or self.pairing.distrusted(self.name))
        deleted = self._in_bin(absent) if trusted else set()
        with self.work.commit():
            if self.restored and not self.pairing.distrusted(self.name):
                distrust(self.work, self.pairing, self.name)
            self._mark(alive)
            self._note_absent([id for id in absent if id in deleted], lost=False)
            self._note_absent([id for id in absent if id not in deleted], lost=True)
            if self.pairing.new_epoch and self.pairing.distrusted(self.name):
                self._let_go(absent)
            self.pairing.put(self.name, token=token, look=look, distrusted=False)
            if self.pairing.first_listed_at is None and self.pairing.listed:
                self.pairing.put(first_listed_at=self.work.journal.at)
        if self.untold:
            self._hear_again()

    def _hear_again(self) -> None:
        """What happened while the listing was made is told by now: that was not missed."""
        told: set[str] = set()
        token, more = self.compared, True
        while more:
            page = self.side.changes(self.pairing.folder(self.name), token)
            told.update((each.id for each in page.changed), page.gone)
            token, more = page.token, page.more
        digests = [digest(id) for id in self.untold & told]
        with self.work.commit():
            self.work.links().filter(**{f"{self.name}_digest__in": digests}).update(untold="")

    def _in_bin(self, ids: Collection[str]) -> set[str]:
        """Which of these objects a person has deleted, as the bin shows: only a listing says that they are gone.

        What a restored server does not know any more is in no bin; nor is what was deleted for good, which comes back
        therefore (rule 6).
        """
        column = f"{self.name}_digest__in"
        known = [
            link for chunk in _chunks(list(ids)) for link in self.work.links().filter(**{column: map(digest, chunk)})
        ]
        links = [link for link in known if link.half is None]
        found = search(self.work, self.name, [(link, link.side(self.name).uid, True) for link in links])
        return {link.side(self.name).id for link in links if found[link.pk].binned}

    def _confirmed(self, ids: Collection[str]) -> tuple[list[Change], list[str]]:
        """Which of the ids that are said to be gone are alive after all, and which are not."""
        alive: list[Change] = []
        absent: list[str] = []
        for chunk in _chunks(list(ids)):
            read = self.side.read(chunk)
            for id in chunk:
                found = read.get(id)
                if isinstance(found, Object) and self.work.lives(self.name, found):
                    alive.append(Change(id, found.revision))
                elif found is None or isinstance(found, Object):
                    absent.append(id)
                else:
                    alive.append(Change(id, found.revision if isinstance(found, Unreadable) else ""))
        return alive, absent

    # Marking, inside a transaction -----------------------------------------------------------------------------------

    def _mark(self, changes: Iterable[Change]) -> None:
        by_id = {each.id: each.revision for each in changes}
        for chunk in _chunks(list(by_id)):
            known = self._known(chunk)
            broken = self._known_as_broken(known.values())
            stale = {
                id: link
                for id, link in known.items()
                if self._moved_on(id, link, by_id[id]) and broken.get(link.pk) != by_id[id]
            }
            if stale:
                self._note_untold(stale)
                moved_on = Link.objects.filter(pk__in=[link.pk for link in stale.values()])
                # Should another item stand there, the one before was deleted only if a token told of it (rule 6).
                told = {f"{self.name}_lost": False} if self.listed is None else {}
                if not told:
                    moved_on.filter(dirty=0).update(**{f"{self.name}_lost": True})
                moved_on.update(dirty=F("dirty") + 1, content=None, **Link.ANEW, **told)
                # Whoever edits an item that the window left out wants it on the other side, too.
                moved_on.exclude(**{f"{self.name}_revision": ""}).update(initial=False)
            self._add([id for id in chunk if id not in known])

    def _note_untold(self, links: Mapping[str, _Known]) -> None:
        """Links that were taken to be in step; in a comparison, it was not told of these that they are not."""
        unheard = {id: link.pk for id, link in links.items() if not link.dirty} if self.compared else {}
        self.untold.update(unheard)
        if unheard:
            Link.objects.filter(pk__in=unheard.values()).update(untold=self.name)

    def _known_as_broken(self, links: Iterable[_Known]) -> dict[int, str]:
        """By link: the revision of its object here that could not be read. It is no news that it is still there."""
        troubled = [link.pk for link in links if link.has_problem and link.missing is None]
        if not troubled:
            return {}
        found = Problem.objects.filter(link__in=troubled, side=self.name).exclude(revision="")
        return dict(found.values_list("link", "revision"))

    def _moved_on(self, id: str, link: _Known, revision: str) -> bool:
        earlier = bool(revision) and revision != link.revision and had_revision(bytes(link.earlier), revision)
        if earlier and not self._was_told(id):
            self.restored = True
        return link.missing is not None or not revision or revision != link.revision

    def _was_told(self, id: str) -> bool:
        """Whether a token that holds told of this object: what only a listing shows may have come from a backup."""
        return self.listed is None or id in self.told

    def _add(self, ids: Sequence[str]) -> None:
        """Ids never seen become half-links. What only a listing shows to be back was restored by nobody."""
        first = self.listed is not None and self.pairing.first_contact
        buried = self._buried([id for id in ids if not self._was_told(id)])
        name = self.name
        rows = []
        for id in ids:
            key = digest(id)
            rows.append(
                {
                    "enrollment_id": self.work.enrollment_id,
                    "kind": self.work.kind,
                    "key": new_key(),
                    "dirty": 1,
                    "initial": first,
                    "returned": key in buried,
                    "untold": name if self.compared else "",
                    f"{name}_id_text": id,
                    f"{name}_digest": key,
                    f"{name}_pairing_id": self.pairing.pk,
                }
            )
        insert(Link, rows)
        if self.compared:
            self.untold.update(ids)

    def _buried(self, ids: Sequence[str]) -> set[bytes | None]:
        column = f"{self.name}_digest"
        tombs = Tomb.objects.filter(enrollment_id=self.work.enrollment_id, kind=self.work.kind)
        found = tombs.filter(**{f"{column}__in": [digest(id) for id in ids]}).values_list(column, flat=True)
        return {bytes(each) for each in found}

    def _note_absent(self, ids: Sequence[str], *, lost: bool) -> None:
        for chunk in _chunks(ids):
            known = self._known(chunk)
            self._note_untold(known)
            gone = Link.objects.filter(pk__in=[each.pk for each in known.values()])
            gone.filter(**{f"{self.name}_missing": None}).update(**{f"{self.name}_missing": self.work.passes})
            gone.update(dirty=F("dirty") + 1, **Link.ANEW, **{f"{self.name}_lost": lost})
            note_created_and_gone(self.work, self.name, [id for id in chunk if id not in known])

    def _let_go(self, ids: Sequence[str]) -> None:
        """Another store knows nothing of the ids of the former one: what it holds is adopted as on first contact."""
        for chunk in _chunks(ids):
            there = Q(**{f"{self.name.other}_digest__isnull": False, f"{self.name.other}_missing": None})
            digests = [digest(id) for id in chunk]
            links = self.work.links().filter(there, intent__isnull=True, **{f"{self.name}_digest__in": digests})
            released = list(links)
            for link in released:
                link.let_go(self.name)
            Link.objects.put(released)

    def _known(self, ids: Sequence[str]) -> dict[str, _Known]:
        """By id: no more of each link than is asked for here, because a listing asks for all of them."""
        name = self.name
        columns = ("pk", "dirty", "has_problem", f"{name}_revision", f"{name}_earlier", f"{name}_missing")
        found = self.work.links().filter(**{f"{name}_digest__in": [digest(id) for id in ids]})
        return {id: _Known(*values) for id, *values in found.values_list(f"{name}_id_text", *columns)}


def note_created_and_gone(work: Work, name: SideName, ids: Collection[str]) -> None:
    """Objects that no link has are gone: perhaps of a create that was never answered to us (rules 3, 10).

    Called inside a transaction.
    """
    if not ids:
        return
    for link in work.links().filter(intent__do="create", intent__side=name.value):
        intent = intents.unpack(link.intent or {})
        assert isinstance(intent, intents.Create)
        if any(own_id(bytes(link.key), intent.nonce) in id for id in ids):
            link.intent = intents.pack(replace(intent, gone=True))
            link.save(update_fields=["intent"])


def _chunks(ids: Sequence[T]) -> Iterable[Sequence[T]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))
