"""What a server's refusals become, over a real wire: the lab's faults, wrong accounts, what is no Exchange at all."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from syncapp.exchange.ews.connection import Connection, open_sessions
from syncapp.exchange.ews.errors import error_of_code, error_of_fault, error_of_message
from syncapp.exchange.ews.markup import m, t
from syncapp.exchange.ews.operations import distinguished, get_folders
from syncapp.exchange.ews.posting import Account, Authentication, Sessions
from syncapp.exchange.ews.side import open_side
from syncapp.exchange.ews.signed import Signed
from syncapp.exchange.ews.straight import Straight
from syncapp.exchange.ews.xml import parse
from syncapp.items.values import Kind
from syncapp.side import (
    ChangedMeanwhile,
    Creation,
    Gone,
    LoginFailed,
    NoMailbox,
    NotAllowed,
    Refused,
    SideError,
    Throttled,
    TokenLost,
    Unreachable,
    Written,
)
from tests.certificates import server_certificate
from tests.contract import samples
from tests.exchange.ews import wire
from tests.exchange.ews.lab import MAILBOX, Lab, running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


OpenSessions = Callable[[Account], Sessions]


@pytest.fixture(params=[Straight, Signed])
def open_some(request: pytest.FixtureRequest) -> OpenSessions:
    """Each way in which a request may get to Exchange."""
    found: OpenSessions = request.param
    return found


Connect = Callable[..., Connection]


@pytest.fixture
def connect(lab: Lab, open_some: OpenSessions) -> Iterator[Connect]:
    """Connects to a mailbox with an account that differs from the lab's by the fields that are given."""
    opened: list[Sessions] = []

    def connect(mailbox: str = MAILBOX, **fields: Any) -> Connection:
        account = replace(lab.account, **fields)
        opened.append(open_some(account))
        return Connection(account, mailbox, opened[-1])

    lab.control("DELETE", "faults")
    yield connect
    for each in opened:
        each.close()
    lab.control("DELETE", "faults")


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


def ask(connection: Connection) -> None:
    for answer in get_folders(connection, [distinguished("calendar")]):
        if isinstance(answer, SideError):
            raise answer


def create_one(connection: Connection) -> Any:
    side = open_side(Kind.CONTACT, connection)
    folder = next(each.id for each in side.folders() if each.default)
    return side.create([Creation(samples.own_id(), samples.uid(), folder, samples.plain(Kind.CONTACT))])


@pytest.mark.parametrize(
    ("fault", "expected", "seconds"),
    [
        ({"code": "ErrorServerBusy", "as": "fault", "values": {"BackOffMilliseconds": "1500"}}, Throttled, 1.5),
        ({"code": "ErrorServerBusy", "values": {"BackOffMilliseconds": "2500"}}, Throttled, 2.5),
        ({"status": 503, "headers": {"Retry-After": "7"}}, Throttled, 7.0),
        ({"status": 429}, Throttled, None),
        ({"status": 503}, Unreachable, None),
        ({"status": 500}, Unreachable, None),
        ({"status": 403}, NotAllowed, None),
        ({"status": 401}, LoginFailed, None),
        ({"status": 404}, Unreachable, None),
        ({"status": 302, "headers": {"Location": "/somewhere"}}, Unreachable, None),
        ({"status": 200, "body": "<html><body>Hello</body></html>"}, Unreachable, None),
        ({"status": 200, "body": "not even markup"}, Unreachable, None),
        ({"code": "ErrorMailboxStoreUnavailable"}, Unreachable, None),
        ({"code": "ErrorInternalServerTransientError", "as": "fault"}, Unreachable, None),
        ({"code": "ErrorNonExistentMailbox", "as": "fault"}, NoMailbox, None),
        ({"code": "ErrorImpersonateUserDenied", "as": "fault"}, NotAllowed, None),
    ],
)
def test_a_refusal_becomes_the_error_of_its_situation(
    lab: Lab, connection: Connection, fault: dict[str, Any], expected: type[SideError], seconds: float | None
) -> None:
    lab.control("POST", "faults", {"times": None, **fault})
    with pytest.raises(expected) as caught:
        ask(connection)
    if isinstance(caught.value, Throttled):
        assert caught.value.seconds == seconds
    assert MAILBOX not in str(caught.value)
    lab.control("DELETE", "faults")
    ask(connection)


