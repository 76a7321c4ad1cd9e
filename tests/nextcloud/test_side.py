"""The Nextcloud side where Nextcloud is peculiar, and where it fails; the contract itself is tests/contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import httpx
import pytest

from lab.nextcloud.remote import NextcloudControl
from syncapp.items import Contact, Event, Kind
from syncapp.items.values import Attendee, Person, Photo, ZonedTime
from syncapp.nextcloud.side import Account, NextcloudSide
from syncapp.side import (
    AlreadyThere,
    Creation,
    Deletion,
    Gone,
    LoginFailed,
    NotAllowed,
    Refused,
    SideError,
    Throttled,
    TokenLost,
    Unreachable,
    Unreadable,
    Update,
    Written,
)
from tests.contract import samples
from tests.contract.suite import changes_since, create, edit, listing, read, rename, writable, written
from tests.nextcloud.conftest import LOGIN, PASSWORD, UID, OpenSide

SABRE = "http://sabredav.org/ns"
CALENDAR = f"/remote.php/dav/calendars/{UID}/personal/"


def creation(side: NextcloudSide, uid: str = "") -> Creation:
    return Creation(samples.own_id(), uid or samples.uid(), writable(side)[0].id, samples.plain(side.kind))


def put(control: NextcloudControl, path: str, text: str) -> httpx.Response:
    """Somebody else's PUT, with whatever a client may send."""
    return httpx.put(control.url + path, content=text.encode(), auth=(LOGIN, PASSWORD), trust_env=False)


def vevent(uid: str, *lines: str, component: str = "VEVENT") -> str:
    body = "\r\n".join((f"UID:{uid}", "DTSTAMP:20260101T000000Z", "DTSTART:20260105T080000Z", *lines))
    inner = f"BEGIN:{component}\r\n{body}\r\nEND:{component}\r\n"
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{inner}END:VCALENDAR\r\n"


# What stands where -----------------------------------------------------------------------------------------------


def test_only_a_persons_own_collections_are_folders(open_side: OpenSide, control: NextcloudControl) -> None:
    calendars, books = open_side().folders(), open_side(Kind.CONTACT).folders()
    assert [(each.id, each.name, each.default) for each in calendars] == [(CALENDAR, "Personal", True)]
    assert [each.id for each in books] == [f"/remote.php/dav/addressbooks/users/{UID}/contacts/"]


def test_a_deleted_calendar_is_no_folder(open_side: OpenSide, control: NextcloudControl) -> None:
    answer = httpx.delete(control.url + CALENDAR, auth=(LOGIN, PASSWORD), trust_env=False)
    assert answer.status_code == 204
    assert open_side().folders() == []


