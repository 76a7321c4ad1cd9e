"""Guard: judge what looks like an accident over everything that is pending, before the first of it is applied.

Many deletions, many overwritten items and many new ones at once, a side that turned empty, a folder that vanished,
another store than before. What is suspicious is held, the rest goes on (docs/architecture.md, step 4 and rule 23).
Whoever has nothing to write, or less than would ever be suspicious, pays no query for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from syncapp.engine.case import Case
from syncapp.engine.decide import Decision, Write
from syncapp.engine.suspicion import Pending, Suspicion, fingerprint_of, is_about
from syncapp.engine.work import Work, label_of
from syncapp.models import Hold, Link
from syncapp.side import SideName

Deed, Reason, State = Hold.Deed, Hold.Reason, Hold.State


class Judgement(Enum):
    """What becomes of a write. ASKED: it is done because an admin said so."""

    GO = auto()
    ASKED = auto()
    WAIT = auto()
    REFUSED = auto()

    @property
    def goes(self) -> bool:
        """Whether it is done."""
        return self in (Judgement.GO, Judgement.ASKED)


_OF_STATE = {
    State.WAITING: Judgement.WAIT,
    State.LAPSED: Judgement.WAIT,
    State.APPROVED: Judgement.ASKED,
    State.REFUSED: Judgement.REFUSED,
}


@dataclass
class Guard:
    """What may be written in this slice. ``begin`` and ``store`` stand around each batch."""

    work: Work
    suspicion: Suspicion = field(init=False)
    _known: dict[int, Hold] = field(default_factory=dict)
    _lapsed: list[int] = field(default_factory=list)
    _new: dict[int, tuple[Case, Hold]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.suspicion = Suspicion(self.work)

    # Around a batch --------------------------------------------------------------------------------------------------

    def begin(self, batch: Sequence[Link]) -> None:
        """Know what is held of a batch."""
        self._known, self._lapsed, self._new = {}, [], {}
        if self.work.has_holds:
            self._known = {hold.link_id: hold for hold in Hold.objects.filter(link__in=batch)}

    def expect(self, merges: Sequence[tuple[Case, Decision]]) -> None:
        """Know all that the batch would overwrite, before the first of it is judged."""
        self.suspicion.here = [
            Pending(case, on, write, self._known.get(case.link.pk))
            for case, decision in merges
            for on, write in decision.writes.items()
        ]

    @property
    def changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(self._lapsed or self._new)

    def store(self) -> None:
        """Store new holds and forget those that lapsed. In a transaction."""
        Hold.objects.filter(pk__in=self._lapsed).delete()
        # Others of the batch may have turned out to be part of another link.
        new = [each for pk, each in self._new.items() if pk not in self.work.swallowed]
        Hold.objects.bulk_create([hold for _, hold in new])
        for case, hold in new:
            self.work.journal.note("held", case.link, SideName(hold.side), note=hold.reason, count="held")
        self.work.has_holds = self.work.has_holds or bool(new)
        self._lapsed, self._new = [], {}

    def lapse(self, case: Case) -> None:
        """What is held of this item is not wanted any more."""
        hold = self._known.pop(case.link.pk, None)
        if hold is not None:
            self._lapsed.append(hold.pk)

    # Judgements ------------------------------------------------------------------------------------------------------

    def deletion(self, case: Case, on: SideName) -> Judgement:
        """Whether the object on side ``on`` may be deleted because it is gone across."""
        if self._unsuspicious(case, on, Deed.DELETE):
            return Judgement.GO
        return self._rule(case, on, Deed.DELETE, case.whole(on))

    def creation(self, case: Case, on: SideName) -> Judgement:
        """Whether an item may be created on side ``on``. A refused one stays where it is until somebody edits it."""
        if self._unsuspicious(case, on, Deed.CREATE):
            return Judgement.GO
        return self._rule(case, on, Deed.CREATE, case.whole(on.other))

    def overwrite(self, case: Case, on: SideName, write: Write) -> Judgement:
        """Whether the object on side ``on`` may be changed.

        Only one write of an item is held at a time. What was refused across is put back here.
        """
        hold = self._known.get(case.link.pk)
        if hold is not None and hold.side != on:
            if hold.state == State.REFUSED:
                return Judgement.ASKED
            return Judgement.GO if self.suspicion.reason(case, on, Deed.UPDATE) is None else Judgement.WAIT
        if self._unsuspicious(case, on, Deed.UPDATE):
            return Judgement.GO
        return self._rule(case, on, Deed.UPDATE, fingerprint_of(self.work, write), write)

    def review(self, case: Case, wanted: Collection[SideName]) -> None:
        """Let lapse what is held of an item that both sides hold, but for what is wanted or put back still."""
        hold = self._known.get(case.link.pk)
        if hold is not None and (
            hold.deed is not Deed.UPDATE or not (hold.side in wanted or self._undoes(hold, wanted))
        ):
            self.lapse(case)

    def _undoes(self, hold: Hold, wanted: Collection[SideName]) -> bool:
        return hold.state == State.REFUSED and SideName(hold.side).other in wanted

    def returned(self, case: Case, on: SideName) -> Judgement:
        """Whether an object that came back with a restored server is deleted again; REFUSED: it lives (rule 22)."""
        hold = self._known.get(case.link.pk)
        if hold is None:
            self._hold(case, on, Reason.RETURNED, case.whole(on))
            return Judgement.WAIT
        if bytes(hold.survivor) != case.whole(on):
            self.lapse(case)
            return Judgement.REFUSED
        return _OF_STATE[State(hold.state)]

    def _unsuspicious(self, case: Case, on: SideName, deed: Hold.Deed) -> bool:
        return case.link.pk not in self._known and self.suspicion.reason(case, on, deed) is None

    def _rule(self, case: Case, on: SideName, deed: Hold.Deed, what: bytes, write: Write | None = None) -> Judgement:
        hold = self._known.get(case.link.pk)
        if hold is not None and is_about(hold, deed, on, what):
            return _OF_STATE[State(hold.state)]
        self.lapse(case)
        reason = self.suspicion.reason(case, on, deed)
        if reason is None:
            return Judgement.GO
        if case.key in self.suspicion.wanted_back:
            return Judgement.ASKED
        self._hold(case, on, reason, what, write)
        return Judgement.WAIT

    def _hold(self, case: Case, on: SideName, reason: Hold.Reason, what: bytes, write: Write | None = None) -> None:
        assert case.pairing is not None
        there = case.objects.get(on) or case.objects[on.other]
        label = label_of(there.item)
        becomes = label_of(write.item) if write else ""
        hold = Hold(
            enrollment_id=self.work.enrollment_id,
            pairing=case.pairing,
            link=case.link,
            side=on,
            reason=reason,
            survivor=what,
            label=label,
            becomes=becomes if becomes != label else "",
            fields=" ".join(sorted({path[0] for path in write.changed})) if write else "",
            at=self.work.journal.at,
        )
        # An item that both sides shall be told about waits for one decision after the other.
        self._new.setdefault(case.link.pk, (case, hold))


def count_written(work: Work, name: SideName, deed: Hold.Deed, cases: Iterable[Case]) -> None:
    """Remember what was written on one side without anybody being asked: it counts for a day. In a transaction.

    What a first sync writes does not count, nor does what an admin has asked for.
    """
    numbers = Counter(
        pairing.pk for case in cases if not case.asked and (pairing := case.pairing) and not pairing.first_sync
    )
    for pairing_id, number in numbers.items():
        work.pairings[pairing_id].count(name, deed, number, work.journal.at)
