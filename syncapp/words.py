"""What a run's log says in plain words: one place for pages and commands.

A line of the log holds codes and names of fields (``RunLine``). ``sentence`` makes of it what a person reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from syncapp.items import FIELDS, Kind
from syncapp.items.elements import EXCEPTIONS
from syncapp.side import SideName


class Line(Protocol):
    """What a sentence is made of: a ``RunLine``, or what a dry run announces."""

    code: str
    side: str
    fields: str
    note: str


def side_name(side: str) -> str:
    """The name of a side."""
    return side.title()


def _across(side: str) -> str:
    return side_name(SideName(side).other) if side in list(SideName) else ""


# Fields ------------------------------------------------------------------------------------------------------------


def _labels() -> dict[str, str]:
    labels = {field.name: field.label for fields in FIELDS.values() for field in fields}
    return labels | {EXCEPTIONS: _("Single occurrences"), FOLDER: _("Folder")}


FOLDER = "folder"
"""The name under which the folder stands among the fields (docs/architecture.md, rule 2)."""


def field_names(fields: str) -> list[str]:
    """The fields of a line, as people call them, in the order of the tables of fields."""
    labels, named = _labels(), fields.split()
    return [label for name, label in labels.items() if name in named] + [each for each in named if each not in labels]


def _listed(fields: str) -> str:
    """``title, start and end``."""
    names = [name[0].lower() + name[1:] for name in field_names(fields)]
    if len(names) < 2:
        return "".join(names)
    return _("%(some)s and %(last)s") % {"some": ", ".join(names[:-1]), "last": names[-1]}


# Conflicts ---------------------------------------------------------------------------------------------------------


def _because(why: str, kind: str) -> str:
    """Why one side's version stands: the codes of ``syncapp.engine.case.Why``."""
    what = {Kind.EVENT: _("this calendar's rule"), Kind.CONTACT: _("this address book's rule")}.get(
        Kind(kind), _("the rule")
    )
    reasons: dict[str, str] = {
        "rule": _("by %(rule)s") % {"rule": what},
        "latest": _("because it was changed last, which is %(rule)s") % {"rule": what},
        "undated": _("because nobody knows which was changed last"),
        "one-way": _("because changes travel one way here"),
        "older": _("because the other one is an older version"),
        "filled": _("because the other side had nothing there"),
    }
    return reasons.get(why, why)


def _conflict(line: Line) -> str:
    winner, _space, rest = line.note.partition(" ")
    why, _space, kind = rest.partition(" ")
    if not kind:
        return _("Both sides changed the %(fields)s; the loser is kept in history.") % {"fields": _listed(line.fields)}
    values = {"fields": _listed(line.fields), "winner": side_name(winner), "because": _because(why, kind)}
    if line.fields == FOLDER:
        return _("Both sides moved it to different folders; %(winner)s's stands, %(because)s.") % values
    if line.code == "differed":
        if why == "filled":
            return _("When both were matched, the %(fields)s stood in %(winner)s only: kept, %(because)s.") % values
        return (
            _(
                "When both were matched, they differed in the %(fields)s; %(winner)s's stands, %(because)s; the other "
                "version is in history."
            )
            % values
        )
    return (
        _("Both sides changed the %(fields)s; %(winner)s's stands, %(because)s; the other version is in history.")
        % values
    )


# Everything else ---------------------------------------------------------------------------------------------------


def _created(line: Line) -> str:
    values = {"side": side_name(line.side), "across": _across(line.side)}
    again: dict[str, str] = {
        "edited": _("Created again in %(side)s: deleted there and edited in %(across)s, and the edit stands."),
        "lost": _("Created again in %(side)s: its server had lost it."),
        "refused": _("Put back in %(side)s: its deletion was refused."),
        "one-way": _("Put back in %(side)s: changes travel one way here, from %(across)s."),
    }
    return again.get(line.note, _("Created in %(side)s.")) % values


def _restored(line: Line) -> str:
    if line.note:
        return _created(line)
    return _("Restored from the bin in %(side)s.") % {"side": side_name(line.side)}


def _updated(line: Line) -> str:
    return _("Updated in %(side)s: %(fields)s.") % {"side": side_name(line.side), "fields": _listed(line.fields)}


def _deleted(line: Line) -> str:
    values = {"side": side_name(line.side), "across": _across(line.side)}
    if line.note == "returned":
        return _("Deleted in %(side)s again: it had come back with a restored server.") % values
    return _("Deleted in %(side)s, because it was deleted in %(across)s.") % values


