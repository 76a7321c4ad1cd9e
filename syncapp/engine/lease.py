"""One enrollment, one worker: the lease, and the fence that every commit of state checks (rule 21)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Case, F, Q, Value, When

from syncapp.engine.clock import SYSTEM_CLOCK, Clock
from syncapp.models import Enrollment

TAKEOVER_SECONDS = 60.0
"""How long a successor waits after a lease ran out that was not given back: a last request may still be under way."""


class LeaseLost(Exception):
    """Somebody else serves this enrollment now; nothing of ours may be committed any more."""


@dataclass
class Lease:
    """The right to change the state of one enrollment, for ``seconds`` at a time.

    ``fence`` is higher than that of every earlier lease; the row's fence being this one is what makes the lease ours.
    """

    enrollment_id: int
    owner: str
    fence: int
    seconds: float
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    until: datetime | None = None

    def hold(self) -> None:
        """Check the lease inside a transaction; until that ends nobody can take it. Raises ``LeaseLost``.

        Writing the row, not only reading it, is what locks it until the commit.
        """
        self.put(fence=self.fence)

    def renew(self, seconds: float = 0.0) -> None:
        """Make the lease last its ``seconds`` from now, or as long as is asked for. Raises ``LeaseLost``."""
        until = self.clock.now() + timedelta(seconds=max(seconds, self.seconds))
        self.put(lease_until=until)
        self.until = until

    def outlast(self, seconds: float) -> None:
        """Renew unless the lease lasts ``seconds`` anyway; asked before each remote write. Raises ``LeaseLost``."""
        if self.until is None or self.until < self.clock.now() + timedelta(seconds=seconds):
            self.renew(seconds)

    def release(self, due_at: datetime, *, put_off: datetime | None = None) -> None:
        """Give the enrollment back, due again at ``due_at``. Raises ``LeaseLost``.

        ``put_off`` is the due time that stood there during the work: an earlier one that is found in its place is
        somebody's wish for another look, and stays.
        """
        wished = [] if put_off is None else [When(due_at__lt=put_off, then=F("due_at"))]
        self.put(lease_owner="", lease_until=None, due_at=Case(*wished, default=Value(due_at)))

    def put(self, **values: object) -> None:
        """Write columns of the enrollment as long as the lease is ours. Raises ``LeaseLost``."""
        ours = Enrollment.objects.filter(pk=self.enrollment_id, fence=self.fence, lease_owner=self.owner)
        if not ours.update(**values):
            raise LeaseLost(f"enrollment {self.enrollment_id} is no longer served by {self.owner}")


def claim(enrollment_id: int, owner: str, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> Lease | None:
    """The lease on an enrollment for a worker named ``owner``, or None while somebody else has it.

    ``seconds`` must be more than the longest request timeout of any side. One conditional UPDATE decides between
    workers that ask at the same time.
    """
    now = clock.now()
    free = Q(lease_owner="") | Q(lease_until=None) | Q(lease_until__lt=now - timedelta(seconds=TAKEOVER_SECONDS))
    until = now + timedelta(seconds=seconds)
    claimed = Enrollment.objects.filter(free, pk=enrollment_id).update(
        lease_owner=owner, lease_until=until, fence=F("fence") + 1
    )
    if not claimed:
        return None
    # Nobody else can have raised the fence since: the lease is ours until it runs out.
    fence = Enrollment.objects.values_list("fence", flat=True).get(pk=enrollment_id)
    return Lease(enrollment_id, owner, fence, seconds, clock, until)
