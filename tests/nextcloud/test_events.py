"""Events: an iCalendar object and a neutral event say the same, and a patch touches nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import icalendar
import pytest
import recurring_ical_events
from hypothesis import assume, given
from hypothesis import strategies as st

from syncapp.items import Event
from syncapp.items.elements import Element
from syncapp.items.event import Occurrence
from syncapp.items.spelling import spelling
from syncapp.items.values import (
    Attendee,
    Busy,
    Frequency,
    Moment,
    Person,
    Privacy,
    Recurrence,
    Weekday,
    ZonedTime,
    moment_key,
)
from syncapp.nextcloud import event_writing, events
from syncapp.side import Refused, Unreadable
from tests.contract import samples
from tests.contract.suite import content
from tests.nextcloud import strategies

NOW = datetime(2026, 1, 2, 3, 4, 5)
UID = "5f3a@lab.example"


def written(event: Event) -> bytes:
    return bytes(event_writing.new(event, UID, NOW))


def by_icalendar(data: bytes) -> Any:
    """What another reader makes of an object; its types are wider than what it really gives."""
    return icalendar.Calendar.from_ical(data)


def read(data: bytes) -> Event:
    return events.parse(data).event


def whole(data: bytes) -> bytes:
    return events.whole(events.parse(data).text)


def differing(before: Event, after: Event) -> frozenset[Element]:
    old, new = content(before), content(after)
    return frozenset(path for path in {*old, *new} if old.get(path) != new.get(path))


def patched(data: bytes, after: Event) -> bytes:
    return bytes(event_writing.patch(data, after, differing(read(data), after), NOW))


def calendar(*lines: str, zones: str = "") -> bytes:
    """An object with one VEVENT of these lines; a line "--" begins another VEVENT."""
    body = "\r\n".join(lines).replace("--", f"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:{UID}")
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{zones}BEGIN:VEVENT\r\nUID:{UID}\r\n{body}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def berlin(*when: int) -> ZonedTime:
    return ZonedTime(datetime(*when), "Europe/Berlin")  # type: ignore[arg-type]  # year, month, day, hour, minute


START = "DTSTART;TZID=Europe/Berlin:20260105T090000"
END = "DTEND;TZID=Europe/Berlin:20260105T100000"
SERIES = (START, END, "RRULE:FREQ=DAILY;COUNT=10", "SUMMARY:Jour fixe", "LOCATION:Küche")


# Round trips -----------------------------------------------------------------------------------------------------


@strategies.few
@given(strategies.events())
def test_an_event_reads_as_it_was_written(event: Event) -> None:
    assume(is_usual(event))
    found = read(written(event))
    assert replace(found, uid="", exceptions=()) == replace(
        event,
        exceptions=(),
        recurrence=found.recurrence,
        **{name: getattr(found, name) for name in ("title", "location", "description")},
    )
    plain = replace(event, exceptions=())
    assert content(replace(found, exceptions=())) == content(plain)
    for ours, theirs in zip(sorted_exceptions(event), sorted_exceptions(found), strict=True):
        assert ours.deleted == theirs.deleted
        if not ours.deleted:
            assert content(events.in_series(found, theirs)) == content(events.in_series(event, ours))


def is_usual(event: Event) -> bool:
    """Whether its pattern is read in the words in which it was written."""
    return event.recurrence is None or spelling(event.recurrence, event.start) is None


def sorted_exceptions(event: Event) -> list[Occurrence]:
    return sorted(event.exceptions, key=lambda each: moment_key(each.original))


@strategies.few
@given(strategies.events())
def test_an_unpatched_object_keeps_its_bytes(event: Event) -> None:
    data = written(event)
    assert bytes(events.parse(data).text) == data
    assert bytes(event_writing.patch(data, read(data), (), NOW)) == data


@strategies.few
@given(strategies.events(), strategies.events())
def test_a_patched_object_reads_as_the_new_event(before: Event, after: Event) -> None:
    data = written(before)
    after = read(written(after))
    assert content(read(patched(data, after))) == content(after)


@strategies.few
@given(strategies.events(), strategies.events())
def test_the_whole_is_known_before_it_is_sent(before: Event, after: Event) -> None:
    text = event_writing.new(before, UID, NOW)
    data = bytes(text)
    assert events.whole(text) == whole(data)
    again = event_writing.patch(data, after, differing(read(data), after), NOW)
    assert events.whole(again) == whole(bytes(again))


@strategies.few
@given(strategies.events(), st.data())
def test_a_patch_of_some_fields_leaves_the_others(event: Event, data: st.DataObject) -> None:
    stored = written(event)
    before = read(stored)
    other = data.draw(strategies.events())
    after = replace(before, title=other.title, busy=other.busy, categories=other.categories)
    found = content(read(patched(stored, after)))
    if not before.exceptions:
        assert found == content(after)
    assert {
        path: normal for path, normal in found.items() if path[0] not in ("title", "busy", "categories", "exceptions")
    } == {
        path: normal
        for path, normal in content(before).items()
        if path[0] not in ("title", "busy", "categories", "exceptions")
    }


@strategies.few
@given(strategies.events())
def test_icalendar_reads_our_objects_alike(event: Event) -> None:
    assume(is_usual(event))
    theirs = by_icalendar(written(event))
    [master] = [each for each in theirs.walk("VEVENT") if "RECURRENCE-ID" not in each]
    ours = read(written(event))
    for name, moment in (("DTSTART", ours.start), ("DTEND", ours.end)):
        assert same_moment(master[name].dt, moment)
    assert str(master.get("SUMMARY", "")) == ours.title
    assert str(master.get("DESCRIPTION", "")) == ours.description
    assert [str(each) for each in master.categories] == list(ours.categories)
    if ours.recurrence is not None:
        assert master["RRULE"]["FREQ"] == [ours.recurrence.frequency]
        assert master["RRULE"].get("COUNT", [None])[0] == ours.recurrence.count
    assert len(list(theirs.walk("VEVENT"))) == 1 + sum(not each.deleted for each in ours.exceptions)


def same_moment(theirs: date, ours: Moment) -> bool:
    if not isinstance(ours, ZonedTime):
        return not isinstance(theirs, datetime) and theirs == ours
    assert isinstance(theirs, datetime)
    return theirs.replace(tzinfo=None) == ours.wall and (theirs.tzinfo is None) == (not ours.zone)


def test_strangers_expand_our_series_alike() -> None:
    data = written(samples.series())
    found = recurring_ical_events.of(by_icalendar(data)).between((2026, 10, 1), (2026, 12, 31))
    starts = sorted((each["DTSTART"].dt.replace(tzinfo=None), str(each["SUMMARY"])) for each in found)
    assert starts == [
        (datetime(2026, 10, 5, 9), "Jour fixe"),
        (datetime(2026, 10, 12, 11), "Jour fixe (verlegt)"),
        (datetime(2026, 10, 19, 9), "Jour fixe"),
        (datetime(2026, 10, 26, 9), "Jour fixe"),
        (datetime(2026, 11, 9, 9), "Jour fixe"),
        (datetime(2026, 11, 16, 9), "Jour fixe"),
        (datetime(2026, 11, 23, 9), "Jour fixe"),
    ]


# Times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        ((START, END), berlin(2026, 1, 5, 9), berlin(2026, 1, 5, 10)),
        ((START, "DURATION:PT90M"), berlin(2026, 1, 5, 9), berlin(2026, 1, 5, 10, 30)),
        ((START,), berlin(2026, 1, 5, 9), berlin(2026, 1, 5, 9)),
        (("DTSTART:20260105T080000Z",), *[ZonedTime(datetime(2026, 1, 5, 8), "UTC")] * 2),
        (("DTSTART:20260105T080000",), *[ZonedTime(datetime(2026, 1, 5, 8), "")] * 2),
        (("DTSTART;VALUE=DATE:20260105",), date(2026, 1, 5), date(2026, 1, 6)),
        (("DTSTART:20260105", "DTEND:20260107"), date(2026, 1, 5), date(2026, 1, 7)),
        (("DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260105"), date(2026, 1, 5), date(2026, 1, 6)),
        (("DTSTART;VALUE=DATE:20260105", "DURATION:P2D"), date(2026, 1, 5), date(2026, 1, 7)),
        # A night with a change of the clocks: a day is a day, 24 hours are 24 hours.
        (
            ("DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D"),
            berlin(2026, 3, 28, 12),
            berlin(2026, 3, 29, 12),
        ),
        (
            ("DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:PT24H"),
            berlin(2026, 3, 28, 12),
            berlin(2026, 3, 29, 13),
        ),
        (
            ('DTSTART;TZID="W. Europe Standard Time":20260105T090000', "DURATION:PT1H"),
            berlin(2026, 1, 5, 9),
            berlin(2026, 1, 5, 10),
        ),
    ],
)
def test_times_are_read_in_every_form(lines: tuple[str, ...], start: Moment, end: Moment) -> None:
    found = read(calendar(*lines))
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("SUMMARY:x",), "when it begins"),
        (("DTSTART:2026-01-05",), "not written as iCalendar"),
        (("DTSTART:20261305T000000",), "does not exist"),
        (("DTSTART:20260230",), "does not exist"),
        (("DTSTART:00010101T000000Z",), "outside of the years"),
        ((START, "DTEND;VALUE=DATE:20260106"), "begins on a day and ends at a time"),
        ((START, "DURATION:P99999999999W"), "duration is not written"),
        ((START, "DURATION:P999999D"), "impossible length"),
        ((START, "RRULE:COUNT=3"), "does not say how often"),
        ((START, "RRULE:FREQ=FORTNIGHTLY"), "unknown frequency"),
        ((START, "RRULE:FREQ=DAILY;INTERVAL=0"), "impossible interval"),
        ((START, "RRULE:FREQ=DAILY;INTERVAL=99999999999999999999"), "impossible interval"),
        ((START, "RRULE:FREQ=DAILY;COUNT=-1"), "impossible number of occurrences"),
        ((START, "RRULE:FREQ=DAILY;COUNT=" + "9" * 5000), "impossible number of occurrences"),
        ((START, "RRULE:FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z"), "only one is allowed"),
        ((START, "RRULE:FREQ=MONTHLY;BYMONTHDAY=0"), "impossible day of the month"),
        ((START, "RRULE:FREQ=MONTHLY;BYDAY=99MO"), "weekday"),
        ((START, "RRULE:FREQ=MONTHLY;BYDAY=XX"), "weekday"),
        ((START, "RRULE:FREQ=DAILY;BYSETPOS=" + ",".join(["1"] * 1000)), "absurdly long"),
        ((START, "RRULE:FREQ=DAILY", "EXDATE:" + ",".join(["20260101T000000Z"] * 6000)), "more than 5000 dates"),
        ((START, "--", START), "more than one event"),
        (
            (START, "RRULE:FREQ=DAILY", "--", START, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260106T080000Z"),
            "all that follow",
        ),
    ],
)
def test_what_can_not_be_meant_is_unreadable_for_a_stated_reason(lines: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(calendar(*lines))


@given(st.binary(max_size=200))
def test_no_line_is_answered_with_another_error(junk: bytes) -> None:
    data = calendar(START, END, "RRULE:FREQ=DAILY", "JUNK")
    for name in (b"", b"RRULE:", b"RDATE:", b"EXDATE:", b"DURATION:", b"ATTENDEE:", b"TRIGGER:", b"RRULE:FREQ=DAILY;"):
        try:
            whole(data.replace(b"JUNK", name + junk))
            read(data.replace(b"JUNK", name + junk))
        except Unreadable:
            continue


def test_an_object_without_an_event_is_of_another_kind() -> None:
    with pytest.raises(events.OtherKind):
        events.parse(b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n")


def test_the_zone_keeps_the_name_that_the_object_has_for_it() -> None:
    zone = written(replace(read(calendar(START, END)), title="")).decode()
    zone = zone[zone.index("BEGIN:VTIMEZONE") : zone.index("BEGIN:VEVENT")].replace(
        "Europe/Berlin", "W. Europe Standard Time"
    )
    data = calendar("DTSTART;TZID=W. Europe Standard Time:20260105T090000", "DURATION:PT1H", zones=zone)
    after = replace(read(data), start=berlin(2026, 1, 5, 11), end=berlin(2026, 1, 5, 12))
    found = patched(data, after).decode()
    assert "DTSTART;TZID=W. Europe Standard Time:20260105T110000" in found
    assert "DTEND;TZID=W. Europe Standard Time:20260105T120000" in found
    assert found.count("BEGIN:VTIMEZONE") == 1
    assert "DURATION" not in found


def test_a_zone_that_is_new_to_the_object_is_defined() -> None:
    after = replace(read(calendar("DTSTART:20260105T080000Z")), start=berlin(2026, 1, 5, 9), end=berlin(2026, 1, 5, 10))
    found = by_icalendar(patched(calendar("DTSTART:20260105T080000Z"), after))
    assert [str(each["TZID"]) for each in found.walk("VTIMEZONE")] == ["Europe/Berlin"]


# Recurrence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2;WKST=SU", {"weekdays": (Weekday("MO"), Weekday("WE")), "interval": 2}),
        ("FREQ=MONTHLY;BYDAY=-1FR", {"weekdays": (Weekday("FR", -1),)}),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=2", {"positions": (2,)}),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=15", {"months": (3,), "month_days": (15,)}),
        ("FREQ=DAILY;UNTIL=20260110T080000Z", {"until": berlin(2026, 1, 10, 9)}),
        ("FREQ=DAILY;UNTIL=20260110", {"until": berlin(2026, 1, 10, 23, 59, 59)}),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", {"until": None}),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", {"others": (("BYWEEKNO", "20"),)}),
        ("freq=hourly;byhour=9,10", {"frequency": Frequency.HOURLY, "others": (("BYHOUR", "9,10"),)}),
    ],
)
def test_rules_are_read(rule: str, found: dict[str, object]) -> None:
    recurrence = read(calendar(START, f"RRULE:{rule}")).recurrence
    assert recurrence is not None
    assert {name: getattr(recurrence, name) for name in found} == found


def test_dates_without_a_rule_are_a_series_that_has_only_these_dates() -> None:
    data = calendar(START, END, "RDATE;TZID=Europe/Berlin:20260119T090000,20260209T090000")
    event = read(data)
    assert event.recurrence == Recurrence(Frequency.DAILY, interval=7, until=berlin(2026, 2, 9, 9))
    assert [each.original for each in event.exceptions if each.deleted] == [
        berlin(2026, 1, 12, 9),
        berlin(2026, 1, 26, 9),
        berlin(2026, 2, 2, 9),
    ]


def test_further_rules_are_kept_as_other_parts() -> None:
    data = calendar(START, END, "RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY;BYDAY=SU")
    recurrence = read(data).recurrence
    assert recurrence is not None
    assert recurrence.others == (("EXRULE", "FREQ=WEEKLY;BYDAY=SU"),)
    again = patched(data, replace(read(data), recurrence=replace(recurrence, interval=2)))
    assert b"RRULE:FREQ=DAILY;INTERVAL=2\r\n" in again
    assert b"EXRULE:FREQ=WEEKLY;BYDAY=SU\r\n" in again


@pytest.mark.parametrize(
    "lines",
    [
        ("EXDATE;TZID=Europe/Berlin:20260106T090000,20260107T090000",),
        ("EXDATE;TZID=Europe/Berlin:20260106T090000", "EXDATE:20260107T080000Z"),
        ("EXDATE;VALUE=DATE:20260106", "EXDATE;VALUE=DATE:20260107"),
    ],
)
def test_deleted_occurrences_are_read_in_every_form(lines: tuple[str, ...]) -> None:
    assert read(calendar(*SERIES, *lines)).exceptions == (
        Occurrence(berlin(2026, 1, 6, 9), deleted=True),
        Occurrence(berlin(2026, 1, 7, 9), deleted=True),
    )


def test_a_deleted_occurrence_comes_back_alone() -> None:
    data = calendar(*SERIES, "EXDATE;TZID=Europe/Berlin:20260106T090000,20260107T090000")
    event = read(data)
    again = patched(data, replace(event, exceptions=event.exceptions[1:]))
    assert b"EXDATE;TZID=Europe/Berlin:20260107T090000\r\n" in again
    assert len(read(again).exceptions) == 1


OVERRIDE = (
    "--",
    "RECURRENCE-ID:20260107T080000Z",
    "DTSTART;TZID=Europe/Berlin:20260107T110000",
    "DTEND;TZID=Europe/Berlin:20260107T120000",
    "SUMMARY:Jour fixe",
    "LOCATION:Saal",
    "X-SOMETHING:stays",
)


def test_an_exception_holds_only_what_differs() -> None:
    [occurrence] = read(calendar(*SERIES, *OVERRIDE)).exceptions
    assert occurrence.original == berlin(2026, 1, 7, 9)
    assert dict(occurrence.values) == {
        "start": berlin(2026, 1, 7, 11),
        "end": berlin(2026, 1, 7, 12),
        "location": "Saal",
    }


def test_exceptions_follow_a_change_of_what_they_inherit() -> None:
    data = calendar(*SERIES, *OVERRIDE)
    before = read(data)
    again = patched(data, replace(before, title="Neuer Name", location="Keller", categories=("Team",)))
    [occurrence] = read(again).exceptions
    assert content(events.in_series(read(again), occurrence))[("title",)] == "Neuer Name"
    assert dict(occurrence.values) == dict(before.exceptions[0].values)
    assert again.count(b"SUMMARY:Neuer Name") == again.count(b"CATEGORIES:Team") == 2
    assert b"LOCATION:Saal" in again
    assert b"X-SOMETHING:stays" in again


def test_a_new_exception_is_written_complete() -> None:
    data = calendar(*SERIES, "X-MASTER:too", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM")
    occurrence = Occurrence(berlin(2026, 1, 8, 9), values={"title": "Einmal anders"})
    again = by_icalendar(patched(data, replace(read(data), exceptions=(occurrence,))))
    master, override = again.walk("VEVENT")
    assert override["RECURRENCE-ID"].dt == berlin(2026, 1, 8, 9).wall.replace(
        tzinfo=override["RECURRENCE-ID"].dt.tzinfo
    )
    assert str(override["UID"]) == UID
    assert (str(override["SUMMARY"]), str(override["LOCATION"]), str(override["X-MASTER"])) == (
        "Einmal anders",
        "Küche",
        "too",
    )
    assert override["DTEND"].dt - override["DTSTART"].dt == timedelta(hours=1)
    assert len(override.walk("VALARM")) == 1
    assert "RRULE" not in override
    assert str(master["SUMMARY"]) == "Jour fixe"


def test_a_changed_occurrence_is_deleted_and_a_series_ends() -> None:
    data = calendar(*SERIES, *OVERRIDE)
    event = read(data)
    deleted = patched(data, replace(event, exceptions=(Occurrence(event.exceptions[0].original, deleted=True),)))
    assert read(deleted).exceptions == (Occurrence(berlin(2026, 1, 7, 9), deleted=True),)
    assert deleted.count(b"BEGIN:VEVENT") == 1
    single = patched(deleted, replace(event, recurrence=None, exceptions=()))
    assert b"RRULE:FREQ=DAILY" not in single
    assert b"EXDATE" not in single


def test_an_invitation_to_one_occurrence_is_an_event() -> None:
    event = read(calendar(START, END, "RECURRENCE-ID:20260105T080000Z", "SUMMARY:Nur einmal"))
    assert (event.title, event.recurrence, event.exceptions) == ("Nur einmal", None, ())


# Other fields ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        ((), Busy.BUSY),
        (("TRANSP:TRANSPARENT",), Busy.FREE),
        (("TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"), Busy.OUT_OF_OFFICE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), Busy.TENTATIVE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE", "TRANSP:TRANSPARENT"), Busy.ELSEWHERE),
        # Somebody switched TRANSP in a client that does not know Outlook's property.
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRANSP:TRANSPARENT"), Busy.FREE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:FREE", "TRANSP:OPAQUE"), Busy.BUSY),
        (("STATUS:TENTATIVE",), Busy.TENTATIVE),
        (("STATUS:TENTATIVE", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY"), Busy.BUSY),
    ],
)
def test_busy_is_read_from_both_properties(lines: tuple[str, ...], busy: Busy) -> None:
    data = calendar(START, *lines)
    assert read(data).busy is busy
    for other in Busy:
        assert read(patched(data, replace(read(data), busy=other))).busy is other


@pytest.mark.parametrize(
    ("value", "privacy"),
    [
        ("PUBLIC", Privacy.NORMAL),
        ("PRIVATE", Privacy.PRIVATE),
        ("CONFIDENTIAL", Privacy.CONFIDENTIAL),
        ("X-PERSONAL", Privacy.PERSONAL),
        ("X-UNHEARD-OF", Privacy.PRIVATE),
    ],
)
def test_privacy_is_read_from_the_class(value: str, privacy: Privacy) -> None:
    assert read(calendar(START, f"CLASS:{value}")).privacy is privacy


def alarm(trigger: str, action: str = "DISPLAY") -> tuple[str, ...]:
    return ("BEGIN:VALARM", f"ACTION:{action}", trigger, "END:VALARM")


@pytest.mark.parametrize(
    ("lines", "minutes"),
    [
        ((), None),
        (alarm("TRIGGER:-PT15M"), 15),
        (alarm("TRIGGER:-P1DT2H"), 26 * 60),
        (alarm("TRIGGER:PT0S"), 0),
        (alarm("TRIGGER;VALUE=DATE-TIME:20260105T073000Z"), 30),
        (alarm("TRIGGER:PT15M"), None),
        (alarm("TRIGGER;RELATED=END:-PT15M"), None),
        (alarm("TRIGGER:-PT15M", "EMAIL"), None),
        (alarm("TRIGGER:nonsense"), None),
        ((*alarm("TRIGGER:-PT15M", "EMAIL"), *alarm("TRIGGER:-PT10M"), *alarm("TRIGGER:-PT5M")), 10),
    ],
)
def test_the_first_alarm_before_the_start_is_the_reminder(lines: tuple[str, ...], minutes: int | None) -> None:
    data = calendar(START, END, *lines)
    assert read(data).reminder == minutes
    again = patched(data, replace(read(data), reminder=42))
    assert read(again).reminder == 42
    kept = [line for line in lines if line.startswith("TRIGGER")][: 1 if minutes == 10 else None]
    assert all(line.encode() in again for line in kept if minutes in (None, 10))


def test_a_reminder_at_a_fixed_time_stays_as_long_before_when_the_start_moves() -> None:
    data = calendar(START, END, *alarm("TRIGGER;VALUE=DATE-TIME:20260105T073000Z"))
    after = replace(read(data), start=berlin(2026, 1, 6, 9), end=berlin(2026, 1, 6, 10))
    assert read(patched(data, after)).reminder == 30


GUESTS = (
    'ORGANIZER;CN="Berg, Anna":mailto:anna@lab.example',
    "ATTENDEE;CN=Ben;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT;X-NUM-GUESTS=0;RSVP=TRUE:mailto:ben@lab.example",
    "ATTENDEE;ROLE=OPT-PARTICIPANT:MAILTO:Cleo@lab.example",
    "ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:room@lab.example",
    "ATTENDEE:/principals/dora/",
)


def test_people_are_read() -> None:
    event = read(calendar(START, *GUESTS))
    assert event.organizer == Person("anna@lab.example", "Berg, Anna")
    assert event.attendees == (
        Attendee("ben@lab.example", "Ben", "required", "accepted"),
        Attendee("Cleo@lab.example", "", "optional", "none"),
        Attendee("room@lab.example", "", "resource", "declined"),
    )


def test_people_are_patched_one_by_one() -> None:
    data = calendar(START, *GUESTS)
    event = read(data)
    ben, cleo, _ = event.attendees
    again = patched(
        data, replace(event, attendees=(replace(ben, answer="declined"), cleo, Attendee("eva@lab.example")))
    )
    lines = {line for line in again.decode().replace("\r\n ", "").split("\r\n") if line.startswith("ATTENDEE")}
    assert lines == {
        "ATTENDEE;X-NUM-GUESTS=0;RSVP=TRUE;ROLE=REQ-PARTICIPANT;PARTSTAT=DECLINED;CN=Ben;SCHEDULE-AGENT=CLIENT:"
        "mailto:ben@lab.example",
        GUESTS[2],
        GUESTS[4],
        "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;SCHEDULE-AGENT=CLIENT:mailto:eva@lab.example",
    }


def test_whoever_we_write_is_not_invited_by_the_server() -> None:
    event = Event(berlin(2026, 1, 5, 9), berlin(2026, 1, 5, 10), organizer=Person("a@lab.example"))
    data = written(replace(event, attendees=(Attendee("b@lab.example"),)))
    for name in (b"ORGANIZER", b"ATTENDEE"):
        [line] = [each for each in data.replace(b"\r\n ", b"").split(b"\r\n") if each.startswith(name)]
        assert b"SCHEDULE-AGENT=CLIENT" in line


def test_a_patch_changes_only_its_own_lines() -> None:
    lines = (
        START,
        END,
        "SUMMARY;LANGUAGE=de:Alt",
        'DESCRIPTION;ALTREP="data:text/html,alt":Eine sehr lange Beschreibung\\, die anders gefaltet ist, a\r\n'
        "\tls wir es tun",
        "X-ALT-DESC;FMTTYPE=text/html:<p>alt</p>",
        "GEO:1;2",
        "ATTACH;X-A=1:https://lab.example/datei",
        "SEQUENCE:4",
        "DTSTAMP:20250101T000000Z",
        *alarm("TRIGGER:-P1D", "EMAIL"),
    )
    data = calendar(*lines)
    again = patched(data, replace(read(data), title="Neu"))
    expected = data.replace(b"SUMMARY;LANGUAGE=de:Alt", b"SUMMARY;LANGUAGE=de:Neu")
    expected = expected.replace(b"20250101T000000Z", b"20260102T030405Z\r\nLAST-MODIFIED:20260102T030405Z")
    assert again == expected


def test_a_new_description_takes_the_old_html_away() -> None:
    data = calendar(START, 'DESCRIPTION;ALTREP="data:x":alt', "X-ALT-DESC;FMTTYPE=text/html:<p>alt</p>")
    again = patched(data, replace(read(data), description="neu\nund mehr"))
    assert b"DESCRIPTION:neu\\nund mehr\r\n" in again
    assert b"ALT" not in again


def test_a_moved_event_counts_up_its_sequence_unless_there_are_guests() -> None:
    for guests, sequence in (((), b"SEQUENCE:5\r\n"), (GUESTS, b"SEQUENCE:4\r\n")):
        data = calendar(START, END, "SEQUENCE:4", *guests)
        assert sequence in patched(data, replace(read(data), end=berlin(2026, 1, 5, 11)))


def test_line_ends_stay_as_they_are() -> None:
    data = calendar(*SERIES, *OVERRIDE).replace(b"\r\n", b"\n")
    again = patched(data, replace(read(data), title="Neu", start=berlin(2026, 1, 5, 8), reminder=5))
    assert b"\r" not in again


def test_the_whole_leaves_out_what_programs_touch() -> None:
    data = calendar(*SERIES, "DTSTAMP:20250101T000000Z", "SEQUENCE:1", "X-A:1")
    other = data.replace(b"20250101T000000Z", b"20260101T000000Z").replace(b"SEQUENCE:1", b"SEQUENCE:2")
    other = other.replace(b"SUMMARY:Jour fixe", b"SUMMARY:Jour\r\n  fixe")
    assert whole(other) == whole(data)
    assert whole(data.replace(b"X-A:1", b"X-A:2")) != whole(data)


# Limits ----------------------------------------------------------------------------------------------------------


def test_what_nextcloud_can_not_store_is_refused_before() -> None:
    event = replace(samples.series(), exceptions=())
    event_writing.check(event, UID)
    with pytest.raises(Refused, match="255"):
        event_writing.check(event, "x" * 256)
    for rule in (
        Recurrence(Frequency.DAILY, count=4000),
        Recurrence(Frequency.DAILY, until=berlin(2038, 1, 1, 9)),
        Recurrence(
            Frequency.WEEKLY, weekdays=tuple(map(Weekday, ("MO", "TU", "WE", "TH", "FR"))), until=date(2045, 1, 1)
        ),
    ):
        with pytest.raises(Refused, match="3500"):
            event_writing.check(replace(event, recurrence=rule), UID)
    event_writing.check(replace(event, recurrence=Recurrence(Frequency.DAILY)), UID)


# A former version ------------------------------------------------------------------------------------------------


def test_a_former_version_is_stored_again_with_what_no_event_says() -> None:
    data = calendar("SUMMARY:Budget", "DTSTART:20260105T080000Z", "SEQUENCE:2", "X-COLOUR:blue", "ATTACH:offer.pdf")
    again = bytes(event_writing.again(data, UID, NOW))
    assert whole(again) == whole(data)
    assert b"DTSTAMP:20260102T030405Z" in again
    assert b"SEQUENCE:2\r\n" in again


def test_a_former_version_gets_the_uid_that_it_shall_have_in_every_part() -> None:
    data = calendar(
        "SUMMARY:Jour fixe", "DTSTART:20260105T080000Z", "RRULE:FREQ=WEEKLY", "X-COLOUR:blue",
        "--", "RECURRENCE-ID:20260112T080000Z", "DTSTART:20260112T090000Z", "SUMMARY:Später",
    )  # fmt: skip
    again = bytes(event_writing.again(data, "another", NOW))
    assert events.parse(again).uid == "another"
    assert content(read(again)) == content(read(data))
    assert UID.encode() not in again
