"""Previews: what the next run of a person would do, found by a dry run; and the first sync that waits for one.

Whoever is in the state PREVIEW is not synced. A worker makes their preview, an admin looks at it and approves it, and
only then the first sync begins. A preview may take long and can't be done in slices, so that it is a task of its own,
with more time than others; it takes the place of a worker meanwhile, and there is one at a time.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_q.tasks import async_task

from syncapp import life
from syncapp.engine.dry_run import DryRun, Stopped, dry_run
from syncapp.engine.lease import TAKEOVER_SECONDS, Lease, LeaseLost
from syncapp.jobs import accounts, backends, leases, owners, pairings, places, resting, sides, stopping, troubles
from syncapp.jobs.task import task
from syncapp.life import Reason
from syncapp.models import Enrollment, Preview, Problem, ServiceAccount

logger = logging.getLogger(__name__)

_State = Enrollment.State
SAMPLE = 20
"""How many items of one kind of action on one side are kept."""
TASK_SECONDS = 1800
_SECONDS = dt.timedelta(seconds=1500)
"""How long a worker may take: as many items as nobody has in a calendar by hand."""
_TOO_MUCH = "preview-too-large"


class TooMuch(Exception):
    """The preview has not come to its end in the time that a worker has for it."""


# One dry run ---------------------------------------------------------------------------------------------------------


def foresee(
    lease: Lease,
    enrollment: Enrollment,
    account: ServiceAccount,
    *,
    build: sides.Build | None = None,
    full: bool = False,
    tend: Callable[[], None] = lambda: None,
) -> DryRun:
    """What the next run would do. Keeps ``lease`` meanwhile; writes nothing else. Raises what ``dry_run`` raises."""
    backends.locate(lease, enrollment, account)
    built = (build or sides.build)(enrollment, account)

    def keep() -> None:
        lease.outlast(leases.LEASE_SECONDS / 2)
        tend()

    try:
        return dry_run(
            lease,
            built,
            pair=lambda of: pairings.ensure(enrollment, of, list(enrollment.pairings.all())),
            tend=keep,
            full=full,
        )
    finally:
        sides.close(built)


# What is kept of it --------------------------------------------------------------------------------------------------


def told(result: DryRun, sample: int | None = None) -> dict[str, Any]:
    """A dry run as plain values, with all items or with a ``sample`` of each kind of action on each side."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    items = []
    for each in result.announced:
        counts[each.code][each.side] += 1
        if sample is None or counts[each.code][each.side] <= sample:
            items.append(asdict(each))
    return {
        "at": result.at.isoformat(timespec="seconds"),
        "counts": {code: dict(by_side) for code, by_side in counts.items()},
        "in_step": result.in_step,
        "left": result.left,
        "pending": result.pending,
        "items": items,
        "problems": [asdict(each) for each in result.problems[:sample]],
    }


def store(enrollment: Enrollment, result: DryRun) -> Preview:
    """Keep a preview in place of an earlier one."""
    kept = told(result, SAMPLE)
    values = {name: kept[name] for name in ("counts", "in_step", "left", "pending")}
    content = Preview.sealed({name: kept[name] for name in ("items", "problems")})
    preview, _made = Preview.objects.update_or_create(
        enrollment=enrollment, defaults={"at": result.at, "content": content, **values}
    )
    return preview


def kept(preview: Preview) -> dict[str, Any]:
    """A stored preview in the shape of ``told``. Raises ``crypto.WrongKey``."""
    names = ("counts", "in_step", "left", "pending")
    at = preview.at.isoformat(timespec="seconds")
    return {"at": at, **{name: getattr(preview, name) for name in names}, **preview.opened}


# The state -----------------------------------------------------------------------------------------------------------


def require(enrollment_id: int, now: dt.datetime, by: str = "") -> bool:
    """Let the first sync wait for a preview. False when it has begun already, or its preview was approved."""
    new = Enrollment.objects.filter(pk=enrollment_id, first_sync_done_at=None)
    with transaction.atomic():
        row = new.select_for_update().first()
        if row is None:
            return False
        if row.state not in Enrollment.SYNCED:
            return new.filter(state=row.state).update(preview_first=True) > 0
        waits = {"preview_first": True, "due_at": now}
        return not row.pairings.exists() and life.move(row, _State.PREVIEW, Reason.PREVIEW_REQUIRED, now, waits, by=by)


