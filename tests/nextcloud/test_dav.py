"""The DAV client against servers that no honest one is like."""

from __future__ import annotations

import pytest

from syncapp.http import Broken, HttpError, NotConnected, Reply, TooLarge, TooSlow
from syncapp.items import Event, Kind
from syncapp.nextcloud import dav, requests
from syncapp.nextcloud import side as nextcloud_side
from syncapp.nextcloud.dav import Answer, DavClient, Multistatus, path_of, plain_etag
from syncapp.nextcloud.side import Account, NextcloudSide
from syncapp.side import Deletion, Gone, Object, Throttled, Unreachable, Unreadable, Written
from tests.nextcloud.transport import Pretended, Request, Respond, reply


def client(respond: Respond) -> DavClient:
    return DavClient("https://cloud.example", "anna", "secret", Pretended(respond))


def multistatus(*responses: str, token: str = "") -> Reply:
    body = (
        f'<d:multistatus xmlns:d="DAV:" xmlns:c="{dav.CALDAV}">{"".join(responses)}<d:sync-token>{token}</d:sync-token>'
    )
    return reply(207, f"{body}</d:multistatus>".encode())


def side_on(respond: Respond) -> NextcloudSide:
    account = Account("https://cloud.example", "anna", "secret", "c")
    return NextcloudSide(Kind.EVENT, account, transport=Pretended(respond))


def found(path: str, etag: str = '"1"', data: str = "") -> str:
    content = f"<c:calendar-data>{data}</c:calendar-data>" if data else ""
    return (
        f"<d:response><d:href>{path}</d:href><d:propstat><d:prop><d:getetag>{etag}</d:getetag>{content}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def status(path: str, line: str) -> str:
    return f"<d:response><d:href>{path}</d:href><d:status>HTTP/1.1 {line}</d:status></d:response>"


def test_redirects_are_followed_within_the_server() -> None:
    def respond(request: Request) -> Reply:
        if request.path == "/.well-known/caldav":
            return reply(301, headers={"location": "/remote.php/dav/"})
        assert request.method == "PROPFIND"
        assert request.content == b"<x/>"
        return multistatus(found(request.path))

    answer = client(respond).multistatus("PROPFIND", "/.well-known/caldav", "<x/>")
    assert isinstance(answer, Multistatus)
    assert answer.resources[0].path == "/remote.php/dav/"


@pytest.mark.parametrize("location", ["https://evil.example/", "http://cloud.example/", "//evil.example/x"])
def test_a_redirect_to_elsewhere_gets_no_password(location: str) -> None:
    asked: list[str] = []

    def respond(request: Request) -> Reply:
        asked.append(request.path)
        return reply(302, headers={"location": location})

    with pytest.raises(Unreachable, match="another address"):
        client(respond).request("PROPFIND", "/")
    assert asked == ["/"]


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("https://cloud.example:443/a b?x=1&y=%41", "/a%20b?x=1&y=%41"),
        ("HTTPS://Cloud.Example", "/"),
        ("../up/", "/dav/up/"),
    ],
)
def test_a_redirect_is_followed_however_it_is_spelled(location: str, path: str) -> None:
    def respond(request: Request) -> Reply:
        return reply(302, headers={"location": location}) if request.path == "/dav/x/" else reply(200)

    assert client(respond).request("GET", "/dav/x/").path == path


def test_endless_redirects_end() -> None:
    with pytest.raises(Unreachable, match="in circles"):
        client(lambda request: reply(302, headers={"location": "/again"})).request("GET", "/")


@pytest.mark.parametrize(
    ("etag", "proof"),
    [
        ('"9dd4e461268c8034f5c8564e155c67a6"', True),
        ('"9dd4e461268c8034f5c8564e155c67a6-gzip"', True),
        ('W/"9dd4e461268c8034f5c8564e155c67a6"', False),
        ('"e1671797c52e15f763380b45e841ec32"', False),
        ("", False),
    ],
)
def test_only_a_strong_etag_of_the_very_bytes_proves_what_is_stored(etag: str, proof: bool) -> None:
    answer = client(lambda request: reply(201, headers={"etag": etag})).request("PUT", "/a", b"x")
    assert answer.proves_stored(b"x") is proof


