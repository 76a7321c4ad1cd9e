"""NTLM, tokens, lock-out, expiry, limits and autodiscover, as clients that are not ours meet them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exchangelib
import httpx
import pytest
import requests
from exchangelib import errors
from exchangelib.protocol import FailFast
from requests_ntlm import HttpNtlmAuth

from lab.process import start
from tests.certificates import server_certificate
from tests.lab.exchange.conftest import ADA, SERVICE, SERVICE_PASSWORD, Lab

TENANT, APP, SECRET = "tenant-1", "app-1", "app-s3cret"
BODY = "<x/>"


def account(lab: Lab, credentials: Any, auth_type: str) -> exchangelib.Account:
    """Ada's mailbox through another way to sign in."""
    configuration = exchangelib.Configuration(
        service_endpoint=lab.endpoint, credentials=credentials, auth_type=auth_type, retry_policy=FailFast()
    )
    return exchangelib.Account(ADA, config=configuration, autodiscover=False, access_type=exchangelib.IMPERSONATION)


def post(lab: Lab, **options: Any) -> int:
    """The status of a request that would be refused for its content only."""
    return httpx.post(lab.endpoint, content=BODY, **options).status_code


SIGNED_IN = 500


# NTLM --------------------------------------------------------------------------------------------------------------


def test_a_handshake_signs_in_a_connection(lab: Lab) -> None:
    found = account(lab, exchangelib.Credentials(SERVICE, SERVICE_PASSWORD), exchangelib.NTLM)
    assert found.calendar.name == "Calendar"
    assert found.contacts.name == "Contacts"


@pytest.mark.parametrize("name", ["LAB\\sync", "sync@lab.example"])
def test_a_name_may_have_a_domain_before_or_behind_it(lab: Lab, name: str) -> None:
    lab.control("POST", "accounts", {"name": name, "password": "pw", "impersonates": "*"})
    assert account(lab, exchangelib.Credentials(name, "pw"), exchangelib.NTLM).calendar.name == "Calendar"


@pytest.mark.parametrize(("name", "password"), [(SERVICE, "wrong"), ("nobody", SERVICE_PASSWORD)])
def test_a_wrong_answer_to_the_challenge_is_refused(lab: Lab, name: str, password: str) -> None:
    with pytest.raises(errors.UnauthorizedError):
        _ = account(lab, exchangelib.Credentials(name, password), exchangelib.NTLM).calendar
    with pytest.raises(errors.UnauthorizedError):
        _ = account(lab, exchangelib.Credentials(name, password), exchangelib.NTLM).calendar


def test_an_answer_counts_for_its_own_challenge_and_connection_only(lab: Lab) -> None:
    with requests.Session() as session:
        session.auth = HttpNtlmAuth(SERVICE, SERVICE_PASSWORD)
        answer = session.post(lab.endpoint, data=BODY)
        assert answer.status_code == SIGNED_IN
        session.auth = None
        assert session.post(lab.endpoint, data=BODY).status_code == SIGNED_IN, "the connection is signed in"
        replayed = {"Authorization": answer.request.headers["Authorization"]}
    assert post(lab, headers=replayed) == 401
    assert post(lab) == 401


# Tokens ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(lab: Lab) -> dict[str, str]:
    """A registered application, and what it asks a token with."""
    lab.control("POST", "apps", {"app_id": APP, "tenant": TENANT, "secret": SECRET, "impersonates": "*"})
    return {
        "grant_type": "client_credentials",
        "client_id": APP,
        "client_secret": SECRET,
        "scope": f"{lab.url}/.default",
    }


def token(lab: Lab, form: dict[str, str], tenant: str = TENANT) -> httpx.Response:
    """The answer to a request for a token."""
    return httpx.post(f"{lab.url}/{tenant}/oauth2/v2.0/token", data=form)


def test_a_token_signs_in_until_it_ends(lab: Lab, app: dict[str, str]) -> None:
    given = token(lab, app).json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert post(lab, headers=bearer) == SIGNED_IN
    lab.control("PUT", "tokens", {"seconds": 0})
    assert post(lab, headers=bearer) == 401
    short = token(lab, app).json()["access_token"]
    assert post(lab, headers={"Authorization": f"Bearer {short}"}) == 401
    assert post(lab, auth=(APP, SECRET)) == 401, "an application is no login"