def test_a_question_is_asked_again_when_the_connection_broke(lab: Lab, connection: Connection) -> None:
    ask(connection)
    lab.control("POST", "faults", {"drop": "before"})
    ask(connection)


def test_a_question_is_not_asked_for_ever(lab: Lab, connection: Connection) -> None:
    lab.control("POST", "faults", {"drop": "before", "times": None})
    with pytest.raises(Unreachable):
        ask(connection)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_whose_connection_broke_is_not_repeated(lab: Lab, connection: Connection, when: str) -> None:
    lab.control("DELETE", "traffic")
    lab.control("POST", "faults", {"operation": "CreateItem", "drop": when, "times": None})
    with pytest.raises(Unreachable):
        create_one(connection)
    assert lab.control("GET", "faults")[0]["struck"] == 1
    lab.control("DELETE", "faults")
    assert isinstance(create_one(connection)[0], Written)


def test_an_answer_that_was_cut_is_no_answer(lab: Lab, connection: Connection) -> None:
    lab.control("POST", "faults", {"operation": "GetFolder", "truncate": 200, "times": None})
    with pytest.raises(Unreachable):
        ask(connection)


@pytest.mark.parametrize("password", ["wrong", "wröng", "wrong ✓"])
def test_a_wrong_password_is_a_failed_login(lab: Lab, password: str) -> None:
    connection = Connection(replace(lab.account, password=password), MAILBOX)
    with pytest.raises(LoginFailed):
        ask(connection)
    connection.close()


def test_a_login_is_tried_once_by_either_way(connect: Connect) -> None:
    with pytest.raises(LoginFailed):
        ask(connect(password="wrong"))


def test_a_service_account_without_the_right_is_not_allowed(lab: Lab, connect: Connect) -> None:
    lab.control("POST", "accounts", {"name": "limited", "password": "l1mited", "impersonates": []})
    with pytest.raises(NotAllowed, match="ApplicationImpersonation"):
        ask(connect(username="limited", password="l1mited"))


def test_an_unknown_mailbox_is_none(connect: Connect) -> None:
    with pytest.raises(NoMailbox):
        ask(connect("nobody@lab.example"))


def test_nobody_listening_is_unreachable(connect: Connect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            ask(connect(url=f"http://127.0.0.1:{taken.getsockname()[1]}/EWS/Exchange.asmx"))


def test_a_server_that_never_answers_is_unreachable(lab: Lab, connect: Connect) -> None:
    lab.control("POST", "faults", {"delay": 3, "times": 1})
    with pytest.raises(Unreachable, match="in time"):
        ask(connect(request_seconds=0.2))


@pytest.mark.parametrize("known", [True, False])
def test_only_a_certificate_of_a_known_authority_is_trusted(
    known: bool, open_some: OpenSessions, tmp_path: Path
) -> None:
    file = server_certificate(tmp_path, "127.0.0.1")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Recorder)
    server.socket = serving.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ca_file = str(file) if known else None
    account = Account(f"https://127.0.0.1:{server.server_port}/EWS/Exchange.asmx", "s", "p", ca_file=ca_file)
    sessions = Straight(account, ca_file or "") if open_some is Straight else open_some(account)
    connection = Connection(account, MAILBOX, sessions)
    try:
        if known:
            ask(connection)
        else:
            with pytest.raises(Unreachable, match="certificate is not trusted"):
                ask(connection)
    finally:
        sessions.close()
        server.shutdown()
        server.server_close()


def test_only_what_exchangelib_alone_can_do_goes_through_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    ntlm = replace(lab.account, authentication=Authentication.NTLM)
    assert isinstance(open_sessions(lab.account), Straight)
    assert isinstance(open_sessions(ntlm), Signed)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert isinstance(open_sessions(lab.account), Signed)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert isinstance(open_sessions(lab.account), Straight)


class _Recorder(BaseHTTPRequestHandler):
    """Answers every request with an empty success and a cookie, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[dict[str, str], bytes]]] = []
    ports: ClassVar[list[int]] = []
    answer = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        b'<m:GetFolderResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">'
        b'<m:ResponseMessages><m:GetFolderResponseMessage ResponseClass="Success"><m:ResponseCode>NoError'
        b"</m:ResponseCode><m:Folders><a/></m:Folders></m:GetFolderResponseMessage></m:ResponseMessages>"
        b"</m:GetFolderResponse></s:Body></s:Envelope>"
    )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.ports.append(self.client_address[1])
        self.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("Set-Cookie", "X-BackEndCookie=there; path=/EWS")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[Account]:
    """The account of a server that keeps what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _Recorder.asked.clear()
    _Recorder.ports.clear()
    yield Account(f"http://127.0.0.1:{server.server_port}/EWS/Exchange.asmx", "s", "p")
    server.shutdown()
    server.server_close()


