"""Discovery, properties, queries; faults, recorded traffic, and data that outlives a process."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lab.nextcloud.remote import NextcloudControl
from lab.process import start
from tests.lab.nextcloud.client import NAMESPACES, Answer, Dav, card, event


def test_everything_is_found_from_the_well_known_address(anna: Dav) -> None:
    redirect = anna.http.get("/.well-known/caldav")
    assert (redirect.status_code, redirect.headers["location"]) == (301, "/remote.php/dav/")
    root = anna.propfind("/remote.php/dav/", "d:current-user-principal")
    principal = root.root.findtext(".//d:current-user-principal/d:href", namespaces=NAMESPACES)
    assert principal == "/remote.php/dav/principals/users/anna-uid/"
    homes = anna.propfind(principal, "c:calendar-home-set", "card:addressbook-home-set", "c:calendar-user-address-set")
    assert [entry.text for entry in homes.xpath(".//d:prop/*/d:href")] == [
        "/remote.php/dav/calendars/anna-uid/",
        "/remote.php/dav/addressbooks/users/anna-uid/",
        "mailto:anna@lab.example",
        "/remote.php/dav/principals/users/anna-uid/",
    ]


def test_options_tell_what_the_server_can(anna: Dav) -> None:
    answer = anna.http.options(anna.calendar)
    assert "calendar-access" in answer.headers["dav"]
    assert "addressbook" in answer.headers["dav"]


def test_one_propfind_on_the_home_shows_all_tokens(anna: Dav) -> None:
    before = anna.propfind(anna.calendars, "d:sync-token", "cs:getctag", depth="1").texts("d:sync-token")
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    after = anna.propfind(anna.calendars, "d:sync-token", "cs:getctag", depth="1")
    assert after.texts("d:sync-token")["personal"] != before["personal"]
    assert after.texts("d:sync-token") == {"personal": after.texts("cs:getctag")["personal"]}


def test_properties_can_be_set_on_creation_and_later(anna: Dav) -> None:
    path = f"{anna.calendars}/work"
    created = anna.xml(
        "MKCOL",
        path,
        "<d:mkcol><d:set><d:prop><d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
        "<d:displayname>Wörk</d:displayname></d:prop></d:set></d:mkcol>",
    )
    assert created.status_code == 201
    assert anna.propfind(path, "d:displayname").texts("d:displayname") == {"work": "Wörk"}
    anna.xml(
        "PROPPATCH",
        path,
        "<d:propertyupdate><d:set><d:prop><d:displayname>Job</d:displayname></d:prop></d:set></d:propertyupdate>",
    )
    assert anna.propfind(path, "d:displayname").texts("d:displayname") == {"work": "Job"}
    refused = Answer(
        anna.xml(
            "PROPPATCH",
            path,
            "<d:propertyupdate><d:set><d:prop><d:getetag>x</d:getetag></d:prop></d:set></d:propertyupdate>",
        )
    )
    assert refused.root.findtext(".//d:status", namespaces=NAMESPACES) == "HTTP/1.1 403 Forbidden"


def test_names_are_encoded_in_hrefs_as_sabre_does(anna: Dav) -> None:
    anna.put(f"{anna.calendar}/a%40b ü.ics", event("a"))
    answer = anna.sync(anna.calendar)
    assert answer.root.findtext(".//d:href", namespaces=NAMESPACES).endswith("/personal/a%40b%20%c3%bc.ics")  # type: ignore[union-attr]
    assert answer.names == ["a@b ü.ics"]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("20270110T000000Z", "20270111T000000Z", ["daily.ics", "single.ics"]),
        ("20270401T000000Z", "20270402T000000Z", ["daily.ics"]),
        ("20260101T000000Z", "20260102T000000Z", []),
    ],
)
def test_a_calendar_query_finds_occurrences_in_a_range(anna: Dav, start: str, end: str, found: list[str]) -> None:
    anna.put(f"{anna.calendar}/daily.ics", event("daily", "RRULE:FREQ=DAILY"))
    anna.put(f"{anna.calendar}/single.ics", event("single"))
    answer = anna.query(
        anna.calendar, f'<c:comp-filter name="VEVENT"><c:time-range start="{start}" end="{end}"/></c:comp-filter>'
    )
    assert answer.names == found


def test_an_address_book_query(anna: Dav) -> None:
    anna.put(f"{anna.book}/a.vcf", card("a", "EMAIL:ben@lab.example"))
    anna.put(f"{anna.book}/b.vcf", card("b", "EMAIL:eva@lab.example"))
    answer = Answer(
        anna.xml(
            "REPORT",
            anna.book,
            '<card:addressbook-query><d:prop><d:getetag/></d:prop><card:filter><card:prop-filter name="EMAIL">'
            '<card:text-match match-type="starts-with">EVA</card:text-match></card:prop-filter></card:filter>'
            "</card:addressbook-query>",
        )
    )
    assert answer.names == ["b.vcf"]


def test_an_object_moves_between_calendars(anna: Dav) -> None:
    anna.http.request("MKCALENDAR", f"{anna.calendars}/work")
    anna.put(f"{anna.calendar}/a.ics", event("a"))
    tokens = anna.sync(anna.calendar).token, anna.sync(f"{anna.calendars}/work").token
    assert anna.move(f"{anna.calendar}/a.ics", f"{anna.calendars}/work/a.ics").status_code == 201
    assert anna.sync(anna.calendar, tokens[0]).statuses == {"a.ics": 404}
    assert anna.sync(f"{anna.calendars}/work", tokens[1]).names == ["a.ics"]
    assert anna.move(f"{anna.calendars}/work/a.ics", f"{anna.calendars}/work/b.ics").status_code == 403


def test_a_new_account_may_come_with_examples(control: NextcloudControl) -> None:
    control.create_user("new", "a password", examples=True)
    assert {entry["collection"] for entry in control.objects("new")} == {
        "personal",
        "contacts",
        "z-server-generated--system",
    }


def test_faults_strike_what_they_are_set_for(anna: Dav, control: NextcloudControl) -> None:
    control.fail(
        {"operation": "PUT", "user": "anna", "path": "*/personal/*", "status": 503, "headers": {"Retry-After": "7"}},
        {"operation": "PUT", "drop": "after"},
        {"operation": "GET", "truncate": 20},
    )
    path = f"{anna.calendar}/a.ics"
    refused = anna.put(path, event("a"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "7")
    with pytest.raises(httpx.RemoteProtocolError):
        anna.put(path, event("a"))
    with pytest.raises(httpx.RemoteProtocolError):
        anna.http.get(path)
    assert anna.http.get(path).text == event("a")
    assert [fault["struck"] for fault in control.faults()] == [1, 1, 1]


def test_a_request_dropped_before_the_work_changes_nothing(anna: Dav, control: NextcloudControl) -> None:
    control.fail({"operation": "PUT", "drop": "before"})
    with pytest.raises(httpx.RemoteProtocolError):
        anna.put(f"{anna.calendar}/a.ics", event("a"))
    assert anna.http.get(f"{anna.calendar}/a.ics").status_code == 404


def test_traffic_is_recorded_without_passwords(anna: Dav, control: NextcloudControl) -> None:
    anna.put(f"{anna.calendar}/a.ics", event("a"), Schedule_Reply="F")
    anna.http.get(f"{anna.calendar}/a.ics")
    put, got = control.traffic()
    assert (put["method"], put["login"], put["status"], put["cookies_kept"]) == ("PUT", "anna", 201, False)
    assert put["headers"]["schedule-reply"] == "F"
    assert put["body"] == event("a")
    assert got["cookies_kept"] is True
    assert "authorization" not in got["headers"]
    assert got["answer"] == event("a")
    assert control.traffic(after=put["number"]) == [got]


def test_a_control_call_without_sense_is_refused_with_a_reason(control: NextcloudControl) -> None:
    for method, path, body in (
        ("POST", "/users", {"uid": "x"}),
        ("POST", "/faults", {"nonsense": 1}),
        ("PUT", "/compression", {"mode": "brotli"}),
    ):
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            control.call(method, path, body)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        control.call("GET", "/nothing")


def test_data_outlives_the_process(tmp_path: Path) -> None:
    with start("lab.nextcloud", tmp_path / "nextcloud.sqlite3") as first:
        control = NextcloudControl(first.url)
        control.create_user("eva", "a password")
        with Dav(first.url, "eva", "a password", "eva") as client:
            etag = client.put(f"{client.calendar}/a.ics", event("a")).headers["etag"]
        control.close()
        first.kill()
    with (
        start("lab.nextcloud", tmp_path / "nextcloud.sqlite3", port=first.port) as second,
        Dav(second.url, "eva", "a password", "eva") as client,
    ):
        assert client.http.get(f"{client.calendar}/a.ics").headers["etag"] == etag
