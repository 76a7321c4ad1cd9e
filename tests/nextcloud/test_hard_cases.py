"""Calendar objects that are hard to read, as people's programs have written them, and what is left when they change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from syncapp.items.event import Event, Occurrence
from syncapp.items.values import Importance, ZonedTime
from syncapp.side import Unreadable
from tests.nextcloud import strategies
from tests.nextcloud.test_events import END, START, berlin, calendar, patched, read, written


def expanded(data: bytes) -> list[tuple[datetime, datetime]]:
    """When another program shows an object, in 2026 and 2027."""
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(data)).between((2026, 1, 1), (2028, 1, 1))
    return sorted((each["DTSTART"].dt, each["DTEND"].dt) for each in found)


OTHER_WORDS = [
    ("RDATE;TZID=Europe/Berlin:20260201T090000,20260301T110000",),
    ("RDATE;VALUE=PERIOD:20260201T080000Z/PT3H,20260205T120000Z/20260205T130000Z",),
    ("RRULE:FREQ=MONTHLY;BYMONTHDAY=5,20;COUNT=8",),
    ("RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO;COUNT=8",),
    ("RRULE:FREQ=WEEKLY;BYDAY=WE",),
    ("RRULE:FREQ=DAILY;BYHOUR=9;COUNT=5", "EXDATE:20260107T080000Z"),
    ("RRULE:FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=5",),
    ("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4", "RDATE;TZID=Europe/Berlin:20260107T090000", "EXDATE;VALUE=DATE:20260112"),
]


@pytest.mark.parametrize("lines", OTHER_WORDS)
def test_a_series_in_other_words_happens_when_it_did(lines: tuple[str, ...]) -> None:
    data = calendar(START, END, *lines)
    event = read(data)
    assert expanded(written(event)) == expanded(data)


@pytest.mark.parametrize("lines", OTHER_WORDS)
def test_a_new_time_for_such_a_series_is_the_only_change(lines: tuple[str, ...]) -> None:
    data = calendar(START, END, "X-MINE:kept", *lines)
    event = read(data)
    after = replace(event, title="New", end=ZonedTime(event.end.wall + timedelta(hours=1), "Europe/Berlin"))  # type: ignore[union-attr]
    again = patched(data, after)
    assert b"X-MINE:kept\r\n" in again
    assert expanded(again) == expanded(written(after))


def test_an_extra_date_that_is_changed_in_exchange_keeps_its_name_in_nextcloud() -> None:
    data = calendar(START, END, "RDATE;TZID=Europe/Berlin:20260201T110000")
    event = read(data)
    [occurrence] = [each for each in event.exceptions if not each.deleted]
    assert occurrence.values["start"] == berlin(2026, 2, 1, 11)
    named = replace(occurrence, values={**occurrence.values, "title": "Changed"})
    again = patched(data, replace(event, exceptions=(*[each for each in event.exceptions if each.deleted], named)))
    assert b"RECURRENCE-ID;TZID=Europe/Berlin:20260201T110000\r\n" in again
    assert expanded(again) == expanded(data)
    assert read(again).exceptions[-1].values["title"] == "Changed"


def test_an_extra_date_that_is_deleted_in_exchange_is_gone() -> None:
    data = calendar(START, END, "RDATE;TZID=Europe/Berlin:20260201T110000")
    event = read(data)
    gone = tuple(Occurrence(each.original, deleted=True) for each in event.exceptions)
    assert len(expanded(patched(data, replace(event, exceptions=gone)))) == 1


def test_occurrences_without_their_series_are_a_series_of_just_these() -> None:
    first = (START, END, "RECURRENCE-ID:20260105T080000Z", "SUMMARY:One")
    second = ("DTSTART:20260114T100000Z", "DTEND:20260114T110000Z", "RECURRENCE-ID:20260112T080000Z", "SUMMARY:Two")
    data = calendar(*first, "--", *second)
    event = read(data)
    assert expanded(written(event)) == expanded(data)
    assert {str(each["SUMMARY"]) for each in icalendar.Calendar.from_ical(written(event)).walk("VEVENT")} >= {
        "One",
        "Two",
    }
    assert read(patched(data, replace(event, location="Room"))).location == "Room"


def test_a_change_of_all_that_follow_changes_each_of_them() -> None:
    data = calendar(
        START, END, "RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20260109T080000Z",
        "--", "DTSTART:20260107T100000Z", "DTEND:20260107T113000Z",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260107T080000Z",
    )  # fmt: skip
    event = read(data)
    starts = [each.values["start"] for each in event.exceptions if not each.deleted]
    assert [each.instant for each in starts] == [berlin(2026, 1, day, 11).instant for day in (7, 8)]
    assert expanded(written(event)) == expanded(data)


def test_a_change_of_all_that_follow_for_ever_is_not_guessed() -> None:
    data = calendar(START, END, "RRULE:FREQ=DAILY", "--", START, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260107T080000Z")
    with pytest.raises(Unreadable, match="without any end"):
        read(data)


@pytest.mark.parametrize("end", ["DTEND;TZID=Europe/Berlin:20260105T080000", "DURATION:-PT1H"])
def test_an_event_that_ends_before_it_begins_is_turned_round(end: str) -> None:
    data = calendar(START, end)
    event = read(data)
    assert (event.start, event.end) == (berlin(2026, 1, 5, 8), berlin(2026, 1, 5, 9))
    later = replace(event, end=berlin(2026, 1, 5, 10))
    assert (read(patched(data, later)).start, read(patched(data, later)).end) == (later.start, later.end)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (
            "DTSTART;TZID=Europe/Berlin:20260105T090000",
            "DTEND:20260105T100000",
            (berlin(2026, 1, 5, 9), berlin(2026, 1, 5, 10)),
        ),
        ("DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260105", (date(2026, 1, 5), date(2026, 1, 6))),
        ("DTSTART;VALUE=DATE:20260105", "DURATION:P2D", (date(2026, 1, 5), date(2026, 1, 7))),
        ("DTSTART;TZID=Europe/Berlin:20260105T090000", "X-NOTHING:1", (berlin(2026, 1, 5, 9), berlin(2026, 1, 5, 9))),
    ],
)
def test_ends_are_found_however_they_are_told(start: str, end: str, expected: tuple[object, object]) -> None:
    event = read(calendar(start, end))
    assert (event.start, event.end) == expected


def test_a_date_that_is_taken_out_stays_out_whatever_else_is_said_of_it() -> None:
    data = calendar(
        START, END, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260106T080000Z",
        "--", START, END, "RECURRENCE-ID:20260106T080000Z", "SUMMARY:Ghost",
    )  # fmt: skip
    assert [each.deleted for each in read(data).exceptions] == [True]


# Texts -----------------------------------------------------------------------------------------------------------


def test_a_backslash_before_a_quotation_mark_is_one() -> None:
    assert read(calendar(START, END, r"SUMMARY:say \"hello\"\, twice\n")).title == 'say \\"hello\\", twice\n'


HTML = "X-ALT-DESC;FMTTYPE=text/html:<html><body><p><b>Bold</b> words</p></body></html>"


def test_formatting_counts_while_it_says_what_the_text_says() -> None:
    assert read(calendar(START, END, "DESCRIPTION:Bold words", HTML)).html.startswith("<html>")
    assert read(calendar(START, END, "DESCRIPTION:Other words", HTML)).html == ""
    assert read(calendar(START, END, HTML)).description == "Bold words"
    assert read(calendar(START, END, "DESCRIPTION:Plain", "X-ALT-DESC;FMTTYPE=text/html:<p>Plain</p>")).html == ""


def test_formatting_of_a_text_that_changed_is_taken_away() -> None:
    data = calendar(START, END, "DESCRIPTION:Bold words", HTML)
    again = patched(data, replace(read(data), description="New words", html=""))
    assert b"X-ALT-DESC" not in again
    assert b"DESCRIPTION:New words\r\n" in again


def test_formatting_is_kept_where_it_was() -> None:
    styled = HTML.replace("X-ALT-DESC", "STYLED-DESCRIPTION;VALUE=TEXT")
    data = calendar(START, END, "DESCRIPTION:Bold words", styled)
    again = patched(data, replace(read(data), description="Italic", html="<i>Italic</i>"))
    assert b"STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html:<i>Italic</i>\r\n" in again


@pytest.mark.parametrize(
    ("priority", "importance"),
    [
        ("1", Importance.HIGH),
        ("4", Importance.HIGH),
        ("5", Importance.NORMAL),
        ("0", Importance.NORMAL),
        ("9", Importance.LOW),
    ],
)
def test_a_priority_is_one_of_three(priority: str, importance: Importance) -> None:
    data = calendar(START, END, f"PRIORITY:{priority}")
    assert read(data).importance is importance
    assert f"PRIORITY:{priority}\r\n".encode() in patched(data, replace(read(data), title="x"))


def test_a_cancelled_event_is_one_and_can_be_held_after_all() -> None:
    data = calendar(START, END, "STATUS:CANCELLED")
    assert read(data).cancelled
    assert b"STATUS" not in patched(data, replace(read(data), cancelled=False))


# What Exchange has no place for ----------------------------------------------------------------------------------

UNKNOWN = (
    'X-CUSTOM;X-P="a;b":  value, with; odd\\characters',
    "ATTACH;FMTTYPE=application/pdf:https://files.example/a.pdf",
    "GEO:52.5163;13.3777",
    "RELATED-TO;RELTYPE=SIBLING:other@lab.example",
    "CONFERENCE;VALUE=URI;FEATURE=AUDIO:tel:+49-30-1",
    "COMMENT;LANGUAGE=de:Grüße",
    "RESOURCES:Beamer",
)
ALARMS = (
    "BEGIN:VALARM\r\nACTION:EMAIL\r\nATTENDEE:mailto:a@lab.example\r\nSUMMARY:s\r\nDESCRIPTION:d\r\nTRIGGER:-PT1H\r\nEND:VALARM",
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:later\r\nTRIGGER;RELATED=END:PT5M\r\nX-Y:1\r\nEND:VALARM",
)


@settings(deadline=None, max_examples=60)
@given(st.lists(strategies.events(), min_size=1, max_size=4), st.booleans())
def test_what_exchange_can_not_hold_survives_any_number_of_edits(edits: list[Event], series: bool) -> None:
    data = calendar(START, END, *(["RRULE:FREQ=DAILY;COUNT=9"] if series else []), *UNKNOWN, *ALARMS)
    for each in edits:
        data = patched(data, read(written(each)))
        for line in (*UNKNOWN, *ALARMS):
            assert f"\r\n{line}\r\n".encode() in data
