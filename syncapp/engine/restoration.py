"""Put back from history: what the connector had overwritten or deleted is written again, as a person would do it.

Before anything is collected, the wanted version is written to the side that it was kept from: over the object that is
there, over the one that lies in the bin, or as a new one. Nothing that is remembered of the agreement moves. So what
follows is no matter of this module: the collect hears of an edit or of something new, and the engine does with it what
it does with everybody's. Each wish is a row that stays until it is known what came of it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, QuerySet

from syncapp import crypto
from syncapp.engine.answers import DECIDE_AGAIN, OF_ONE_ITEM, complete, of_more
from syncapp.engine.keeping import Former, keep_history
from syncapp.engine.wishes import Next, Search, Wish, fail, note_done, note_failed, revive
from syncapp.engine.work import BATCH, Work
from syncapp.items.elements import elements, with_elements
from syncapp.items.fingerprint import Base
from syncapp.models import History, Pairing, Restoration, Sent, Tomb
from syncapp.models.link import new_nonce, own_id
from syncapp.models.rows import insert
from syncapp.side import AlreadyThere, Creation, Object, SideName, Unreadable, Update, WriteResult, Written

_State = Restoration.State

_MOST_ATTEMPTS = 10
_ROUNDS = 3
"""What lies in a bin is first taken out and then written over."""
_PATIENCE = 3
"""So often the UID is tried that the object had."""
_PRUNED = "This version is no longer kept."
_FOLDERLESS = "Its folder is not kept the same any more."
_TIRED = f"It did not come to an end in {_MOST_ATTEMPTS} runs; look at the log of the last one, and ask again."


def fulfil(work: Work) -> bool:
    """Put back what is wanted of this kind. Whether there is more that can be done at once.

    Raises what concerns more than an item, after everything that is known was stored, and ``LeaseLost``.
    """
    last, seen = 0, set[bytes]()
    while not work.out_of_time() and (batch := list(_waiting(work).filter(pk__gt=last).order_by("pk")[:BATCH])):
        last = batch[-1].pk
        # Of one item there is one at a time; the others have their turn when it is known what came of that.
        first = {bytes(row.key): row for row in reversed(batch)}
        batch = [row for key, row in first.items() if key not in seen]
        seen |= first.keys()
        if batch:
            _begin(work, batch)
        for name in SideName:
            _Putting(work, name).run([row for row in batch if row.side == name])
    return _waiting(work).exists()


def _waiting(work: Work) -> QuerySet[Restoration]:
    return Restoration.objects.filter(enrollment_id=work.enrollment_id, kind=work.kind, state=_State.WAITING)


def _begin(work: Work, batch: Sequence[Restoration]) -> None:
    """Count the attempt before the work."""
    with work.commit():
        Restoration.objects.filter(pk__in=[row.pk for row in batch]).update(attempts=F("attempts") + 1)
    for row in batch:
        row.attempts += 1


@dataclass
class _Putting:
    """Wishes about objects of one side."""

    work: Work
    name: SideName

    def run(self, rows: Sequence[Restoration]) -> None:
        """Go as far as can be gone now. Raises what concerns more than an item."""
        if not rows or self._is_another_store():
            return
        wishes = self._known(rows)
        for _ in range(_ROUNDS):
            if not wishes:
                return
            Search(self.work, self.name).locate(wishes)
            self._overwrite([wish for wish in wishes if wish.next is Next.OVERWRITE])
            self._create([wish for wish in wishes if wish.next is Next.CREATE])
            for wish in wishes:
                if wish.next is Next.UNBIN:
                    self._unbin(wish)
            wishes = [wish for wish in wishes if wish.next is Next.UNBIN and wish.row.state == _State.WAITING]

    def _is_another_store(self) -> bool:
        """Nothing is written to a store that was not compared yet; the collect does that."""
        epoch = self.work.side(self.name).epoch()
        return any(pairing.epoch(self.name) not in ("", epoch) for pairing in self.work.pairings.values())

    def _known(self, rows: Sequence[Restoration]) -> list[Wish]:
        """The wishes whose version can be read."""
        versions = History.objects.in_bulk([row.history_id for row in rows])
        wishes: list[Wish] = []
        for row in rows:
            kept = versions.get(row.history_id)
            if kept is None or not kept.content:
                fail(self.work, row, _PRUNED)
            elif row.attempts > _MOST_ATTEMPTS:
                fail(self.work, row, row.text or _TIRED)
            else:
                try:
                    native = kept.packed
                    wishes.append(Wish(row, kept, self.work.side(self.name).unpack(native), native))
                except (Unreadable, crypto.WrongKey) as problem:
                    fail(self.work, row, str(problem))
        return wishes

    # Over what is there ----------------------------------------------------------------------------------------------

    def _overwrite(self, wishes: Sequence[Wish]) -> None:
        if not wishes:
            return
        jobs = [(wish, wish.found) for wish in wishes if wish.found is not None]
        with self.work.commit():
            keep_history(self.work, [self._former(wish, found) for wish, found in jobs])
            for wish, found in jobs:
                wish.row.revision = found.revision
                wish.row.save(update_fields=["revision"])
        self.work.before_write(self.name, len(jobs))
        updates = [
            Update(found, with_elements(found.item, wish.item, wish.changed), wish.changed, wish.native)
            for wish, found in jobs
        ]
        results = self.work.side(self.name).update(updates)
        with self.work.commit():
            for (wish, _), result in zip(jobs, results, strict=True):
                self._take(wish, result, "put-back")
        self._raise(results)

    def _former(self, wish: Wish, found: Object) -> Former:
        return Former(wish.link_key, self.name, found, History.Reason.RESTORED, wish.changed)

    def _take(self, wish: Wish, result: WriteResult, code: str) -> None:
        """What an answer means for a wish. In a transaction. What is uncertain is found out the next time."""
        wish.next, row = Next.LATER, wish.row
        if complete(result):
            note_done(self.work, self.name, wish, code)
        elif isinstance(result, (AlreadyThere, *DECIDE_AGAIN)):
            row.revision, row.text = "", str(result)
        elif isinstance(result, OF_ONE_ITEM):
            note_failed(self.work, row, str(result))
        elif isinstance(result, Written):
            row.revision, row.text = "", str(result.problem)
        row.save()

    # Out of the bin, or anew -----------------------------------------------------------------------------------------

    def _unbin(self, wish: Wish) -> None:
        """Take what lies in the bin out of it. It is found alive afterwards, whether or not an answer comes."""
        pairing = self._pairing(wish)
        assert wish.binned is not None
        if pairing is None:
            fail(self.work, wish.row, _FOLDERLESS)
            return
        self.work.before_write(self.name)
        try:
            self.work.side(self.name).restore(wish.binned.id, pairing.folder(self.name))
        except DECIDE_AGAIN:
            return
        except OF_ONE_ITEM as problem:
            fail(self.work, wish.row, str(problem))

    def _create(self, wishes: Sequence[Wish]) -> None:
        placed: list[tuple[Wish, Pairing]] = []
        uids = Counter(wish.kept.uid for wish in wishes)
        for wish in wishes:
            pairing = self._pairing(wish)
            uids[wish.kept.uid] -= 1
            if pairing is None:
                fail(self.work, wish.row, _FOLDERLESS)
            elif not (wish.kept.uid and uids[wish.kept.uid]):
                # Of those with one UID the last is made; the others find it there in the next run.
                placed.append((wish, pairing))
        if not placed:
            return
        creations = {wish.row.pk: self._creation(wish, pairing) for wish, pairing in placed}
        with self.work.commit():
            for wish, _ in placed:
                wish.row.save(update_fields=["nonce"])
            insert(Sent, [self._sent(wish, creations[wish.row.pk]) for wish, _ in placed])
        self.work.before_write(self.name, len(placed))
        results = self.work.side(self.name).create([creations[wish.row.pk] for wish, _ in placed])
        with self.work.commit():
            for (wish, _), result in zip(placed, results, strict=True):
                self._take_created(wish, creations[wish.row.pk], result)
        self._raise(results)

    def _creation(self, wish: Wish, pairing: Pairing) -> Creation:
        wish.row.nonce = new_nonce()
        item = self.work.side(self.name).project(wish.item)
        uid = wish.kept.uid if wish.row.attempts <= _PATIENCE else ""
        if not uid and self.name is SideName.NEXTCLOUD:
            uid = str(uuid.uuid4())
        return Creation(own_id(wish.key, wish.row.nonce), uid, pairing.folder(self.name), item, wish.native)

    def _sent(self, wish: Wish, creation: Creation) -> dict[str, object]:
        """By this a copy that lands late is known (rule 11)."""
        steps, prints = self.work.side(self.name).steps, self.work.prints(wish.key)
        return {
            "enrollment_id": self.work.enrollment_id,
            "side": self.name,
            "key": wish.key,
            "nonce": wish.row.nonce,
            "hashes": Base(prints.item(creation.item)).pack(),
            "source": Base({}).pack(),
            "whole": b"",
            "steps": [prints.path(each).hex() for each in sorted(elements(creation.item)) if each[0] in steps],
            "at": self.work.journal.at,
        }

    def _take_created(self, wish: Wish, creation: Creation, result: WriteResult) -> None:
        if isinstance(result, Written):
            wish.link = revive(self.work, self.name, wish, result.id, creation.uid, creation.folder, creation.own_id)
        self._take(wish, result, "made-again")

    def _pairing(self, wish: Wish) -> Pairing | None:
        """Where it belongs: where it was kept from, where its link ended, or where such things are."""
        pairings, pk = self.work.pairings, wish.kept.pairing_id
        if pk is None:
            pk = Tomb.objects.filter(key=wish.key).values_list("pairing", flat=True).first()
        return next(iter(pairings.values()), None) if pk is None else pairings.get(pk)

    def _raise(self, results: Sequence[WriteResult]) -> None:
        if (error := of_more(results)) is not None:
            raise error
