"""Recurring events as Exchange keeps them: a master, exceptions, deleted occurrences, expansion across DST."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exchangelib import Account, CalendarItem, EWSDate, errors
from exchangelib.fields import FRIDAY, MONDAY, SECOND, WEDNESDAY
from exchangelib.items import AUTO_RESOLVE, SEND_TO_NONE
from exchangelib.recurrence import (
    AbsoluteMonthlyPattern,
    AbsoluteYearlyPattern,
    DailyPattern,
    RelativeMonthlyPattern,
    RelativeYearlyPattern,
    WeeklyPattern,
)

from tests.lab.exchange.events import NEW_YORK, at, event, series


def starts(account: Account, item: CalendarItem | None = None) -> list[str]:
    """Local starts of what a calendar view of the year shows."""
    view = account.calendar.view(at(2026, 1, 1), at(2027, 1, 1)).only("start", "subject")
    return [found.start.astimezone(at(2026, 1, 1).tzinfo).strftime("%m-%d %H:%M") for found in view]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (DailyPattern(interval=3), ["03-02 09:00", "03-05 09:00", "03-08 09:00"]),
        (
            WeeklyPattern(interval=2, weekdays=[MONDAY, FRIDAY], first_day_of_week=MONDAY),
            ["03-02 09:00", "03-06 09:00", "03-16 09:00"],
        ),
        (AbsoluteMonthlyPattern(interval=1, day_of_month=31), ["03-31 09:00", "04-30 09:00", "05-31 09:00"]),
        (
            RelativeMonthlyPattern(interval=1, weekday=WEDNESDAY, week_number=SECOND),
            ["03-11 09:00", "04-08 09:00", "05-13 09:00"],
        ),
        (AbsoluteYearlyPattern(day_of_month=24, month=12), ["12-24 09:00"]),
        (RelativeYearlyPattern(weekday=FRIDAY, week_number=SECOND, month=5), ["05-08 09:00"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_it_expands_every_pattern(ada: Account, pattern: object, expected: list[str]) -> None:
    series(ada, pattern, number=3).save()
    assert starts(ada) == expected


def test_it_starts_a_series_with_its_first_occurrence(ada: Account) -> None:
    item = series(ada, RelativeMonthlyPattern(interval=1, weekday=WEDNESDAY, week_number=SECOND), number=3).save()
    assert ada.calendar.get(id=item.id).start == at(2026, 3, 11, 9)


def test_it_keeps_the_local_time_across_dst(ada: Account) -> None:
    series(ada, WeeklyPattern(interval=1, weekdays=[MONDAY]), EWSDate(2026, 3, 23), number=2).save()
    view = ada.calendar.view(at(2026, 3, 1), at(2026, 5, 1)).only("start")
    assert [found.start.hour for found in view] == [8, 7]


def test_it_recurs_in_its_own_zone(ada: Account) -> None:
    start = at(2026, 3, 2, 9, zone=NEW_YORK)
    item = series(ada, WeeklyPattern(interval=1, weekdays=[MONDAY]), number=3)
    item.start, item.end = start, start + timedelta(hours=1)
    item.save()
    # New York changes its clocks on 8 March, three weeks before Berlin.
    assert starts(ada) == ["03-02 15:00", "03-09 14:00", "03-16 14:00"]
    assert ada.calendar.get(id=item.id)._start_timezone == NEW_YORK


def test_it_ends_by_date(ada: Account) -> None:
    series(ada, DailyPattern(interval=1), until=EWSDate(2026, 3, 4)).save()
    assert starts(ada) == ["03-02 09:00", "03-03 09:00", "03-04 09:00"]


def test_it_goes_on_for_ever(ada: Account) -> None:
    item = series(ada, DailyPattern(interval=1)).save()
    assert len(starts(ada)) == 305
    found = ada.calendar.get(id=item.id)
    assert found.first_occurrence.start == at(2026, 3, 2, 9)
    assert found.last_occurrence is None


def test_it_tells_masters_from_occurrences(ada: Account) -> None:
    item = series(ada, DailyPattern(interval=1), number=3).save()
    event(ada).save()
    assert sorted(found.type for found in ada.calendar.all().only("type")) == ["RecurringMaster", "Single"]
    view = ada.calendar.view(at(2026, 3, 3), at(2026, 3, 4)).only("type", "is_recurring", "uid")
    (occurrence,) = view
    assert (occurrence.type, occurrence.is_recurring) == ("Occurrence", True)
    assert ada.calendar.get(id=item.id).is_recurring is False
    assert occurrence.recurring_master().refresh().id == item.id


def test_it_makes_an_exception_of_a_changed_occurrence(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=5, location="Room 1").save()
    before = ada.calendar.get(id=master.id).changekey
    occurrence = master.occurrence(2)
    occurrence.refresh()
    occurrence.subject = "Moved"
    occurrence.start += timedelta(hours=2)
    occurrence.end += timedelta(hours=2)
    occurrence.save(update_fields=["subject", "start", "end"])
    found = ada.calendar.get(id=master.id)
    assert found.changekey != before
    (exception,) = found.modified_occurrences
    assert (exception.start, exception.original_start) == (at(2026, 3, 3, 11), at(2026, 3, 3, 9))
    changed = ada.calendar.get(id=exception.id)
    assert (changed.type, changed.subject, changed.location) == ("Exception", "Moved", "Room 1")
    assert changed.original_start == at(2026, 3, 3, 9)
    assert changed.uid == found.uid


def test_an_exception_inherits_what_it_does_not_override(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=3, location="Room 1").save()
    occurrence = master.occurrence(2)
    occurrence.refresh()
    occurrence.subject = "Own"
    occurrence.save(update_fields=["subject"])
    master.refresh()
    master.location = "Room 2"
    master.subject = "All"
    master.save(update_fields=["location", "subject"])
    view = ada.calendar.view(at(2026, 3, 1), at(2026, 4, 1)).only("subject", "location")
    assert [(found.subject, found.location) for found in view] == [
        ("All", "Room 2"),
        ("Own", "Room 2"),
        ("All", "Room 2"),
    ]


def test_it_remembers_deleted_occurrences(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=4).save()
    master.occurrence(1).delete(send_meeting_cancellations=SEND_TO_NONE)
    master.occurrence(4).delete(send_meeting_cancellations=SEND_TO_NONE)
    found = ada.calendar.get(id=master.id)
    assert [gone.start for gone in found.deleted_occurrences] == [at(2026, 3, 2, 9), at(2026, 3, 5, 9)]
    assert found.first_occurrence.start == at(2026, 3, 3, 9)
    assert found.last_occurrence.start == at(2026, 3, 4, 9)
    assert starts(ada) == ["03-03 09:00", "03-04 09:00"]
    with pytest.raises(errors.ErrorCalendarOccurrenceIsDeletedFromRecurrence):
        master.occurrence(1).refresh()
    with pytest.raises(errors.ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange):
        master.occurrence(5).refresh()


def test_an_occurrence_stays_between_its_neighbours(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=2), number=3).save()
    occurrence = master.occurrence(2)
    occurrence.refresh()
    occurrence.start += timedelta(days=2)
    occurrence.end += timedelta(days=2)
    with pytest.raises(errors.ErrorOccurrenceCrossingBoundary):
        occurrence.save(update_fields=["start", "end"])
    assert starts(ada) == ["03-02 09:00", "03-04 09:00", "03-06 09:00"]


def test_occurrences_may_not_overlap(ada: Account) -> None:
    item = series(ada, DailyPattern(interval=1), number=3)
    item.end = at(2026, 3, 3, 12)
    with pytest.raises(errors.ErrorOccurrenceTimeSpanTooBig):
        item.save()


def test_a_series_needs_an_occurrence(ada: Account) -> None:
    pattern = AbsoluteYearlyPattern(day_of_month=24, month=12)
    with pytest.raises(errors.ErrorRecurrenceHasNoOccurrence):
        series(ada, pattern, until=EWSDate(2026, 6, 1)).save()


def test_a_new_pattern_drops_the_exceptions(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=5).save()
    master.occurrence(2).delete(send_meeting_cancellations=SEND_TO_NONE)
    master.refresh()
    master.recurrence.pattern = DailyPattern(interval=2)
    master.save(update_fields=["recurrence"], conflict_resolution=AUTO_RESOLVE)
    found = ada.calendar.get(id=master.id)
    assert found.deleted_occurrences is None
    assert len(starts(ada)) == 5


def test_another_title_keeps_the_exceptions(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=5).save()
    master.occurrence(2).delete(send_meeting_cancellations=SEND_TO_NONE)
    master.refresh()
    master.subject = "Other"
    master.save(update_fields=["subject", "start", "end", "recurrence"])
    assert len(ada.calendar.get(id=master.id).deleted_occurrences) == 1


def test_all_day_events_are_days(ada: Account) -> None:
    item = event(ada, start=EWSDate(2026, 4, 10), end=EWSDate(2026, 4, 11), is_all_day=True).save()
    found = ada.calendar.get(id=item.id)
    assert (found.start, found.end) == (EWSDate(2026, 4, 10), EWSDate(2026, 4, 11))


def test_an_all_day_series_stays_on_midnight_across_dst(ada: Account) -> None:
    item = series(ada, WeeklyPattern(interval=1, weekdays=[MONDAY]), EWSDate(2026, 3, 23), number=2)
    item.start, item.end, item.is_all_day = EWSDate(2026, 3, 23), EWSDate(2026, 3, 23), True
    item.save()
    view = ada.calendar.view(at(2026, 3, 1), at(2026, 5, 1)).only("start", "end", "is_all_day")
    assert starts(ada) == ["03-23 00:00", "03-30 00:00"]
    assert all((found.end - found.start).days <= 1 for found in view)


def test_a_calendar_view_has_a_longest_span(ada: Account) -> None:
    with pytest.raises(errors.ErrorCalendarViewRangeTooBig):
        list(ada.calendar.view(at(2026, 1, 1), at(2029, 1, 1)))


def test_an_occurrence_can_not_move_to_another_folder(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=3).save()
    occurrence = master.occurrence(2)
    occurrence.refresh()
    with pytest.raises(errors.ErrorCalendarCannotMoveOrCopyOccurrence):
        occurrence.move(ada.trash)


def test_deleting_the_last_occurrence_deletes_the_series(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=1).save()
    master.occurrence(1).delete(send_meeting_cancellations=SEND_TO_NONE)
    assert ada.calendar.all().count() == 0
