"""The traps that were measured on a real Nextcloud 32 (docs/server-behaviour.md, "Nextcloud DAV")."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from lab.nextcloud.remote import NextcloudControl
from tests.lab.nextcloud.client import Answer, Dav, card, event

UID_FILTER = (
    '<c:comp-filter name="VEVENT"><c:prop-filter name="UID"><c:text-match collation="i;octet">{}</c:text-match>'
    "</c:prop-filter></c:comp-filter>"
)


def test_it_keeps_a_calendar_object_byte_for_byte(anna: Dav) -> None:
    odd = event("odd", "X-PRIVATE;X-P=1:kept", "DESCRIPTION:a\r\n  folded oddly").replace("\r\n", "\n")
    answer = anna.put(f"{anna.calendar}/odd.ics", odd)
    assert answer.status_code == 201
    assert answer.headers["etag"] == f'"{hashlib.md5(odd.encode()).hexdigest()}"'
    assert anna.http.get(f"{anna.calendar}/odd.ics").content == odd.encode()


def test_it_gives_no_etag_when_it_alters_what_it_was_given(anna: Dav) -> None:
    text = event("bare").replace("DTSTAMP:20261101T000000Z\r\n", "")
    answer = anna.put(f"{anna.calendar}/bare.ics", text)
    assert answer.status_code == 201
    assert "etag" not in answer.headers
    assert "DTSTAMP:" in anna.http.get(f"{anna.calendar}/bare.ics").text


def test_a_limit_on_a_calendar_loses_changes_without_saying_so(anna: Dav) -> None:
    token = anna.sync(anna.calendar).token
    for number in range(3):
        anna.put(f"{anna.calendar}/{number}.ics", event(f"uid-{number}"))
    limited = anna.sync(anna.calendar, token, limit=1)
    assert (limited.status, limited.names, limited.statuses) == (207, ["0.ics"], {})
    assert anna.sync(anna.calendar, limited.token).names == []


def test_a_limit_on_an_initial_calendar_sync_gives_507(anna: Dav) -> None:
    for number in range(3):
        anna.put(f"{anna.calendar}/{number}.ics", event(f"uid-{number}"))
    assert anna.sync(anna.calendar, limit=2).statuses == {"personal": 507}


def test_an_address_book_is_continued_until_no_507_comes(anna: Dav) -> None:
    for number in range(5):
        anna.put(f"{anna.book}/{number}.vcf", card(f"uid-{number}"))
    seen: list[str] = []
    answer = anna.sync(anna.book, limit=2)
    pages = 1
    while answer.statuses.get("contacts") == 507:
        seen += answer.names
        answer = anna.sync(anna.book, answer.token, limit=2)
        pages += 1
    assert sorted({*seen, *answer.names}) == [f"{number}.vcf" for number in range(5)]
    assert pages == 3
    start = answer.token
    for number in range(3):
        anna.put(f"{anna.book}/{number}.vcf", card(f"uid-{number}", "NOTE:changed"))
    first = anna.sync(anna.book, start, limit=2)
    assert first.statuses == {"contacts": 507}
    second = anna.sync(anna.book, first.token, limit=2)
    assert {*first.names} & {*second.names} == {"1.vcf"}, "items may come twice"
    third = anna.sync(anna.book, second.token, limit=2)
    assert third.statuses == {}
    assert {*first.names, *second.names, *third.names} == {"0.vcf", "1.vcf", "2.vcf"}


def test_deleted_and_recreated_is_reported_as_gone_though_it_lives(anna: Dav) -> None:
    path = f"{anna.calendar}/back.ics"
    anna.put(path, event("back"))
    token = anna.sync(anna.calendar).token
    anna.delete(path)
    trashed = anna.propfind(f"{anna.calendars}/trashbin/objects", "d:getetag", depth="1").names
    restored = anna.move(f"{anna.calendars}/trashbin/objects/{trashed[-1]}", f"{anna.calendars}/trashbin/restore/file")
    assert restored.status_code == 201
    assert anna.sync(anna.calendar, token).statuses == {"back.ics": 404}
    assert anna.http.get(path).status_code == 200


def test_a_purge_reports_a_name_that_was_never_seen(anna: Dav) -> None:
    anna.put(f"{anna.calendar}/brief.ics", event("brief"))
    anna.delete(f"{anna.calendar}/brief.ics")
    token = anna.sync(anna.calendar).token
    trashed = anna.query(f"{anna.calendars}/trashbin/objects", UID_FILTER.format("brief")).names
    assert anna.delete(f"{anna.calendars}/trashbin/objects/{trashed[0]}").status_code == 204
    assert anna.sync(anna.calendar, token).statuses == {"brief-deleted.ics": 404}


def test_foreign_and_future_tokens(anna: Dav) -> None:
    assert anna.sync(anna.calendar, "urn:other:1").status == 403
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    future = anna.sync(anna.calendar, "http://sabre.io/ns/sync/999999")
    assert (future.status, future.names, future.statuses) == (207, [], {})


def test_a_pruned_log_silently_misses_changes(anna: Dav, control: NextcloudControl) -> None:
    token = anna.sync(anna.calendar).token
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    control.forget_changes()
    answer = anna.sync(anna.calendar, token)
    assert (answer.status, answer.names) == (207, [])


def test_an_identical_put_is_reported_with_the_same_etag(anna: Dav) -> None:
    first = anna.put(f"{anna.calendar}/a.ics", event("a")).headers["etag"]
    token = anna.sync(anna.calendar).token
    assert anna.put(f"{anna.calendar}/a.ics", event("a")).status_code == 204
    assert anna.sync(anna.calendar, token).texts("d:getetag") == {"a.ics": first}


@pytest.mark.parametrize("kind", ["calendar", "book"])
def test_preconditions_are_honoured(anna: Dav, kind: str) -> None:
    path, old, new = (
        (f"{anna.calendar}/a.ics", event("a"), event("a", title="New"))
        if kind == "calendar"
        else (f"{anna.book}/a.vcf", card("a"), card("a", name="New"))
    )
    etag = anna.put(path, old, If_None_Match="*").headers["etag"]
    assert anna.put(path, new, If_None_Match="*").status_code == 412
    assert anna.put(path, new, If_Match='"other"').status_code == 412
    assert anna.put(path, new, If_Match=f"W/{etag}").status_code == 412
    changed = anna.put(path, new, If_Match=etag)
    assert changed.status_code == 204
    assert anna.delete(path, If_Match=etag).status_code == 412
    assert anna.delete(path, If_Match=changed.headers["etag"]).status_code == 204
    assert anna.put(path, old, If_Match=etag).status_code == 412


def test_a_uid_in_the_trash_bin_makes_a_put_fail_until_it_is_restored_or_purged(anna: Dav) -> None:
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    anna.delete(f"{anna.calendar}/a.ics")
    assert anna.put(f"{anna.calendar}/a.ics", event("a")).status_code == 500
    assert anna.put(f"{anna.calendar}/b.ics", event("a")).status_code == 500
    found = anna.query(f"{anna.calendars}/trashbin/objects", UID_FILTER.format("a"))
    assert "UID:a" in next(iter(found.texts("c:calendar-data").values()))
    anna.move(f"{anna.calendars}/trashbin/objects/{found.names[0]}", f"{anna.calendars}/trashbin/restore/file")
    assert anna.put(f"{anna.calendar}/a.ics", event("a")).status_code == 204


def test_a_uid_lives_once_per_calendar_but_may_change_and_live_in_others(anna: Dav) -> None:
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    assert anna.put(f"{anna.calendar}/b.ics", event("a")).status_code == 400
    assert anna.query(anna.calendar, UID_FILTER.format("a")).names == ["a.ics"]
    anna.http.request("MKCALENDAR", f"{anna.calendars}/second")
    assert anna.put(f"{anna.calendars}/second/a.ics", event("a")).status_code == 201
    assert anna.put(f"{anna.calendar}/a.ics", event("other")).status_code == 204


def test_a_multiget_leaves_out_what_is_missing(anna: Dav) -> None:
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    answer = anna.multiget(anna.calendar, f"{anna.calendar}/a.ics", f"{anna.calendar}/missing.ics")
    assert (answer.names, answer.statuses) == (["a.ics"], {})
    assert answer.texts("c:calendar-data")["a.ics"] == event("a")


def _two(first: str, second: str) -> str:
    return first.replace("END:VCALENDAR\r\n", second[second.index("BEGIN:VEVENT") :])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (event("a", "X-LARGE:" + "x" * (10 * 1024 * 1024)), 403),
        (event("u" * 256), 500),
        (event("a", "RRULE:FREQ=DAILY;COUNT=3501"), 500),
        (event("a", "RRULE:FREQ=DAILY;COUNT=3500"), 201),
        (event("a", "RRULE:FREQ=DAILY"), 201),
        (event("a", "RRULE:FREQ=FORTNIGHTLY"), 500),
        (event("a", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20270110T090000Z,20270111T090000Z"), 403),
        (event("a", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20270110T090000Z"), 201),
        (event("a").replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST"), 415),
        (_two(event("a"), event("a")), 415),
        (_two(event("a"), event("b")), 415),
        (_two(event("a", "RRULE:FREQ=DAILY"), event("a", "RECURRENCE-ID:20270111T090000Z")), 201),
        ("no calendar at all", 415),
        (card("a"), 415),
    ],
    ids=[
        "too large",
        "long uid",
        "3501 instances",
        "3500 instances",
        "endless",
        "bad frequency",
        "no instance left",
        "one instance left",
        "method",
        "two masters",
        "two uids",
        "an exception",
        "garbage",
        "a card",
    ],
)
def test_what_a_calendar_accepts(anna: Dav, text: str, status: int) -> None:
    assert anna.put(f"{anna.calendar}/a.ics", text).status_code == status


def test_a_long_name_fails(anna: Dav) -> None:
    assert anna.put(f"{anna.calendar}/{'n' * 252}.ics", event("a")).status_code == 500
    assert anna.put(f"{anna.calendar}/{'n' * 251}.ics", event("a")).status_code == 201


def test_a_calendar_refuses_components_that_it_is_not_made_for(anna: Dav) -> None:
    anna.xml(
        "MKCALENDAR",
        f"{anna.calendars}/tasks",
        "<c:mkcalendar><d:set><d:prop><c:supported-calendar-component-set>"
        '<c:comp name="VTODO"/></c:supported-calendar-component-set></d:prop></d:set></c:mkcalendar>',
    )
    answer = anna.put(f"{anna.calendars}/tasks/a.ics", event("a"))
    assert answer.status_code == 403
    assert "supported-calendar-component" in answer.text


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (card("a", "NOTE:" + "x" * (5 * 1024 * 1024)), 403),
        (card("a", version="2.1"), 415),
        (card("u" * 256), 500),
        ("BEGIN:VCARD\r\nnonsense\r\nEND:VCARD", 415),
        (event("a"), 415),
    ],
    ids=["too large", "version 2.1", "long uid", "garbage", "an event"],
)
def test_what_an_address_book_refuses(anna: Dav, text: str, status: int) -> None:
    assert anna.put(f"{anna.book}/a.vcf", text).status_code == status


def test_a_version_4_card_is_read_as_version_3(anna: Dav) -> None:
    answer = anna.put(f"{anna.book}/a.vcf", card("a", "BDAY:19800203", version="4.0"))
    assert answer.status_code == 201
    assert "etag" not in answer.headers
    for text in (
        anna.http.get(f"{anna.book}/a.vcf").text,
        anna.multiget(anna.book, f"{anna.book}/a.vcf").texts("card:address-data")["a.vcf"],
    ):
        assert "VERSION:3.0" in text
        assert "BDAY:1980-02-03" in text


def test_a_card_with_a_foreign_photo_is_read_without_it_and_a_card_without_uid_gets_one(anna: Dav) -> None:
    answer = anna.put(f"{anna.book}/a.vcf", card("a", "PHOTO:data:text/html;base64,PGI+", " AAAA", "NOTE:kept"))
    assert "etag" not in answer.headers
    read = anna.http.get(f"{anna.book}/a.vcf").text
    assert "PHOTO" not in read
    assert "AAAA" not in read
    assert "NOTE:kept" in read
    assert "etag" not in anna.put(f"{anna.book}/b.vcf", card("x").replace("UID:x\r\n", "")).headers
    assert "UID:" in anna.http.get(f"{anna.book}/b.vcf").text


def test_eleven_failed_logins_lock_the_address_for_everybody(anna: Dav, control: NextcloudControl) -> None:
    token = control.new_token("anna-uid")
    with httpx.Client(base_url=control.url) as other:
        answers = [other.get("/remote.php/dav/", auth=("somebody", "wrong")).status_code for _ in range(12)]
        assert answers == [401] * 11 + [429]
        locked = other.request("PROPFIND", anna.calendar, auth=("anna", token))
        assert locked.status_code == 429
        assert "retry-after" not in locked.headers
    control.forgive_logins()
    assert anna.propfind(anna.calendar, "d:displayname").status == 207


def test_app_passwords_go_with_the_login_name_only(anna: Dav, control: NextcloudControl) -> None:
    token = control.new_token("anna-uid")

    def status(login: str, password: str) -> int:
        with Dav(control.url, login, password, "anna-uid") as client:
            return client.propfind(client.calendar, "d:displayname").status

    assert status("anna", token) == 207
    assert status("anna-uid", token) == 401
    assert status("anna-uid", "anna's password") == 207
    assert status("anna@lab.example", "anna's password") == 207
    control.revoke_tokens("anna-uid")
    assert status("anna", token) == 401


def test_maintenance_mode(anna: Dav, control: NextcloudControl) -> None:
    assert anna.http.get("/status.php").json()["maintenance"] is False
    control.maintenance(True)
    assert anna.propfind(anna.calendar, "d:displayname").status == 503
    assert anna.http.get("/status.php").json()["maintenance"] is True


def test_a_disabled_account_is_503_and_a_deleted_one_401(anna: Dav, control: NextcloudControl) -> None:
    control.change_user("anna-uid", enabled=False)
    answer = anna.propfind(anna.calendar, "d:displayname")
    assert answer.status == 503
    assert "Account disabled" in answer.response.text
    control.delete_user("anna-uid")
    assert anna.propfind(anna.calendar, "d:displayname").status == 401


def test_birthdays_are_generated_and_read_only(anna: Dav) -> None:
    anna.put(f"{anna.book}/a.vcf", card("a", "BDAY:1980-02-03"))
    birthdays = f"{anna.calendars}/contact_birthdays"
    assert anna.propfind(birthdays, "d:getetag", depth="1").names == ["contact_birthdays", "contacts-a.vcf.ics"]
    assert "DTSTART;VALUE=DATE:19800203" in anna.http.get(f"{birthdays}/contacts-a.vcf.ics").text
    assert anna.put(f"{birthdays}/b.ics", event("b")).status_code == 403
    assert anna.delete(f"{birthdays}/contacts-a.vcf.ics").status_code == 403
    privileges = anna.propfind(birthdays, "d:current-user-privilege-set").xpath(".//d:privilege/d:write")
    assert privileges == []
    anna.delete(f"{anna.book}/a.vcf")
    assert anna.http.get(f"{birthdays}/contacts-a.vcf.ics").status_code == 404


def test_a_home_lists_things_that_are_no_calendars(anna: Dav) -> None:
    anna.http.request("MKCALENDAR", f"{anna.calendars}/old")
    anna.delete(f"{anna.calendars}/old")
    home = anna.propfind(anna.calendars, "d:resourcetype", depth="1")
    assert {"inbox", "outbox", "trashbin", "old", "personal"} <= set(home.names)
    assert len(home.xpath(".//nc:deleted-calendar")) == 1
    assert len(home.xpath(".//c:calendar")) == 1
    assert anna.put(f"{anna.calendars}/old/a.ics", event("a")).status_code == 403
    anna.move(f"{anna.calendars}/old", f"{anna.calendars}/trashbin/restore/old")
    assert anna.put(f"{anna.calendars}/old/a.ics", event("a")).status_code == 201


@pytest.mark.parametrize(("mode", "shape"), [("weak", 'W/"{}"'), ("suffix", '"{}-gzip"')])
def test_compression_changes_etags(anna: Dav, control: NextcloudControl, mode: str, shape: str) -> None:
    etag = anna.put(f"{anna.calendar}/a.ics", event("a", "DESCRIPTION:" + "text " * 200)).headers["etag"]
    control.compression(mode)
    compressed = anna.http.get(f"{anna.calendar}/a.ics", headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert compressed.headers["etag"] == shape.format(etag.strip('"'))
    assert anna.http.get(f"{anna.calendar}/a.ics").headers["etag"] == etag


def test_a_request_with_entities_is_refused(anna: Dav) -> None:
    body = (
        '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        '<d:propfind xmlns:d="DAV:"><d:prop><d:displayname/>&e;</d:prop></d:propfind>'
    )
    answer = Answer(anna.http.request("PROPFIND", anna.calendar, content=body, headers={"Depth": "0"}))
    assert answer.status == 400


def test_nobody_sees_the_calendars_of_others(anna: Dav, control: NextcloudControl) -> None:
    control.create_user("ben", "ben's password")
    assert anna.propfind("/remote.php/dav/calendars/ben/personal", "d:displayname").status == 403
    assert anna.put("/remote.php/dav/calendars/ben/personal/a.ics", event("a")).status_code == 403
    assert anna.propfind("/remote.php/dav/calendars/nobody", "d:displayname").status == 404
