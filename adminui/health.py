"""Is it well? One sentence from a handful of facts. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncapp.jobs.health import SILENT_AFTER

# An active user without a success for this long is not "in step", whatever else is fine.
STALE_AFTER = dt.timedelta(hours=1)


class Tone(StrEnum):
    """How serious something is; pages show it as words, an icon and a colour."""

    GOOD = "good"
    INFO = "info"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True)
class Facts:
    """What the verdict rests on: counts of the whole installation, and when its parts last did something."""

    heartbeat_at: dt.datetime | None  # of the dispatcher or the workers, whichever is silent for longer
    accounts: int
    users: int
    active: int
    waiting: int
    held: int
    stale: int
    first_syncs: int
    admin_problems: int
    user_problems: int
    self_healing_problems: int
    next_due_at: dt.datetime | None = None

    def silent(self, now: dt.datetime) -> bool:
        """True when no worker has reported for a while."""
        return self.heartbeat_at is None or now - self.heartbeat_at > SILENT_AFTER

    @property
    def problems(self) -> int:
        """All problems, whoever must act."""
        return self.admin_problems + self.user_problems + self.self_healing_problems

    @property
    def decisions(self) -> int:
        """Enrollments that wait for an admin: new ones, and held ones."""
        return self.waiting + self.held


@dataclass(frozen=True)
class Verdict:
    """One sentence about the whole installation, how serious it is, and what it means or asks for."""

    code: str
    tone: Tone
    sentence: str
    meaning: str


def judge(facts: Facts, now: dt.datetime) -> Verdict:
    """The most urgent thing that can be said; what stops everybody comes before what stops one."""
    if facts.silent(now):
        return _silent(facts)
    if facts.admin_problems:
        return _admin_problems(facts)
    if not facts.accounts:
        return Verdict(
            "no-account",
            Tone.INFO,
            _("No Exchange service account yet."),
            _("The connector needs one to reach mailboxes. The steps below show how to add it."),
        )
    if not facts.users:
        return Verdict(
            "no-users",
            Tone.INFO,
            _("Ready, but nobody has enrolled yet."),
            _("Users appear here by themselves once they have given consent in Nextcloud."),
        )
    if facts.decisions:
        return Verdict(
            "decisions",
            Tone.WARN,
            ngettext("%d user waits for your decision.", "%d users wait for your decision.", facts.decisions)
            % facts.decisions,
            _("Until you decide, nothing of theirs is synced. Nobody else is affected."),
        )
    if facts.stale:
        return Verdict(
            "stale",
            Tone.WARN,
            ngettext(
                "%d user has not been in step for more than an hour.",
                "%d users have not been in step for more than an hour.",
                facts.stale,
            )
            % facts.stale,
            _("The workers run. Open the users below to see what their last runs say."),
        )
    if not facts.active:
        return Verdict(
            "nobody-active",
            Tone.INFO,
            _("Nobody is being synced at the moment."),
            _("There are users, but none is active; their states below say why."),
        )
    return _well(facts)


def _silent(facts: Facts) -> Verdict:
    if facts.heartbeat_at is None:
        sentence = _("No worker has ever reported: nothing syncs.")
    else:
        sentence = _("The workers are silent: nothing syncs.")
    return Verdict(
        "silent",
        Tone.BAD,
        sentence,
        _("An administrator must start the workers on the server: python manage.py qcluster"),
    )


def _admin_problems(facts: Facts) -> Verdict:
    return Verdict(
        "problems",
        Tone.BAD,
        ngettext("%d problem needs you.", "%d problems need you.", facts.admin_problems) % facts.admin_problems,
        _("What to do is written below. Everything else goes on."),
    )


def _well(facts: Facts) -> Verdict:
    if facts.user_problems:
        meaning = _("Some users have something to do themselves; see the problems below.")
    elif facts.self_healing_problems:
        meaning = _("A few things are being tried again by themselves; nobody has to act.")
    elif facts.first_syncs:
        meaning = ngettext(
            "%d first sync is still to be finished; everybody else is in step.",
            "%d first syncs are still to be finished; everybody else is in step.",
            facts.first_syncs,
        ) % (facts.first_syncs)
    else:
        meaning = _("Calendars and contacts are in step, and nobody has to do anything.")
    return Verdict(
        "well",
        Tone.GOOD,
        ngettext("All is well with %d user.", "All is well with %d users.", facts.active) % facts.active,
        meaning,
    )
