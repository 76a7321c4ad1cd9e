"""Reading events: an iCalendar object → a neutral event. Pure.

One object is one event: a master VEVENT and the VEVENTs that stand for changed occurrences (RFC 4791 section 4.1).
``event_writing`` has the other direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from syncapp.items.event import EVENT_FIELDS, Event, Occurrence
from syncapp.items.expansion import expanded
from syncapp.items.once import once
from syncapp.items.spelling import Spelling, spelling
from syncapp.items.values import (
    Frequency,
    Moment,
    Recurrence,
    ZonedTime,
    moment_key,
)
from syncapp.items.zone_rules import SERIES_YEARS
from syncapp.nextcloud import content_lines, parsing
from syncapp.nextcloud.calendar_values import (
    LINES,
    MAX_DATES,
    after,
    length,
    like,
    moment_of,
    moments_of,
    read_duration,
    read_moment,
    read_rule,
)
from syncapp.nextcloud.content_lines import Component, Line
from syncapp.nextcloud.event_parts import (
    MEETING_LINK,
    address_in,
    attendees_of,
    busy_of,
    categories_of,
    description_of,
    importance_of,
    organizer_of,
    privacy_of,
    reminder_of,
    text_of,
    word_of,
)
from syncapp.nextcloud.timezones import iana_zone, is_own, zone_of
from syncapp.side import Unreadable

COMPONENT = "VEVENT"
VOLATILE = frozenset({"DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE", "PRODID"})
"""Lines that programs touch by themselves: they say nothing about whether a person edited the event."""


class OtherKind(Unreadable):
    """The object is no event (a task, a journal): nothing of ours, and no problem."""


@dataclass
class EventObject:
    """A parsed iCalendar object with one event in it."""

    text: content_lines.Text
    uid: str
    master: Component
    overrides: dict[str, Component] = field(default_factory=dict)
    """Changed occurrences by the key of the start that they had."""
    originals: dict[str, Moment] = field(default_factory=dict)
    """These starts, in the form of the series' own start."""
    scattered: bool = False
    """Whether there are only changed occurrences, without the series; the master is the first of them."""
    lone: bool = False
    """Whether there is only one changed occurrence: for who was invited to nothing else it is a single event."""

    @property
    def calendar(self) -> Component:
        """The VCALENDAR."""
        return self.text.root

    @once
    def zones(self) -> Mapping[str, Component]:
        """The VTIMEZONEs by their TZID."""
        return {
            line.value.strip(): each
            for each in self.calendar.components
            if each.name == "VTIMEZONE" and (line := each.first("TZID")) is not None
        }

    def zone_of(self, tzid: str, at: datetime) -> str:
        """The IANA zone of a TZID used here, beside a wall time. Raises Unreadable."""
        return iana_zone(tzid) or zone_of(tzid.strip(), self.zones, at, SERIES_YEARS if self._repeats else 0)

    @once
    def _repeats(self) -> bool:
        return any(self.master.first(name) is not None for name in ("RRULE", "RDATE")) and not self.lone

    @once
    def event(self) -> Event:
        """The neutral event. Raises Unreadable."""
        event = self.single(self.master, self.uid, self.recurrence)
        if event.recurrence is None:
            return event
        self._check_zone()
        if (said := self.spelled) is not None:
            end = event.end if said.start == event.start else after(said.start, *length(event.start, event.end))
            event = replace(event, start=said.start, end=end, recurrence=said.rule)
        return replace(event, exceptions=self._exceptions(event))

    def _check_zone(self) -> None:
        """A series recurs in its own zone: in another one it would be wrong half of the year. Raises Unreadable."""
        line = self.master.first("DTSTART")
        tzid = line.parameter("TZID").strip() if line is not None else ""
        if (
            tzid
            and not iana_zone(tzid)
            and isinstance(self.start, ZonedTime)
            and is_own(tzid, self.zones, self.start.wall)
        ):
            raise Unreadable("A series is in a private time zone, whose clocks change as those of no known zone.")

    @once
    def spelled(self) -> Spelling | None:
        """How the series is said where its own words are not those that other calendars have."""
        return None if self.recurrence is None else spelling(self.recurrence, self.start)

    @once
    def _spelled_names(self) -> Mapping[Moment, date]:
        """The days by which the pattern knows the occurrences that begin at another moment."""
        moved = None if self.spelled is None else self.spelled.moved
        return {moment: day for day, moment in (moved or {}).items()}

    def name_of(self, moment: Moment) -> Moment:
        """What the pattern calls the occurrence that iCalendar knows by this moment."""
        moment = like(self._scattered.get(moment_key(moment), moment), self.start)
        day = self._spelled_names.get(moment)
        return moment if day is None else like(day, self.start)

    @once
    def moved(self) -> Mapping[str, Moment]:
        """The occurrences that begin at another moment than the pattern says, by key, each as the pattern has it."""
        names = [like(day, self.start) for day in self._spelled_names.values()]
        return {moment_key(each): each for each in names}

    def id_of(self, name: Moment) -> Moment:
        """The moment by which iCalendar knows an occurrence of the pattern."""
        moved = None if self.spelled is None else self.spelled.moved
        begins = (moved or {}).get(name.wall.date() if isinstance(name, ZonedTime) else name, name)
        return self._scattered_ids.get(moment_key(begins), begins)

    @once
    def _span(self) -> tuple[Moment, Moment]:
        return self._span_of(self.master)

    @property
    def is_reversed(self) -> bool:
        """Whether the event says that it ends before it begins."""
        line = self.master.first("DTSTART")
        return line is not None and moment_of(line, self.zone_of) != self._span[0]

    @once
    def start(self) -> Moment:
        """When the first occurrence begins."""
        return self._span[0]

    def start_of(self, component: Component) -> Moment:
        """When a VEVENT begins."""
        return self._span_of(component)[0]

    def _span_of(self, component: Component) -> tuple[Moment, Moment]:
        """Start and end; of two that stand the wrong way round the earlier one is the start."""
        line = component.first("DTSTART")
        if line is None:
            raise Unreadable("The event does not say when it begins.")
        start = moment_of(line, self.zone_of)
        end = self._end_of(component, start)
        if isinstance(start, ZonedTime) and isinstance(end, ZonedTime) and not (start.zone and end.zone):
            # One of two that has no zone of its own is meant in that of the other, or both stand as they are.
            end = ZonedTime(end.wall, start.zone)
        if sum(length(start, end), timedelta()) < timedelta():
            start, end = end, start
        if not isinstance(start, ZonedTime) and start == end:
            # A frequent slip: the last day where the day after it should stand.
            return start, start + timedelta(days=1)
        return start, end

    @once
    def recurrence(self) -> Recurrence | None:
        """The pattern of the series."""
        rules, more, without = (self.master.all(name) for name in ("RRULE", "RDATE", "EXRULE"))
        if self.scattered:
            others = [each for each in self._scattered.values() if each != self.start]
            return Recurrence(Frequency.DAILY, count=1, dates=tuple(like(each, self.start) for each in others))
        if self.lone or not (rules or more or without):
            return None
        dates = self._dates(more)
        further = tuple(
            (name, line.value.strip().upper())
            for name, lines in (("RRULE", rules[1:]), ("EXRULE", without))
            for line in lines
        )
        if rules:
            rule = read_rule(rules[0].value, self.start, self.zone_of)
            for name, value in further:
                if name in LINES:
                    read_rule(value, self.start, self.zone_of)
        elif dates or further:
            # A series without a rule: one occurrence, and the dates that are listed.
            rule = Recurrence(Frequency.DAILY, count=1)
        else:
            return None
        if not dates and not further:
            return rule
        same_form = tuple(like(each, self.start) for each in dates)
        return replace(rule, dates=same_form, others=tuple(sorted((*rule.others, *further))))

    def single(self, component: Component, uid: str = "", recurrence: Recurrence | None = None) -> Event:
        """One VEVENT as an event of its own, as if there were no other in the object."""
        return Event(
            **self.values(component),
            uid=uid,
            recurrence=recurrence,
            categories=categories_of(component),
            privacy=privacy_of(component),
            importance=importance_of(component),
            url=address_in(component, "URL"),
            meeting_link=address_in(component, MEETING_LINK),
            organizer=organizer_of(component),
            attendees=tuple([attendee for _, attendee in attendees_of(component)]),
        )

    def values(self, component: Component) -> dict[str, Any]:
        """The values that each occurrence of a series may have for itself, by field, as one VEVENT has them."""
        start, end = self._span if component is self.master else self._span_of(component)
        description, html = description_of(component)
        return {
            "title": text_of(component, "SUMMARY"),
            "start": start,
            "end": end,
            "location": text_of(component, "LOCATION"),
            "description": description,
            "html": html,
            "reminder": reminder_of(component, start)[1],
            "busy": busy_of(component),
            "cancelled": word_of(component, "STATUS") == "CANCELLED",
        }

    def _end_of(self, component: Component, start: Moment) -> Moment:
        """Where it says that it ends; what says nothing about it follows RFC 5545 section 3.6.1."""
        if (line := component.first("DTEND")) is not None:
            end = moment_of(line, self.zone_of)
        elif (line := component.first("DURATION")) is not None:
            end = after(start, *read_duration(line.value))
        else:
            end = start if isinstance(start, ZonedTime) else start + timedelta(days=1)
        if isinstance(start, ZonedTime) != isinstance(end, ZonedTime):
            raise Unreadable("An event begins on a day and ends at a time, or the other way round.")
        return end

    # Exceptions of a series --------------------------------------------------------------------------------------

    def _exceptions(self, event: Event) -> tuple[Occurrence, ...]:
        found = self._in_other_words(event)
        left_out = {key for key, each in found.items() if each.deleted}
        for _, each in moments_of(self.master.all("EXDATE"), self.zone_of):
            name = self.name_of(like(each, self.start))
            found[moment_key(name)] = Occurrence(name, deleted=True)
        found |= self._changed_from_here_on(event, found)
        excluded = {key for key, each in found.items() if each.deleted and key not in left_out}
        for key, component in self.overrides.items():
            if key in excluded:
                # Nextcloud's calendar shows no date that is named in an EXDATE, whatever else is said of it.
                continue
            original = self.originals[key]
            found[key] = Occurrence(original, values=own_values(self.values(component), event, original))
        if len(found) > MAX_DATES:
            raise Unreadable(f"The series has more than {MAX_DATES} exceptions.")
        return tuple(found[key] for key in sorted(found))

    def original_of(self, component: Component) -> Moment:
        """The start that a changed occurrence had, in the form of the series' own start."""
        return self.name_of(like(self.recurrence_id(component), self.start))

    def recurrence_id(self, component: Component) -> Moment:
        """The start that a changed occurrence had, as it is written."""
        line = component.first("RECURRENCE-ID")
        assert line is not None, "only asked for overrides"
        return moment_of(line, self.zone_of)

    @once
    def _scattered(self) -> Mapping[str, Moment]:
        """Of occurrences without a series: when each begins, by the key of the moment that it is known by."""
        if not self.scattered:
            return {}
        parts = [each for each in self.calendar.components if each.name == COMPONENT]
        return {moment_key(self.recurrence_id(each)): self._span_of(each)[0] for each in parts}

    @once
    def _scattered_ids(self) -> Mapping[str, Moment]:
        parts = [each for each in self.calendar.components if each.name == COMPONENT] if self.scattered else []
        return {moment_key(self._span_of(each)[0]): self.recurrence_id(each) for each in parts}

    def _dates(self, lines: Iterable[Line]) -> tuple[Moment, ...]:
        """The extra dates; an RDATE may be empty."""
        return tuple(moment for _, moment in moments_of(lines, self.zone_of))

    def _in_other_words(self, event: Event) -> dict[str, Occurrence]:
        """The exceptions by which a pattern says what the object says without any."""
        said, found = self.spelled, dict[str, Occurrence]()
        if said is not None:
            for day in said.left_out:
                name = like(day, event.start)
                found[moment_key(name)] = Occurrence(name, deleted=True)
            for day, moment in (said.moved or {}).items():
                name = like(day, event.start)
                values = {"start": moment, "end": after(moment, *length(event.start, event.end))}
                found[moment_key(name)] = Occurrence(name, values=own_values(values, event, name))
            for moment, end in self._ends.items():
                name, start = self.name_of(moment), moment
                values = own_values({"start": start, "end": end}, event, name)
                if values and not (moment_key(name) in found and found[moment_key(name)].deleted):
                    found[moment_key(name)] = Occurrence(name, values=values)
        return found

    @once
    def _ends(self) -> Mapping[Moment, Moment]:
        """The ends of extra dates that have their own (RDATE with VALUE=PERIOD)."""
        found: dict[Moment, Moment] = {}
        for line in self.master.all("RDATE"):
            for text, each in moments_of([line], self.zone_of):
                end = text.partition("/")[2].strip()
                if end:
                    if isinstance(self.start, ZonedTime) and not isinstance(each, ZonedTime):
                        raise Unreadable("An extra date of the series does not say at which time it begins.")
                    start = like(each, self.start)
                    is_length = end.lstrip("+-").upper().startswith("P")
                    found[start] = (
                        after(start, *read_duration(end))
                        if is_length
                        else like(read_moment(end, line.parameter("TZID"), self.zone_of), start)
                    )
        return found

    def _changed_from_here_on(self, event: Event, others: Mapping[str, Occurrence]) -> dict[str, Occurrence]:
        """Occurrences that follow one which was changed together with all that follow it (RANGE=THISANDFUTURE)."""
        found: dict[str, Occurrence] = {}
        ranged = [
            (self.originals[key], each)
            for key, each in self.overrides.items()
            if (line := each.first("RECURRENCE-ID")) is not None and line.parameter("RANGE").upper() == "THISANDFUTURE"
        ]
        for original, component in sorted(ranged, key=lambda each: moment_key(each[0])):
            values = self.values(component)
            if isinstance(values["start"], ZonedTime) is not isinstance(original, ZonedTime):
                raise Unreadable("One entry makes times of days for all dates that follow it.")
            moved, lasts = length(original, values["start"]), length(values["start"], values["end"])
            for name in self._names_behind(event, original):
                if moment_key(name) in others and others[moment_key(name)].deleted:
                    continue
                start = after(name, *moved)
                own = own_values({**values, "start": start, "end": after(start, *lasts)}, event, name)
                found[moment_key(name)] = Occurrence(name, values=own)
        return found

    def _names_behind(self, event: Event, original: Moment) -> list[Moment]:
        """The occurrences behind one, which must come to an end. Raises Unreadable."""
        rule = event.recurrence
        assert rule is not None
        if rule.count is None and rule.until is None:
            raise Unreadable("One entry changes an occurrence and all that follow it, without any end.")
        walls = list(
            islice(expanded(rule, event.start), MAX_DATES if rule.count is None else min(rule.count, MAX_DATES))
        )
        names = [like(wall.date(), event.start) for wall in walls]
        return [each for each in names if moment_key(each) > moment_key(original)]


