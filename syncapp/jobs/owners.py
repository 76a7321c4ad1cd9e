"""Names of workers, and what happens to what a dead one held.

A name tells machine, process namespace and process. So whoever shares these can see that a worker is gone, without
waiting for its lease to run out; of workers elsewhere nothing is concluded.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import uuid
from pathlib import Path

from syncapp.models import AccountSlot, Enrollment, Heartbeat

_NAMESPACE = Path("/proc/self/ns/pid")


def _machine() -> str:
    """This machine, or this container: processes here can be seen from here."""
    namespace = _NAMESPACE.stat().st_ino if _NAMESPACE.exists() else 0
    return f"{socket.gethostname()[:24]}:{namespace}"


def new_owner() -> str:
    """A name for this worker that no other ever has."""
    return f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def is_dead(owner: str) -> bool:
    """Whether ``owner`` certainly does not work any more: its process was here and is gone."""
    machine, _, rest = owner.rpartition(":")[0].rpartition(":")
    if machine != _machine() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def bury(now: dt.datetime) -> int:
    """Take from dead workers what they held. How many there were.

    Places and slots are free at once. A lease ends now, which lets a successor in after the time that a last request
    may take (docs/architecture.md, rule 21).
    """
    owners = {
        *Heartbeat.objects.exclude(owner="").values_list("owner", flat=True),
        *AccountSlot.objects.exclude(owner="").values_list("owner", flat=True),
        *Enrollment.objects.exclude(lease_owner="").values_list("lease_owner", flat=True),
    }
    dead = [owner for owner in owners if is_dead(owner)]
    for owner in dead:
        # One owner, one row of each: statements over many rows could wait for each other for ever.
        Heartbeat.objects.filter(owner=owner).update(owner="")
        AccountSlot.objects.filter(owner=owner).update(owner="", until=None)
        Enrollment.objects.filter(lease_owner=owner, lease_until__gt=now).update(lease_until=now)
    return len(dead)