def test_a_task_is_not_there_and_a_broken_event_is_unreadable(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    assert put(control, CALENDAR + "task.ics", vevent("task", component="VTODO")).status_code == 201
    assert put(control, CALENDAR + "odd.ics", vevent("odd", "DURATION:P999999D")).status_code == 201
    ids = list(listing(side, CALENDAR)[0])
    assert len(ids) == 2
    found = side.read(ids)
    assert list(found) == [CALENDAR + "odd.ics"]
    odd = found[CALENDAR + "odd.ics"]
    assert isinstance(odd, Unreadable)
    assert odd.revision == listing(side, CALENDAR)[0][CALENDAR + "odd.ics"]


def test_connections_and_cookies_are_kept(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    side.folders()
    control.clear_traffic()
    create(side, CALENDAR, samples.plain(Kind.EVENT))
    assert all(each["cookies_kept"] for each in control.traffic())


def test_a_quiet_account_costs_one_request(open_side: OpenSide, control: NextcloudControl) -> None:
    open_side().look([CALENDAR])
    side = open_side()
    control.clear_traffic()
    assert set(side.look([CALENDAR])) == {CALENDAR}
    assert [each["method"] for each in control.traffic()] == ["PROPFIND"]


def test_whoever_moved_is_looked_for_anew(open_side: OpenSide, control: NextcloudControl) -> None:
    open_side().folders()
    control.delete_user(UID)
    control.create_user("anna-new", PASSWORD, login=LOGIN, email="anna@lab.example", display_name="Anna Berg")
    assert [each.id for each in open_side().folders()] == ["/remote.php/dav/calendars/anna-new/personal/"]


def test_a_create_in_a_folder_that_is_gone(open_side: OpenSide) -> None:
    side = open_side()
    task = replace(creation(side), folder=CALENDAR.replace("personal", "gone"))
    [result] = side.create([task])
    assert isinstance(result, Gone), repr(result)


def test_many_objects_are_read_by_few_requests(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    folder = writable(side)[0].id
    tasks = [replace(creation(side), folder=folder) for _ in range(160)]
    ids = [written(each).id for each in side.create(tasks)]
    control.clear_traffic()
    assert set(side.read(ids)) == set(ids)
    assert [each["method"] for each in control.traffic()] == ["REPORT", "REPORT"]


# Nextcloud's traps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["weak", "suffix"])
def test_compression_changes_no_revision(open_side: OpenSide, control: NextcloudControl, mode: str) -> None:
    side = open_side()
    made = create(side, CALENDAR, samples.plain(Kind.EVENT))
    control.compression(mode)
    again = read(side, made.id)
    assert again.revision == made.revision
    assert isinstance(side.update([rename(again, "Neu")])[0], Written)


def test_a_uid_that_the_trash_bin_holds_is_found_there(open_side: OpenSide) -> None:
    side = open_side()
    made = create(side, CALENDAR, samples.plain(Kind.EVENT))
    written(side.delete([Deletion(made.id, made.revision)])[0])
    [result] = side.create([creation(side, made.uid)])
    assert isinstance(result, AlreadyThere)
    back = read(side, side.restore(result.id, CALENDAR).id)
    assert (back.uid, back.id, back.own_id) == (made.uid, made.id, made.own_id)


def test_a_restored_object_goes_to_the_folder_that_was_asked_for(
    open_side: OpenSide, control: NextcloudControl
) -> None:
    url = control.url + f"/remote.php/dav/calendars/{UID}/second/"
    assert httpx.request("MKCALENDAR", url, auth=(LOGIN, PASSWORD), trust_env=False).status_code == 201
    side = open_side()
    made = create(side, CALENDAR, samples.plain(Kind.EVENT))
    written(side.delete([Deletion(made.id, made.revision)])[0])
    second = next(each.id for each in side.folders() if not each.default)
    [binned] = side.find([], [made.uid])
    assert read(side, side.restore(binned.id, second).id).folder == second


def test_an_object_of_the_same_uid_under_another_name_is_found(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    assert put(control, CALENDAR + "theirs.ics", vevent("theirs@lab.example")).status_code == 201
    [result] = side.create([creation(side, "theirs@lab.example")])
    assert isinstance(result, AlreadyThere)
    assert result.id == CALENDAR + "theirs.ics"


def test_a_uid_that_only_contains_the_other_is_not_found(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    put(control, CALENDAR + "theirs.ics", vevent("theirs@lab.example"))
    assert side.find([], ["theirs@lab"]) == []
    assert len(side.find([], ["theirs@lab.example", *map(str, range(20))])) == 1


@pytest.mark.parametrize("token", ["http://sabre.io/ns/sync/999999", "nonsense"])
def test_a_token_that_the_server_can_not_have_given_is_lost(open_side: OpenSide, token: str) -> None:
    side = open_side()
    with pytest.raises(TokenLost):
        side.changes(CALENDAR, token)


def test_deleted_and_made_again_is_gone_and_still_there(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    put(control, CALENDAR + "x.ics", vevent("one"))
    _, token = listing(side, CALENDAR)
    for method, text in (("DELETE", ""), ("PUT", vevent("two"))):
        httpx.request(method, control.url + CALENDAR + "x.ics", content=text, auth=(LOGIN, PASSWORD), trust_env=False)
    _, gone, _ = changes_since(side, CALENDAR, token)
    assert CALENDAR + "x.ics" in gone
    assert read(side, CALENDAR + "x.ics").uid == "two"


def test_a_large_address_book_is_listed_whole(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side(Kind.CONTACT)
    book = writable(side)[0].id
    with httpx.Client(base_url=control.url, auth=(LOGIN, PASSWORD), trust_env=False) as client:
        for number in range(2510):
            card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u{number}\r\nFN:{number}\r\nEND:VCARD\r\n"
            assert client.put(f"{book}{number}.vcf", content=card).status_code == 201
    control.clear_traffic()
    found, token = listing(side, book)
    assert len(found) == 2510
    assert len(control.traffic()) == 2
    assert changes_since(side, book, token)[:2] == ({}, set())


def test_guests_get_no_mail(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    event = replace(
        samples.series(),
        organizer=Person("anna@lab.example"),
        attendees=(Attendee("ben@lab.example", answer="accepted"),),
    )
    made = create(side, CALENDAR, event)
    edit(side, made.id, "Verschoben")
    written(side.delete([Deletion(made.id, read(side, made.id).revision)])[0])
    [binned] = side.find([], [made.uid])
    side.restore(binned.id, CALENDAR)
    assert control.mail() == []


def test_guests_whom_somebody_else_invited_get_no_mail(open_side: OpenSide, control: NextcloudControl) -> None:
    people = ("ORGANIZER:mailto:anna@lab.example", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@elsewhere.example")
    put(control, CALENDAR + "x.ics", vevent("one", *people))
    assert control.mail() != []
    control.clear_mail()
    side = open_side()
    edit(side, CALENDAR + "x.ics", "Verschoben")
    written(side.delete([Deletion(CALENDAR + "x.ics", read(side, CALENDAR + "x.ics").revision)])[0])
    [binned] = side.find([], ["one"])
    side.restore(binned.id, CALENDAR)
    assert control.mail() == []


# Refusals --------------------------------------------------------------------------------------------------------


def test_what_can_not_be_stored_is_refused_and_the_others_go_on(open_side: OpenSide) -> None:
    side = open_side()
    tasks = [creation(side), creation(side, "x" * 300), creation(side)]
    assert [type(each) for each in side.create(tasks)] == [Written, Refused, Written]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (replace(samples.all_day(), description="x" * (11 * 1024 * 1024)), "10 MiB"),
        (Contact(photo=Photo(samples.PICTURE + bytes(5 * 1024 * 1024))), "picture may be too large"),
    ],
)
def test_what_is_too_large_is_not_sent(
    open_side: OpenSide, control: NextcloudControl, item: Event | Contact, words: str
) -> None:
    side = open_side(item.kind)
    task = replace(creation(side), item=item)
    control.clear_traffic()
    [result] = side.create([task])
    assert isinstance(result, Refused)
    assert words in str(result)
    assert control.traffic() == []


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (415, "", Refused, "does not accept"),
        (403, "", Refused, "does not take this object here"),
        (413, "", Refused, "larger than 10 MiB"),
        (507, "", Refused, "quota"),
        (500, "", Refused, "error of its own"),
        (
            400,
            '<e xmlns:s="http://sabredav.org/ns"><s:message>No "Anna" at a@b.example</s:message></e>',
            Refused,
            "No …",
        ),
        (403, '<d:error xmlns:d="DAV:"><d:need-privileges/></d:error>', NotAllowed, "may not write"),
        (429, "", Throttled, "wait"),
        (503, "Account disabled", NotAllowed, "disabled"),
        (503, "", Unreachable, "maintenance"),
        (502, "", Unreachable, "gets no answer"),
        (401, "", LoginFailed, "does not accept"),
    ],
)
def test_each_status_is_an_error_of_its_own(
    open_side: OpenSide, control: NextcloudControl, status: int, body: str, error: type[SideError], words: str
) -> None:
    side = open_side()
    task = creation(side)
    control.fail({"operation": "PUT", "status": status, "body": body})
    [result] = side.create([task])
    assert type(result) is error
    assert words in str(result)
    assert "Anna" not in str(result)
    assert "a@b.example" not in str(result)


# Failures --------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_asked_about_once(open_side: OpenSide, control: NextcloudControl) -> None:
    with pytest.raises(LoginFailed):
        open_side(password="wrong").folders()
    side = open_side()
    tasks = [creation(side) for _ in range(10)]
    control.revoke_tokens(UID)
    control.change_user(UID, password="another")
    control.clear_traffic()
    results = side.create(tasks)
    assert all(isinstance(each, LoginFailed) for each in results)
    # Two writes may have been under way; each failed login counts towards a lockout of everybody.
    assert len([each for each in control.traffic() if each["method"] == "PUT"]) <= 2


def test_a_locked_out_address_rests_the_whole_server(open_side: OpenSide, control: NextcloudControl) -> None:
    control.fail({"status": 429, "headers": {"Retry-After": "17"}})
    with pytest.raises(Throttled) as caught:
        open_side().folders()
    assert (caught.value.whole_server, caught.value.seconds) == (True, 17.0)


def test_maintenance_is_the_servers_and_a_disabled_account_the_persons(
    open_side: OpenSide, control: NextcloudControl
) -> None:
    side = open_side()
    control.maintenance(True)
    with pytest.raises(Throttled) as caught:
        side.folders()
    assert caught.value.whole_server
    control.maintenance(False)
    control.change_user(UID, enabled=False)
    with pytest.raises(NotAllowed, match="disabled"):
        side.folders()


def test_a_write_whose_answer_was_lost_says_so_and_is_not_repeated(
    open_side: OpenSide, control: NextcloudControl
) -> None:
    side = open_side()
    task = creation(side)
    control.fail({"operation": "PUT", "drop": "after"})
    [result] = side.create([task])
    assert isinstance(result, Unreachable)
    assert result.sent
    assert [each.own_id for each in side.find([task.own_id], [])] == [task.own_id]
    assert len([each for each in control.traffic() if each["method"] == "PUT"]) == 1


def test_a_connection_that_broke_while_reading_is_tried_again(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    side.folders()
    control.fail({"operation": "PROPFIND", "drop": "after"})
    assert len(side.folders()) == 1


def test_an_answer_that_was_cut_off_is_no_answer(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    create(side, CALENDAR, samples.plain(Kind.EVENT))
    control.fail({"operation": "REPORT", "truncate": 200, "times": 2})
    with pytest.raises(Unreachable):
        side.changes(CALENDAR, None)


def test_a_server_that_is_not_there(open_side: OpenSide) -> None:
    side = NextcloudSide(Kind.EVENT, Account("http://127.0.0.1:9", LOGIN, PASSWORD, "personal"))
    with pytest.raises(Unreachable) as caught:
        side.folders()
    assert not caught.value.sent
    side.close()


def test_in_a_failing_batch_what_is_known_is_told(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side()
    tasks = [creation(side) for _ in range(6)]
    control.fail({"operation": "PUT", "status": 503, "skip": 2, "times": None})
    results = side.create(tasks)
    assert [type(each) for each in results].count(Written) == 2
    assert {type(each) for each in results} == {Written, Unreachable}


def test_an_unsuitable_update_is_refused_before_it_is_sent(open_side: OpenSide, control: NextcloudControl) -> None:
    side = open_side(Kind.CONTACT)
    made = create(side, writable(side)[0].id, samples.plain(Kind.CONTACT))
    assert isinstance(made.item, Contact)
    control.clear_traffic()
    huge = replace(made.item, photo=Photo(bytes(6 * 1024 * 1024)))
    [result] = side.update([Update(made, huge, frozenset({("photo",)}))])
    assert isinstance(result, Refused)
    assert control.traffic() == []


def test_when_the_server_alters_what_it_was_given_no_revision_is_claimed(open_side: OpenSide) -> None:
    side = open_side()
    start = ZonedTime(datetime(2026, 1, 5, 9), "UTC")
    [result] = side.create([replace(creation(side), item=Event(start, start, title="\ufeffx"))])
    assert written(result).revision in ("", read(side, written(result).id).revision)