@pytest.mark.parametrize(
    ("change", "tenant", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, TENANT, 401, "invalid_client", 7000215),
        ({"client_id": "app-2"}, TENANT, 400, "unauthorized_client", 700016),
        ({}, "tenant-2", 400, "invalid_request", 90002),
        ({"scope": "mail"}, TENANT, 400, "invalid_scope", 1002012),
        ({"grant_type": "password"}, TENANT, 400, "unsupported_grant_type", 70003),
        (
            {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            TENANT, 401, "invalid_client", 700027,
        ),
    ],
)  # fmt: skip
def test_a_refused_token_has_the_code_of_its_reason(
    lab: Lab, app: dict[str, str], change: dict[str, str], tenant: str, status: int, error: str, code: int
) -> None:
    answer = token(lab, app | change, tenant)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (status, error, [code])


def test_a_secret_expires(lab: Lab, app: dict[str, str]) -> None:
    data = {"app_id": APP, "tenant": TENANT, "secret": SECRET, "impersonates": "*", "expired": True}
    lab.control("POST", "apps", data)
    assert token(lab, app).json()["error_codes"] == [7000222]


# Locks and limits --------------------------------------------------------------------------------------------------


def test_failed_logins_in_a_row_lock_an_account(lab: Lab) -> None:
    lab.control("PUT", "lockout", {"after": 2, "seconds": 600})
    right = (SERVICE, SERVICE_PASSWORD)
    assert [post(lab, auth=(SERVICE, "wrong")), post(lab, auth=right)] == [401, SIGNED_IN]
    assert [post(lab, auth=(SERVICE, "wrong")) for _ in range(2)] == [401, 401]
    assert lab.control("GET", "logins")["locked"] == [SERVICE]
    assert post(lab, auth=right) == 401
    lab.control("PUT", "lockout", {})
    assert post(lab, auth=right) == SIGNED_IN


def test_an_expired_password_is_refused_like_a_wrong_one(lab: Lab) -> None:
    lab.control("PUT", "expiry", {"name": SERVICE})
    assert post(lab, auth=(SERVICE, SERVICE_PASSWORD)) == 401
    with pytest.raises(errors.UnauthorizedError):
        _ = account(lab, exchangelib.Credentials(SERVICE, SERVICE_PASSWORD), exchangelib.NTLM).calendar
    lab.control("PUT", "expiry", {"name": SERVICE, "expired": False})
    assert post(lab, auth=(SERVICE, SERVICE_PASSWORD)) == SIGNED_IN


def test_an_account_has_so_many_requests_at_a_time(lab: Lab) -> None:
    lab.control("PUT", "limits", {"requests_per_account": 0})
    with pytest.raises(errors.EWSError, match="concurrent"):
        _ = account(lab, exchangelib.Credentials(SERVICE, SERVICE_PASSWORD), exchangelib.BASIC).calendar
    lab.control("PUT", "limits", {"requests_per_account": 1})
    assert account(lab, exchangelib.Credentials(SERVICE, SERVICE_PASSWORD), exchangelib.BASIC).calendar.name


# Autodiscover, TLS -------------------------------------------------------------------------------------------------


def discover(lab: Lab, address: str, protocol: str = "EWS") -> httpx.Response:
    """What the server tells about an address."""
    return httpx.get(f"{lab.url}/autodiscover/autodiscover.json/v1.0/{address}", params={"Protocol": protocol})


def test_it_tells_where_a_mailbox_is_without_a_login(lab: Lab) -> None:
    assert discover(lab, ADA).json() == {"Protocol": "EWS", "Url": lab.endpoint}
    assert discover(lab, "nobody@lab.example").status_code == 404
    assert discover(lab, ADA, "IMAP").status_code == 400
    lab.control("PUT", "autodiscover", {"redirects": {ADA: "https://x.example/"}, "urls": {"y.example": "https://y"}})
    moved = discover(lab, ADA)
    assert (moved.status_code, moved.headers["Location"]) == (302, "https://x.example/")
    assert discover(lab, "ben@y.example").json()["Url"] == "https://y"


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server with a certificate that it signed itself, and the file of that."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = server_certificate(folder, "127.0.0.1")
    with start("lab.exchange", folder / "exchange.db", certificate=certificate) as process:
        yield process.url, certificate


def test_it_speaks_tls_with_a_certificate_that_nobody_vouches_for(over_tls: tuple[str, Path]) -> None:
    url, certificate = over_tls
    assert url.startswith("https://")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{url}/lab/health", timeout=10)
    assert requests.get(f"{url}/lab/health", timeout=10, verify=str(certificate)).json() == {"ok": True}
