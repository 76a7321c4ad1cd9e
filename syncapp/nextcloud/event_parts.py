"""The properties of one VEVENT, alarms included, as values of a neutral event. Pure."""

from __future__ import annotations

from datetime import timedelta

from syncapp.items.fields import address_key
from syncapp.items.html import formatting, says_the_same, text_of_html
from syncapp.items.values import Attendee, Busy, Importance, Moment, Person, Privacy, ZonedTime
from syncapp.nextcloud.calendar_values import read_duration, read_moment
from syncapp.nextcloud.content_lines import Component, Line, remembered
from syncapp.nextcloud.text_values import split, unescape_text
from syncapp.side import Unreadable

FORMATTED = ("X-ALT-DESC", "STYLED-DESCRIPTION")
"""Properties with the description in HTML: Outlook's, and that of RFC 9073 section 6.5."""
MEETING_LINK = "X-MICROSOFT-SKYPETEAMSMEETINGURL"
_BUSY_OF_OUTLOOK = {
    "FREE": Busy.FREE,
    "TENTATIVE": Busy.TENTATIVE,
    "BUSY": Busy.BUSY,
    "OOF": Busy.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": Busy.ELSEWHERE,
}
_PRIVACY = {
    "PUBLIC": Privacy.NORMAL,
    "X-PERSONAL": Privacy.PERSONAL,
    "PRIVATE": Privacy.PRIVATE,
    "CONFIDENTIAL": Privacy.CONFIDENTIAL,
}
_ANSWERS = {"ACCEPTED": "accepted", "TENTATIVE": "tentative", "DECLINED": "declined"}
_RESOURCES = frozenset({"RESOURCE", "ROOM"})
MAX_REMINDER = 10 * 366 * 24 * 60


def text_of(component: Component, name: str) -> str:
    """The text of a property, "" without one."""
    line = component.first(name)
    return "" if line is None else unescape_text(line.value)


def categories_of(component: Component) -> tuple[str, ...]:
    """The categories of all CATEGORIES lines, each once."""
    found: dict[str, None] = {}
    for line in component.all("CATEGORIES"):
        for each in split(line.value, ","):
            if name := unescape_text(each).strip():
                found[name] = None
    return tuple(found)


def busy_of(component: Component) -> Busy:
    """TRANSP, which people switch in any client, and what Outlook has beyond it (MS-OXCICAL 2.1.3.1.1.20.31)."""
    outlook = _BUSY_OF_OUTLOOK.get(word_of(component, "X-MICROSOFT-CDO-BUSYSTATUS"))
    if word_of(component, "TRANSP") == "TRANSPARENT":
        return outlook if outlook is Busy.ELSEWHERE else Busy.FREE
    if outlook not in (None, Busy.FREE):
        return outlook
    return Busy.TENTATIVE if outlook is None and word_of(component, "STATUS") == "TENTATIVE" else Busy.BUSY


def html_line(component: Component) -> Line | None:
    """The line that has the description in HTML."""
    lines = [line for name in FORMATTED for line in component.all(name)]
    return next((each for each in lines if each.parameter("FMTTYPE").lower() == "text/html"), None)


def description_of(component: Component) -> tuple[str, str]:
    """The description, and the same in HTML. One in HTML that says something else is left from before an edit."""
    plain, line = text_of(component, "DESCRIPTION"), html_line(component)
    if line is None:
        return plain, ""
    html = unescape_text(line.value)
    if not plain.strip():
        plain = text_of_html(html)
    return plain, html if formatting(html) and says_the_same(html, plain) else ""


def importance_of(component: Component) -> Importance:
    """PRIORITY in the three steps of Outlook (MS-OXCICAL section 2.1.3.1.1.20.17)."""
    word = word_of(component, "PRIORITY")
    number = int(word) if word.isdecimal() and len(word) == 1 else 0
    if number in (0, 5):
        return Importance.NORMAL
    return Importance.HIGH if number < 5 else Importance.LOW


def address_in(component: Component, name: str) -> str:
    """The address in a URI property, "" without one."""
    line = component.first(name)
    return "" if line is None else line.value.strip()


def privacy_of(component: Component) -> Privacy:
    """CLASS; a class that nobody knows is private (RFC 5545 section 3.8.1.3)."""
    word = word_of(component, "CLASS")
    return _PRIVACY.get(word, Privacy.PRIVATE) if word else Privacy.NORMAL


def word_of(component: Component, name: str) -> str:
    line = component.first(name)
    return "" if line is None else line.value.strip().upper()


def address_of(line: Line) -> str:
    """The mail address of an ORGANIZER or ATTENDEE, "" when it has another sort of address."""
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        return value[7:]
    return line.parameter("EMAIL") or ("" if ":" in value or "/" in value else value)


def organizer_of(component: Component) -> Person | None:
    line = component.first("ORGANIZER")
    address = address_of(line) if line is not None else ""
    return Person(address, line.parameter("CN")) if line is not None and address else None


def attendees_of(component: Component) -> list[tuple[Line, Attendee]]:
    """The attendees with a mail address, each once, with the lines that name them."""
    found: dict[str, tuple[Line, Attendee]] = {}
    for line in component.all("ATTENDEE"):
        if address := address_of(line):
            found.setdefault(address_key(address), (line, _attendee(line, address)))
    return list(found.values())


def _attendee(line: Line, address: str) -> Attendee:
    parameters = dict(line.parameters)
    role = parameters.get("ROLE", "").upper()
    if parameters.get("CUTYPE", "").upper() in _RESOURCES:
        kind = "resource"
    else:
        kind = "optional" if role in ("OPT-PARTICIPANT", "NON-PARTICIPANT") else "required"
    answer = _ANSWERS.get(parameters.get("PARTSTAT", "").upper(), "none")
    return Attendee(address, parameters.get("CN", ""), kind, answer)


def reminder_of(component: Component, start: Moment) -> tuple[Component | None, int | None]:
    """The first alarm that shows itself before the start, and by how many minutes; others are not ours to touch."""
    for alarm in component.components:
        if alarm.name == "VALARM" and word_of(alarm, "ACTION") in ("DISPLAY", "AUDIO"):
            minutes = _minutes_before(alarm, start)
            if minutes is not None:
                return alarm, minutes
    return None, None


def _minutes_before(alarm: Component, start: Moment) -> int | None:
    line = alarm.first("TRIGGER")
    if line is None or line.parameter("RELATED").upper() == "END":
        return None
    try:
        if line.parameter("VALUE").upper() == "DATE-TIME":
            at = read_moment(line.value, "", lambda _tzid, _year: "UTC")
            if not isinstance(at, ZonedTime) or not isinstance(start, ZonedTime):
                return None
            before = start.instant - at.instant
        else:
            return _minutes_of(line.value)
    except (Unreadable, OverflowError):
        # An alarm that can't be understood is no reminder, and no reason to leave the event behind.
        return None
    return _as_reminder(before)


@remembered
def _minutes_of(duration: str) -> int | None:
    return _as_reminder(-sum(read_duration(duration), timedelta()))


def _as_reminder(before: timedelta) -> int | None:
    minutes = int(before.total_seconds() // 60)
    return minutes if timedelta() <= before and minutes <= MAX_REMINDER else None
