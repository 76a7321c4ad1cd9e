"""The service accounts file, the choice of an account, and its slots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from connector_project.env import BASE_DIR
from syncapp.jobs import accounts, accounts_file, resting
from syncapp.models import AccountSlot, ServiceAccount
from tests.certificates import client_certificate
from tests.jobs.fakes import HOUR, MINUTE, NOW, account, enrollment

pytestmark = pytest.mark.django_db


def read(tmp_path: Path, content: Any) -> list[accounts_file.Listed]:
    """What the file with this content lists."""
    file = tmp_path / "admins.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return accounts_file.read_file(file)


# The file ----------------------------------------------------------------------------------------------------------

APP = {"AppId": "00000000-1111", "ClientSecret": "secret"}


def test_two_words_are_enough_for_an_account(tmp_path: Path, settings: Settings) -> None:
    (found,) = read(tmp_path, [{"Username": "sync1", "Password": "pw"}])
    assert (found.name, found.endpoint, found.auth_type) == ("sync1", settings.EXCHANGE_URL, "basic")
    assert (found.username, found.password, found.max_connections) == ("sync1", "pw", 8)


def test_two_words_are_enough_for_an_application(tmp_path: Path, settings: Settings) -> None:
    settings.TENANT_ID = "contoso.onmicrosoft.com"
    (found,) = read(tmp_path, [APP])
    assert (found.name, found.username, found.password) == ("00000000-1111", "00000000-1111", "secret")
    assert (found.endpoint, found.auth_type) == (settings.EXCHANGE_URL, "oauth")
    assert (found.tenant, found.authority) == ("contoso.onmicrosoft.com", "https://login.microsoftonline.com")


def test_everything_can_be_said_for_each_account(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        [
            {
                "Name": "Online",
                "AppId": "1",
                "ClientSecret": "s",
                "TenantId": "t",
                "AuthType": "OAuth",
                "Authority": "https://login.example.org/",
                "Endpoint": "https://mail.example.org/EWS/Exchange.asmx",
                "Domains": ["Example.org", "ada@example.com"],
                "MaxConnections": 3,
                "Fingerprint": "sha256 Fingerprint=" + ":".join(["AB"] * 32),
            }
        ],
    )
    assert found == accounts_file.Listed(
        name="Online",
        endpoint="https://mail.example.org/EWS/Exchange.asmx",
        auth_type="oauth",
        username="1",
        password="s",
        certificate="",
        tenant="t",
        authority="https://login.example.org",
        fingerprint="ab" * 32,
        domains="example.org,ada@example.com",
        max_connections=3,
    )


def test_without_a_tenant_a_mail_domain_names_the_directory(tmp_path: Path, settings: Settings) -> None:
    settings.MAILBOX_DOMAINS = ["example.net"]
    assert [found.tenant for found in read(tmp_path, [APP])] == ["example.net"]
    assert [found.tenant for found in read(tmp_path, [{**APP, "Domains": "example.org"}])] == ["example.org"]


def test_without_an_endpoint_autodiscover_is_asked_about_known_domains(tmp_path: Path, settings: Settings) -> None:
    settings.EXCHANGE_URL = ""
    (found,) = read(tmp_path, [{"Username": "a", "Password": "b", "Domains": ["example.org"]}])
    assert (found.endpoint, found.domains) == ("", "example.org")
    settings.MAILBOX_DOMAINS = ["example.org"]
    (found,) = read(tmp_path, [{"Username": "a", "Password": "b"}])
    assert (found.endpoint, found.domains) == ("", "")


def test_a_certificate_stands_in_for_the_secret_of_an_application(tmp_path: Path) -> None:
    pem = client_certificate(tmp_path / "app.pem")
    (found,) = read(tmp_path, [{"AppId": "1", "Certificate": "app.pem", "TenantId": "t"}])
    assert (found.certificate, found.password, found.auth_type) == (pem, "", "oauth")


def test_every_key_is_explained() -> None:
    table = (BASE_DIR / "docs" / "service-accounts.md").read_text()
    assert [key for key in accounts_file.KEYS if f"`{key}`" not in table] == []


def test_no_file_means_no_accounts(tmp_path: Path) -> None:
    assert accounts_file.read_file(tmp_path / "admins.json") == []


USER = {"Username": "a", "Password": "secret"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{not json", r"not valid JSON \(line 1\)"),
        ('[{"Username": "a",\n"Password": "secret",}]', r"not valid JSON \(line 2\)"),
        ({"Username": "a"}, "must hold a list"),
        (["a"], "Entry 1 of admins.json is not an object"),
        ([{"Username": "a"}], "Entry 1 of admins.json has no Password"),
        ([USER, {"Password": "secret"}], "Entry 2 of admins.json has no Username"),
        ([{"Username": "a", "Password": 7}], "a Password that is not a text"),
        ([{**USER, "Pasword": "x"}], '"Pasword" that means nothing'),
        ([{**USER, "AuthType": "digest"}], "none of basic, ntlm, kerberos, oauth"),
        ([{**USER, "AuthType": "oauth"}], "has no AppId"),
        ([{**USER, "Endpoint": "mail"}], "not an address"),
        ([{**USER, "Endpoint": "https://a:b@mail.example.org"}], "holds credentials"),
        ([{**USER, "MaxConnections": 0}], "MaxConnections"),
        ([{**USER, "MaxConnections": True}], "MaxConnections"),
        ([{**USER, "Fingerprint": "ab:cd"}], "no SHA-256 fingerprint"),
        ([{**USER, "Domains": 7}], "not a list"),
        ([{**USER, "Domains": ["exa mple"]}], "neither a mail domain nor an address"),
        ([USER, USER], "more than once"),
        ([{**USER, "AppId": "x"}], "both an application"),
        ([{"AppId": "x", "TenantId": "t"}], "has no ClientSecret"),
        ([{**APP, "TenantId": "t", "AuthType": "ntlm"}], "signs in with the AuthType oauth, not ntlm"),
        ([APP], "has no TenantId"),
        ([{**APP, "TenantId": "a/b"}], "neither the id of a directory nor a domain"),
        ([{**APP, "TenantId": "t", "Certificate": "x.pem"}], "one is enough"),
        ([{"AppId": "x", "Certificate": "none.pem", "TenantId": "t"}], "cannot be read"),
        ([{"AppId": "x", "Certificate": "admins.json", "TenantId": "t"}], "both a certificate and its private key"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence_without_secrets(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(accounts_file.WrongFile, match=said) as caught:
        read(tmp_path, content)
    assert "secret" not in str(caught.value)


def test_without_any_address_the_domains_to_trust_must_be_named(tmp_path: Path, settings: Settings) -> None:
    settings.EXCHANGE_URL = ""
    with pytest.raises(accounts_file.WrongFile, match="MAILBOX_DOMAINS"):
        read(tmp_path, [USER])


def test_a_key_that_is_not_the_certificates_own_is_refused(tmp_path: Path) -> None:
    one, other = client_certificate(tmp_path / "one.pem"), client_certificate(tmp_path / "other.pem")
    begin = "-----BEGIN CERTIFICATE"
    (tmp_path / "mixed.pem").write_text(one[: one.index(begin)] + other[other.index(begin) :])
    with pytest.raises(accounts_file.WrongFile, match="not its own"):
        read(tmp_path, [{"AppId": "x", "Certificate": "mixed.pem", "TenantId": "t"}])


def test_http_is_for_the_lab_only(tmp_path: Path, settings: Settings) -> None:
    settings.ALLOW_HTTP = False
    with pytest.raises(accounts_file.WrongFile, match="in clear"):
        read(tmp_path, [{**USER, "Endpoint": "http://mail.example.org/EWS"}])


@pytest.mark.parametrize(("mode", "open_to_others"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_noticed(tmp_path: Path, mode: int, open_to_others: bool) -> None:
    file = tmp_path / "admins.json"
    assert not accounts_file.others_may_read(file)
    file.write_text("[]")
    file.chmod(mode)
    assert accounts_file.others_may_read(file) == open_to_others


# Changes -----------------------------------------------------------------------------------------------------------


def test_accounts_of_the_file_follow_the_file(tmp_path: Path) -> None:
    own = account("own")
    listing = [{"Username": "a", "Password": "1", "MaxConnections": 3}, {"Username": "b", "Password": "2"}]
    accounts.import_accounts(read(tmp_path, listing))
    accounts.import_accounts(read(tmp_path, [{"Username": "a", "Password": "3", "MaxConnections": 2}]))
    a, b = ServiceAccount.objects.get(name="a"), ServiceAccount.objects.get(name="b")
    assert (a.password, a.enabled, a.slots.count()) == ("3", True, 2)
    assert not b.enabled
    own.refresh_from_db()
    assert own.enabled


def test_a_new_password_ends_the_rest_and_the_same_one_does_not(tmp_path: Path) -> None:
    listed = read(tmp_path, [{"Username": "a", "Password": "1"}])
    accounts.import_accounts(listed)
    resting.rest_account(ServiceAccount.objects.get(), NOW)
    accounts.import_accounts(listed)
    assert accounts.usable(NOW) == []
    accounts.import_accounts(read(tmp_path, [{"Username": "a", "Password": "2"}]))
    assert [row.name for row in accounts.usable(NOW)] == ["a"]


def test_an_account_that_was_switched_off_stays_so_whatever_the_file_says(tmp_path: Path) -> None:
    listed = read(tmp_path, [USER])
    accounts.import_accounts(listed)
    accounts.switch(ServiceAccount.objects.get(), on=False)
    accounts.import_accounts(listed)
    assert not ServiceAccount.objects.get().enabled
    accounts.switch(ServiceAccount.objects.get(), on=True)
    accounts.import_accounts(listed)
    assert ServiceAccount.objects.get().enabled


def test_an_account_of_the_file_is_changed_there_only(tmp_path: Path) -> None:
    accounts.import_accounts(read(tmp_path, [USER]))
    with pytest.raises(accounts.ReadOnly, match="service accounts file"):
        accounts.change(ServiceAccount.objects.get(), {"max_connections": 2}, by=ServiceAccount.Origin.APP)


@pytest.mark.parametrize(
    "values",
    [
        {"endpoint": "https://elsewhere.example.org/EWS"},
        {"auth_type": "ntlm"},
        {"fingerprint": "ab" * 32},
        {"authority": "https://elsewhere.example.org"},
        {"username": "somebody"},
        {"domains": "example.net"},
    ],
)
def test_where_a_secret_goes_changes_only_along_with_the_secret(values: dict[str, str]) -> None:
    row = account("own")
    with pytest.raises(accounts.SecretNeeded, match="again"):
        accounts.change(row, values, by=ServiceAccount.Origin.APP)
    accounts.change(row, {"max_connections": 3}, by=ServiceAccount.Origin.APP)
    accounts.change(row, {**values, "password": "pw"}, by=ServiceAccount.Origin.APP)
    row.refresh_from_db()
    assert all(getattr(row, key) == value for key, value in values.items())
    assert row.slots.count() == 3


# Choice ------------------------------------------------------------------------------------------------------------


def test_the_account_with_the_most_free_slots_serves() -> None:
    account("small", slots=1)
    account("big", slots=3)
    with accounts.slot_for(enrollment(), "me", NOW, 60) as found:
        assert found is not None
        assert found.name == "big"


def test_the_account_that_served_before_serves_again() -> None:
    small = account("small", slots=1)
    account("big", slots=3)
    with accounts.slot_for(enrollment(account=small), "me", NOW, 60) as found:
        assert found == small


def test_an_account_that_rests_or_is_off_or_whose_server_rests_does_not_serve() -> None:
    resting.rest_account(account("tired"), NOW)
    account("off", enabled=False)
    account("away", endpoint="http://127.0.0.1:9/away")
    resting.rest_server("http://127.0.0.1:9/away", NOW)
    with accounts.slot_for(enrollment(), "me", NOW, 60) as found:
        assert found is None


def test_no_more_workers_use_an_account_than_it_has_slots() -> None:
    account(slots=1)
    person = enrollment()
    with accounts.slot_for(person, "me", NOW, 60) as mine:
        assert mine is not None
        with accounts.slot_for(person, "you", NOW, 60) as yours:
            assert yours is None
    with accounts.slot_for(person, "you", NOW, 60) as yours:
        assert yours is not None


def test_a_slot_comes_back_when_its_holder_died() -> None:
    account(slots=1)
    AccountSlot.objects.update(owner="dead", until=NOW + MINUTE)
    with accounts.slot_for(enrollment(), "me", NOW, 60) as found:
        assert found is None
    with accounts.slot_for(enrollment("bob"), "me", NOW + HOUR, 60) as found:
        assert found is not None


def named(mailbox: str | None = None, **values: Any) -> list[str]:
    """The accounts that may serve somebody, best first."""
    person = enrollment(mailbox, mailbox=mailbox, **values) if mailbox else None
    return [each.name for each in accounts.usable(NOW, person)]


def test_an_account_serves_whom_it_is_meant_for() -> None:
    account("all")
    account("org", domains="example.org,example.net")
    account("ada", domains="ada@example.org")
    assert named("bob@example.com") == ["all"]
    assert named("bob@example.net") == ["org"]
    assert named("ada@example.org") == ["ada"]


def test_nobody_else_steps_in_for_whom_an_account_is_meant() -> None:
    account("all")
    resting.rest_account(account("org", domains="example.org"), NOW)
    assert named("bob@example.org") == []


def test_a_mailbox_stays_with_the_exchange_where_it_was_found() -> None:
    here, there = "http://127.0.0.1:9/here", "http://127.0.0.1:9/there"
    first = account("first", endpoint=here, slots=1)
    account("second", endpoint=here)
    account("third", endpoint=there, slots=5)
    assert named("new@example.org") == ["third", "second", "first"]
    assert named("bob@example.org", account=first) == ["first", "second"]
    resting.rest_account_for(first, NOW, 60)
    assert named("ben@example.org", account=first) == ["second"]
    accounts.switch(first, on=False)
    assert named("eve@example.org", account=first) == ["second"]
    resting.rest_server(here, NOW)
    assert named("ida@example.org", account=first) == []
    accounts.switch(ServiceAccount.objects.get(name="second"), on=False)
    assert named("joe@example.org", account=first) == ["third"]


def test_an_account_whose_login_failed_is_tried_by_one_worker_at_a_time() -> None:
    row = account(slots=3)
    resting.rest_account(row, NOW)
    later = NOW + HOUR
    with accounts.slot_for(enrollment(), "me", later, 60) as mine:
        assert mine == row
        with accounts.slot_for(enrollment("bob"), "you", later, 60) as yours:
            assert yours is None
    resting.account_works(row)
    with (
        accounts.slot_for(enrollment("carl"), "me", later, 60) as mine,
        accounts.slot_for(enrollment("dora"), "you", later, 60) as yours,
    ):
        assert mine == yours == row


def test_an_account_without_an_endpoint_comes_with_that_of_the_mailbox() -> None:
    url = "http://127.0.0.1:9/found"
    row = account(endpoint="")
    with accounts.slot_for(enrollment(exchange_url=url), "me", NOW, 60) as found:
        assert found is not None
        assert found.endpoint == url
    row.refresh_from_db()
    assert row.endpoint == ""
    resting.rest_server(url, NOW)
    with accounts.slot_for(enrollment("bob", exchange_url=url), "me", NOW, 60) as found:
        assert found is None
    with accounts.slot_for(enrollment("carl"), "me", NOW, 60) as found:
        assert found is not None


def test_whose_accounts_rest_is_told_from_whose_do_not() -> None:
    assert accounts.unable(NOW) is None
    tired = account("tired", endpoint="http://127.0.0.1:9/one")
    resting.rest_account(tired, NOW)
    assert accounts.unable(NOW) is None
    account("awake", endpoint="http://127.0.0.1:9/two")
    account("off", endpoint="http://127.0.0.1:9/three", enabled=False)
    assert accounts.unable(NOW) == [tired.pk]
