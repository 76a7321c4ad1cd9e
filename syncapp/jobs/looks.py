"""The look before a run. Most looks at a person find nothing: then no run is opened, and nothing is written down.

Whoever has anything open, or is due for more than a look, goes the long way, which looks for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from syncapp.engine.look import Looked, look
from syncapp.items import Kind
from syncapp.jobs import pairings, resting, troubles
from syncapp.models import Enrollment, Pairing, ServiceAccount, statements
from syncapp.side import SidesOf

# Kinds are named because the index of dirty links begins with them.
_STANDING = """
SELECT pairing.*,
EXISTS (SELECT 1 FROM syncapp_link WHERE enrollment_id = %s AND kind IN ({kinds}) AND dirty > 0
AND (not_before IS NULL OR not_before <= %s))
OR EXISTS (SELECT 1 FROM syncapp_run WHERE enrollment_id = %s AND finished_at IS NULL)
OR EXISTS (SELECT 1 FROM syncapp_restoration WHERE enrollment_id = %s AND state = 'waiting')
OR EXISTS (SELECT 1 FROM syncapp_problem
WHERE level <> 'item' AND (enrollment_id = %s OR account_id = %s OR key IN (%s, %s)))
OR EXISTS (SELECT 1 FROM syncapp_serverrest WHERE server IN (%s, %s)) AS unsettled
FROM syncapp_pairing pairing WHERE pairing.enrollment_id = %s
"""


@dataclass(frozen=True)
class Standing:
    """The pairings of an enrollment, and whether anything of it waits to be worked on, tried again or cleared up."""

    pairings: list[Pairing]
    settled: bool

    @property
    def enabled(self) -> list[Pairing]:
        """The pairings whose folders are kept the same."""
        return [each for each in self.pairings if each.enabled]


def standing(enrollment: Enrollment, account: ServiceAccount) -> Standing:
    """Read it, under the lease.

    What a success disproves counts as open as long as it is there: problems of the person, of the account and of both
    servers, and the rests of these. An item that waits for its next try is not open before that is due.
    """
    kinds = [kind.value for kind in Kind]
    statement = _STANDING.format(kinds=", ".join("%s" for _ in kinds))
    person = enrollment.pk
    servers = (resting.NEXTCLOUD, account.endpoint)
    problems = (person, account.pk, *map(troubles.server_key, servers))
    params = (person, *kinds, timezone.now(), person, person, *problems, *servers, person)
    found = statements.read(Pairing, statement, params)
    active = enrollment.state == Enrollment.State.ACTIVE
    clean = active and enrollment.attempts <= 1 and enrollment.token_refused_at is None and not account.failures
    return Standing(found, clean and not any(vars(each)["unsettled"] for each in found))


def quick(enrollment: Enrollment, state: Standing, sides: Sequence[SidesOf]) -> Looked | None:
    """What a look at every folder has seen; None when a look alone can't be enough. Raises the sides' errors."""
    synced = enrollment.first_sync_done_at is not None and enrollment.full_comparison_at is not None
    if not (synced and state.settled and pairings.in_order(enrollment, sides, state.pairings)):
        return None
    kinds = {each.kind for each in state.enabled}
    return look([of for of in sides if of.kind in kinds], state.enabled) if kinds else None
