"""Suspicion: whether what is pending in a pairing, together with the last 24 hours, looks like an accident (rule 23).

Counted once for a pairing, a side and a sort of writes, and only where so many are pending that they could be too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db.models import Q

from syncapp.engine.case import Case
from syncapp.engine.decide import Write
from syncapp.engine.survey import overwrites_ahead
from syncapp.engine.work import Work
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


def fingerprint_of(work: Work, write: Write) -> bytes:
    """What a decision about an overwrite is about: what would be written over what (rule 23)."""
    delta = (sorted(write.target.items()), sorted(write.before.items()))
    return work.content_digest(repr(delta).encode())


def is_about(hold: Hold, deed: Hold.Deed, on: SideName, what: bytes) -> bool:
    """Whether a hold is about just this write."""
    return (hold.deed, hold.side, bytes(hold.survivor)) == (deed, on, what)


@dataclass(frozen=True)
class Pending:
    """An overwrite of the present batch, and what is held of its item."""

    case: Case
    on: SideName
    write: Write
    hold: Hold | None


@dataclass
class Suspicion:
    """Why writes are suspicious in this slice, found when it is first asked."""

    work: Work
    here: Sequence[Pending] = ()
    """What the present batch would overwrite."""
    _found: dict[tuple[int, SideName, Hold.Deed], Hold.Reason | None] = field(default_factory=dict)

    def reason(self, case: Case, on: SideName, deed: Hold.Deed) -> Hold.Reason | None:
        """Why a write of this sort is suspicious; None if it is not."""
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
        if key not in self._found:
            self._found[key] = self._judge(pairing, on, deed)
        if self._found[key] is None and deed is Deed.UPDATE and self._gone_through(pairing, on, deed):
            # What was to come was estimated: it shall not add up to more than is allowed.
            self._found[key] = Reason.OVERWRITES
        return self._found[key]

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
    def wanted_back(self) -> frozenset[bytes]:
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
        mine = [each for each in self.here if each.on is on and each.case.pairing is pairing]
        return sum(self._counts(each.case.link, each.hold, on, each.write) for each in mine)

    def _counts(self, link: Link, hold: Hold | None, on: SideName, write: Write) -> bool:
        """Whether nobody wants it so far: what is held counts as waiting, what was decided not at all."""
        held = hold is not None and is_about(hold, Deed.UPDATE, on, fingerprint_of(self.work, write))
        return not held and bytes(link.key) not in self.wanted_back

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
            known += overwrites_ahead(self.work, pairing, on, self._counts)
        return Reason.OVERWRITES if limits.exceeded(known, there) else None

    def _judge_creations(self, pairing: Pairing, on: SideName) -> Hold.Reason | None:
        limits, name = _limits(Deed.CREATE), on.other
        halves = Q(**{f"{on}_digest": None, f"{on}_missing": None, f"{name}_missing": None})
        here = self.work.links().filter(**{f"{name}_pairing": pairing, f"{name}_digest__isnull": False})
        new = here.filter(halves, dirty__gt=0, hold=None, initial=False).exclude(key__in=self.wanted_back).count()
        many, there = new + self._lately(pairing, on, Deed.CREATE), here.exclude(halves).count()
        if there < limits.at_least:
            # Where next to nothing was, nothing can have been doubled: people do fill empty folders.
            return Reason.CREATIONS if many > limits.number else None
        return Reason.CREATIONS if limits.exceeded(many, there + many) else None
