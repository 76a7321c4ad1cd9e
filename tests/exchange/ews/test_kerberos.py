"""Kerberos with a realm of its own: a ticket signs in, and what keeps it from that is a sentence."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.process import start
from syncapp.exchange.ews.connection import Connection, open_sessions
from syncapp.exchange.ews.operations import distinguished, get_folders
from syncapp.exchange.ews.posting import Account, Authentication
from syncapp.side import LoginFailed, NoToken, SideError
from tests.certificates import server_certificate
from tests.exchange.ews import kdc
from tests.exchange.ews.kdc import Realm

pytestmark = pytest.mark.skipif(bool(kdc.what_is_missing()), reason=f"Kerberos needs: {kdc.what_is_missing()}")

MAILBOX = "ada@lab.example"
SERVICE, PASSWORD = f"sync@{kdc.REALM}", "s3rvice"


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with kdc.realm(tmp_path_factory.mktemp("realm")) as made:
        made.administer(f"addprinc -pw {PASSWORD} sync")
        yield made


@pytest.fixture(scope="module")
def account(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account at a lab over TLS that has the service's keytab."""
    folder = tmp_path_factory.mktemp("lab")
    certificate = server_certificate(folder, "127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRB5_CONFIG", str(realm.config))
        patch.setenv("KRB5_KTNAME", str(realm.keytab))
        with start("lab.exchange", folder / "exchange.db", certificate=certificate) as process:
            control(process.url, certificate, "mailboxes", {"address": MAILBOX})
            login = {"name": SERVICE, "password": "another than the realm's", "impersonates": "*"}
            control(process.url, certificate, "accounts", login)
            yield Account(
                f"{process.url}/EWS/Exchange.asmx",
                SERVICE,
                PASSWORD,
                authentication=Authentication.KERBEROS,
                ca_file=str(certificate),
                request_seconds=30.0,
            )


def control(url: str, certificate: Path, path: str, data: dict[str, Any]) -> None:
    """Arrange something in the lab."""
    httpx.post(f"{url}/lab/{path}", json=data, verify=ssl.create_default_context(cafile=certificate)).raise_for_status()


def ask(account: Account, times: int = 1) -> None:
    """Look at a folder."""
    sessions = open_sessions(account)
    try:
        for _ in range(times):
            for answer in get_folders(Connection(account, MAILBOX, sessions), [distinguished("calendar")]):
                if isinstance(answer, SideError):
                    raise answer
    finally:
        sessions.close()


def test_a_ticket_signs_in(account: Account) -> None:
    ask(account, times=3)


def test_nobody_without_a_ticket_signs_in(account: Account) -> None:
    with pytest.raises(LoginFailed):
        ask(replace(account, authentication=Authentication.BASIC))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"password": "wrong"}, "does not accept the password"), ({"username": f"no@{kdc.REALM}"}, "no such service")],
)
def test_a_login_that_kerberos_refuses_says_why(account: Account, change: dict[str, str], said: str) -> None:
    with pytest.raises(LoginFailed, match=said):
        ask(replace(account, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [("-allow_tix", "locked or disabled"), ("-pwexpire yesterday", "password of the service account has expired")],
)
def test_a_locked_account_and_an_expired_password_are_told_apart(
    realm: Realm, account: Account, change: str, said: str
) -> None:
    realm.administer(f"addprinc -pw {PASSWORD} {change} other")
    try:
        with pytest.raises(LoginFailed, match=said):
            ask(replace(account, username=f"other@{kdc.REALM}"))
    finally:
        realm.administer("delprinc -force other")


def test_a_realm_that_is_not_known_is_no_failed_login(account: Account) -> None:
    with pytest.raises(NoToken, match="no Kerberos ticket"):
        ask(replace(account, username="sync@NOWHERE.EXAMPLE"))
