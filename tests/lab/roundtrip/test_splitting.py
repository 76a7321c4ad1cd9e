"""Files of iCalendar become the objects that Nextcloud would have of them."""

from __future__ import annotations

import pytest

from lab.roundtrip.calendar_text import split_calendar
from lab.roundtrip.kinds import NotReadable

ZONE = "BEGIN:VTIMEZONE\r\nTZID:{}\r\nEND:VTIMEZONE\r\n"


def event(uid: str, *more: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", *more, "END:VEVENT", ""])


def calendar(*parts: str) -> bytes:
    return ("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n" + "".join(parts) + "END:VCALENDAR\r\n").encode()


def test_each_uid_is_an_object_with_its_exceptions_and_without_method() -> None:
    one, other = split_calendar(calendar(event("a"), event("b"), event("a", "RECURRENCE-ID:20260105T090000Z")))
    assert one.count(b"BEGIN:VEVENT") == 2
    assert b"UID:b" in other
    assert b"METHOD" not in one + other


def test_only_the_zones_that_are_named_go_along() -> None:
    [one] = split_calendar(
        calendar(ZONE.format("Here"), ZONE.format("There"), event("a", 'DTSTART;TZID="Here":20260105T090000'))
    )
    assert b"TZID:Here" in one
    assert b"TZID:There" not in one


def test_a_second_event_with_the_same_uid_stands_for_itself() -> None:
    assert len(split_calendar(calendar(event("a"), event("a")))) == 2


def test_events_without_a_calendar_around_them_are_taken() -> None:
    [one] = split_calendar(event("a").encode())
    assert one.startswith(b"BEGIN:VCALENDAR")


def test_tasks_are_passed_over() -> None:
    assert split_calendar(calendar("BEGIN:VTODO\r\nUID:a\r\nEND:VTODO\r\n")) == []


@pytest.mark.parametrize(
    "broken", [b"", b"hello", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n"]
)
def test_a_broken_file_says_what_is_wrong(broken: bytes) -> None:
    with pytest.raises(NotReadable, match=r"\.$"):
        split_calendar(broken)
