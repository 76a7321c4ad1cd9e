"""What the real server accepts as a calendar object, and the repairs it makes (sabre/dav's CalDAV plugin)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr

from lab.nextcloud.lines import BrokenText, Component, fold, parse, unfold
from lab.nextcloud.wire import Refusal, broken, forbidden, unsupported

MAX_SIZE = 10 * 1024 * 1024
MAX_NAME = 255
MAX_INSTANCES = 3500
NOT_ITEMS = {"VTIMEZONE", "VALARM"}
FREQUENCIES = {"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}


@dataclass(frozen=True)
class Checked:
    """A calendar object that may be stored: its bytes, and whether the server had to change them."""

    data: bytes
    tree: Component
    uid: str
    component: str
    altered: bool


def check(data: bytes, name: str, allowed: Sequence[str]) -> Checked:
    """Check a PUT into a calendar that accepts the ``allowed`` components; raises Refusal as measured."""
    if len(data) > MAX_SIZE:
        raise forbidden("Uploaded calendar object is too large")
    if len(name) > MAX_NAME:
        raise broken()
    text, tree = _read(data)
    items = _items(tree)
    repaired = _repair(text, tree, items)
    if repaired is not None:
        text, tree = repaired, parse(repaired)
        items = _items(tree)
    component = items[0].name
    if component not in allowed:
        raise Refusal(
            403,
            "Sabre\\CalDAV\\Exception\\InvalidComponentType",
            f"{component} objects are not supported in this collection",
            "{urn:ietf:params:xml:ns:caldav}supported-calendar-component",
        )
    uid = items[0].text("UID") or ""
    if len(uid) > MAX_NAME:
        raise broken()
    for item in items:
        _check_recurrence(item)
    altered = repaired is not None
    return Checked(text.encode() if altered else data, tree, uid, component, altered)


def _read(data: bytes) -> tuple[str, Component]:
    try:
        text = data.decode()
        tree = parse(text)
    except (UnicodeDecodeError, BrokenText) as error:
        raise unsupported(f"This resource only supports valid iCalendar 2.0 data. Parse error: {error}") from error
    if tree.name != "VCALENDAR":
        raise unsupported("This collection can only support iCalendar objects.")
    if tree.first("METHOD"):
        raise unsupported("A calendar object on a CalDAV server MUST NOT have a METHOD property.")
    return text, tree


def _items(tree: Component) -> list[Component]:
    items = [child for child in tree.children if child.name not in NOT_ITEMS]
    if not items:
        raise unsupported("iCalendar object must contain at least 1 of VEVENT, VTODO or VJOURNAL.")
    if len({item.name for item in items}) > 1:
        raise unsupported("A calendar object must contain only one type of component.")
    if len({item.text("UID") for item in items}) > 1:
        raise unsupported("A calendar object must only contain components with the same UID.")
    if sum(item.first("RECURRENCE-ID") is None for item in items) > 1:
        raise unsupported("A calendar object may contain only one component without RECURRENCE-ID.")
    if any(item.name == "VEVENT" and item.first("DTSTART") is None for item in items):
        raise unsupported("Validation error in iCalendar: DTSTART MUST appear exactly once in a VEVENT component")
    return items


def _repair(text: str, tree: Component, items: list[Component]) -> str | None:
    """Add what the server adds when it is missing: VERSION, PRODID, UID, DTSTAMP. None: nothing was missing."""
    head = [
        line
        for name, line in (("VERSION", "VERSION:2.0"), ("PRODID", "PRODID:-//Sabre//Sabre VObject 4.5.6//EN"))
        if tree.first(name) is None
    ]
    stamp = f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    body = [
        line
        for name, line in (("UID", f"UID:sabre-vobject-{uuid.uuid4()}"), ("DTSTAMP", stamp))
        if any(item.first(name) is None for item in items)
    ]
    if not head and not body:
        return None
    result: list[str] = []
    kind = items[0].name
    missing = iter([line for line in body if item.first(line.partition(":")[0]) is None] for item in items)
    for line in unfold(text):
        result.append(line)
        if line.upper() == "BEGIN:VCALENDAR":
            result.extend(head)
        elif line.upper() == f"BEGIN:{kind}":
            result.extend(next(missing))
    return "".join(fold(line) for line in result)


def _check_recurrence(item: Component) -> None:
    """Walk a finite rule as the server does when it looks for the last occurrence."""
    rule = item.first("RRULE")
    start = item.first("DTSTART")
    if rule is None or start is None:
        return
    parts = dict(part.upper().partition("=")[::2] for part in rule.value.split(";") if part)
    if parts.get("FREQ") not in FREQUENCIES:
        raise broken("Invalid value for RRULE FREQ")
    if "COUNT" not in parts and "UNTIL" not in parts:
        return
    removed = {_naive(value) for entry in item.all("EXDATE") for value in entry.value.split(",")}
    try:
        occurrences = rrulestr(_without_zone(rule.value), dtstart=_naive(start.value))
        found = list(islice(occurrences, MAX_INSTANCES + 1))
    except ValueError as error:
        raise broken(f"Invalid RRULE: {error}") from error
    if len(found) > MAX_INSTANCES:
        raise broken("Recurring event has more than 3500 instances")
    if all(moment in removed for moment in found):
        raise forbidden("This recurrence rule does not generate any valid instances")


def _without_zone(rule: str) -> str:
    """The rule with UNTIL as a local time: to count occurrences, hours do not matter."""

    def local(match: re.Match[str]) -> str:
        # A UTC limit may lie hours off the local time of the last occurrence: allow for every zone.
        moment = _naive(match[1])
        return f"UNTIL={moment + timedelta(hours=14):%Y%m%dT%H%M%S}" if match[1].endswith("Z") else f"UNTIL={match[1]}"

    return re.sub(r"UNTIL=([0-9TZ]+)", local, rule.upper())


def _naive(value: str) -> datetime:
    text = value.strip().rstrip("Z")
    if "T" not in text:
        return datetime.combine(date.fromisoformat(text), datetime.min.time())
    return datetime.strptime(text, "%Y%m%dT%H%M%S")