def _held(line: Line) -> str:
    deletion, change = _("Its deletion in %(side)s waits"), _("Its change in %(side)s waits")
    creation = _("Its creation in %(side)s waits")
    reasons = {
        "many": (deletion, _("so many at once look like a mistake")),
        "empty": (deletion, _("everything is gone from the folder across")),
        "returned": (deletion, _("several items came back that had been deleted")),
        "folder": (deletion, _("the folder across has vanished")),
        "overwrites": (change, _("so many changes at once look like a mistake")),
        "creations": (creation, _("so many new items at once look like a mistake")),
        "epoch": (creation, _("another store answers than before")),
    }
    what, why = reasons.get(line.note, (_("What is to be done in %(side)s waits"), line.note))
    return _("%(what)s for a decision: %(why)s.") % {"what": what % {"side": side_name(line.side)}, "why": why}


def _not_put_back(line: Line) -> str:
    if not line.note:
        return _("An earlier version could not be put back in %(side)s.") % {"side": side_name(line.side)}
    values = {"side": side_name(line.side), "why": line.note}
    return _("An earlier version could not be put back in %(side)s: %(why)s") % values


def _failed(line: Line) -> str:
    side = side_name(line.side)
    reasons = {
        "refused": _("%(side)s does not take it."),
        "not-possible": _("%(side)s could not be told."),
        "unreadable": _("What stands in %(side)s can't be read."),
        "unwritten": _("A part of it is not written in %(side)s yet."),
        "deadly": _("The work on it was begun several times and never came to an end."),
    }
    if line.note in reasons:
        return _("Failed: %(why)s") % {"why": reasons[line.note] % {"side": side}}
    return _("Failed: %(why)s") % {"why": line.note} if line.note else _("Failed.")


def _plain(text: str) -> Callable[[Line], str]:
    """A sentence that names no more than the side."""
    return lambda line: _(text) % {"side": side_name(line.side), "across": _across(line.side)}


_SENTENCES: Mapping[str, Callable[[Line], str]] = {
    "adopted": _plain(gettext_noop("Matched: it was on both sides already.")),
    "another-uid": _plain(gettext_noop("Another item stands in its place in %(side)s.")),
    "changed-meanwhile": _plain(gettext_noop("Somebody changed it in %(side)s in between: decided anew.")),
    "conflict": _conflict,
    "created": _created,
    "created-and-deleted": _plain(gettext_noop("Somebody deleted it in %(side)s right after it was created there.")),
    "deleted": _deleted,
    "differed": _conflict,
    "distrusted": _plain(
        gettext_noop(
            "%(side)s is another store than before, or was restored: everything is compared anew, nothing is deleted."
        )
    ),
    "edited-before-deletion": _plain(gettext_noop("Edited in %(side)s before its deletion arrived: the edit stands.")),
    "failed": _failed,
    "folder-back": _plain(gettext_noop("The folder in %(side)s is back.")),
    "folder-missing": _plain(gettext_noop("The folder in %(side)s is missing.")),
    "held": _held,
    "late-copy-removed": _plain(gettext_noop("A late copy of ours was removed from %(side)s.")),
    "mailbox-elsewhere": _plain(gettext_noop("The mailbox was found at another Exchange.")),
    "made-again": _plain(gettext_noop("Created again in %(side)s as history had it.")),
    "moved": _plain(gettext_noop("Moved to another folder in %(side)s.")),
    "nothing-paired": _plain(gettext_noop("No folder could be paired.")),
    "not-put-back": _not_put_back,
    "put-back": _plain(gettext_noop("Given back an earlier version from history in %(side)s.")),
    "relinked": _plain(gettext_noop("Found again in %(side)s under another address.")),
    "repaired": _plain(gettext_noop("Found by a full comparison: %(side)s had not told that this had changed.")),
    "restored": _restored,
    "token-lost": _plain(gettext_noop("%(side)s has forgotten the last state: everything is listed anew.")),
    "updated": _updated,
}

CODES = frozenset(_SENTENCES)
"""The codes that have words."""


def sentence(line: Line) -> str:
    """What a line says; a code without words is shown as it is, with its note."""
    made = _SENTENCES.get(line.code)
    return made(line) if made else " ".join(filter(None, (line.code, line.note)))


# What a dry run announces --------------------------------------------------------------------------------------------

_ACTIONS: Mapping[str, str] = {
    "adopted": gettext_noop("match what is on both sides"),
    "created": gettext_noop("create in %(side)s"),
    "deleted": gettext_noop("delete in %(side)s"),
    "failed": gettext_noop("fail in %(side)s"),
    "held": gettext_noop("hold what is to be done in %(side)s for a decision"),
    "late-copy-removed": gettext_noop("remove a late copy of ours from %(side)s"),
    "made-again": gettext_noop("create again in %(side)s as history had it"),
    "moved": gettext_noop("move to another folder in %(side)s"),
    "put-back": gettext_noop("give back an earlier version in %(side)s"),
    "restored": gettext_noop("restore from the bin in %(side)s"),
    "updated": gettext_noop("update in %(side)s"),
}


def action(code: str, side: str) -> str:
    """What is to be done to an item; "" for a line that tells of something else."""
    return _(_ACTIONS[code]) % {"side": side_name(side)} if code in _ACTIONS else ""