def test_mailboxes_that_share_the_sessions_of_an_account_share_no_cookies(
    recorder: Account, open_some: OpenSessions
) -> None:
    sessions = open_some(recorder)
    mailboxes = ("ada@lab.example", "ben@lab.example", "ada@lab.example")
    for mailbox in mailboxes:
        connection = Connection(recorder, mailbox, sessions)
        ask(connection)
        ask(connection)
        connection.close()
    sessions.close()
    assert [headers["x-anchormailbox"] for headers, _ in _Recorder.asked[::2]] == list(mailboxes)
    for headers, body in _Recorder.asked:
        assert f">{headers['x-anchormailbox']}<".encode() in body
    assert ["cookie" in headers for headers, _ in _Recorder.asked] == [False, True] * 3
    assert len(set(_Recorder.ports)) == 1, "one connection for all"


def test_every_request_names_its_mailbox_its_version_and_keeps_cookies(recorder: Account) -> None:
    connection = Connection(recorder, MAILBOX)
    for _ in range(3):
        ask(connection)
    connection.close()
    (first, body), (second, again), (third, _) = _Recorder.asked
    assert first["x-anchormailbox"] == second["x-anchormailbox"] == MAILBOX
    assert first["authorization"].startswith("Basic ")
    assert "cookie" not in first
    assert second["cookie"] == third["cookie"] == "X-BackEndCookie=there"
    assert again == body
    envelope = parse(body)
    assert envelope.findtext(".//{*}ExchangeImpersonation/{*}ConnectingSID/{*}PrimarySmtpAddress") == MAILBOX
    version = envelope.find(".//{*}RequestServerVersion")
    assert version is not None
    assert version.get("Version") == "Exchange2013_SP1"
    assert len(envelope.findall(".//{*}Body/{*}GetFolder")) == 1


def test_a_proxy_of_the_environment_is_used(recorder: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", recorder.url.removesuffix("/EWS/Exchange.asmx"))
    monkeypatch.setenv("no_proxy", "")
    connection = Connection(Account("http://exchange.invalid/EWS/Exchange.asmx", "s", "p"), MAILBOX)
    for _ in range(2):
        ask(connection)
    connection.close()
    assert [headers["host"] for headers, _ in _Recorder.asked] == ["exchange.invalid"] * 2


def test_what_exchangelib_logs_stays_inside(lab: Lab, connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    lab.control("POST", "faults", {"status": 500, "times": None})
    with caplog.at_level(logging.DEBUG), pytest.raises(Unreachable):
        ask(connection)
    assert MAILBOX not in caplog.text
    assert "Envelope" not in caplog.text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ErrorInvalidSyncStateData", TokenLost),
        ("ErrorSyncFolderNotFound", Gone),
        ("ErrorItemNotFound", Gone),
        ("ErrorIrresolvableConflict", ChangedMeanwhile),
        ("ErrorMessageSizeExceeded", Refused),
        ("ErrorTimeoutExpired", Unreachable),
        ("ErrorNeverHeardOf", Refused),
    ],
)
def test_response_codes_are_named_after_situations(code: str, expected: type[SideError]) -> None:
    assert type(error_of_code(code)) is expected
    assert str(error_of_code(code)).endswith(".")


def test_the_inner_code_of_an_internal_error_is_the_better_name() -> None:
    value = t("Value", "ErrorQuotaExceeded", Name="InnerErrorResponseCode")
    code = m("ResponseCode", "ErrorInternalServerError")
    message = m("CreateItemResponseMessage", code, m("MessageXml", value), ResponseClass="Error")
    assert isinstance(error_of_message(wire.element(message)), Refused)


def test_a_fault_without_a_response_code_is_a_server_in_trouble() -> None:
    fault = parse(b"<Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></Fault>")
    assert isinstance(error_of_fault(fault), Unreachable)
    named = parse(b"<Fault><faultcode>a:ErrorSchemaValidation</faultcode></Fault>")
    assert isinstance(error_of_fault(named), Refused)


def test_a_password_is_never_shown(lab: Lab) -> None:
    assert lab.account.password not in repr(lab.account)
