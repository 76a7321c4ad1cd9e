"""Every way to sign in, to trust a server, and to get there: against the lab, over TLS that nobody vouches for."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.process import start
from syncapp.exchange.ews.connection import Connection, open_sessions
from syncapp.exchange.ews.operations import distinguished, get_folders
from syncapp.exchange.ews.posting import Account, Authentication
from syncapp.exchange.ews.side import open_side
from syncapp.exchange.tokens import Application, Tokens
from syncapp.items.values import Kind
from syncapp.side import (
    Creation,
    LoginFailed,
    NotAllowed,
    NoToken,
    SideError,
    Throttled,
    Unreachable,
    Untrusted,
    Written,
)
from tests.certificates import client_certificate, server_certificate
from tests.contract import samples
from tests.exchange.ews.proxy import proxy

MAILBOX = "ada@lab.example"
SERVICE, PASSWORD = "LAB\\sync", "s3rvice"
TENANT, APP, SECRET = "tenant-1", "app-1", "app-s3cret"


class Lab:
    """A lab Exchange that speaks TLS with a certificate of its own."""

    def __init__(self, url: str, certificate: Path, folder: Path) -> None:
        self.url = url
        self.certificate = certificate
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text().partition("-----END PRIVATE KEY-----")[2].strip())
        self.fingerprint = hashlib.sha256(der).hexdigest()
        self.basic = Account(
            f"{url}/EWS/Exchange.asmx", SERVICE, PASSWORD, ca_file=str(certificate), request_seconds=30.0
        )
        self.ntlm = replace(self.basic, authentication=Authentication.NTLM)
        self.secret = replace(
            self.basic,
            authentication=Authentication.OAUTH,
            username=APP,
            password=SECRET,
            authority=url,
            tenant=TENANT,
        )
        self.client_certificate = client_certificate(folder / "client.pem")
        self.signed = replace(self.secret, password="", certificate=self.client_certificate)
        self._http = httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=certificate))

    def control(self, method: str, path: str, data: Any = None) -> Any:
        """A control request; the JSON answer."""
        answer = self._http.request(method, f"/lab/{path}", json=data)
        answer.raise_for_status()
        return answer.json()

    def arrange(self) -> None:
        """One mailbox, a service account, an application with a secret and a certificate."""
        self.control("POST", "reset", {"keep_accounts": False})
        self.control("POST", "mailboxes", {"address": MAILBOX})
        self.control("POST", "accounts", {"name": SERVICE, "password": PASSWORD, "impersonates": "*"})
        self.register()
        self.control("POST", "traffic", {"record": True})

    def register(self, **changes: Any) -> None:
        """The application, or what is different about it."""
        application = {"app_id": APP, "tenant": TENANT, "secret": SECRET, "impersonates": "*"}
        self.control("POST", "apps", application | {"certificate": self.client_certificate} | changes)

    def close(self) -> None:
        """Let go of the controls."""
        self._http.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = server_certificate(folder, "127.0.0.1")
    with start("lab.exchange", folder / "exchange.db", certificate=certificate) as process:
        made = Lab(process.url, certificate, folder)
        yield made
        made.close()


@pytest.fixture
def lab(server: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.arrange()
    return server


Ask = Callable[[Account], None]


def ask(account: Account) -> None:
    """Look at a folder."""
    connection = Connection(account, MAILBOX)
    try:
        for answer in get_folders(connection, [distinguished("calendar")]):
            if isinstance(answer, SideError):
                raise answer
    finally:
        connection.close()


def account_of(lab: Lab, way: str) -> Account:
    """The account that signs in in this way."""
    found = getattr(lab, way)
    assert isinstance(found, Account)
    return found


WAYS = pytest.mark.parametrize("way", ["basic", "ntlm", "secret", "signed"])


# Ways that work ----------------------------------------------------------------------------------------------------


@WAYS
def test_each_way_signs_in(lab: Lab, way: str) -> None:
    ask(account_of(lab, way))


@WAYS
def test_each_way_signs_in_through_a_proxy(lab: Lab, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as (address, targets):
        monkeypatch.setenv("https_proxy", address)
        ask(account_of(lab, way))
    assert targets
    assert set(targets) == {f"CONNECT {lab.url.removeprefix('https://')}"}


@WAYS
def test_each_way_trusts_a_pinned_certificate(lab: Lab, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = replace(account_of(lab, way), fingerprint=lab.fingerprint)
    if way in ("basic", "ntlm"):
        account = replace(account, ca_file=None)
    ask(account)
    with proxy() as (address, _):
        monkeypatch.setenv("https_proxy", address)
        ask(account)


def test_a_connection_is_signed_in_once(lab: Lab) -> None:
    sessions = open_sessions(lab.ntlm)
    for _ in range(3):
        connection = Connection(lab.ntlm, MAILBOX, sessions)
        get_folders(connection, [distinguished("calendar")])
        connection.close()
    sessions.close()
    statuses = [each["status"] for each in lab.control("GET", "traffic")]
    assert statuses == [401, 401, 200, 200, 200]


def test_a_token_is_asked_for_once(lab: Lab) -> None:
    sessions = open_sessions(lab.secret)
    for _ in range(3):
        get_folders(Connection(lab.secret, MAILBOX, sessions), [distinguished("calendar")])
    sessions.close()
    assert [each["operation"] for each in lab.control("GET", "traffic")] == ["Token", *["GetFolder"] * 3]


def test_a_token_that_ends_early_is_replaced_and_the_write_done_once(lab: Lab) -> None:
    connection = Connection(lab.secret, MAILBOX)
    side = open_side(Kind.CONTACT, connection)
    folder = next(each.id for each in side.folders() if each.default)
    lab.control("PUT", "tokens", {"seconds": 3600})
    [written] = side.create([Creation(samples.own_id(), samples.uid(), folder, samples.plain(Kind.CONTACT))])
    assert isinstance(written, Written)
    assert len(lab.control("GET", f"items?mailbox={MAILBOX}&folder=contacts")) == 1
    connection.close()


# What fails, and its sentence --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["basic", "ntlm"])
@pytest.mark.parametrize("why", ["wrong", "expired", "locked"])
def test_a_login_that_fails_says_what_may_be_the_matter(lab: Lab, way: str, why: str) -> None:
    account = account_of(lab, way)
    if why == "expired":
        lab.control("PUT", "expiry", {"name": SERVICE})
    elif why == "locked":
        lab.control("PUT", "lockout", {"after": 1})
        with pytest.raises(LoginFailed):
            ask(replace(account, password="wrong"))
    with pytest.raises(LoginFailed, match="wrong, the password has expired, or the account is locked"):
        ask(replace(account, password="wrong") if why == "wrong" else account)


@pytest.mark.parametrize("way", ["basic", "ntlm"])
def test_one_failure_is_one_failed_login(lab: Lab, way: str) -> None:
    with pytest.raises(LoginFailed):
        ask(replace(account_of(lab, way), password="wrong"))
    assert sum(lab.control("GET", "logins")["failures"].values()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong"}, "does not accept the client secret"),
        ({"username": "app-2"}, "no application with this AppId"),
        ({"tenant": "tenant-2"}, "no directory with this TenantId"),
        ({"url": "https://127.0.0.1:9/EWS", "authority": "https://127.0.0.1:9"}, "can't be reached"),
    ],
)
def test_a_token_that_is_refused_says_why(lab: Lab, change: dict[str, str], said: str) -> None:
    with pytest.raises((LoginFailed, NoToken), match=said) as caught:
        ask(replace(lab.secret, **change))  # type: ignore[arg-type]
    assert "AADSTS" not in str(caught.value)


def test_an_expired_secret_says_so(lab: Lab) -> None:
    lab.register(expired=True)
    with pytest.raises(LoginFailed, match="client secret of the application has expired"):
        ask(lab.secret)


def test_a_certificate_that_was_not_uploaded_says_so(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LoginFailed, match="not the one that was uploaded"):
        ask(replace(lab.signed, certificate=client_certificate(tmp_path / "other.pem")))


def test_an_expired_certificate_is_not_even_tried(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LoginFailed, match="certificate of the application has expired"):
        ask(replace(lab.signed, certificate=client_certificate(tmp_path / "old.pem", days=-1)))
    assert lab.control("GET", "traffic") == []


def test_a_reason_that_is_not_known_is_named_by_its_number(lab: Lab) -> None:
    body = '{"error": "invalid_client", "error_description": "AADSTS7: secret text", "error_codes": [7]}'
    lab.control("POST", "faults", {"operation": "Token", "status": 401, "body": body})
    with pytest.raises(LoginFailed, match=r"no token \(AADSTS7\)") as caught:
        ask(lab.secret)
    assert "secret text" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 429, "headers": {"Retry-After": "12"}}, Throttled),
        ({"status": 500, "body": "<html>"}, NoToken),
        ({"status": 200, "body": "[]"}, NoToken),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example"}}, NoToken),
    ],
)
def test_a_token_endpoint_in_trouble_is_no_failed_login(
    lab: Lab, fault: dict[str, Any], expected: type[SideError]
) -> None:
    lab.control("POST", "faults", {"operation": "Token", **fault})
    with pytest.raises(expected) as caught:
        ask(lab.secret)
    if isinstance(caught.value, Throttled):
        assert (caught.value.seconds, caught.value.account) == (12.0, True)


def test_a_token_without_the_permission_says_so(lab: Lab) -> None:
    lab.control("POST", "faults", {"operation": "GetFolder", "status": 401, "times": None})
    with pytest.raises(LoginFailed, match="full_access_as_app"):
        ask(lab.secret)


def test_an_application_that_may_not_act_for_somebody_is_not_allowed(lab: Lab) -> None:
    lab.register(impersonates=[])
    with pytest.raises(NotAllowed, match="ApplicationImpersonation"):
        ask(lab.secret)


def test_a_token_ends_before_its_time_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def give(application: Application) -> tuple[str, float]:
        given.append(application.client_id)
        return f"token {len(given)}", 3600.0

    monkeypatch.setattr("syncapp.exchange.tokens._ask", give)
    clock = [0.0]
    monkeypatch.setattr("syncapp.exchange.tokens.time.monotonic", lambda: clock[0])
    tokens = Tokens(Application("https://x.example", "app", "scope"))
    said = [(clock.__setitem__(0, at), tokens.token())[1] for at in (10.0, 3299.0, 3311.0)]
    assert said == ["token 1", "token 1", "token 2"]


# Whom to trust -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "error"), [("basic", Untrusted), ("ntlm", Untrusted), ("secret", NoToken)])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(lab: Lab, way: str, error: type[SideError]) -> None:
    with pytest.raises(error, match="certificate is not trusted"):
        ask(replace(account_of(lab, way), ca_file=None))
    assert lab.control("GET", "traffic") == [], "nothing was sent"


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("way", ["basic", "ntlm"])
def test_another_certificate_than_the_pinned_one_is_not_trusted(
    lab: Lab, way: str, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = replace(account_of(lab, way), fingerprint="ab" * 32)
    with proxy() as (address, _):
        if proxied:
            monkeypatch.setenv("https_proxy", address)
        with pytest.raises(Untrusted, match="not the pinned one"):
            ask(account)
    assert lab.control("GET", "traffic") == [], "nothing was sent"


def test_a_redirect_is_not_followed(lab: Lab) -> None:
    fault = {"operation": "GetFolder", "status": 302, "headers": {"Location": f"{lab.url}/EWS/Exchange.asmx"}}
    lab.control("POST", "faults", fault)
    with pytest.raises(Unreachable, match="leads elsewhere"):
        ask(lab.basic)


def test_secrets_are_not_in_what_python_shows_of_an_account(lab: Lab) -> None:
    shown = repr(lab.secret) + repr(lab.signed) + repr(lab.secret.application) + repr(lab.signed.application)
    assert SECRET not in shown
    assert "PRIVATE KEY" not in shown
