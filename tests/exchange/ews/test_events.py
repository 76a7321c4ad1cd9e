"""Events as Exchange sends them, and what is written for a change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from syncapp.exchange.ews.event_projection import project_event
from syncapp.exchange.ews.event_writing import check_event, event_changes, new_event, occurrence_changes
from syncapp.exchange.ews.events import read_event
from syncapp.exchange.ews.markup import Markup
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.xml import local, text
from syncapp.items.event import Event, Occurrence
from syncapp.items.values import (
    Attendee,
    Busy,
    Frequency,
    Person,
    Privacy,
    Recurrence,
    Weekday,
    ZonedTime,
)
from syncapp.side import Refused, Unreadable
from tests.exchange.ews import samples, wire

HOME = "Europe/Berlin"


def berlin(*when: int) -> ZonedTime:
    return ZonedTime(datetime(*when), HOME)  # type: ignore[arg-type]


def read(content: str, zones: str = samples.BERLIN, home: str = HOME) -> Event:
    return read_event(Native(samples.calendar_item(content, zones)), home)


def days(start: str, end: str, zones: str, home: str) -> tuple[object, object]:
    event = read(f"<t:Start>{start}</t:Start><t:End>{end}</t:End><t:IsAllDayEvent>true</t:IsAllDayEvent>", zones, home)
    return event.start, event.end


def zone(id: str) -> str:
    return f'<t:StartTimeZone Id="{id}"/><t:EndTimeZone Id="{id}"/>'


def paths(changes: list[Markup]) -> list[str]:
    return [f"{local(each)} {each[0].get('FieldURI', '')}" for each in map(wire.element, changes)]


def test_a_meeting_is_read_with_its_people() -> None:
    event = read(samples.MEETING)
    assert event == Event(
        start=berlin(2026, 3, 10, 9),
        end=berlin(2026, 3, 10, 10, 30),
        uid="040000008200E00074C5B7101A82E00800000000A0BC1E4D0C5BDC0100000000000000001000000063D2A5",
        title="Quarterly review",
        location="Room 3",
        # The vertical tab that somebody pasted is no character that XML has.
        description="Agenda\r\n\r\n1. Numbers",
        reminder=0,
        categories=("Work", "Red Category"),
        busy=Busy.OUT_OF_OFFICE,
        privacy=Privacy.PRIVATE,
        organizer=Person("bob@lab.example", "Bob Bell"),
        attendees=(
            Attendee("ada@lab.example", "Ada", "required", "accepted"),
            Attendee("eve@lab.example", "", "optional", "none"),
        ),
    )


def test_an_event_of_ones_own_has_no_organizer() -> None:
    event = read(samples.MEETING.replace("<t:IsMeeting>true", "<t:IsMeeting>false"))
    assert event.organizer is None
    assert event.attendees == ()


def test_a_series_is_read_with_what_differs_in_its_exceptions() -> None:
    native = Native(samples.calendar_item(samples.SERIES), (samples.calendar_item(samples.OCCURRENCE),))
    event = read_event(native, HOME)
    assert event.recurrence == Recurrence(Frequency.WEEKLY, weekdays=(Weekday("MO"),), until=berlin(2026, 11, 30, 9))
    moved, deleted = event.exceptions
    assert moved == Occurrence(
        berlin(2026, 10, 12, 9),
        values={
            "title": "Jour fixe (moved)",
            "start": berlin(2026, 10, 12, 11),
            "end": berlin(2026, 10, 12, 12),
        },
    )
    # After the change of clocks 8:00 UTC is 9:00 on the wall, as before.
    assert deleted == Occurrence(berlin(2026, 11, 2, 9), deleted=True)


def test_an_occurrence_is_known_by_its_day() -> None:
    """As a server names it that gives the original start in the list of the series only, and at midnight."""
    listed = samples.SERIES.replace("<t:OriginalStart>2026-10-12T07:00:00Z", "<t:OriginalStart>2026-10-11T22:00:00Z")
    listed = listed.replace("<t:Start>2026-11-02T08:00:00Z", "<t:Start>2026-11-01T23:00:00.000000Z")
    part = samples.OCCURRENCE.replace("<t:OriginalStart>2026-10-12T07:00:00Z</t:OriginalStart>", "")
    occurrence = samples.calendar_item(part)
    occurrence[0].set("Id", "AAMkOcc=")
    moved, deleted = read_event(Native(samples.calendar_item(listed), (occurrence,)), HOME).exceptions
    assert (moved.original, moved.deleted) == (berlin(2026, 10, 12, 9), False)
    assert moved.values["start"] == berlin(2026, 10, 12, 11)
    assert (deleted.original, deleted.deleted) == (berlin(2026, 11, 2, 9), True)


def test_an_occurrence_is_known_where_a_server_counts_without_the_change_of_clocks() -> None:
    """The series begins in summer time, the occurrence lies in winter time, and is named by the midnight that summer
    time would give."""
    listed = samples.SERIES.replace("<t:OriginalStart>2026-10-12T07:00:00Z", "<t:OriginalStart>2026-11-08T22:00:00Z")
    listed = listed.replace("<t:Start>2026-11-02T08:00:00Z", "<t:Start>2026-11-02T07:00:00Z")
    part = samples.OCCURRENCE.replace("<t:OriginalStart>2026-10-12T07:00:00Z</t:OriginalStart>", "")
    part = part.replace("2026-10-12T09:00", "2026-11-09T10:00").replace("2026-10-12T10:00", "2026-11-09T11:00")
    occurrence = samples.calendar_item(part)
    occurrence[0].set("Id", "AAMkOcc=")
    deleted, moved = read_event(Native(samples.calendar_item(listed), (occurrence,)), HOME).exceptions
    assert (deleted.original, deleted.deleted) == (berlin(2026, 11, 2, 9), True)
    assert (moved.original, moved.deleted) == (berlin(2026, 11, 9, 9), False)
    assert moved.values["start"] == berlin(2026, 11, 9, 11)


@pytest.mark.parametrize(("names_original", "description"), [(True, ""), (False, "As always")])
def test_an_occurrence_without_a_text_of_its_own(names_original: bool, description: str) -> None:
    """Exchange gives every occurrence its text; gromox gives a changed one none unless it was written."""
    listed = samples.SERIES.replace('<t:Body BodyType="Text"/>', '<t:Body BodyType="Text">As always</t:Body>')
    part = samples.OCCURRENCE
    if not names_original:
        part = part.replace("<t:OriginalStart>2026-10-12T07:00:00Z</t:OriginalStart>", "")
    occurrence = samples.calendar_item(part)
    occurrence[0].set("Id", "AAMkOcc=")
    moved, _ = read_event(Native(samples.calendar_item(listed), (occurrence,)), HOME).exceptions
    assert moved.values.get("description", "As always") == description


def test_an_exception_that_differs_in_nothing_is_none() -> None:
    occurrence = samples.OCCURRENCE.replace(" (moved)", "").replace("T09:00", "T07:00").replace("T10:00", "T07:45")
    native = Native(samples.calendar_item(samples.SERIES), (samples.calendar_item(occurrence),))
    assert [each.deleted for each in read_event(native, HOME).exceptions] == [True]


@pytest.mark.parametrize(
    ("start", "end", "zones", "home"),
    [
        ("2026-06-01T22:00:00Z", "2026-06-04T22:00:00Z", zone("W. Europe Standard Time"), "UTC"),
        ("2026-06-02T00:00:00Z", "2026-06-05T00:00:00Z", zone("UTC"), "Europe/Berlin"),
        ("2026-06-02T04:00:00Z", "2026-06-05T04:00:00Z", zone("Eastern Standard Time"), "Europe/Berlin"),
        ("2026-06-01T12:00:00Z", "2026-06-04T12:00:00Z", zone("New Zealand Standard Time"), "UTC"),
        ("2026-06-01T22:00:00Z", "2026-06-04T22:00:00Z", zone("Customized Time Zone"), "Europe/Berlin"),
        ("2026-06-02T00:00:00+02:00", "2026-06-05T00:00:00+02:00", "", "Europe/Berlin"),
        # Written in Berlin, shown with the zone of somebody in London: the nearest midnight is meant.
        ("2026-06-01T22:00:00Z", "2026-06-04T22:00:00Z", zone("GMT Standard Time"), "UTC"),
    ],
)
def test_days_stay_the_same_days_in_every_zone(start: str, end: str, zones: str, home: str) -> None:
    assert days(start, end, zones, home) == (date(2026, 6, 2), date(2026, 6, 5))


def test_a_single_event_in_an_unknown_zone_keeps_its_instant() -> None:
    event = read(samples.MEETING, zone("Customized Time Zone"))
    assert event.start == ZonedTime(datetime(2026, 3, 10, 8), "UTC")


def rules(month: int, bias: str = "-PT1H") -> str:
    """A zone of its own making with the rules of Berlin, its summer beginning in ``month``."""
    change = "<t:RecurringDayTransition><t:To Kind='Period'>{0}</t:To><t:TimeOffset>{1}</t:TimeOffset>"
    change += "<t:Month>{2}</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence>"
    change += "</t:RecurringDayTransition>"
    return f"""<t:StartTimeZone Id="Customized Time Zone">
      <t:Periods><t:Period Bias="{bias}" Name="Standard" Id="std"/><t:Period Bias="-PT2H" Name="Daylight" Id="dst"/>
      </t:Periods>
      <t:TransitionsGroups><t:TransitionsGroup Id="0">
        {change.format("dst", "PT2H", month)}{change.format("std", "PT3H", 10)}
      </t:TransitionsGroup></t:TransitionsGroups></t:StartTimeZone>"""


def test_a_zone_without_a_name_is_known_by_its_rules() -> None:
    event = read(samples.SERIES, rules(3))
    assert event.start == berlin(2026, 10, 5, 9)


def test_a_series_in_a_zone_of_nobody_goes_by_its_rules() -> None:
    event = read(samples.SERIES, rules(4))
    assert event.start == ZonedTime(datetime(2026, 10, 5, 9), "<+0100>-1<+0200>-2,M4.5.0/2,M10.5.0/3")


def test_rules_that_can_not_be_read_are_not_guessed() -> None:
    with pytest.raises(Unreadable, match="time zone"):
        read(samples.SERIES, rules(3, "odd"))


def test_a_series_in_an_unknown_zone_is_reported_not_guessed() -> None:
    with pytest.raises(Unreadable, match="time zone"):
        read(samples.SERIES, zone("Customized Time Zone"))


@pytest.mark.parametrize(
    ("broken", "by"),
    [("2026-03-10T08:00:00.0000000Z", ""), ("2026-03-10T08:00:00.0000000Z", "soon")],
)
def test_a_broken_event_is_unreadable(broken: str, by: str) -> None:
    with pytest.raises(Unreadable):
        read(samples.MEETING.replace(broken, by))


def test_a_second_reading_of_the_same_hour_keeps_its_instant() -> None:
    content = samples.MEETING.replace("2026-03-10T08:00:00.0000000Z", "2026-10-25T01:30:00Z")
    event = read(content.replace("2026-03-10T09:30:00+00:00", "2026-10-25T02:00:00Z"))
    assert isinstance(event.start, ZonedTime)
    assert event.start.instant.isoformat() == "2026-10-25T01:30:00+00:00"


def test_the_whole_is_the_content_not_the_versions() -> None:
    one = Native(samples.calendar_item(samples.MEETING))
    other = samples.calendar_item(samples.MEETING)
    other[0].set("ChangeKey", "another")
    other[1].set("Id", "another folder")
    assert Native(other).whole() == one.whole()
    assert Native(samples.calendar_item(samples.MEETING.replace("Normal", "High"))).whole() != one.whole()


# Writing ---------------------------------------------------------------------------------------------------------

SINGLE = Event(berlin(2026, 3, 10, 9), berlin(2026, 3, 10, 10), title="Budget", location="Room 3", reminder=15)


def test_only_what_changed_is_set() -> None:
    after = replace(SINGLE, title="New", reminder=None)
    assert paths(event_changes(SINGLE, after, {"title", "reminder"}, HOME)) == [
        "SetItemField item:Subject",
        "SetItemField item:ReminderIsSet",
    ]


def test_times_zones_and_pattern_go_together() -> None:
    rule = Recurrence(Frequency.DAILY, count=3)
    before = replace(SINGLE, recurrence=rule)
    moved = replace(before, end=berlin(2026, 3, 10, 11))
    assert paths(event_changes(before, moved, {"end"}, HOME)) == [
        "SetItemField calendar:Start",
        "SetItemField calendar:End",
        "SetItemField calendar:IsAllDayEvent",
        "SetItemField calendar:StartTimeZone",
        "SetItemField calendar:EndTimeZone",
        "SetItemField calendar:Recurrence",
    ]
    single = event_changes(before, SINGLE, {"recurrence"}, HOME)
    assert paths(single)[-1] == "DeleteItemField calendar:Recurrence"


def test_the_times_of_an_occurrence_go_along_with_its_title() -> None:
    """A server that counts without the change of clocks would else move it by an hour."""
    series = Event(
        berlin(2026, 10, 5, 9),
        berlin(2026, 10, 5, 10),
        recurrence=Recurrence(Frequency.WEEKLY, weekdays=(Weekday("MO"),)),
    )
    changes = occurrence_changes({"title": "Guests"}, berlin(2026, 11, 9, 9), series, {"title"}, HOME)
    assert [each[1][0].text for each in map(wire.element, changes)] == [
        "2026-11-09T08:00:00Z",
        "2026-11-09T09:00:00Z",
        "Guests",
    ]
    assert occurrence_changes({}, berlin(2026, 11, 9, 9), series, set(), HOME) == []


def test_people_are_never_written() -> None:
    invited = replace(SINGLE, organizer=Person("bob@lab.example"), attendees=(Attendee("eve@lab.example"),))
    assert "lab.example" not in new_event(invited, "uid", "own.1", HOME)
    assert event_changes(SINGLE, invited, {"organizer", "attendees"}, HOME) == []
    assert project_event(invited, HOME).attendees == ()


def test_an_all_day_event_begins_at_midnight_where_people_are() -> None:
    item = wire.element(new_event(Event(date(2026, 6, 2), date(2026, 6, 3), title="Fair"), "uid", "own.1", HOME))
    assert (text(item, "Start"), text(item, "End")) == ("2026-06-01T22:00:00Z", "2026-06-02T22:00:00Z")
    assert text(item, "IsAllDayEvent") == "true"


def test_long_lines_are_cut_where_exchange_cuts() -> None:
    projected = project_event(replace(SINGLE, title="x" * 300, location="y" * 300), HOME)
    assert (len(projected.title), len(projected.location)) == (255, 255)


def test_a_floating_time_is_one_where_people_are() -> None:
    floating = replace(
        SINGLE, start=ZonedTime(datetime(2026, 3, 10, 9), ""), end=ZonedTime(datetime(2026, 3, 10, 10), "")
    )
    assert project_event(floating, HOME) == SINGLE


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Recurrence(Frequency.HOURLY), "more than one time a day"),
        (Recurrence(Frequency.DAILY, dates=(berlin(2026, 4, 1, 9),)), "single extra dates"),
        (Recurrence(Frequency.DAILY, others=(("BYHOUR", "9,17"),)), "BYHOUR"),
        (Recurrence(Frequency.DAILY, count=1000), "more than 999"),
        (Recurrence(Frequency.DAILY, interval=1000), "an interval of 1000"),
        (Recurrence(Frequency.MONTHLY, month_days=(31,)), "leaving out the months"),
        (Recurrence(Frequency.MONTHLY, month_days=(10, 20)), "several days"),
        (Recurrence(Frequency.MONTHLY, weekdays=(Weekday("TU", 5),)), "fifth"),
        (Recurrence(Frequency.YEARLY, weekdays=(Weekday("TU", 10),)), "whole year"),
        (Recurrence(Frequency.WEEKLY, weekdays=(Weekday("FR"),)), "first date is not part"),
    ],
)
def test_a_pattern_that_exchange_lacks_is_refused_with_the_reason(rule: Recurrence, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check_event(replace(SINGLE, recurrence=rule), HOME)


@pytest.mark.parametrize(
    "event",
    [
        replace(SINGLE, end=berlin(2026, 3, 10, 8)),
        replace(SINGLE, end=date(2026, 3, 11)),
        replace(SINGLE, end=berlin(2036, 3, 10, 8)),
        replace(SINGLE, start=berlin(1500, 1, 1, 9), end=berlin(1500, 1, 1, 10)),
        Event(date(9999, 12, 31), date(9999, 12, 31)),
        replace(SINGLE, recurrence=Recurrence(Frequency.DAILY, until=berlin(2026, 3, 9, 9))),
        replace(
            SINGLE,
            start=ZonedTime(datetime(2026, 3, 10, 9), "Antarctica/Troll"),
            end=ZonedTime(datetime(2026, 3, 10, 10), "Antarctica/Troll"),
            recurrence=Recurrence(Frequency.DAILY),
        ),
        replace(
            SINGLE,
            recurrence=Recurrence(Frequency.DAILY, count=1),
            exceptions=(Occurrence(berlin(2026, 3, 10, 9), deleted=True),),
        ),
    ],
)
def test_what_exchange_would_refuse_is_refused_before(event: Event) -> None:
    with pytest.raises(Refused):
        check_event(event, HOME)
    # The engine creates what it was told that Exchange would hold.
    with pytest.raises(Refused):
        new_event(project_event(event, HOME), "uid", "own.1", HOME)


def test_a_floating_series_ends_by_the_clock_of_where_people_are() -> None:
    start, end = (ZonedTime(datetime(2026, 3, 10, hour), "") for hour in (9, 10))
    before_first = Recurrence(Frequency.DAILY, until=ZonedTime(datetime(2026, 3, 10, 7), "UTC"))
    with pytest.raises(Refused, match="before its first date"):
        check_event(replace(SINGLE, start=start, end=end, recurrence=before_first), HOME)
    check_event(
        replace(SINGLE, start=start, end=end, recurrence=replace(before_first, until=berlin(2026, 3, 10, 9))), HOME
    )


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        # Exchange says "every working day" as a weekly pattern.
        (
            Recurrence(Frequency.DAILY, weekdays=tuple(map(Weekday, ("MO", "TU", "WE", "TH", "FR")))),
            Recurrence(Frequency.WEEKLY, weekdays=tuple(map(Weekday, ("MO", "TU", "WE", "TH", "FR")))),
        ),
        # It has no "every second year".
        (Recurrence(Frequency.YEARLY, interval=2), Recurrence(Frequency.MONTHLY, interval=24, month_days=(10,))),
        (
            Recurrence(Frequency.MONTHLY, weekdays=(Weekday("TU"),), positions=(2,)),
            Recurrence(Frequency.MONTHLY, weekdays=(Weekday("TU", 2),)),
        ),
    ],
)
def test_a_pattern_is_brought_into_exchanges_words(rule: Recurrence, held: Recurrence) -> None:
    assert project_event(replace(SINGLE, recurrence=rule), HOME).recurrence == held


def test_the_end_of_a_series_is_its_last_date_in_its_own_zone() -> None:
    # 23:30 UTC on the 13th is already the 14th in Berlin, but before nine in the morning.
    rule = Recurrence(Frequency.DAILY, until=ZonedTime(datetime(2026, 3, 13, 23, 30), "UTC"))
    held = project_event(replace(SINGLE, recurrence=rule), HOME).recurrence
    assert held is not None
    assert held.until == berlin(2026, 3, 13, 9)


def test_exceptions_of_dates_that_the_series_lacks_are_dropped() -> None:
    series = replace(
        SINGLE,
        recurrence=Recurrence(Frequency.DAILY, count=3),
        exceptions=(
            Occurrence(berlin(2026, 3, 11, 9), values={"title": "Other", "location": "Room 3"}),
            Occurrence(berlin(2026, 3, 12, 10), deleted=True),
            Occurrence(berlin(2026, 3, 20, 9), deleted=True),
        ),
    )
    assert project_event(series, HOME).exceptions == (Occurrence(berlin(2026, 3, 11, 9), values={"title": "Other"}),)
