"""One enrollment, one worker: the lease, and the fence that every commit of state checks (rule 21)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncapp.engine.clock import SYSTEM_CLOCK, Clock
from syncapp.models import Enrollment
from syncapp.models.statements import change

TAKEOVER_SECONDS = 60.0
"""How long a successor waits after a lease ran out that was not given back: a last request may still be under way."""

_CLAIM = """
UPDATE syncapp_enrollment
SET lease_owner = %s, lease_until = %s, fence = fence + 1, attempts = attempts + 1, due_at = %s
WHERE id = %s AND fence = %s AND due_at = %s AND state = %s
AND (lease_owner = '' OR lease_until IS NULL OR lease_until < %s)
"""
_WRITE = "UPDATE syncapp_enrollment SET {} WHERE id = %s AND fence = %s AND lease_owner = %s"


class LeaseLost(Exception):
    """Somebody else serves this enrollment now; nothing of ours may be committed any more."""


@dataclass
class Lease:
    """The right to change the state of one enrollment, for ``seconds`` at a time.

    ``fence`` is higher than that of every earlier lease; the row's fence being this one is what makes the lease ours.
    ``put_off`` is the due time that stands there during the work.
    """

    enrollment_id: int
    owner: str
    fence: int
    seconds: float
    put_off: datetime
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

    def release(self, due_at: datetime, **values: object) -> None:
        """Give the enrollment back, due again at ``due_at``, and write columns along. Raises ``LeaseLost``.

        A due time before the one that the claim put there is somebody's wish for another look, and stays.
        """
        wish = "due_at = CASE WHEN due_at < %s THEN due_at ELSE %s END"
        given = {"lease_owner": "", "lease_until": None, **values}
        self._write([wish, *_assign(given)], [self.put_off, due_at, *given.values()])

    def put(self, **values: object) -> None:
        """Write columns of the enrollment as long as the lease is ours. Raises ``LeaseLost``."""
        self._write(_assign(values), values.values())

    def _write(self, assignments: Iterable[str], params: Iterable[object]) -> None:
        ours = (self.enrollment_id, self.fence, self.owner)
        if not change(_WRITE.format(", ".join(assignments)), [*params, *ours]):
            raise LeaseLost(f"enrollment {self.enrollment_id} is no longer served by {self.owner}")


def _assign(columns: Iterable[str]) -> list[str]:
    return [f"{column} = %s" for column in columns]


def claim(
    seen: Enrollment, owner: str, seconds: float, *, put_off: datetime, clock: Clock = SYSTEM_CLOCK
) -> Lease | None:
    """The lease on an enrollment as it was read, for a worker named ``owner``.

    None while somebody else has it, and when somebody had it or wished for another look since it was read. ``seconds``
    must be more than the longest request timeout of any side. One conditional UPDATE decides between workers that ask
    at the same time; it counts the attempt before the work, too, and puts off the due time to ``put_off``: an
    enrollment that kills its worker must not do so for ever.
    """
    now = clock.now()
    until, lapsed = now + timedelta(seconds=seconds), now - timedelta(seconds=TAKEOVER_SECONDS)
    condition = (seen.pk, seen.fence, seen.due_at, seen.state, lapsed)
    if not change(_CLAIM, (owner, until, put_off, *condition)):
        return None
    return Lease(seen.pk, owner, seen.fence + 1, seconds, put_off, clock, until)