def test_what_only_reads_is_repeated_when_the_connection_broke() -> None:
    asked: list[str] = []

    def respond(request: Request) -> Reply:
        asked.append(request.method)
        if len(asked) == 1:
            raise Broken("it did")
        return reply(204)

    assert client(respond).request("REPORT", "/").status == 204
    assert asked == ["REPORT", "REPORT"]


@pytest.mark.parametrize(
    ("error", "sent"), [(NotConnected("no"), False), (TooSlow("yawn"), True), (Broken("crack"), True)]
)
def test_a_write_without_an_answer_may_have_been_done(error: HttpError, sent: bool) -> None:
    asked: list[str] = []

    def respond(request: Request) -> Reply:
        asked.append(request.method)
        raise error

    with pytest.raises(Unreachable) as caught:
        client(respond).request("PUT", "/a", b"x")
    assert (caught.value.sent, asked) == (sent, ["PUT"])


def test_a_write_follows_no_redirect() -> None:
    answer = client(lambda request: reply(302, headers={"location": "/b"})).request("PUT", "/a", b"x")
    assert answer.status == 302


@pytest.mark.parametrize("method", ["PUT", "DELETE", "MOVE"])
def test_every_write_asks_for_silence(method: str) -> None:
    def respond(request: Request) -> Reply:
        assert request.headers["x-nc-scheduling"] == "false"
        assert request.headers["Schedule-Reply"] == "F"
        assert request.headers["Accept-Encoding"] == "identity"
        assert request.headers["Authorization"] == "Basic YW5uYTpzZWNyZXQ="
        return reply(204)

    assert client(respond).request(method, "/a").status == 204


def test_entities_are_not_expanded() -> None:
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
        '<d:multistatus xmlns:d="DAV:"><d:response><d:href>/x</d:href><d:propstat><d:prop>'
        "<d:getetag>&b;&c;</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        "</d:multistatus>"
    )
    answer = client(lambda request: reply(207, bomb.encode())).multistatus("PROPFIND", "/", "")
    assert isinstance(answer, Multistatus)
    assert answer.resources[0].etag == ""


@pytest.mark.parametrize("body", [b"", b"hello", b"<html/>", b'<d:multistatus xmlns:d="DAV:"><d:resp'])
def test_a_multistatus_that_is_none_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unreachable, match="no XML that we can read"):
        client(lambda request: reply(207, body)).multistatus("PROPFIND", "/", "")


PATHS = [f"/c/{number}.ics" for number in range(10)]


def test_too_large_an_answer_is_cut_and_asked_for_in_halves() -> None:
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\nEND:VEVENT\nEND:VCALENDAR\n"
    sizes: list[int] = []

    def respond(request: Request) -> Reply:
        paths = [
            path for path in (f"/c/{number}.ics" for number in range(10)) if f">{path}<".encode() in request.content
        ]
        sizes.append(len(paths))
        if "/c/7.ics" in paths:
            raise TooLarge("more than 1 bytes")
        return multistatus(*(found(path, data=event) for path in paths))

    side = side_on(respond)
    side.__dict__["_bin"] = ""
    objects = side.read(PATHS)
    assert len(objects) == 10
    assert [path for path, each in objects.items() if isinstance(each, Unreadable)] == ["/c/7.ics"]
    assert sizes[0] == 10


def test_an_object_that_xml_can_not_carry_hides_no_other() -> None:
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260101T000000Z\nSUMMARY:{}\nEND:VEVENT\nEND:VCALENDAR\n"

    def respond(request: Request) -> Reply:
        if request.method == "GET":
            assert request.path == "/c/7.ics"
            return reply(200, event.format("a\x0bb").encode(), headers={"etag": '"7"'})
        paths = [path for path in PATHS if f">{path}<".encode() in request.content]
        return multistatus(*(found(path, data=event.format("\x0b" * (path == "/c/7.ics"))) for path in paths))

    side = side_on(respond)
    side.__dict__["_bin"] = ""
    objects = side.read(PATHS)
    assert set(objects) == set(PATHS)
    broken = objects["/c/7.ics"]
    assert isinstance(broken, Object)
    assert isinstance(broken.item, Event)
    assert (broken.revision, broken.item.title) == ("7", "a\x0bb")


