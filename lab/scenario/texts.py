"""Plans as iCalendar and vCard texts, made with icalendar and vobject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import icalendar
import vobject

from lab.scenario.plans import ContactPlan, EventPlan, Moment, Rule

STATUS = {"tentative": "TENTATIVE"}
CLASS = {"normal": "PUBLIC", "private": "PRIVATE", "confidential": "CONFIDENTIAL"}
PHONE_TYPES: Mapping[str, list[str]] = {
    "mobile": ["CELL"],
    "work": ["WORK", "VOICE"],
    "home": ["HOME", "VOICE"],
    "fax": ["WORK", "FAX"],
}


def calendar_text(plan: EventPlan) -> str:
    """One calendar object: the series with its changed occurrences, and the time zones they use."""
    calendar = icalendar.Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "-//Lab//Scenario//EN")
    master = _component(plan)
    if plan.rule is not None:
        master.add("RRULE", _rule(plan.rule, plan.start))
    for original in plan.deleted:
        master.add("EXDATE", original)
    calendar.add_component(master)
    for change in plan.changed:
        occurrence = replace(
            plan,
            start=change.start,
            end=change.end,
            title=change.title if change.title is not None else plan.title,
            location=change.location if change.location is not None else plan.location,
            description=change.description if change.description is not None else plan.description,
        )
        component = _component(occurrence)
        component.add("RECURRENCE-ID", change.original)
        calendar.add_component(component)
    calendar.add_missing_timezones()
    text: str = calendar.to_ical().decode()
    return text


def _component(plan: EventPlan) -> icalendar.Event:
    event = icalendar.Event()
    event.add("UID", plan.uid)
    event.add("DTSTAMP", datetime(2026, 1, 1, tzinfo=UTC))
    event.add("DTSTART", plan.start)
    event.add("DTEND", plan.end)
    event.add("SUMMARY", plan.title)
    if plan.location:
        event.add("LOCATION", plan.location)
    if plan.description:
        event.add("DESCRIPTION", plan.description)
    if plan.categories:
        event.add("CATEGORIES", list(plan.categories))
    event.add("TRANSP", "TRANSPARENT" if plan.busy == "free" else "OPAQUE")
    event.add("X-MICROSOFT-CDO-BUSYSTATUS", plan.busy.upper())
    event.add("CLASS", CLASS[plan.privacy])
    if plan.reminder is not None:
        alarm = icalendar.Alarm()
        alarm.add("ACTION", "DISPLAY")
        alarm.add("DESCRIPTION", plan.title)
        alarm.add("TRIGGER", -timedelta(minutes=plan.reminder))
        event.add_component(alarm)
    return event


def _rule(rule: Rule, start: Moment) -> dict[str, object]:
    parts: dict[str, object] = {"FREQ": rule.frequency.upper()}
    if rule.interval != 1:
        parts["INTERVAL"] = rule.interval
    if rule.weekdays:
        parts["BYDAY"] = [f"{rule.ordinal or ''}{name}" for name in rule.weekdays]
    if rule.count is not None:
        parts["COUNT"] = rule.count
    if rule.until is not None:
        # RFC 5545 section 3.3.10: in UTC when the start is a time.
        at = datetime.combine(rule.until, time(23, 59), start.tzinfo) if isinstance(start, datetime) else None
        parts["UNTIL"] = at.astimezone(UTC) if at else rule.until
    return parts


def card_text(plan: ContactPlan) -> str:
    """One vCard 3.0."""
    card = vobject.vCard()
    card.add("uid").value = plan.uid
    card.add("fn").value = plan.display_name
    card.add("n").value = vobject.vcard.Name(family=plan.surname, given=plan.given_name, additional=plan.middle_name)
    if plan.company:
        card.add("org").value = [part for part in (plan.company, plan.department) if part]
    for name, value in (
        ("nickname", plan.nickname),
        ("title", plan.job_title),
        ("url", plan.web_page),
        ("note", plan.notes),
        ("bday", plan.birthday.isoformat() if plan.birthday else ""),
    ):
        if value:
            card.add(name).value = value
    if plan.categories:
        card.add("categories").value = list(plan.categories)
    _add_ways(card, plan)
    if plan.photo is not None:
        photo = card.add("photo")
        photo.value = plan.photo
        photo.params = {"ENCODING": ["b"], "TYPE": ["JPEG"]}
    text: str = card.serialize()
    return text


def _add_ways(card: vobject.base.Component, plan: ContactPlan) -> None:
    """The ways to reach somebody."""
    for position, address in enumerate(plan.emails):
        entry = card.add("email")
        entry.value = address
        entry.params = {"TYPE": ["HOME" if position == 0 else "WORK"]}
    for label, number in plan.phones:
        entry = card.add("tel")
        entry.value = number
        entry.params = {"TYPE": list(PHONE_TYPES[label])}
    for label, place in plan.addresses:
        entry = card.add("adr")
        entry.value = vobject.vcard.Address(
            street=place.street,
            city=place.city,
            region=place.region,
            code=place.postal_code,
            country=place.country,
        )
        entry.params = {"TYPE": [label.upper()]}
