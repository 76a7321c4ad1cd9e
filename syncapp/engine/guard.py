"""Guard: judge what looks like an accident over everything that is pending, before the first of it is applied.

Many deletions, many overwritten items and many new ones at once, a side that turned empty, a folder that vanished,
another store than before. What is suspicious is held, the rest goes on (docs/architecture.md, step 4 and rule 23).
Whoever has nothing to write, or less than would ever be suspicious, pays no query for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property

from django.conf import settings
from django.db.models import Q

from syncapp.engine.case import Case
from syncapp.engine.decide import Write
from syncapp.engine.survey import overwrites_ahead
from syncapp.engine.work import Work, label_of
from syncapp.models import Hold, Link, Pairing, Restoration
from syncapp.side import SideName

Deed, Reason, State = Hold.Deed, Hold.Reason, Hold.State

_DAY = timedelta(hours=24)


@dataclass(frozen=True)
class _Limits:
    """Too many are more than ``number``, or at least ``at_least`` that are more than ``percent`` of all."""

    number: int
    percent: int
    at_least: int
    """So few are never too many by their share: in a small folder one is soon a third of everything."""

    def few(self, many: int) -> bool:
        """Whether these are not too many, however many items there are."""
        return many <= self.number and many < self.at_least

    def exceeded(self, many: int, of: int) -> bool:
        """Whether these are too many of so many items."""
        return many > self.number or (many >= self.at_least and many * 100 > self.percent * of)


def _limits(deed: Hold.Deed) -> _Limits:
    if deed is Deed.DELETE:
        return _Limits(settings.GUARD_DELETIONS, settings.GUARD_DELETIONS_PERCENT, 10)
    if deed is Deed.UPDATE:
        return _Limits(settings.GUARD_OVERWRITES, settings.GUARD_OVERWRITES_PERCENT, 25)
    return _Limits(settings.GUARD_CREATIONS, settings.GUARD_CREATIONS_PERCENT, 100)


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
    verdicts: dict[tuple[int, SideName, Hold.Deed], Hold.Reason | None] = field(default_factory=dict)
    here: Sequence[tuple[Case, SideName]] = ()
    """What the batch would overwrite."""
    _known: dict[int, Hold] = field(default_factory=dict)
    _lapsed: list[int] = field(default_factory=list)
    _new: list[tuple[Case, Hold]] = field(default_factory=list)

    # Around a batch --------------------------------------------------------------------------------------------------

    def begin(self, batch: Sequence[Link]) -> None:
        """Know what is held of a batch."""
        self._known, self._lapsed, self._new = {}, [], []
        self.here = ()
        if self.work.has_holds:
            self._known = {hold.link_id: hold for hold in Hold.objects.filter(link__in=batch)}

    @property
    def changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(self._lapsed or self._new)

    def store(self) -> None:
        """Store new holds and forget those that lapsed. In a transaction."""
        Hold.objects.filter(pk__in=self._lapsed).delete()
        Hold.objects.bulk_create([hold for _, hold in self._new])
        for case, hold in self._new:
            self.work.journal.note("held", case.link, SideName(hold.side), note=hold.reason, count="held")
        self.work.has_holds = self.work.has_holds or bool(self._new)
        self._lapsed, self._new = [], []

    def lapse(self, case: Case) -> None:
        """What is held of this item is not wanted any more."""
        hold = self._known.pop(case.link.pk, None)
        if hold is not None:
            self._lapsed.append(hold.pk)

    # Judgements ------------------------------------------------------------------------------------------------------

    def deletion(self, case: Case, on: SideName) -> Judgement:
        """Whether the object on side ``on`` may be deleted because it is gone across."""
        return self._rule(case, on, Deed.DELETE, case.whole(on))

    def creation(self, case: Case, on: SideName) -> Judgement:
        """Whether an item may be created on side ``on``. A refused one stays where it is until somebody edits it."""
        return self._rule(case, on, Deed.CREATE, case.whole(on.other))

    def overwrite(self, case: Case, on: SideName, write: Write) -> Judgement:
        """Whether the object on side ``on`` may be changed; ``here`` has all of this batch.

        Only one write of an item is held at a time. What was refused across is put back here.
        """
        hold = self._known.get(case.link.pk)
        if hold is not None and hold.side != on:
            if hold.state == State.REFUSED:
                return Judgement.ASKED
            return Judgement.GO if self._verdict(case, on, Deed.UPDATE) is None else Judgement.WAIT
        if hold is None and self._verdict(case, on, Deed.UPDATE) is None:
            return Judgement.GO
        delta = (sorted(write.target.items()), sorted(write.before.items()))
        return self._rule(case, on, Deed.UPDATE, self.work.content_digest(repr(delta).encode()), write)

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

    def _rule(self, case: Case, on: SideName, deed: Hold.Deed, what: bytes, write: Write | None = None) -> Judgement:
        hold = self._known.get(case.link.pk)
        if hold is not None and (hold.deed, hold.side, bytes(hold.survivor)) == (deed, on, what):
            return _OF_STATE[State(hold.state)]
        self.lapse(case)
        reason = self._verdict(case, on, deed)
        if reason is None:
            return Judgement.GO
        if case.key in self._wanted_back:
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
        self._new.append((case, hold))

    # Verdicts --------------------------------------------------------------------------------------------------------

    def _verdict(self, case: Case, on: SideName, deed: Hold.Deed) -> Hold.Reason | None:
        """Why writes of this sort are suspicious, None if they are not: found once for a pairing and a side."""
        pairing = case.pairing
        assert pairing is not None
        if deed is Deed.CREATE and case.link.half is None:
            # No new item: it is put back where it was lost, which only another store makes suspicious.
            return Reason.EPOCH if pairing.new_epoch and case.side(on).lost else None
        if deed is Deed.CREATE and pairing.new_epoch:
            return Reason.EPOCH
        if deed is not Deed.DELETE and pairing.first_sync:
            return None
        key = (pairing.pk, on, deed)
        if key not in self.verdicts:
            self.verdicts[key] = self._judge(pairing, on, deed)
        if self.verdicts[key] is None and deed is Deed.UPDATE and self._gone_through(pairing, on, deed):
            # What was to come was estimated: it shall not add up to more than is allowed.
            self.verdicts[key] = Reason.OVERWRITES
        return self.verdicts[key]

    def _judge(self, pairing: Pairing, on: SideName, deed: Hold.Deed) -> Hold.Reason | None:
        if deed is Deed.DELETE:
            return self._judge_deletions(pairing, on)
        if _limits(deed).few(self._pending + self._lately(pairing, on, deed)):
            return None
        if deed is Deed.UPDATE:
            return self._judge_overwrites(pairing, on)
        return self._judge_creations(pairing, on)

    @cached_property
    def _since(self) -> datetime:
        return self.work.clock.now() - _DAY

    @cached_property
    def _wanted_back(self) -> frozenset[bytes]:
        """The keys of what an admin has put back from history of late: it shall travel."""
        done = Restoration.objects.filter(enrollment_id=self.work.enrollment_id, done_at__gte=self._since)
        return frozenset(map(bytes, done.filter(state=Restoration.State.DONE).values_list("key", flat=True)))

    @cached_property
    def _pending(self) -> int:
        """More than these can't be pending."""
        return self.work.dirty().count()

    def _lately(self, pairing: Pairing, on: SideName, deed: Hold.Deed) -> int:
        """What went through in the last 24 hours, and what has been waiting since then."""
        done = pairing.went_through(on, deed, self._since)
        if not self.work.has_holds:
            return done
        reasons = [reason for reason, of in Hold.DEEDS.items() if of is deed]
        waiting = Hold.objects.filter(pairing=pairing, side=on, reason__in=reasons, at__gte=self._since)
        return done + waiting.filter(state__in=(State.WAITING, State.LAPSED)).count()

    def _gone_through(self, pairing: Pairing, on: SideName, deed: Hold.Deed) -> bool:
        done, limit = pairing.went_through(on, deed, self._since), _limits(deed).number
        return done + len(self.here) > limit and done + self._number_here(pairing, on) > limit

    def _number_here(self, pairing: Pairing, on: SideName) -> int:
        keys = [case.key for case, name in self.here if name is on and case.pairing is pairing]
        return sum(key not in self._wanted_back for key in keys)

    def _judge_deletions(self, pairing: Pairing, on: SideName) -> Hold.Reason | None:
        emptied = on.other
        if self.work.vanished.get(pairing.pk) is emptied:
            return Reason.FOLDER
        links = self.work.links()
        gone = links.filter(
            Q(pairing=pairing),
            **{f"{emptied}_missing__isnull": False, f"{emptied}_lost": False},
            **{f"{on}_digest__isnull": False, f"{on}_missing": None},
        )
        # What nobody decided about for a day stands in the way of nothing new.
        decided = Q(hold__state__in=(State.APPROVED, State.REFUSED))
        pending = gone.exclude(decided).exclude(hold__at__lt=self._since).count()
        left = links.filter(
            **{f"{emptied}_pairing": pairing, f"{emptied}_digest__isnull": False, f"{emptied}_missing": None}
        ).count()
        if pending and not left:
            return Reason.EMPTY
        many = pending + pairing.went_through(on, Deed.DELETE, self._since)
        return Reason.MANY if _limits(Deed.DELETE).exceeded(many, left + many) else None

    def _judge_overwrites(self, pairing: Pairing, on: SideName) -> Hold.Reason | None:
        limits = _limits(Deed.UPDATE)
        known = self._lately(pairing, on, Deed.UPDATE) + self._number_here(pairing, on)
        both = Q(exchange_digest__isnull=False, nextcloud_digest__isnull=False)
        there = self.work.links().filter(both, pairing=pairing).count()
        if not limits.exceeded(known, there):
            known += overwrites_ahead(self.work, pairing, on, but=self._wanted_back)
        return Reason.OVERWRITES if limits.exceeded(known, there) else None

    def _judge_creations(self, pairing: Pairing, on: SideName) -> Hold.Reason | None:
        limits, name = _limits(Deed.CREATE), on.other
        halves = Q(**{f"{on}_digest": None, f"{on}_missing": None, f"{name}_missing": None})
        here = self.work.links().filter(**{f"{name}_pairing": pairing, f"{name}_digest__isnull": False})
        new = here.filter(halves, dirty__gt=0, hold=None, initial=False).exclude(key__in=self._wanted_back).count()
        many, there = new + self._lately(pairing, on, Deed.CREATE), here.exclude(halves).count()
        if there < limits.at_least:
            # Where next to nothing was, nothing can have been doubled: people do fill empty folders.
            return Reason.CREATIONS if many > limits.number else None
        return Reason.CREATIONS if limits.exceeded(many, there + many) else None


def count_written(work: Work, name: SideName, deed: Hold.Deed, cases: Iterable[Case]) -> None:
    """Remember what was written on one side without anybody being asked: it counts for a day. In a transaction.

    What a first sync writes does not count, nor does what an admin has asked for.
    """
    numbers = Counter(
        pairing.pk for case in cases if not case.asked and (pairing := case.pairing) and not pairing.first_sync
    )
    for pairing_id, number in numbers.items():
        work.pairings[pairing_id].count(name, deed, number, work.journal.at)
