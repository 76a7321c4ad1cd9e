"""Plans written into a mailbox, and found there again, with exchangelib."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from exchangelib import (
    BASIC,
    DELEGATE,
    IMPERSONATION,
    Account,
    Body,
    CalendarItem,
    Configuration,
    Contact,
    Credentials,
    EWSDate,
    EWSDateTime,
    EWSTimeZone,
    FileAttachment,
    HTMLBody,
    Version,
)
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.items import SEND_TO_NONE
from exchangelib.recurrence import (
    AbsoluteMonthlyPattern,
    AbsoluteYearlyPattern,
    DailyPattern,
    Recurrence,
    RelativeMonthlyPattern,
    WeeklyPattern,
)
from exchangelib.version import EXCHANGE_2016

from lab.scenario.people import Login
from lab.scenario.plans import WEEKDAYS, ChangedOccurrence, ContactPlan, EventPlan, Moment, Rule

BUSY = {"free": "Free", "tentative": "Tentative", "busy": "Busy", "oof": "OOF"}
SENSITIVITY = {"normal": "Normal", "private": "Private", "confidential": "Confidential"}
PHONE_LABELS = {"mobile": "MobilePhone", "work": "BusinessPhone", "home": "HomePhone", "fax": "BusinessFax"}
ADDRESS_LABELS = {"work": "Business", "home": "Home"}


class OccurrenceNotFound(LookupError):
    """The server's calendar shows no such occurrence of a series that was just written."""


def connect(ews_url: str, login: Login, address: str, zone: str = "UTC", impersonate: bool = False) -> Account:
    """A mailbox as its owner's client opens it, or as a service account does."""
    configuration = Configuration(
        service_endpoint=ews_url,
        credentials=Credentials(login.name, login.password),
        auth_type=BASIC,
        version=Version(build=EXCHANGE_2016),
        max_connections=2,
    )
    return Account(
        primary_smtp_address=address,
        config=configuration,
        autodiscover=False,
        access_type=IMPERSONATION if impersonate else DELEGATE,
        default_timezone=EWSTimeZone(zone),
    )


def write_events(account: Account, plans: Iterable[EventPlan]) -> None:
    """Create events without sending mail; series get their changed and deleted occurrences.

    Raises exchangelib's errors, and OccurrenceNotFound when the server's expansion lacks a planned occurrence.
    """
    wanted = list(plans)
    items = [calendar_item(account, plan) for plan in wanted]
    for result in account.bulk_create(account.calendar, items, send_meeting_invitations=SEND_TO_NONE):
        if isinstance(result, Exception):
            raise result
    for plan in wanted:
        for change in plan.changed:
            _change_occurrence(account, plan, change)
        for original in plan.deleted:
            _find_occurrence(account, plan, original).delete(send_meeting_cancellations=SEND_TO_NONE)


def calendar_item(account: Account, plan: EventPlan) -> CalendarItem:
    """The unsaved item of a plan; an empty ``uid`` leaves the choice to the server."""
    text = plan.description
    return CalendarItem(
        account=account,
        folder=account.calendar,
        subject=plan.title,
        location=plan.location or None,
        body=_html(text) if plan.html and text else Body(text),
        categories=list(plan.categories) or None,
        legacy_free_busy_status=BUSY[plan.busy],
        sensitivity=SENSITIVITY[plan.privacy],
        reminder_is_set=plan.reminder is not None,
        reminder_minutes_before_start=plan.reminder if plan.reminder is not None else 0,
        recurrence=None if plan.rule is None else _recurrence(plan.rule, plan.start),
        **({"uid": plan.uid} if plan.uid else {}),
        **moments(plan.start, plan.end),
    )


def moments(start: Moment, end: Moment) -> dict[str, Any]:
    """Start and end as exchangelib wants them: its own date-times, or dates with the last day included."""
    if isinstance(start, datetime) and isinstance(end, datetime):
        return {"start": EWSDateTime.from_datetime(start), "end": EWSDateTime.from_datetime(end), "is_all_day": False}
    return {
        "start": EWSDate.from_date(start),
        "end": EWSDate.from_date(end - timedelta(days=1)),
        "is_all_day": True,
    }


def _html(text: str) -> HTMLBody:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    lines = "".join(f"<p>{line}</p>" for line in escaped.split("\n"))
    return HTMLBody(f"<html><body>{lines}</body></html>")