_NORMAL = {each.name: each.normal for each in EVENT_FIELDS}


def same(name: str, one: object, other: object) -> bool:
    """Whether two values of a field would be called the same by a person."""
    return one == other or _NORMAL[name](one) == _NORMAL[name](other)


def own_values(values: Mapping[str, Any], series: Event, original: Moment) -> dict[str, Any]:
    """Those of an occurrence's values that it does not inherit.

    ``original`` is the start that it had, in the form of the series' own start. Raises Unreadable as ``in_series``.
    """
    inherited = {"start": original, "end": _end_in_series(series, original)}
    return {
        name: mine
        for name, mine in values.items()
        if not same(name, mine, inherited[name] if name in inherited else getattr(series, name))
    }


def in_series(event: Event, occurrence: Occurrence) -> Event:
    """An occurrence as an event of its own: what it inherits from ``event``, and what it has of its own.

    Raises Unreadable when the series has an impossible length.
    """
    start = occurrence.values.get("start") or like(occurrence.original, event.start)
    end = occurrence.values.get("end") or _end_in_series(event, like(occurrence.original, event.start))
    values = {name: value for name, value in occurrence.values.items() if name in _INHERITED}
    return replace(event, start=start, end=end, recurrence=None, exceptions=(), **values)


def _end_in_series(event: Event, start: Moment) -> Moment:
    """Where an occurrence ends that begins at ``start`` and is as long as the others."""
    if isinstance(start, ZonedTime) != isinstance(event.start, ZonedTime):
        return after(start, timedelta(days=0 if isinstance(start, ZonedTime) else 1), timedelta())
    end = after(start, *length(event.start, event.end))
    if isinstance(end, ZonedTime) and isinstance(event.end, ZonedTime) and end.zone and event.end.zone:
        return end.in_zone(event.end.zone)
    return end


