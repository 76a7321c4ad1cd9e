"""The rows of runs: begun, continued by the next slice, finished, or found without a worker."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q

from syncapp.engine.lease import TAKEOVER_SECONDS
from syncapp.models import Enrollment, Run, RunLine


def begin(enrollment: Enrollment, now: dt.datetime) -> Run:
    """The run that is to be continued, or a new one. The caller holds the lease: an open run has lost its worker."""
    unfinished = enrollment.runs.filter(finished_at=None)
    unfinished.filter(outcome="").update(outcome=Run.Outcome.LOST, finished_at=now)
    run = unfinished.filter(outcome=Run.Outcome.MORE).order_by("-pk").first()
    if run is None:
        return Run.objects.create(enrollment=enrollment, started_at=now)
    Run.objects.filter(pk=run.pk).update(outcome="")
    run.outcome = ""
    return run


def finish(run: Run, outcome: Run.Outcome, now: dt.datetime) -> None:
    """Write how the run ended; with MORE it stays open for the next slice.

    A look that found nothing to do leaves no run behind: with one row for each of them nobody would find the others.
    """
    run.refresh_from_db()
    quiet = outcome is Run.Outcome.DONE and not any(getattr(run, name) for name in Run.COUNTS)
    if quiet and not RunLine.objects.filter(run=run).exists():
        run.delete()
        return
    finished_at = None if outcome is Run.Outcome.MORE else now
    Run.objects.filter(pk=run.pk).update(outcome=outcome, finished_at=finished_at)


def note(run: Run, now: dt.datetime, code: str, side: str = "", text: str = "") -> None:
    """Add a line to the run's log."""
    RunLine.objects.create(run=run, at=now, code=code, side=side, note=text)


def lose_orphans(now: dt.datetime) -> int:
    """Close the runs whose worker is gone without a word. How many there were."""
    lapsed = now - dt.timedelta(seconds=TAKEOVER_SECONDS)
    unserved = Q(enrollment__lease_owner="") | Q(enrollment__lease_until__lt=lapsed)
    orphans = list(Run.objects.filter(unserved, outcome="").values_list("pk", flat=True))
    return Run.objects.filter(pk__in=orphans, outcome="").update(outcome=Run.Outcome.LOST, finished_at=now)


def prune(before: dt.datetime) -> None:
    """Forget the runs of long ago."""
    Run.objects.filter(finished_at__lt=before).delete()
