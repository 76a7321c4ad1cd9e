"""Leases for tests, on an enrollment as it stands in the database now."""

from __future__ import annotations

from datetime import timedelta

from syncapp.engine.clock import SYSTEM_CLOCK, Clock
from syncapp.engine.lease import Lease, claim
from syncapp.models import Enrollment


def claim_now(enrollment_id: int, owner: str, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> Lease | None:
    """The lease, or None while somebody else has it; the due time is put off by a minute."""
    row = Enrollment.objects.get(pk=enrollment_id)
    return claim(row, owner, seconds, put_off=clock.now() + timedelta(minutes=1), clock=clock)
