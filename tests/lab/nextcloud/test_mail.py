"""The ledger of mail: who would have been written to, and which headers prevent it."""

from __future__ import annotations

import pytest

from lab.nextcloud.remote import NextcloudControl
from tests.lab.nextcloud.client import Dav, event

ORGANIZER = "ORGANIZER:mailto:anna@lab.example"
GUEST = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:guest@elsewhere.example"
MEETING = event("meeting", ORGANIZER, GUEST)
INVITATION = event(
    "invited", "ORGANIZER:mailto:boss@elsewhere.example", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@lab.example"
)
NO_SCHEDULING = {"x_nc_scheduling": "false"}
NO_REPLY = {"Schedule_Reply": "F"}


def sent(control: NextcloudControl) -> list[tuple[str, str]]:
    """The ledger as (method, recipient); it is emptied."""
    mails = [(mail["method"], mail["recipient"]) for mail in control.mail()]
    control.clear_mail()
    return mails


def trashed(anna: Dav) -> str:
    objects = f"{anna.calendars}/trashbin/objects"
    return f"{objects}/{anna.propfind(objects, 'd:getetag', depth='1').names[-1]}"


def test_a_put_and_both_deletions_of_a_meeting_send_mail(anna: Dav, control: NextcloudControl) -> None:
    path = f"{anna.calendar}/m.ics"
    answer = anna.put(path, MEETING)
    assert sent(control) == [("REQUEST", "guest@elsewhere.example")]
    assert "etag" not in answer.headers
    assert "SCHEDULE-STATUS=1.1" in anna.http.get(path).text
    anna.delete(path)
    assert sent(control) == [("CANCEL", "guest@elsewhere.example")]
    anna.delete(trashed(anna))
    assert sent(control) == [("CANCEL", "guest@elsewhere.example")]


def test_x_nc_scheduling_suppresses_only_the_put(anna: Dav, control: NextcloudControl) -> None:
    path = f"{anna.calendar}/m.ics"
    answer = anna.put(path, MEETING, **NO_SCHEDULING)
    assert "etag" in answer.headers
    assert anna.http.get(path).text == MEETING
    assert sent(control) == []
    anna.delete(path, **NO_SCHEDULING)
    assert len(sent(control)) == 1
    anna.delete(trashed(anna), **NO_SCHEDULING)
    assert len(sent(control)) == 1


def test_schedule_reply_suppresses_everything(anna: Dav, control: NextcloudControl) -> None:
    path = f"{anna.calendar}/m.ics"
    anna.put(path, MEETING, **NO_REPLY)
    anna.put(path, MEETING.replace("Meeting", "Moved"), **NO_REPLY)
    anna.delete(path, **NO_REPLY)
    anna.delete(trashed(anna), **NO_REPLY)
    assert sent(control) == []


def test_only_changes_that_matter_and_new_guests_are_mailed(anna: Dav, control: NextcloudControl) -> None:
    path = f"{anna.calendar}/m.ics"
    anna.put(path, MEETING)
    sent(control)
    anna.put(path, MEETING.replace("DTSTAMP:20261101", "DTSTAMP:20261102"))
    assert sent(control) == []
    second = GUEST.replace("guest", "second")
    anna.put(path, event("meeting", ORGANIZER, GUEST, second))
    assert sent(control) == [("REQUEST", "second@elsewhere.example")]
    anna.put(path, event("meeting", ORGANIZER, GUEST, second, title="New title"))
    assert len(sent(control)) == 2
    anna.put(path, event("meeting", ORGANIZER, second, title="New title"))
    assert sent(control) == [("CANCEL", "guest@elsewhere.example")]


@pytest.mark.parametrize(("agent", "count"), [("NONE", 1), ("CLIENT", 0), ("SERVER", 1)])
def test_schedule_agent_none_is_ignored_and_client_works(
    anna: Dav, control: NextcloudControl, agent: str, count: int
) -> None:
    anna.put(
        f"{anna.calendar}/m.ics", event("m", ORGANIZER, GUEST.replace(":mailto", f";SCHEDULE-AGENT={agent}:mailto"))
    )
    assert len(sent(control)) == count


def test_an_attendee_answers_the_organizer(anna: Dav, control: NextcloudControl) -> None:
    path = f"{anna.calendar}/i.ics"
    anna.put(path, INVITATION)
    assert sent(control) == []
    anna.put(path, INVITATION.replace("NEEDS-ACTION", "ACCEPTED"))
    assert sent(control) == [("REPLY", "boss@elsewhere.example")]
    anna.put(path, INVITATION.replace("NEEDS-ACTION", "ACCEPTED").replace("Meeting", "Renamed"))
    assert sent(control) == []
    anna.delete(path)
    assert sent(control) == [("REPLY", "boss@elsewhere.example")]


def test_an_event_without_guests_sends_nothing(anna: Dav, control: NextcloudControl) -> None:
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    anna.delete(f"{anna.calendar}/a.ics")
    assert sent(control) == []