def test_pages_are_followed_and_the_last_word_counts() -> None:
    pages = {
        "": multistatus(
            found("/c/1.ics"), found("/c/2.ics", '"a"'), status("/c/", "507 Insufficient Storage"), token="p1"
        ),
        "p1": multistatus(
            found("/c/2.ics", 'W/"b-gzip"'), status("/c/1.ics", "404 Not Found"), found("/c/"), token="p2"
        ),
    }

    def respond(request: Request) -> Reply:
        return next(
            page for token, page in pages.items() if f"<d:sync-token>{token}</d:sync-token>".encode() in request.content
        )

    side = side_on(respond)
    changes = side.changes("/c/", None)
    assert [(each.id, each.revision) for each in changes.changed] == [("/c/2.ics", "b")]
    assert (changes.gone, changes.token, changes.full, changes.more) == (("/c/1.ics",), "p2", True, False)


def test_a_server_that_always_has_more_is_left() -> None:
    side = side_on(lambda request: multistatus(status("/c/", "507 X"), token="same"))
    with pytest.raises(Unreachable, match="again and again"):
        side.changes("/c/", "same")


def test_a_calendar_that_is_gone_is_gone() -> None:
    side = side_on(lambda request: reply(404))
    with pytest.raises(Gone):
        side.changes("/c/", None)


def test_a_server_that_asks_for_rest_gets_it() -> None:
    with pytest.raises(Throttled) as caught:
        client(lambda request: reply(503, headers={"retry-after": "120"})).request("GET", "/")
    assert (caught.value.seconds, caught.value.whole_server) == (120.0, True)


@pytest.mark.parametrize(
    ("etag", "plain"), [('"a"', "a"), ('W/"a"', "a"), ('"a-gzip"', "a"), ('W/"a-gzip"', "a"), ("", ""), ("a", "a")]
)
def test_etags_are_compared_without_what_compression_leaves(etag: str, plain: str) -> None:
    assert plain_etag(etag) == plain


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/dav/a%40b/c%20d/", "/dav/a@b/c%20d/"),
        ("/dav/a@b/c d/", "/dav/a@b/c%20d/"),
        ("https://cloud.example/dav/%C3%A4.ics", "/dav/%C3%A4.ics"),
        ("/dav/ä.ics", "/dav/%C3%A4.ics"),
    ],
)
def test_a_path_has_one_spelling(href: str, path: str) -> None:
    assert path_of(href) == path


def test_what_a_server_says_is_heard() -> None:
    inner = '<d:valid-sync-token/><s:message xmlns:s="http://sabredav.org/ns">No  way</s:message>'
    body = f'<d:error xmlns:d="DAV:">{inner}</d:error>'.encode()
    assert Answer(403, body, {}, "/").error == (frozenset({"error", "valid-sync-token", "message"}), "No way")
    assert Answer(403, b"<broken", {}, "/").error == (frozenset(), "")


def test_bodies_carry_hostile_names_safely() -> None:
    nasty = "</d:href>&\"'<x>"
    for body in (
        requests.multiget(Kind.EVENT, [nasty]),
        requests.by_uid(Kind.EVENT, [nasty]),
        requests.by_uid(Kind.CONTACT, [nasty]),
        requests.sync_collection(nasty),
    ):
        root = dav.read_xml(body.encode())
        assert root is not None
        assert nasty in "".join(map(str, root.itertext()))


def locked(status: int) -> Reply:
    """What Nextcloud says when another writer holds its SQLite database."""
    body = (
        '<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>An exception occurred while executing a '
        "query: SQLSTATE[HY000]: General error: 5 database is locked</s:message></d:error>"
    )
    return reply(status, body.encode())


def test_a_write_that_meets_a_locked_database_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextcloud_side, "LOCK_WAITS", (0.0, 0.0))
    answers = iter([locked(500), locked(503), reply(204)])
    side = side_on(lambda request: next(answers))
    assert side.delete([Deletion("/c/1.ics", "1")]) == [Written("/c/1.ics")]
    assert next(answers, None) is None


@pytest.mark.parametrize("status", [500, 503])
def test_a_database_that_stays_locked_is_no_fault_of_the_object(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(nextcloud_side, "LOCK_WAITS", (0.0, 0.0))
    (result,) = side_on(lambda request: locked(status)).delete([Deletion("/c/1.ics", "1")])
    assert isinstance(result, Unreachable)