def _recurrence(rule: Rule, start: Moment) -> Recurrence:
    days = [WEEKDAYS.index(name) + 1 for name in rule.weekdays]
    match rule.frequency:
        case "daily":
            pattern: Any = DailyPattern(interval=rule.interval)
        case "weekly":
            pattern = WeeklyPattern(interval=rule.interval, weekdays=days, first_day_of_week=1)
        case "monthly" if rule.ordinal is not None:
            week = 5 if rule.ordinal == -1 else rule.ordinal
            pattern = RelativeMonthlyPattern(interval=rule.interval, weekday=days[0], week_number=week)
        case "monthly":
            pattern = AbsoluteMonthlyPattern(interval=rule.interval, day_of_month=start.day)
        case "yearly":
            pattern = AbsoluteYearlyPattern(day_of_month=start.day, month=start.month)
    first = EWSDate(start.year, start.month, start.day)
    if rule.count is not None:
        return Recurrence(pattern=pattern, start=first, number=rule.count)
    if rule.until is not None:
        return Recurrence(pattern=pattern, start=first, end=EWSDate.from_date(rule.until))
    return Recurrence(pattern=pattern, start=first)


def _change_occurrence(account: Account, plan: EventPlan, change: ChangedOccurrence) -> None:
    occurrence = _find_occurrence(account, plan, change.original)
    fields: dict[str, Any] = {}
    if change.title is not None:
        fields["subject"] = change.title
    if change.location is not None:
        fields["location"] = change.location
    if change.description is not None:
        fields["body"] = Body(change.description)
    if change.start != change.original:
        fields |= moments(change.start, change.end)
        del fields["is_all_day"]
    for name, value in fields.items():
        setattr(occurrence, name, value)
    occurrence.save(update_fields=list(fields), send_meeting_invitations=SEND_TO_NONE)


def _find_occurrence(account: Account, plan: EventPlan, original: Moment) -> CalendarItem:
    """The occurrence by its original start, looked up as a person would: in the calendar view of that day."""
    if isinstance(original, datetime):
        start = EWSDateTime.from_datetime(original)
        shown = account.calendar.view(start=start, end=start + timedelta(minutes=1))
    else:
        midnight = EWSDateTime(original.year, original.month, original.day, tzinfo=account.default_timezone)
        shown = account.calendar.view(start=midnight, end=midnight + timedelta(hours=12))
    wanted = moments(original, original + timedelta(days=1))["start"]
    for item in shown:
        if item.subject == plan.title and item.start == wanted:
            return item
    raise OccurrenceNotFound(f"{plan.title!r} has no occurrence at {original}")


def write_contacts(account: Account, plans: Iterable[ContactPlan]) -> None:
    """Create contacts, and attach their photos; raises exchangelib's errors."""
    wanted = list(plans)
    items = [contact_item(account, plan) for plan in wanted]
    for plan, result in zip(wanted, account.bulk_create(account.contacts, items), strict=True):
        if isinstance(result, Exception):
            raise result
        if plan.photo is not None:
            item = account.contacts.get(id=result.id, changekey=result.changekey)
            item.attach(
                FileAttachment(
                    name="ContactPicture.jpg",
                    content=plan.photo,
                    content_type="image/jpeg",
                    is_contact_photo=True,
                )
            )


def contact_item(account: Account, plan: ContactPlan) -> Contact:
    """The unsaved item of a plan, without its photo."""
    return Contact(
        account=account,
        folder=account.contacts,
        display_name=plan.display_name,
        file_as=plan.display_name,
        given_name=plan.given_name,
        middle_name=plan.middle_name or None,
        surname=plan.surname,
        nickname=plan.nickname or None,
        company_name=plan.company or None,
        department=plan.department or None,
        job_title=plan.job_title or None,
        business_homepage=plan.web_page or None,
        birthday=EWSDate.from_date(plan.birthday) if plan.birthday else None,
        body=Body(plan.notes),
        categories=list(plan.categories) or None,
        email_addresses=[
            EmailAddress(label=f"EmailAddress{number}", email=address)
            for number, address in enumerate(plan.emails, start=1)
        ],
        phone_numbers=[PhoneNumber(label=PHONE_LABELS[label], phone_number=number) for label, number in plan.phones],
        physical_addresses=[
            PhysicalAddress(
                label=ADDRESS_LABELS[label],
                street=place.street,
                city=place.city,
                state=place.region or None,
                country=place.country,
                zipcode=place.postal_code,
            )
            for label, place in plan.addresses
        ],
    )