_INHERITED = frozenset(each.name for each in EVENT_FIELDS if each.per_occurrence) - {"start", "end"}


def parse(data: bytes) -> EventObject:
    """Read an iCalendar object. Raises Unreadable, and its subclass OtherKind when there is no event in it."""
    text = parsing.parse(data, "VCALENDAR", parsing.CALENDAR_BYTES)
    events = [each for each in text.root.components if each.name == COMPONENT]
    if not events:
        raise OtherKind("The object holds no event.")
    uids = {line.value.strip() if (line := each.first("UID")) else "" for each in events}
    if len(uids) > 1:
        raise Unreadable("The object holds events with different UIDs.")
    masters = [each for each in events if each.first("RECURRENCE-ID") is None]
    if len(masters) > 1:
        raise Unreadable("The object holds more than one event.")
    if not masters and len(events) == 1:
        # Somebody was invited to one occurrence only: for them it is a single event.
        return EventObject(text, uids.pop(), events[0], lone=True)
    found = EventObject(text, uids.pop(), masters[0] if masters else events[0])
    if not masters:
        # To several of them: they are a series of just these dates.
        found.master = min(events, key=lambda each: moment_key(found.start_of(each)))
        found.scattered = True
    for each in events:
        if each is not found.master or found.scattered:
            original = found.original_of(each)
            key = moment_key(original)
            found.overrides[key], found.originals[key] = each, original
    return found


def whole(text: content_lines.Text) -> bytes:
    """The content that only people change."""
    return content_lines.whole(text.root, VOLATILE, "VTIMEZONE")
