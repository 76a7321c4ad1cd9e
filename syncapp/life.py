"""The life of an enrollment: which state may follow which, for what reason, who causes it, and what people are told.

Nothing else changes a state. A change is one conditional UPDATE of the state as it was read, together with a row of the
log: whoever decided in between wins, and nothing happens twice.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from django.db import transaction
from django.db.models import F, Q

from syncapp.models import Enrollment, Transition

logger = logging.getLogger(__name__)

State, Actor = Enrollment.State, Transition.Actor
NOTHING = ""
"""What there was before the beginning."""

_READY = (State.WAITING, State.PREVIEW, State.ACTIVE)
"""Where somebody goes on whom nothing else holds back; which of them, ``Enrollment.ready_state`` says."""
_FIRST = (*_READY, State.NO_MAILBOX, State.LATER)
_AWAY = (State.ABSENT, State.NO_CONSENT)


class Reason(StrEnum):
    """Why a state changes."""

    LISTED = "listed"
    INVITED = "invited"
    GRANTED = "granted"
    GRANTED_BY_ANOTHER = "granted-by-another"
    APPROVED = "approved"
    PREVIEW_APPROVED = "preview-approved"
    PREVIEW_REQUIRED = "preview-required"
    PAUSED = "paused"
    RESUMED = "resumed"
    IN_PILOT = "in-pilot"
    NOT_LISTED = "not-listed"
    LISTED_AGAIN = "listed-again"
    CONSENTED_AGAIN = "consented-again"
    TOKEN_REFUSED = "token-refused"  # noqa: S105 - a reason
    ADDRESS_FOUND = "address-found"
    NO_ADDRESS = "no-address"
    ADDRESS_CHANGED = "address-changed"
    ADDRESS_BACK = "address-back"
    MAILBOX_GONE = "mailbox-gone"
    MAILBOX_BACK = "mailbox-back"
    RETRACTED = "retracted"
    REMOVED = "removed"
    READMITTED = "readmitted"


_STOPPING = frozenset({Reason.PAUSED, Reason.RETRACTED, Reason.REMOVED})
"""What is meant to hold at once."""


@dataclass(frozen=True)
class Rule:
    """Who causes a change, from which states to which, and the sentence of the log."""

    actor: Transition.Actor
    before: frozenset[str]
    after: frozenset[str]
    sentence: str


def _rule(actor: Transition.Actor, before: Iterable[str], after: Iterable[str], sentence: str) -> Rule:
    return Rule(actor, frozenset(before), frozenset(after), sentence)


RULES: Mapping[Reason, Rule] = {
    Reason.LISTED: _rule(Actor.CONNECTOR, [NOTHING], _FIRST, "Nextcloud lists this person: they gave consent."),
    Reason.INVITED: _rule(
        Actor.ADMIN, [NOTHING, State.INVITED, *_AWAY, State.LEFT], [State.INVITED], "Invited to give consent."
    ),
    Reason.GRANTED: _rule(
        Actor.USER,
        [NOTHING, *State],
        [*_FIRST, State.UNAVAILABLE, State.HELD, State.PAUSED],
        "Gave consent on the connector's pages.",
    ),
    Reason.GRANTED_BY_ANOTHER: _rule(
        Actor.USER, [State.INVITED], [State.WAITING], "Consent came from another account than the invited one."
    ),
    Reason.APPROVED: _rule(
        Actor.ADMIN, [State.WAITING], [State.PREVIEW, State.ACTIVE], "Approved: account and mailbox belong together."
    ),
    Reason.PREVIEW_APPROVED: _rule(Actor.ADMIN, [State.PREVIEW], [State.ACTIVE], "The preview was approved."),
    Reason.PREVIEW_REQUIRED: _rule(
        Actor.ADMIN, Enrollment.SYNCED, [State.PREVIEW], "The first sync was made to wait for a preview."
    ),
    Reason.PAUSED: _rule(Actor.ADMIN, Enrollment.SERVED, [State.PAUSED], "Paused."),
    Reason.RESUMED: _rule(Actor.ADMIN, [State.PAUSED], [*_READY, State.HELD], "Resumed."),
    Reason.IN_PILOT: _rule(Actor.CONNECTOR, [State.LATER], [*_READY, State.NO_MAILBOX], "Belongs to the pilot now."),
    Reason.NOT_LISTED: _rule(
        Actor.CONNECTOR, Enrollment.SERVED, [State.ABSENT], "Nextcloud does not list this person any more."
    ),
    Reason.LISTED_AGAIN: _rule(
        Actor.CONNECTOR, [State.ABSENT], [*_READY, State.NO_MAILBOX], "Nextcloud lists this person again."
    ),
    Reason.CONSENTED_AGAIN: _rule(
        Actor.USER,
        [*_AWAY, State.PAUSED, State.HELD],
        [*_READY, State.NO_MAILBOX],
        "Gave consent again: there is a new app password.",
    ),
    Reason.TOKEN_REFUSED: _rule(
        Actor.CONNECTOR, Enrollment.SERVED, [State.NO_CONSENT], "Nextcloud refused the app password, an hour apart."
    ),
    Reason.ADDRESS_FOUND: _rule(
        Actor.CONNECTOR, [State.WAITING, State.NO_MAILBOX], _READY, "The address in Nextcloud names another mailbox."
    ),
    Reason.NO_ADDRESS: _rule(
        Actor.CONNECTOR, [State.WAITING], [State.NO_MAILBOX], "The address in Nextcloud names no usable mailbox."
    ),
    Reason.ADDRESS_CHANGED: _rule(
        Actor.CONNECTOR,
        [State.WAITING, State.ABSENT, State.NO_CONSENT, *Enrollment.SERVED],
        [State.HELD],
        "The address in Nextcloud is no longer that of the mailbox.",
    ),
    Reason.ADDRESS_BACK: _rule(Actor.CONNECTOR, [State.HELD], _READY, "The address in Nextcloud is the former one."),
    Reason.MAILBOX_GONE: _rule(
        Actor.CONNECTOR, [State.ACTIVE], [State.UNAVAILABLE], "Exchange does not find the mailbox."
    ),
    Reason.MAILBOX_BACK: _rule(Actor.CONNECTOR, [State.UNAVAILABLE], [State.ACTIVE], "The mailbox is there again."),
    Reason.RETRACTED: _rule(
        Actor.USER, set(State) - {State.LEFT}, [State.LEFT], "Retracted consent on the connector's pages."
    ),
    Reason.REMOVED: _rule(Actor.ADMIN, set(State) - {State.LEFT}, [State.LEFT], "Removed."),
    Reason.READMITTED: _rule(Actor.ADMIN, [State.LEFT], [State.NO_CONSENT], "Let back in."),
}

TOLD: Mapping[str, str] = {
    State.INVITED: "You are invited. Allow the connector to use your calendar and contacts in Nextcloud to begin.",
    State.LATER: "You gave consent. Your turn comes when the present trial with some people is over.",
    State.WAITING: "You gave consent. An administrator now checks that the mailbox is yours.",
    State.PREVIEW: "You gave consent. An administrator now looks at what the first sync would do.",
    State.ACTIVE: "Your calendar and contacts are kept the same in Exchange and in Nextcloud.",
    State.PAUSED: "An administrator has paused the sync. Nothing is lost; it goes on when they resume it.",
    State.ABSENT: "Nextcloud does not list you among the people who consent. If you still do, ask an administrator.",
    State.HELD: "The e-mail address in your Nextcloud settings has changed. Nothing syncs until it is clear why.",
    State.NO_CONSENT: "Nextcloud does not accept the connector's access any more. Please give consent again.",
    State.NO_MAILBOX: "No mailbox is known for the e-mail address in your Nextcloud settings.",
    State.UNAVAILABLE: "Exchange does not find your mailbox at the moment. It is tried again every hour.",
    State.LEFT: "You do not take part. Nothing is read or written.",
}
"""What the person is told, in the state."""


class NotAllowed(Exception):
    """A change of state that no rule allows; nothing was changed. ``str()`` says which."""


def check(before: str, after: str, reason: Reason) -> None:
    """Raises NotAllowed unless the reason may lead from one state to the other."""
    rule = RULES[reason]
    if before not in rule.before or after not in rule.after:
        raise NotAllowed(f"{reason} does not lead from {before or 'nothing'} to {after}")


def begin(row: Enrollment, reason: Reason, now: dt.datetime, *, by: str = "") -> None:
    """Store a new enrollment in the state that it has. Raises NotAllowed and IntegrityError."""
    check(NOTHING, row.state, reason)
    row.state_since = now
    with transaction.atomic():
        row.save(force_insert=True)
        _note(row.pk, NOTHING, row.state, reason, now, by)


def move(
    seen: Enrollment,
    to: str,
    reason: Reason,
    now: dt.datetime,
    also: Mapping[str, object] = MappingProxyType({}),
    *,
    by: str = "",
    where: Q | None = None,
) -> bool:
    """Change the state of an enrollment as it was read, and the columns ``also``; ``seen`` then says so, too.

    False when its state is another one by now, or it does not fulfil ``where``: nothing is changed then. Raises
    NotAllowed.
    """
    check(seen.state, to, reason)
    values: dict[str, object] = {"state": to, "state_since": now, **also}
    # A worker that is with them commits nothing more, and so begins no further write.
    fence = {"fence": F("fence") + 1} if reason in _STOPPING else {}
    with transaction.atomic():
        if not Enrollment.objects.filter(where or Q(), pk=seen.pk, state=seen.state).update(**values, **fence):
            return False
        _note(seen.pk, seen.state, to, reason, now, by)
    for name, value in values.items():
        setattr(seen, name, value)
    return True


def _note(enrollment_id: int, before: str, after: str, reason: Reason, now: dt.datetime, by: str) -> None:
    actor = RULES[reason].actor
    Transition.objects.create(
        enrollment_id=enrollment_id, at=now, before=before, after=after, reason=reason, actor=actor, by=by[:150]
    )
    logger.info("enrollment %s: %s to %s, %s (%s)", enrollment_id, before or "nothing", after, reason, actor)


def sentence(row: Transition) -> str:
    """What a row of the log says to a person."""
    known = {reason.value: rule.sentence for reason, rule in RULES.items()}
    return known.get(row.reason, row.reason)
