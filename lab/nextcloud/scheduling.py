"""The ledger of mail that the real server would have sent (RFC 6638, with the measured exceptions).

``x-nc-scheduling: false`` suppresses the mail of a PUT but not of a DELETE or of a purge from the trash bin;
``Schedule-Reply: F`` suppresses all. SCHEDULE-AGENT=NONE is ignored, CLIENT works. The real server sends nothing for
events that are over; the ledger does not look at the clock, because it judges headers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.nextcloud.accounts import Account
from lab.nextcloud.lines import Component, Property, fold, parse, parse_line, unfold
from lab.nextcloud.store import Store
from lab.nextcloud.wire import DAV_ROOT, Request

SIGNIFICANT = (
    "DTSTART",
    "DTEND",
    "DURATION",
    "DUE",
    "RRULE",
    "RDATE",
    "EXDATE",
    "STATUS",
    "SUMMARY",
    "DESCRIPTION",
    "LOCATION",
)


@dataclass(frozen=True)
class Mail:
    """One message: an iTIP method, from, to, and the event it is about."""

    method: str
    sender: str
    recipient: str
    uid: str


def suppressed(request: Request) -> bool:
    """Whether the request's headers keep the server from sending mail."""
    if request.header("schedule-reply").upper() == "F":
        return True
    return request.method == "PUT" and request.header("x-nc-scheduling").lower() == "false"


def send(store: Store, account: Account, request: Request, old: bytes | None, new: bytes | None) -> list[Mail]:
    """Put the mail that this change causes into the ledger; returns it."""
    if suppressed(request):
        return []
    mails = _due(account, _events(old), _events(new))
    for mail in mails:
        store.run(
            "INSERT INTO mail (at, account, method, sender, recipient, uid, cause) VALUES (?, ?, ?, ?, ?, ?, ?)",
            int(time.time()),
            account.uid,
            mail.method,
            mail.sender,
            mail.recipient,
            mail.uid,
            f"{request.method} {request.path}",
        )
    return mails


def mark_sent(data: bytes, mails: list[Mail]) -> bytes:
    """The object as the server stores it after mailing: each attendee who got mail carries a SCHEDULE-STATUS."""
    recipients = {mail.recipient for mail in mails if mail.method == "REQUEST"}
    result = []
    for line in unfold(data.decode()):
        if line.upper().startswith("ATTENDEE"):
            entry = parse_line(line)
            if _address(entry) in recipients:
                head = line[: len(line) - len(entry.value) - 1]
                head = ";".join(part for part in head.split(";") if not part.upper().startswith("SCHEDULE-STATUS"))
                line = f"{head};SCHEDULE-STATUS=1.1:{entry.value}"
        result.append(fold(line))
    return "".join(result).encode()


def _events(data: bytes | None) -> list[Component]:
    if data is None:
        return []
    return [child for child in parse(data.decode()).children if child.name in ("VEVENT", "VTODO")]


def _due(account: Account, old: list[Component], new: list[Component]) -> list[Mail]:
    current = new or old
    organizer = next((entry for event in current if (entry := event.first("ORGANIZER"))), None)
    if organizer is None:
        return []
    own = _own_addresses(account)
    uid = current[0].text("UID") or ""
    if _address(organizer) in own:
        if organizer.parameters.get("SCHEDULE-AGENT", "").upper() == "CLIENT":
            return []
        return _from_organizer(_address(organizer), uid, old, new)
    return _from_attendee(own, _address(organizer), uid, old, new)


def _from_organizer(sender: str, uid: str, old: list[Component], new: list[Component]) -> list[Mail]:
    before, after = _invited(old) - {sender}, _invited(new) - {sender}
    significant = _significant(old) != _significant(new)
    invited = {address for address in after if significant or address not in before}
    return [Mail("CANCEL", sender, address, uid) for address in sorted(before - after)] + [
        Mail("REQUEST", sender, address, uid) for address in sorted(invited)
    ]


def _from_attendee(own: set[str], organizer: str, uid: str, old: list[Component], new: list[Component]) -> list[Mail]:
    sender = next((address for address in sorted(_invited(new or old)) if address in own), None)
    if sender is None:
        return []
    if not new:
        return [Mail("REPLY", sender, organizer, uid)]
    answers = _answers(new, sender)
    before = _answers(old, sender)
    changed = any(
        answer != before.get(instance, "NEEDS-ACTION") and answer != "NEEDS-ACTION"
        for instance, answer in answers.items()
    )
    return [Mail("REPLY", sender, organizer, uid)] if changed else []


def _own_addresses(account: Account) -> set[str]:
    principal = f"{DAV_ROOT}/principals/users/{account.uid}/".lower()
    return {principal, *([account.email.lower()] if account.email else [])}


def _address(entry: Property) -> str:
    value = entry.value.strip().lower()
    return value.removeprefix("mailto:")


def _invited(events: list[Component]) -> set[str]:
    return {
        _address(entry)
        for event in events
        for entry in event.all("ATTENDEE")
        if entry.parameters.get("SCHEDULE-AGENT", "").upper() != "CLIENT"
    }


def _answers(events: list[Component], address: str) -> dict[str, str]:
    return {
        event.text("RECURRENCE-ID") or "master": entry.parameters.get("PARTSTAT", "NEEDS-ACTION").upper()
        for event in events
        for entry in event.all("ATTENDEE")
        if _address(entry) == address
    }


def _significant(events: list[Component]) -> list[tuple[str, ...]]:
    return sorted(
        (event.text("RECURRENCE-ID") or "", *(entry.value for name in SIGNIFICANT for entry in event.all(name)))
        for event in events
    )
