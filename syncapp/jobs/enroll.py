"""One person of the consent app's list becomes, or changes, one enrollment."""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings
from django.db import IntegrityError, transaction

from syncapp.models import Enrollment, Problem
from syncapp.nextcloud.consent import Person

logger = logging.getLogger(__name__)

_State = Enrollment.State


def take(row: Enrollment | None, person: Person, token: str | None, now: dt.datetime) -> None:
    """Bring one enrollment up to date, or begin a new one. ``token`` is None when it could not be opened.

    Whoever's token cannot be opened keeps the one that is known; a new person waits until it can.
    """
    if row is None:
        if token is not None:
            _begin(person, token, now)
        return
    values: dict[str, object] = _facts(person)
    if token is not None and token != row.token:
        values |= {"token": token, "token_refused_at": None, "due_at": now}
        row.problems.filter(code__in=("token-refused", "no-consent")).delete()
        if row.state == _State.NO_CONSENT:
            values["state"] = row.ready_state
    if row.state == _State.ABSENT:
        values |= {"state": row.ready_state, "due_at": now}
    values |= _address(row, _State(str(values.get("state", row.state))), person, now)
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not changed:
        return
    try:
        with transaction.atomic():
            # An admin may have decided meanwhile; then the next reading of the list looks again.
            Enrollment.objects.filter(pk=row.pk, state=row.state).update(**changed)
    except IntegrityError:
        _mailbox_taken(row)


def _facts(person: Person) -> dict[str, object]:
    """What the list says and nobody has to judge."""
    return {
        "nextcloud_login": person.login,
        "display_name": person.display_name,
        "calendar": person.calendar,
        "address_book": person.address_book,
    }


def _begin(person: Person, token: str, now: dt.datetime) -> None:
    mailbox = person.email.lower() or None
    taken = mailbox is not None and Enrollment.objects.filter(mailbox=mailbox).exists()
    row = Enrollment(
        nextcloud_uid=person.uid,
        nextcloud_login=person.login,
        display_name=person.display_name,
        token=token,
        mailbox=None if taken else mailbox,
        listed_address=person.email.lower(),
        calendar=person.calendar,
        address_book=person.address_book,
        preview_first=settings.PREVIEW_FIRST,
        due_at=now,
    )
    row.state = _State.NO_MAILBOX if taken or mailbox is None else _first_state(row, mailbox)
    row.save()
    logger.info("enrollment %s begins as %s", row.pk, row.state)
    if taken:
        _mailbox_taken(row)


def _first_state(row: Enrollment, mailbox: str) -> Enrollment.State:
    """Nobody syncs with a mailbox just because they say that it is theirs (docs/server-behaviour.md, section 1.6)."""
    allowed = not settings.MAILBOX_DOMAINS or mailbox.rpartition("@")[2] in settings.MAILBOX_DOMAINS
    return row.ready_state if settings.ADDRESSES_ARE_MANAGED and allowed else _State.WAITING


def _address(row: Enrollment, state: Enrollment.State, person: Person, now: dt.datetime) -> dict[str, object]:
    """What a changed address does: before the first approval it is taken over, afterwards it holds the enrollment.

    Who does not sync for another reason is looked at when they would sync again.
    """
    address = person.email.lower()
    values: dict[str, object] = {"listed_address": address}
    key = f"enrollment:{row.pk}:address"
    if state in (_State.NO_MAILBOX, _State.WAITING):
        if address and address != row.mailbox:
            values |= {"mailbox": address, "state": _first_state(row, address), "due_at": now}
            Problem.objects.clear(f"enrollment:{row.pk}:mailbox-taken")
    elif state in (*Enrollment.SERVED, _State.HELD) and address != row.mailbox:
        values["state"] = _State.HELD
        Problem.objects.report(
            key,
            level=Problem.Level.ENROLLMENT,
            code="address-changed",
            text="The e-mail address of this user in Nextcloud has changed. Nothing syncs until somebody looks at it.",
            remedy="If the person still owns the mailbox, put the former address back in Nextcloud.",
            enrollment=row,
        )
    elif state is _State.HELD:
        values |= {"state": row.ready_state, "due_at": now}
        Problem.objects.clear(key)
    return values


def _mailbox_taken(row: Enrollment) -> None:
    Problem.objects.report(
        f"enrollment:{row.pk}:mailbox-taken",
        level=Problem.Level.ENROLLMENT,
        code="mailbox-taken",
        text="Another user already syncs with the mailbox that belongs to this user's e-mail address.",
        remedy="Find out in Nextcloud whose address it is; two users cannot share a mailbox.",
        enrollment=row,
    )