def approve(preview: Preview, now: dt.datetime, by: str = "") -> bool:
    """Let the first sync begin that was previewed. False when the preview is another one by now, or nobody waits."""
    with transaction.atomic():
        waiting = Enrollment.objects.filter(pk=preview.enrollment_id, state=_State.PREVIEW)
        # Workers lock the enrollment before anything of it.
        row = waiting.select_for_update().first()
        if row is None:
            return False
        if not Preview.objects.filter(pk=preview.pk, at=preview.at).exists():
            return False
        begins = {"preview_first": False, "due_at": now}
        return life.move(row, _State.ACTIVE, Reason.PREVIEW_APPROVED, now, begins, by=by)


# The worker ----------------------------------------------------------------------------------------------------------


def next_waiting(now: dt.datetime) -> int | None:
    """Whose preview is to be made now; None while one is being made."""
    lapsed = now - dt.timedelta(seconds=TAKEOVER_SECONDS)
    free = Q(lease_owner="") | Q(lease_until=None) | Q(lease_until__lt=lapsed)
    people = Enrollment.objects.filter(state=_State.PREVIEW)
    if people.exclude(free).exists() or resting.server_rests(resting.NEXTCLOUD, now):
        return None
    waiting = people.filter(free, preview=None, due_at__lte=now)
    trusted = Q(token_refused_at=None) | Q(token_refused_at__lte=now - troubles.CONFIRM_AFTER)
    return waiting.filter(trusted).order_by("due_at").values_list("pk", flat=True).first()


def start(number: int, enrollment_id: int) -> None:
    """Queue the making of a preview at a worker's place."""
    async_task("syncapp.jobs.preview.make", number, enrollment_id, timeout=TASK_SECONDS)


@task
def make(number: int, enrollment_id: int) -> None:
    """Make one preview at place ``number``, then give the place back to a worker who syncs."""
    owner = owners.new_owner()
    if not places.take(number, owner, timezone.now()):
        return  # the queue has brought this task twice, or the place was given away meanwhile
    stop = stopping.Stopping()
    try:
        _make(enrollment_id, owner, number, stop)
    finally:
        places.leave(number, owner)
    if not stop.requested():
        from syncapp.jobs.dispatch import start_drain  # dispatch names the drain, which names this task

        start_drain(number)


def _make(enrollment_id: int, owner: str, number: int, stop: stopping.Stopping) -> None:
    begun = timezone.now()

    def tend() -> None:
        if stop.requested() or not places.keep(number, owner, timezone.now()):
            raise Stopped
        if timezone.now() > begun + _SECONDS:
            raise TooMuch

    enrollment = Enrollment.objects.filter(pk=enrollment_id, state=_State.PREVIEW).first()
    if enrollment is None:
        return
    with accounts.slot_for(enrollment, owner, begun, TASK_SECONDS) as account:
        lease = None if account is None else leases.take(enrollment, owner)
        if account is not None and lease is not None:
            _serve(lease, enrollment, account, tend)


def _serve(lease: Lease, enrollment: Enrollment, account: ServiceAccount, tend: Callable[[], None]) -> None:
    key = f"enrollment:{enrollment.pk}:{_TOO_MUCH}"
    try:
        result = foresee(lease, enrollment, account, tend=tend)
    except LeaseLost:
        return
    except Stopped:
        lease.release(timezone.now(), attempts=enrollment.attempts - 1)
        return
    except TooMuch:
        due_at = _report_too_much(key, enrollment)
    except Exception as error:  # this person's trouble, whatever it is: everybody else goes on
        moved = backends.found_elsewhere(error, lease, enrollment, account)
        due_at = timezone.now() if moved else troubles.met(error, enrollment, account, timezone.now())
    else:
        with transaction.atomic():
            lease.release(enrollment.due_at, attempts=0, account_id=account.pk)
            store(enrollment, result)
        Problem.objects.clear(key)
        troubles.works(enrollment, account)
        return
    lease.release(due_at)


def _report_too_much(key: str, enrollment: Enrollment) -> dt.datetime:
    Problem.objects.report(
        key,
        level=Problem.Level.ENROLLMENT,
        code=_TOO_MUCH,
        text="This person has more items than a worker can preview in its time.",
        remedy=f"Make the preview on the command line, which may take as long as it takes: python manage.py preview "
        f"{enrollment.nextcloud_uid}",
        enrollment=enrollment,
    )
    return timezone.now() + dt.timedelta(days=1)
