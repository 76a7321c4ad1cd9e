"""Guard: judge deletions over everything that is pending, before the first is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from syncapp.engine.case import Case
from syncapp.engine.work import Work
from syncapp.models import Hold, Problem, Tomb
from syncapp.side import SideName

AT_LEAST = 10
"""So few deletions are never too many by their share: in a small folder one is soon a third of everything."""


@dataclass
class Guard:
    """What may be deleted in this slice. The verdict on a pairing and a side is found once."""

    work: Work
    verdicts: dict[tuple[int, SideName], Hold.Reason | None] = field(default_factory=dict)

    def allows(self, case: Case, on: SideName) -> bool:
        """Whether the object on side ``on`` may be deleted because it is gone across; else the deletion is held.

        A hold names the survivor as it is and lapses when that changes (rule 23). Called inside a transaction.
        """
        survivor = case.whole(on)
        hold = Hold.objects.filter(link=case.link).first()
        if hold is not None and bytes(hold.survivor) == survivor:
            return hold.state == Hold.State.APPROVED
        reason = self._verdict(case, on)
        if hold is not None:
            hold.delete()
        if reason is None:
            return True
        self._hold(case, on, reason)
        return False

    def judge_returned(self, case: Case, on: SideName) -> Hold.State:
        """What to do with an object that came back with a restored server: delete it again, keep it, or wait.

        Called inside a transaction.
        """
        survivor = case.whole(on)
        hold = Hold.objects.filter(link=case.link).first()
        if hold is None:
            self._hold(case, on, Hold.Reason.RETURNED)
            return Hold.State.WAITING
        if bytes(hold.survivor) != survivor or hold.state == Hold.State.REFUSED:
            hold.delete()
            return Hold.State.REFUSED
        return Hold.State(hold.state)

    def _hold(self, case: Case, on: SideName, reason: Hold.Reason) -> None:
        assert case.pairing is not None
        Hold.objects.create(
            enrollment_id=self.work.enrollment_id,
            pairing=case.pairing,
            link=case.link,
            side=on,
            reason=reason,
            survivor=case.whole(on),
            at=self.work.journal.at,
        )
        self.work.has_holds = True
        self.work.journal.note("held", case.link, on, note=reason, count="held")

    def _verdict(self, case: Case, on: SideName) -> Hold.Reason | None:
        assert case.pairing is not None
        key = (case.pairing.pk, on)
        if key not in self.verdicts:
            self.verdicts[key] = self._judge(case.pairing.pk, on)
        return self.verdicts[key]

    def _judge(self, pairing: int, on: SideName) -> Hold.Reason | None:
        emptied = on.other
        links = self.work.links()
        gone = links.filter(
            Q(pairing=pairing),
            **{f"{emptied}_missing__isnull": False, f"{emptied}_lost": False},
            **{f"{on}_digest__isnull": False, f"{on}_missing": None},
        ).exclude(hold__state=Hold.State.APPROVED)
        pending = gone.count()
        since = self.work.clock.now() - timedelta(hours=24)
        recent = Tomb.objects.filter(pairing=pairing, at__gte=since).exclude(deleted_on="").count()
        left = links.filter(
            **{f"{emptied}_pairing": pairing, f"{emptied}_digest__isnull": False, f"{emptied}_missing": None}
        ).count()
        if pending and not left:
            return Hold.Reason.EMPTY
        many = pending + recent
        share = many * 100 > settings.GUARD_DELETIONS_PERCENT * (left + many)
        if many > settings.GUARD_DELETIONS or (share and many >= AT_LEAST):
            return Hold.Reason.MANY
        return None


def report_holds(work: Work) -> None:
    """Say how many deletions wait for an admin, or that none does any more."""
    key = f"enrollment:{work.enrollment_id}:held"
    waiting = Hold.objects.filter(enrollment_id=work.enrollment_id, state=Hold.State.WAITING).count()
    if not waiting:
        Problem.objects.clear(key)
        return
    Problem.objects.report(
        key,
        level=Problem.Level.ENROLLMENT,
        code="held",
        text=f"{waiting} deletions wait for your decision: they are more than usual, or one side turned empty.",
        remedy="Approve them if they are meant, or refuse them to put the items back.",
        enrollment=work.enrollment_id,
    )
