"""Events in the shapes that Exchange has for what is hard: formatting, links, cancellations, zones of rules.

The captures are shaped like Microsoft's samples; each is held to the schema.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from syncapp.exchange.ews.event_projection import project_event
from syncapp.exchange.ews.event_writing import event_changes, new_event
from syncapp.exchange.ews.events import read_event
from syncapp.exchange.ews.markup import Markup, m, t
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.occurrences import steps_between
from syncapp.items.event import Event, Occurrence
from syncapp.items.values import Frequency, Importance, Moment, Recurrence, ZonedTime
from tests.exchange.ews import samples, wire
from tests.exchange.ews.schema import assert_valid

HOME = "Europe/Berlin"
EASTERN_OF_OLD = "<-0500>5<-0400>4,M4.1.0/2,M10.5.0/2"

TEAMS = """
<t:Subject>Weekly sync</t:Subject>
<t:Body BodyType="HTML">&lt;html&gt;&#xD;
&lt;head&gt;&#xD;
&lt;meta http-equiv="Content-Type" content="text/html; charset=utf-8"&gt;&lt;style&gt;p.x {margin:0}&lt;/style&gt;&#xD;
&lt;/head&gt;&#xD;
&lt;body lang="EN-US"&gt;&#xD;
&lt;div&gt;&lt;p class="x"&gt;&lt;b&gt;Agenda&lt;/b&gt; and more&lt;/p&gt;&#xD;
&lt;p&gt;&#xD;
&lt;a&#xD;
href="https://teams.microsoft.com/l/meetup-join/19%3a1?context=%7b%7d"&gt;Join the meeting now&lt;/a&gt;&#xD;
&lt;/p&gt;&lt;/div&gt;&#xD;
&lt;/body&gt;&#xD;
&lt;/html&gt;</t:Body>
<t:Importance>High</t:Importance>
<t:ExtendedProperty>
  <t:ExtendedFieldURI PropertySetId="00020329-0000-0000-C000-000000000046" PropertyName="SkypeTeamsMeetingUrl"
    PropertyType="String"/>
  <t:Value>https://teams.microsoft.com/l/meetup-join/19%3a1?context=%7b%7d</t:Value>
