"""Connections against servers that say just these bytes."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncapp import http
from syncapp.http import Broken, Connections, Limits, NotConnected, TooLarge, TooSlow
from tests.certificates import server_certificate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Server:
    """Listens until the block is left, and answers each request of each connection with what comes next.

    A connection for which nothing is left is closed. ``requests`` are the heads, one list for each connection.
    """

    connections: list[list[bytes]]
    trust: ssl.SSLContext | None = None
    requests: list[list[str]] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Server:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{'https' if self.trust else 'http'}://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        for answers in self.connections:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), sock:
                self._talk(self.trust.wrap_socket(sock, server_side=True) if self.trust else sock, answers)

    def _talk(self, sock: socket.socket, answers: list[bytes]) -> None:
        heads: list[str] = []
        self.requests.append(heads)
        with sock, sock.makefile("rb") as stream:
            for answer in answers:
                lines: list[str] = []
                while (line := stream.readline()) != b"\r\n":
                    if not line:
                        return
                    lines.append(line.decode())
                heads.append("".join(lines))
                length = next((int(line[15:]) for line in lines if line.startswith("Content-Length:")), 0)
                assert len(stream.read(length)) == length
                sock.sendall(answer)
            if answers and answers[-1].endswith(b"..."):
                self.let_go.wait(10)


def asked(
    server: Server, method: str = "GET", body: bytes = b"", times: int = 1, limits: Limits | None = None
) -> list[http.Reply]:
    """The answers to so many equal requests."""
    connections = Connections(server.url, limits=limits or Limits())
    try:
        return [connections.exchange(method, "/a", {"X-A": "1"}, body) for _ in range(times)]
    finally:
        connections.close()


# Answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX-B: 2\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-C: 3\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"ok", mtime=0),
    ],
)
def test_a_body_is_read_however_it_is_sent(answer: bytes) -> None:
    with Server([[answer]]) as server:
        [reply] = asked(server)
    assert (reply.status, reply.body) == (200, b"ok")


def test_headers_are_found_by_small_letters() -> None:
    with Server([[b'HTTP/1.1 201 Created\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n']]) as server:
        [reply] = asked(server, "PUT", b"body")
    assert (reply.status, reply.headers["etag"], reply.body) == (201, '"1"', b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    ],
)
def test_what_is_cut_off_or_no_http_is_broken(answer: bytes) -> None:
    with Server([[answer]]) as server, pytest.raises(Broken):
        asked(server)


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_never_ends_is_left(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER", 1000)
    body = gzip.compress(b"x" * 1_000_000) if packed else b"x" * 1_000_000
    encoding = b"Content-Encoding: gzip\r\n" * packed
    with Server([[b"HTTP/1.1 200 OK\r\n" + encoding + b"\r\n" + body]]) as server, pytest.raises(TooLarge):
        asked(server)


@pytest.mark.parametrize("limits", [Limits(step=0.05), Limits(request=0.05)])
@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\n...", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok..."])
def test_an_answer_that_does_not_come_is_not_waited_for(limits: Limits, beginning: bytes) -> None:
    with Server([[beginning]]) as server, pytest.raises(TooSlow):
        asked(server, limits=limits)


def test_a_refusal_is_heard_while_the_request_is_still_being_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.recv(1000)
                sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1 << 20):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        connections = Connections(f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert connections.exchange("PUT", "/a", {}, b"x" * 5_000_000).status == 413
        connections.close()
        thread.join()


# Requests --------------------------------------------------------------------------------------------------------


def test_a_request_says_what_it_is_told_to() -> None:
    with Server([[EMPTY, EMPTY]]) as server:
        asked(server, "PUT", b"", 2)
    host = server.requests[0][0].split("\r\n")[1]
    assert server.requests == [[f"PUT /a HTTP/1.1\r\n{host}\r\nX-A: 1\r\nContent-Length: 0\r\n"] * 2]
    assert host.startswith("Host: 127.0.0.1:")


@pytest.mark.parametrize("nasty", ["1\r\nX-B: 2", "1\nX-B: 2", "1\rX-B: 2"])
def test_a_header_can_not_become_two(nasty: str) -> None:
    connections = Connections("http://127.0.0.1:1")
    with pytest.raises(Broken, match="line break"):
        connections.exchange("PUT", "/a", {"If-Match": nasty}, b"")


def test_nobody_there() -> None:
    for url in ("http://127.0.0.1:1", "http://nobody.invalid", f"http://{'x' * 70}.example"):
        with pytest.raises(NotConnected):
            Connections(url).exchange("GET", "/", {}, b"")


# Connections -----------------------------------------------------------------------------------------------------


def test_a_connection_is_kept() -> None:
    with Server([[OK, EMPTY, OK]]) as server:
        assert [each.status for each in asked(server, times=3)] == [200, 204, 200]
    assert [len(each) for each in server.requests] == [3]


def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    for answer in (closing, OK):
        with Server([[answer], [OK]]) as server:
            connections = Connections(server.url)
            for _ in range(2):
                assert connections.exchange("PUT", "/a", {}, b"").body == b"ok"
                _until_ended(connections)
            connections.close()


def test_another_user_shares_the_connection_and_no_cookie() -> None:
    setting = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=first\r\nContent-Length: 2\r\n\r\nok"
    with Server([[setting, OK, OK, OK]]) as server:
        first = Connections(server.url)
        second = first.borrow()
        for each in (first, second, first):
            each.exchange("GET", "/a", {}, b"")
            second.close()
        third = second.borrow()
        third.exchange("GET", "/a", {}, b"")
        first.close()
    [heads] = server.requests
    assert ["Cookie: session=first" in head for head in heads] == [False, False, True, False]
    assert not first._idle


def _until_ended(connections: Connections) -> None:
    """Wait until what the server does to a kept connection has arrived here."""
    for each in connections._idle:
        each._sock.settimeout(10)
        each._sock.recv(1, socket.MSG_PEEK)


def test_what_came_unasked_is_no_answer() -> None:
    unasked = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked"
    with Server([[OK + unasked, EMPTY], [EMPTY]]) as server:
        assert [each.body for each in asked(server, times=2)] == [b"ok", b""]


def test_a_connection_that_was_idle_is_not_used_again() -> None:
    with Server([[OK, OK], [EMPTY]]) as server:
        assert [each.status for each in asked(server, times=2, limits=Limits(idle=-1.0))] == [200, 204]


def test_cookies_are_kept_until_they_expire() -> None:
    answers = [
        "a=1; path=/; HttpOnly\r\nSet-Cookie: b=2=2; Expires=Fri, 31-Dec-2100 23:59:59 GMT\r\nSet-Cookie: s=3; Secure",
        "a=deleted; Expires=Thu, 01-Jan-1970 00:00:01 GMT\r\nSet-Cookie: c=3; Max-Age=100",
        "b=x; Max-Age=0",
        "nonsense",
    ]
    sent = [f"HTTP/1.1 204 No Content\r\nSet-Cookie: {each}\r\n\r\n".encode() for each in answers]
    with Server([[*sent, EMPTY]]) as server:
        asked(server, times=5)
    cookies = [[line for line in head.split("\r\n") if line.startswith("Cookie")] for head in server.requests[0]]
    assert cookies == [[], ["Cookie: a=1; b=2=2"], ["Cookie: b=2=2; c=3"], ["Cookie: c=3"], ["Cookie: c=3"]]


# TLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "known", "trusted"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)],
)
def test_only_a_certificate_of_a_known_authority_for_this_server_is_trusted(
    address: str, known: bool, trusted: bool, tmp_path: Path
) -> None:
    file = server_certificate(tmp_path, address)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    authorities = ssl.create_default_context(cafile=file) if known else None
    with Server([[OK, OK]], trust=serving) as server:
        connections = Connections(server.url, authorities)
        if trusted:
            assert [connections.exchange("GET", "/", {}, b"").body for _ in range(2)] == [b"ok", b"ok"]
        else:
            with pytest.raises(NotConnected, match="SSLCertVerificationError"):
                connections.exchange("GET", "/", {}, b"")
        connections.close()
