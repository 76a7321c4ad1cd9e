"""Writing events: a neutral event → a new iCalendar object, or changes to a stored one. Pure.

A stored object is patched: lines that say nothing about a changed element stay as they are, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from syncapp.items.elements import EXCEPTIONS, Element
from syncapp.items.event import Event, Occurrence
from syncapp.items.fields import address_key, line
from syncapp.items.html import says_the_same
from syncapp.items.values import Attendee, Busy, Importance, Moment, Person, Privacy, ZonedTime, moment_key
from syncapp.nextcloud import parsing
from syncapp.nextcloud.calendar_values import (
    LINES,
    instances_at_most,
    like,
    moment_text,
    moments_of,
    rule_text,
    stamp_text,
)
from syncapp.nextcloud.content_lines import Component, Line, Parameters, Text
from syncapp.nextcloud.event_parts import FORMATTED, MEETING_LINK, attendees_of, html_line, reminder_of
from syncapp.nextcloud.events import COMPONENT, EventObject, in_series, parse, same
from syncapp.nextcloud.text_values import constant_line, escape, make_line, unescape_text
from syncapp.nextcloud.timezones import rules_start, tzid_of, vtimezone, zone_by_name
from syncapp.side import Refused

PRODUCT = "-//Nextcloud Exchange Connector//EN"
MAX_INSTANCES = 3500
"""Nextcloud answers a rule with more occurrences with an error (docs/server-behaviour.md#section-3)."""

_CLASSES = {
    Privacy.NORMAL: "PUBLIC",
    Privacy.PERSONAL: "X-PERSONAL",
    Privacy.PRIVATE: "PRIVATE",
    Privacy.CONFIDENTIAL: "CONFIDENTIAL",
}
_HEADER = (("VERSION", "2.0"), ("PRODID", PRODUCT), ("CALSCALE", "GREGORIAN"))
_OUTLOOK_BUSY = {
    Busy.FREE: "FREE",
    Busy.TENTATIVE: "TENTATIVE",
    Busy.BUSY: "BUSY",
    Busy.OUT_OF_OFFICE: "OOF",
    Busy.ELSEWHERE: "WORKINGELSEWHERE",
}
_PRIORITIES = {Importance.HIGH: "1", Importance.LOW: "9"}
_USUAL = ("", (), Busy.BUSY, Privacy.NORMAL, Importance.NORMAL)
"""What a new object need not say."""
ROLES = {"required": "REQ-PARTICIPANT", "optional": "OPT-PARTICIPANT", "resource": "NON-PARTICIPANT"}
ANSWERS = {"none": "NEEDS-ACTION", "accepted": "ACCEPTED", "tentative": "TENTATIVE", "declined": "DECLINED"}
_NOT_IN_OVERRIDES = frozenset(
    {"RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "CREATED"}
)
_TIMES = frozenset({"start", "end", "recurrence", EXCEPTIONS})
_ORDER = (
    "title",
    "start",
    "end",
    "recurrence",
    "location",
    "description",
    "html",
    "categories",
    "busy",
    "cancelled",
    "privacy",
    "importance",
    "url",
    "meeting_link",
    "organizer",
    "attendees",
    "reminder",
)
_UNTIMED = tuple(name for name in _ORDER if name not in ("start", "end"))


def new(event: Event, uid: str, now: datetime) -> Text:
    """A new iCalendar object for ``event``; ``now`` is in UTC and goes where the format wants a time stamp."""
    stamp = stamp_text(now)
    stamps = [make_line(name, stamp) for name in ("DTSTAMP", "CREATED", "LAST-MODIFIED")]
    master = _component(COMPONENT, [make_line("UID", uid), *stamps, constant_line("SEQUENCE", "0")])
    calendar = _component("VCALENDAR", [*[constant_line(name, value) for name, value in _HEADER], master])
    writer = _Writer(EventObject(Text(b"", calendar, b""), uid, master), event, now)
    master.add(writer.moment("DTSTART", event.start))
    master.add(writer.moment("DTEND", event.end))
    for name in _UNTIMED:
        value = getattr(event, name)
        if not (value is None or value is False or value in _USUAL):
            writer.write(master, name, event)
    exceptions = {moment_key(each.original): each for each in event.exceptions}
    for key in sorted(exceptions):
        writer.add_exception(key, exceptions[key])
    return writer.finished()


def patch(data: bytes, event: Event, changed: Collection[Element], now: datetime) -> Text:
    """The stored object with the ``changed`` elements as they are in ``event``, everything else as it was.

    Changed occurrences that inherited a changed value get the new one too: iCalendar stores them complete.
    Raises Unreadable for a stored object that could not have been read.
    """
    stored = parse(data)
    before = stored.event
    names = {element[0] for element in changed}
    if not names:
        return stored.text
    keys = {element[1] for element in changed if element[0] == EXCEPTIONS}
    if "start" in names:
        # An alarm at a fixed time is so many minutes before the start only as long as the start stays.
        names.add("reminder")
    if names & {"start", "end"} and stored.is_reversed:
        # Two that stand the wrong way round have to change together.
        names |= {"start", "end"}
    writer = _Writer(stored, event, now)
    if stored.spelled is not None and names & {"start", "end", "recurrence"}:
        names |= {"start", "end", "recurrence"}
        keys |= {moment_key(each.original) for each in event.exceptions} | set(stored.overrides)
        writer.respell()
    for name in _ORDER:
        if name in names:
            writer.write(stored.master, name, event)
    if "recurrence" in names and event.recurrence is None:
        writer.remove_series()
    else:
        writer.update_overrides(before, names)
        writer.write_exceptions(keys)
    writer.touch(stored.master, bump=bool(names & _TIMES) and not event.attendees)
    return writer.finished()


def again(data: bytes, uid: str, now: datetime) -> Text:
    """A former object as it was, to be stored once more with a UID that it may not have had.

    Raises Unreadable for one that could not have been read.
    """
    stored = parse(data)
    writer = _Writer(stored, stored.event, now)
    for component in (stored.master, *stored.overrides.values()):
        if stored.uid != uid:
            component.put("UID", [writer.line("UID", uid)])
    writer.touch(stored.master, bump=False)
    return writer.finished()


def check(event: Event, uid: str) -> None:
    """Raise Refused for what Nextcloud is known to answer with an error that says nothing."""
    if len(uid) > 255:
        raise Refused("The event's UID is longer than 255 characters, which Nextcloud can't store.")
    if event.recurrence is not None and instances_at_most(event.recurrence, event.start) > MAX_INSTANCES:
        raise Refused(f"The series has more than {MAX_INSTANCES} occurrences, which Nextcloud can't store.")


@dataclass
class _Writer:
    """Writes the values of ``event`` into an object, and remembers which zones the new lines use."""

    stored: EventObject
    event: Event
    now: datetime
    used: dict[str, None] = field(default_factory=dict)
    """Zones of the new lines that the object has no name for yet: they will be called as IANA calls them."""
    respelt: bool = False
    """Whether the series is written in the words of the pattern that it was read as."""

    def __post_init__(self) -> None:
        self.line_end = self.stored.calendar.line_end

    def finished(self) -> Text:
        """The object with the VTIMEZONEs that it needs now."""
        calendar = self.stored.calendar
        for zone in self.used:
            definition = _definition(zone, max(self._year(), 1970), self.line_end)
            calendar.insert(definition, before=next(each for each in calendar.components if each.name == COMPONENT))
        return self.stored.text

    def _year(self) -> int:
        moments = [self.event.start, *(each.values.get("start", each.original) for each in self.event.exceptions)]
        return min(each.wall.year if isinstance(each, ZonedTime) else each.year for each in moments)

    # One field of one VEVENT -------------------------------------------------------------------------------------

    def write(self, component: Component, name: str, event: Event) -> None:
        """Make a VEVENT say what ``event`` says in a field."""
        _WRITERS[name](self, component, event)

    def line(self, name: str, value: str, parameters: Parameters = ()) -> Line:
        """A new line with the line end that the object has."""
        return make_line(name, value, parameters, line_end=self.line_end)

    def constant(self, name: str, value: str) -> Line:
        """A new line with a value of which there are few."""
        return constant_line(name, value, self.line_end)

    def moment(self, name: str, moment: Moment) -> Line:
        """A new line with a moment, its zone called as the object calls it."""
        if not isinstance(moment, ZonedTime):
            return self.line(name, moment_text(moment), (("VALUE", "DATE"),))
        if moment.zone in ("", "UTC"):
            return self.line(name, moment_text(moment))
        return self.line(name, moment_text(moment), (("TZID", self.tzid(moment.zone)),))

    def tzid(self, zone: str) -> str:
        """What the object calls a zone; a zone that is new to it will be defined under its IANA name."""
        if (name := tzid_of(zone)) in self.stored.zones:
            return name
        for tzid in self.stored.zones:
            if zone_by_name(tzid) == zone:
                return tzid
        self.used[zone] = None
        return name

    def write_text(self, component: Component, name: str, value: str) -> None:
        """One text property, absent when there is nothing to say; a language mark stays, an alternative text not."""
        if not line(value):
            component.put(name, ())
            return
        old = component.first(name)
        language = old.parameter("LANGUAGE") if old else ""
        component.put(name, [self.line(name, escape(value), (("LANGUAGE", language),) if language else ())])

    def write_title(self, component: Component, event: Event) -> None:
        self.write_text(component, "SUMMARY", event.title)

    def write_location(self, component: Component, event: Event) -> None:
        self.write_text(component, "LOCATION", event.location)

    def write_description(self, component: Component, event: Event) -> None:
        self.write_text(component, "DESCRIPTION", event.description)
        # In HTML it is out of date now, unless that changed, too; clients that know it would go on showing it.
        self.write_html(component, event)

    def write_html(self, component: Component, event: Event) -> None:
        html = event.html if says_the_same(event.html, event.description) else ""
        old = html_line(component)
        if old is not None and unescape_text(old.value) == html:
            return
        name, parameters = (
            (old.name, old.parameters) if old is not None else ("X-ALT-DESC", (("FMTTYPE", "text/html"),))
        )
        for each in FORMATTED:
            component.put(each, [self.line(name, escape(html), parameters)] if html and each == name else ())

    def write_start(self, component: Component, event: Event) -> None:
        component.put("DTSTART", [self.moment("DTSTART", event.start)])
        if component.first("X-MICROSOFT-CDO-ALLDAYEVENT") is not None:
            value = "TRUE" if event.all_day else "FALSE"
            component.put("X-MICROSOFT-CDO-ALLDAYEVENT", [self.line("X-MICROSOFT-CDO-ALLDAYEVENT", value)])
        if component.first("DTEND") is None:
            # A DURATION, or nothing at all, would now end the event at another time than it shall.
            self.write_end(component, event)

    def write_end(self, component: Component, event: Event) -> None:
        name = "DTEND" if component.first("DTEND") is not None or component.first("DURATION") is None else "DURATION"
        component.put(name, [self.moment("DTEND", event.end)])
        if name == "DTEND":
            component.put("DURATION", ())

    def write_recurrence(self, component: Component, event: Event) -> None:
        rule = event.recurrence
        old = self.stored.recurrence
        if rule is None:
            for name in ("RRULE", "EXRULE", "RDATE"):
                component.put(name, ())
            return
        for name in LINES:
            further = [value for key, value in rule.others if key == name]
            texts = [rule_text(rule, event.start), *further] if name == "RRULE" else further
            component.put(name, [self.line(name, each) for each in texts])
        old_dates = {moment_key(each) for each in old.dates} if old is not None else set()
        if old_dates != {moment_key(each) for each in rule.dates} or component.first("RDATE") is None:
            component.put("RDATE", [self.moment("RDATE", each) for each in rule.dates])

    def write_categories(self, component: Component, event: Event) -> None:
        value = ",".join(escape(each) for each in event.categories if line(each))
        component.put("CATEGORIES", [self.line("CATEGORIES", value)] if value else ())

    def write_busy(self, component: Component, event: Event) -> None:
        transparency = "TRANSPARENT" if event.busy is Busy.FREE else "OPAQUE"
        component.put("TRANSP", [self.constant("TRANSP", transparency)])
        outlook = self.constant("X-MICROSOFT-CDO-BUSYSTATUS", _OUTLOOK_BUSY[event.busy])
        component.put("X-MICROSOFT-CDO-BUSYSTATUS", [outlook])

    def write_privacy(self, component: Component, event: Event) -> None:
        component.put("CLASS", [self.constant("CLASS", _CLASSES[event.privacy])])

    def write_cancelled(self, component: Component, event: Event) -> None:
        stated = component.first("STATUS")
        if event.cancelled:
            component.put("STATUS", [self.constant("STATUS", "CANCELLED")])
        elif stated is not None and stated.value.strip().upper() == "CANCELLED":
            component.put("STATUS", ())

    def write_importance(self, component: Component, event: Event) -> None:
        priority = _PRIORITIES.get(event.importance)
        component.put("PRIORITY", [self.constant("PRIORITY", priority)] if priority else ())

    def write_url(self, component: Component, event: Event) -> None:
        component.put("URL", [self.line("URL", event.url, (("VALUE", "URI"),))] if event.url else ())

    def write_meeting_link(self, component: Component, event: Event) -> None:
        component.put(MEETING_LINK, [self.line(MEETING_LINK, event.meeting_link)] if event.meeting_link else ())

    def write_organizer(self, component: Component, event: Event) -> None:
        person = event.organizer
        component.put("ORGANIZER", [self.line("ORGANIZER", _mailto(person), _person(person))] if person else ())

    def write_attendees(self, component: Component, event: Event) -> None:
        wanted = {address_key(each.address): each for each in event.attendees}
        for stored, attendee in attendees_of(component):
            new_one = wanted.pop(address_key(attendee.address), None)
            if new_one is None:
                component.replace([stored], ())
            elif new_one != attendee:
                component.replace([stored], [self.line("ATTENDEE", stored.value, _answered(stored, new_one))])
        old = component.all("ATTENDEE")
        component.replace(
            old, [*old, *(self.line("ATTENDEE", _mailto(each), _guest(each)) for each in wanted.values())]
        )

    def write_reminder(self, component: Component, event: Event) -> None:
        alarm, minutes = reminder_of(component, event.start)
        if alarm is not None and event.reminder is None:
            component.remove(alarm)
        elif alarm is not None and event.reminder != minutes:
            alarm.put("TRIGGER", [self.line("TRIGGER", f"-PT{event.reminder}M")])
            alarm.put("ACKNOWLEDGED", ())
        elif alarm is None and event.reminder is not None:
            text = escape(event.title or "Reminder")
            lines = [self.constant("ACTION", "DISPLAY"), self.line("TRIGGER", f"-PT{event.reminder}M")]
            alarm = _component("VALARM", [*lines, self.line("DESCRIPTION", text)], self.line_end)
            component.insert(alarm)

    def respell(self) -> None:
        """Take everything away by which the object has said its series: it will be said as a pattern and exceptions."""
        self.respelt = True
        for name in ("RRULE", "EXRULE", "RDATE", "EXDATE", "RECURRENCE-ID"):
            self.stored.master.put(name, ())
        for key, component in list(self.stored.overrides.items()):
            if component is self.stored.master:
                del self.stored.overrides[key]
            else:
                component.put("RECURRENCE-ID", [self.moment("RECURRENCE-ID", self.stored.originals[key])])

    def _id_of(self, occurrence: Occurrence) -> Moment:
        """The moment by which the object knows an occurrence."""
        name = like(occurrence.original, self.event.start)
        return name if self.respelt else self.stored.id_of(name)

    # The exceptions of a series ----------------------------------------------------------------------------------

    def write_exceptions(self, keys: Collection[str]) -> None:
        """Make the occurrences with these keys what they are in the event: changed, deleted, or like all others."""
        wanted = {moment_key(each.original): each for each in self.event.exceptions}
        at_their_own_time = {} if self.respelt else self.stored.moved
        for key in sorted(keys):
            occurrence = wanted.get(key)
            if occurrence is None and key in at_their_own_time:
                # Elsewhere it is like all others now; here that must be said.
                occurrence = Occurrence(at_their_own_time[key])
            if occurrence is None or occurrence.deleted:
                self._remove_override(key)
            self._remove_exdate(key)
            if occurrence is not None and key not in self.stored.overrides:
                self.add_exception(key, occurrence)

    def add_exception(self, key: str, occurrence: Occurrence) -> None:
        """Write a deleted or changed occurrence of which the object says nothing yet."""
        if occurrence.deleted:
            self._add_exdate(occurrence)
        else:
            self._add_override(key, occurrence)

    def update_overrides(self, before: Event, names: Collection[str]) -> None:
        """Write what differs in the changed occurrences that stay, values that they inherit included."""
        wanted = {moment_key(each.original): each for each in self.event.exceptions if not each.deleted}
        for key, component in self.stored.overrides.items():
            if key in wanted:
                self._update_override(component, wanted[key], before, names)

    def _update_override(
        self, component: Component, occurrence: Occurrence, before: Event, names: Collection[str]
    ) -> None:
        now_there = self.stored.single(component)
        shall = in_series(self.event, occurrence)
        different = [name for name in _PER_OCCURRENCE if not same(name, getattr(now_there, name), getattr(shall, name))]
        # Fields of the whole series stand in each changed occurrence too; one with a value of its own keeps it.
        different += [
            name
            for name in ("categories", "privacy", "importance", "url", "meeting_link", "organizer", "attendees")
            if name in names and getattr(now_there, name) == getattr(before, name)
        ]
        if "start" in different:
            different.append("reminder")
        for name in different:
            self.write(component, name, shall)
        if different:
            self.touch(component, bump=False)

    def _add_override(self, key: str, occurrence: Occurrence) -> None:
        master = self.stored.master
        content = [
            _copy(each) for each in master.content if not isinstance(each, Line) or each.name not in _NOT_IN_OVERRIDES
        ]
        component = _component(COMPONENT, content, self.line_end)
        original = self.moment("RECURRENCE-ID", self._id_of(occurrence))
        uid = component.first("UID")
        if uid is not None:
            component.replace([uid], [uid, original])
        else:
            component.add(original)
        shall = in_series(self.event, occurrence)
        component.add(self.moment("DTSTART", shall.start))
        component.add(self.moment("DTEND", shall.end))
        for name in occurrence.values:
            if name in _PER_OCCURRENCE and name not in ("start", "end"):
                self.write(component, name, shall)
        self.touch(component, bump=False)
        last = [each for each in self.stored.calendar.components if each.name == COMPONENT][-1]
        self.stored.calendar.insert_after(last, component)
        self.stored.overrides[key] = component

    def _remove_override(self, key: str) -> None:
        component = self.stored.overrides.pop(key, None)
        if component is not None:
            self.stored.calendar.remove(component)

    def _add_exdate(self, occurrence: Occurrence) -> None:
        old = self.stored.master.all("EXDATE")
        new_line = self.moment("EXDATE", self._id_of(occurrence))
        self.stored.master.replace(old, [*old, new_line])

    def _remove_exdate(self, key: str) -> None:
        for each in self.stored.master.all("EXDATE"):
            moments = moments_of([each], self.stored.zone_of)
            kept = [
                text
                for text, moment in moments
                if moment_key(self.stored.name_of(like(moment, self.stored.start))) != key
            ]
            if len(kept) < len(moments):
                value = ",".join(kept)
                self.stored.master.replace([each], [self.line("EXDATE", value, each.parameters)] if kept else ())

    def remove_series(self) -> None:
        """Leave one event where a series was."""
        for key in list(self.stored.overrides):
            self._remove_override(key)
        self.stored.master.put("EXDATE", ())

    # Stamps ------------------------------------------------------------------------------------------------------

    def touch(self, component: Component, bump: bool) -> None:
        """Say that a VEVENT was changed now; ``bump`` its SEQUENCE where a change of times asks for it.

        The SEQUENCE of an event with attendees is its organizer's to count (RFC 5545 section 3.8.7.4).
        """
        stamp = stamp_text(self.now)
        for name in ("DTSTAMP", "LAST-MODIFIED"):
            old = component.first(name)
            if old is None or old.value != stamp:
                component.put(name, [self.line(name, stamp)])
        sequence = component.first("SEQUENCE")
        if bump and sequence is not None and sequence.value.strip().isdecimal():
            number = min(int(sequence.value.strip()[:9]) + 1, 2**31 - 1)
            component.put("SEQUENCE", [self.line("SEQUENCE", str(number))])


_WRITERS: Mapping[str, Callable[[_Writer, Component, Event], None]] = {
    "title": _Writer.write_title,
    "start": _Writer.write_start,
    "end": _Writer.write_end,
    "recurrence": _Writer.write_recurrence,
    "location": _Writer.write_location,
    "description": _Writer.write_description,
    "html": _Writer.write_html,
    "cancelled": _Writer.write_cancelled,
    "importance": _Writer.write_importance,
    "url": _Writer.write_url,
    "meeting_link": _Writer.write_meeting_link,
    "categories": _Writer.write_categories,
    "busy": _Writer.write_busy,
    "privacy": _Writer.write_privacy,
    "organizer": _Writer.write_organizer,
    "attendees": _Writer.write_attendees,
    "reminder": _Writer.write_reminder,
}
_PER_OCCURRENCE = ("start", "end", "title", "location", "description", "html", "reminder", "busy", "cancelled")


def _component(name: str, content: Iterable[Line | Component], line_end: bytes = b"\r\n") -> Component:
    begin, end = constant_line("BEGIN", name, line_end), constant_line("END", name, line_end)
    return Component(name, begin, end, list(content))


def _copy(each: Line | Component) -> Line | Component:
    """Lines are never changed in place and can be shared; components are, so they are copied."""
    if isinstance(each, Line):
        return each
    return Component(each.name, each.begin, each.end, [_copy(inner) for inner in each.content])


@lru_cache(maxsize=1024)
def _parsed_definition(zone: str, since: int, line_end: bytes) -> Component:
    text = vtimezone(zone, since).replace(b"\r\n", line_end)
    return parsing.parse(text, "VTIMEZONE", parsing.CALENDAR_BYTES).root


def _definition(zone: str, since: int, line_end: bytes) -> Component:
    return _parsed_definition(zone, min(since, rules_start(zone)), line_end)


def _mailto(person: Person | Attendee) -> str:
    return "mailto:" + person.address.removeprefix("mailto:")


def _person(person: Person | Attendee) -> Parameters:
    # CLIENT: whoever writes this sends no invitations, and the server shall not do so either (RFC 6638 section 7.1).
    name: Parameters = (("CN", person.name),) if person.name else ()
    return (*name, ("SCHEDULE-AGENT", "CLIENT"))


def _guest(guest: Attendee) -> Parameters:
    kind: Parameters = (("CUTYPE", "RESOURCE"),) if guest.role == "resource" else ()
    answer = ANSWERS.get(guest.answer, "NEEDS-ACTION")
    return (*kind, ("ROLE", ROLES.get(guest.role, "REQ-PARTICIPANT")), ("PARTSTAT", answer), *_person(guest))


def _answered(stored: Line, guest: Attendee) -> Parameters:
    """The parameters of a stored attendee with what we know of him, all others as they are."""
    known = dict(_guest(guest))
    kept = tuple((name, value) for name, value in stored.parameters if name not in known)
    if guest.role != "resource":
        kept = tuple(each for each in kept if each[0] != "CUTYPE" or each[1].upper() not in ("RESOURCE", "ROOM"))
    return (*kept, *known.items())
