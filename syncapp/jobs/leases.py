"""How whoever serves a person takes their lease: for a run, or to look without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.utils import timezone

from syncapp.engine.lease import Lease, LeaseLost, claim
from syncapp.jobs import troubles
from syncapp.models import Enrollment

LEASE_SECONDS = 240.0
"""More than the longest request of either side."""


class Busy(Exception):
    """Somebody else serves this person now."""


def take(enrollment: Enrollment, owner: str) -> Lease | None:
    """Claim an enrollment as it was read: see ``syncapp.engine.lease.claim``."""
    enrollment.attempts += 1
    put_off = troubles.retry_at(enrollment, timezone.now())
    return claim(enrollment, owner, LEASE_SECONDS, put_off=put_off)


@contextmanager
def undisturbed(enrollment: Enrollment, owner: str) -> Iterator[Lease]:
    """Nobody else serves the enrollment inside; afterwards it is as it was. Raises ``Busy``, ``LeaseLost``."""
    lease = claim(enrollment, owner, LEASE_SECONDS, put_off=enrollment.due_at)
    if lease is None:
        raise Busy
    try:
        yield lease
    except BaseException:
        with suppress(LeaseLost):  # what was met first is what counts
            lease.release(enrollment.due_at, attempts=enrollment.attempts)
        raise
    lease.release(enrollment.due_at, attempts=enrollment.attempts)
