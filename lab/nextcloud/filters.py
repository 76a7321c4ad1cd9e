"""Filters of calendar-query (RFC 4791 section 9.7) and addressbook-query (RFC 6352 section 10.5)."""

from __future__ import annotations

from datetime import UTC, datetime

import icalendar
import recurring_ical_events
from lxml import etree

from lab.nextcloud.lines import Component, Property, parse, unescape
from lab.nextcloud.names import cal, card
from lab.nextcloud.wire import bad_request

_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VALARM", "VTIMEZONE")


def calendar_matches(data: bytes, query: etree._Element) -> bool:
    """Whether a calendar object passes the ``filter`` of a query; raises Refusal (400) for a filter without sense."""
    outer = query.find(f"{cal('filter')}/{cal('comp-filter')}")
    if outer is None or outer.get("name") != "VCALENDAR":
        raise bad_request("A calendar-query needs a filter on VCALENDAR")
    tree = parse(data.decode())
    return all(_component_passes(tree, inner, data) for inner in outer.findall(cal("comp-filter"))) and all(
        _property_passes(tree, inner) for inner in outer.findall(cal("prop-filter"))
    )


def _component_passes(parent: Component, wanted: etree._Element, data: bytes) -> bool:
    name = (wanted.get("name") or "").upper()
    found = [child for child in parent.children if child.name == name]
    if wanted.find(cal("is-not-defined")) is not None:
        return not found
    span = wanted.find(cal("time-range"))
    if span is not None and found and name in ("VEVENT", "VTODO", "VJOURNAL") and not _in_range(data, name, span):
        return False
    properties = wanted.findall(cal("prop-filter"))
    nested = wanted.findall(cal("comp-filter"))
    return any(
        all(_property_passes(child, inner) for inner in properties)
        and all(_component_passes(child, inner, data) for inner in nested)
        for child in found
    )


def _in_range(data: bytes, component: str, span: etree._Element) -> bool:
    start = _moment(span.get("start"), datetime(1970, 1, 1, tzinfo=UTC))
    end = _moment(span.get("end"), datetime(2100, 1, 1, tzinfo=UTC))
    if end <= start:
        raise bad_request("The end of a time-range must be larger than its start")
    calendar = icalendar.Calendar.from_ical(data)
    occurrences = recurring_ical_events.of(calendar, components=[component]).after(start)
    first = next(iter(occurrences), None)
    if first is None:
        # A task without any date is in every range (RFC 4791 section 9.9).
        return component == "VTODO" and all("DTSTART" not in todo and "DUE" not in todo for todo in calendar.todos)
    begins = first.start if hasattr(first, "start") else first["DTSTART"].dt
    return _aware(begins) < end


def _aware(moment: object) -> datetime:
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{moment}T00:00:00+00:00")


def _moment(text: str | None, default: datetime) -> datetime:
    if text is None:
        return default
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise bad_request(f"not a moment in UTC: {text}") from error


def _property_passes(component: Component, wanted: etree._Element) -> bool:
    found = component.all((wanted.get("name") or "").upper())
    if wanted.find(cal("is-not-defined")) is not None:
        return not found
    texts = wanted.findall(cal("text-match"))
    return any(all(_contains(unescape(entry.value), text) for text in texts) for entry in found)


def _contains(value: str, text: etree._Element) -> bool:
    wanted = text.text or ""
    if text.get("collation", "i;ascii-casemap") != "i;octet":
        value, wanted = value.lower(), wanted.lower()
    return (wanted in value) != (text.get("negate-condition") == "yes")


def card_matches(data: bytes, query: etree._Element) -> bool:
    """Whether a contact passes the ``filter`` of a query; no filter lets everything pass."""
    outer = query.find(card("filter"))
    if outer is None:
        return True
    tree = parse(data.decode())
    results = [_card_property_passes(tree, wanted) for wanted in outer.findall(card("prop-filter"))]
    return not results or _all_or_any(outer, results)


def _card_property_passes(tree: Component, wanted: etree._Element) -> bool:
    found = tree.all((wanted.get("name") or "").upper())
    if wanted.find(card("is-not-defined")) is not None:
        return not found
    texts = wanted.findall(card("text-match"))
    if not texts:
        return bool(found)
    return _all_or_any(wanted, [any(_card_text(entry, text) for entry in found) for text in texts])


def _all_or_any(holder: etree._Element, results: list[bool]) -> bool:
    return all(results) if holder.get("test") == "allof" else any(results)


def _card_text(entry: Property, text: etree._Element) -> bool:
    value, wanted = unescape(entry.value).lower(), (text.text or "").lower()
    kind = text.get("match-type", "contains")
    passed = {
        "contains": wanted in value,
        "equals": wanted == value,
        "starts-with": value.startswith(wanted),
        "ends-with": value.endswith(wanted),
    }.get(kind, False)
    return passed != (text.get("negate-condition") == "yes")
