"""Events that tests start from, and requests written by hand."""

from __future__ import annotations

from typing import Any

import httpx
from exchangelib import Account, CalendarItem, EWSDate, EWSDateTime, EWSTimeZone
from exchangelib.recurrence import Pattern, Recurrence

from tests.lab.exchange.conftest import Lab

BERLIN = EWSTimeZone("Europe/Berlin")
NEW_YORK = EWSTimeZone("America/New_York")
MONDAY = EWSDate(2026, 3, 2)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, zone: EWSTimeZone = BERLIN) -> EWSDateTime:
    """A moment in Berlin, or in another zone."""
    return EWSDateTime(year, month, day, hour, minute, tzinfo=zone)


def event(account: Account, **values: Any) -> CalendarItem:
    """An unsaved event of one hour."""
    given = {"subject": "Review", "start": at(2026, 3, 2, 9), "end": at(2026, 3, 2, 10)}
    return CalendarItem(account=account, folder=account.calendar, **{**given, **values})


def series(account: Account, pattern: Pattern, start: EWSDate = MONDAY, **values: Any) -> CalendarItem:
    """An unsaved series at nine in Berlin; ``number``, ``until`` or nothing says how it ends."""
    ending = {"number": values.pop("number", None), "end": values.pop("until", None)}
    return event(
        account,
        start=at(start.year, start.month, start.day, 9),
        end=at(start.year, start.month, start.day, 10),
        recurrence=Recurrence(pattern=pattern, start=start, **{k: v for k, v in ending.items() if v is not None}),
        **values,
    )


def raw(lab: Lab, account: Account, operation: str) -> str:
    """An answer's text to an operation written by hand."""
    spaces = (
        'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
        'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
    )
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        '<t:ExchangeImpersonation xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
        f"<t:ConnectingSID><t:PrimarySmtpAddress>{account.primary_smtp_address}</t:PrimarySmtpAddress>"
        f"</t:ConnectingSID></t:ExchangeImpersonation></s:Header><s:Body>{operation.format(ns=spaces)}</s:Body>"
        "</s:Envelope>"
    )
    return httpx.post(lab.endpoint, content=envelope, auth=("sync-service", "s3rvice")).text