</t:ExtendedProperty>
<t:Start>2026-03-10T08:00:00Z</t:Start>
<t:End>2026-03-10T09:00:00Z</t:End>
<t:IsCancelled>true</t:IsCancelled>
"""
ADDRESS = "<t:MeetingWorkspaceUrl>https://wiki.example/review</t:MeetingWorkspaceUrl>"


def read(content: str, zones: str = samples.BERLIN) -> Event:
    return read_event(Native(samples.calendar_item(content, zones)), HOME)


def created(event: Event) -> Event:
    """The event as a server gives it back that keeps what it is sent; the request is held to the schema."""
    request = new_event(event, "uid", "own.1", HOME)
    folder = m("SavedItemFolderId", t("FolderId", Id="AAA="))
    assert_valid(wire.element(m("CreateItem", folder, m("Items", request), SendMeetingInvitations="SendToNone")))
    return read_event(Native(wire.stored(request)), HOME)


def event(**values: object) -> Event:
    start: Moment = ZonedTime(datetime(2026, 3, 10, 9), HOME)
    return replace(Event(start, ZonedTime(datetime(2026, 3, 10, 10), HOME), title="x"), **values)  # type: ignore[arg-type]


def test_a_meeting_of_teams_keeps_its_formatting_and_its_links() -> None:
    found = read(TEAMS, samples.BERLIN + ADDRESS)
    assert found.description == "Agenda and more\n\nJoin the meeting now"
    assert found.html.startswith('<div><p class="x"><b>Agenda</b>')
    assert "<style" not in found.html
    assert found.meeting_link == "https://teams.microsoft.com/l/meetup-join/19%3a1?context=%7b%7d"
    assert found.url == "https://wiki.example/review"
    assert found.importance is Importance.HIGH
    assert found.cancelled
    assert project_event(found, HOME) == found


def test_what_was_read_is_written_again_as_it_was() -> None:
    found = replace(read(TEAMS, samples.BERLIN + ADDRESS), uid="uid")
    assert created(found) == found


def test_a_body_whose_words_changed_loses_the_formatting_of_the_old_ones() -> None:
    before = read(TEAMS)
    after = replace(before, description="Agenda only")
    changes = event_changes(before, after, {"description"}, HOME)
    assert len(changes) == 1
    assert '<t:Body BodyType="Text">Agenda only</t:Body>' in changes[0]


def test_a_change_of_anything_else_leaves_the_body_alone() -> None:
    before = read(TEAMS)
    changes = event_changes(before, replace(before, title="Other"), {"title"}, HOME)
    assert not any("t:Body" in each for each in changes)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("cancelled", True, "<t:Value>4</t:Value>"),
        ("cancelled", False, "<t:Value>0</t:Value>"),
        ("importance", Importance.LOW, "<t:Importance>Low</t:Importance>"),
        ("url", "https://a.example/?b&c", "<t:MeetingWorkspaceUrl>https://a.example/?b&amp;c</t:MeetingWorkspaceUrl>"),
        ("url", "", "DeleteItemField"),
        ("meeting_link", "https://a.example", "SkypeTeamsMeetingUrl"),
        ("meeting_link", "", "DeleteItemField"),
    ],
)
def test_each_field_is_set_and_cleared_by_itself(name: str, value: object, part: str) -> None:
    before = event(url="https://old.example", meeting_link="https://old.example", cancelled=not value)
    [change] = event_changes(before, replace(before, **{name: value}), {name}, HOME)  # type: ignore[arg-type]
    assert part in change
    assert_valid(wire.element(_update(change)))


def _update(change: Markup) -> Markup:
    element = t("ItemChange", t("ItemId", Id="AAA=", ChangeKey="BBB="), t("Updates", change))
    return m(
        "UpdateItem",
        m("ItemChanges", element),
        ConflictResolution="NeverOverwrite",
        SendMeetingInvitationsOrCancellations="SendToNone",
    )


def test_a_zone_of_rules_is_written_as_it_is_read() -> None:
    start = ZonedTime(datetime(2005, 3, 1, 9), EASTERN_OF_OLD)
    end = ZonedTime(datetime(2005, 3, 1, 10), EASTERN_OF_OLD)
    series = event(start=start, end=end, recurrence=Recurrence(Frequency.DAILY))
    assert created(series).start == start


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (date(1890, 6, 1), timedelta(days=1)),
        (date(1753, 4, 1), timedelta(days=1)),
        (date(2199, 12, 31), timedelta(days=3)),
        (ZonedTime(datetime(2026, 3, 29, 1, 30), HOME), timedelta(hours=1)),
        (ZonedTime(datetime(2026, 3, 10, 9, 0, 30), HOME), timedelta()),
        (ZonedTime(datetime(2150, 7, 1, 9), "Pacific/Kiritimati"), timedelta(minutes=5)),
    ],
)
@pytest.mark.parametrize("home", ["Europe/Berlin", "Pacific/Auckland", "Pacific/Honolulu"])
def test_times_at_the_edges_come_back(start: Moment, length: timedelta, home: str) -> None:
    end = ZonedTime(start.wall + length, start.zone) if isinstance(start, ZonedTime) else start + length
    given = event(start=start, end=end, uid="uid")
    request = new_event(given, "uid", "own.1", home)
    assert read_event(Native(wire.stored(request)), home) == project_event(given, home)


def test_texts_of_any_sort_come_back() -> None:
    text = "Grüße 🙂 שלום\nline\x07 two\n" + "long " * 20_000
    found = created(event(description=text, uid="uid"))
    assert found.description == text.replace("\x07", "")
    assert project_event(event(description=text), HOME).description == found.description


def test_dates_that_go_later_are_written_from_the_last_on() -> None:
    """Exchange lets none pass its neighbour on the way."""
    start = ZonedTime(datetime(2026, 1, 5, 9), HOME)

    def on(day: int, month: int = 1) -> ZonedTime:
        return ZonedTime(datetime(2026, month, day, 9), HOME)

    moved = (Occurrence(on(6), values={"start": on(1, 3)}), Occurrence(on(7), values={"start": on(1, 4)}))
    series = Event(
        start,
        on(5),
        recurrence=Recurrence(Frequency.DAILY, count=4),
        exceptions=(*moved, Occurrence(on(8), deleted=True)),
    )
    assert [each.original for each in steps_between(None, series)] == [on(7), on(6), on(8)]
