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
    _State.WAITING: Word(
        _("Waiting for approval"), Tone.WARN, "hand", _("Nothing is synced before an administrator approves.")
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

# What a run's log says; a code that is missing here is shown as it is.
LINES: dict[str, Text] = {
    "adopted": _("Matched: it was on both sides already"),
    "another-uid": _("Replaced by another item under the same address"),
    "changed-meanwhile": _("Changed meanwhile; decided anew"),
    "conflict": _("Changed on both sides; the loser is kept in history"),
    "created": _("Created"),
    "created-and-deleted": _("Deleted by a person right after it was created"),
    "deleted": _("Deleted"),
    "distrusted": _("This side is another store than before: everything is compared anew, nothing is deleted"),
    "edited-before-deletion": _("Edited before the deletion arrived: the edit wins"),
    "failed": _("Failed"),
    "folder-back": _("The folder is back"),
    "folder-missing": _("The folder is missing"),
    "held": _("Held for a decision"),
    "late-copy-removed": _("A late copy of ours was removed"),
    "made-again": _("Created again as history had it"),
    "moved": _("Moved to another folder"),
    "not-put-back": _("An earlier version could not be put back"),
    "nothing-paired": _("No folder could be paired"),
    "put-back": _("Given back an earlier version from history"),
    "relinked": _("Found again under another address"),
    "restored": _("Restored from the bin"),
    "token-lost": _("The server forgot the last state: everything is listed anew"),
    "updated": _("Updated"),
}
