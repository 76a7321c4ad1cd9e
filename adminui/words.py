"""What codes of the database are called on pages: one row per code, with how serious it is and its icon."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from adminui.health import Tone
from syncapp.items import Kind
from syncapp.models import Enrollment, Hold, Pairing, Problem, Run

Text = str | Promise


@dataclass(frozen=True)
class Word:
    """A code in plain words. ``meaning`` says what it means for a person, in one sentence."""

    label: Text
    tone: Tone
    icon: str
    meaning: Text = ""


_State = Enrollment.State
STATES: dict[str, Word] = {
    _State.INVITED: Word(
        _("Invited"), Tone.INFO, "user", _("The user has not opened the invitation yet, or not gone on.")
    ),
    _State.LATER: Word(
        _("Later"), Tone.QUIET, "pause", _("The user gave consent and is not in the pilot. Nothing is synced yet.")
    ),
    _State.WAITING: Word(
        _("Waiting for approval"), Tone.WARN, "hand", _("Nothing is synced before an administrator approves.")
    ),
    _State.PREVIEW: Word(
        _("Preview first"),
        Tone.WARN,
        "hand",
        _("Nothing is synced before an administrator has seen what the first sync would do, and approved it."),
    ),
    _State.ACTIVE: Word(_("Active"), Tone.GOOD, "check", _("Changes travel between Exchange and Nextcloud.")),
    _State.PAUSED: Word(_("Paused"), Tone.QUIET, "pause", _("Nothing is synced until an administrator resumes.")),
    _State.ABSENT: Word(
        _("Not listed"),
        Tone.QUIET,
        "pause",
        _("Nextcloud does not list this user at the moment. Everything is kept and goes on once listed again."),
    ),
    _State.HELD: Word(
        _("Held"),
        Tone.WARN,
        "hand",
        _("The address in Nextcloud is no longer that of the mailbox. Nothing is synced before it is clear why."),
    ),
    _State.NO_CONSENT: Word(
        _("Needs consent"), Tone.INFO, "user", _("The user has to give consent again in Nextcloud.")
    ),
    _State.NO_MAILBOX: Word(
        _("No mailbox"), Tone.WARN, "alert", _("No mailbox in Exchange is known for the address in Nextcloud.")
    ),
    _State.UNAVAILABLE: Word(
        _("Mailbox not found"), Tone.WARN, "alert", _("Exchange does not find the mailbox. It is tried every hour.")
    ),
    _State.LEFT: Word(_("Left"), Tone.QUIET, "leave", _("Nothing is read or written for this user any more.")),
}

_Outcome = Run.Outcome
RUNNING = Word(_("Running"), Tone.INFO, "sync")
OUTCOMES: dict[str, Word] = {
    _Outcome.DONE: Word(_("Done"), Tone.GOOD, "check"),
    _Outcome.MORE: Word(_("Goes on"), Tone.INFO, "sync", _("The next slice goes on where this one stopped.")),
    _Outcome.FAILED: Word(_("Failed"), Tone.BAD, "alert"),
    _Outcome.LOST: Word(
        _("Interrupted"), Tone.WARN, "alert", _("The worker went away. The next run goes on where this one stopped.")
    ),
}

_Actor = Problem.Actor
ACTORS: dict[str, Word] = {
    _Actor.ADMIN: Word(_("You must act"), Tone.BAD, "alert"),
    _Actor.USER: Word(_("The user must act"), Tone.WARN, "user"),
    _Actor.NOBODY: Word(_("Tried again by itself"), Tone.QUIET, "sync"),
}

_Level = Problem.Level
LEVELS: dict[str, Text] = {
    _Level.INSTALLATION: _("Concerns the whole installation"),
    _Level.ACCOUNT: _("Concerns a service account"),
    _Level.ENROLLMENT: _("Concerns users"),
    _Level.ITEM: _("Concerns single items"),
}

KINDS: dict[str, Text] = {
    Kind.EVENT: _("Calendar"),
    Kind.CONTACT: _("Address book"),
}

DIRECTIONS: dict[str, Text] = {
    Pairing.Direction.BOTH: _("Both ways"),
    Pairing.Direction.TO_NEXTCLOUD: _("Exchange to Nextcloud"),
    Pairing.Direction.TO_EXCHANGE: _("Nextcloud to Exchange"),
}

CONFLICT_RULES: dict[str, Text] = {
    Pairing.ConflictRule.EXCHANGE: _("Exchange wins"),
    Pairing.ConflictRule.NEXTCLOUD: _("Nextcloud wins"),
    Pairing.ConflictRule.LATEST: _("The latest change wins"),
}

HOLD_REASONS: dict[str, Text] = {
    Hold.Reason.MANY: _("so many at once look like a mistake"),
    Hold.Reason.EMPTY: _("the whole folder turned empty"),
    Hold.Reason.RETURNED: _("several items came back that had been deleted"),
    Hold.Reason.FOLDER: _("the whole folder has vanished"),
    Hold.Reason.OVERWRITES: _("so many changes at once look like a mistake"),
    Hold.Reason.CREATIONS: _("so many new items at once look like a mistake"),
    Hold.Reason.EPOCH: _("another server, or another mailbox, answers than before"),
}

SIDES: dict[str, Text] = {"exchange": "Exchange", "nextcloud": "Nextcloud"}
