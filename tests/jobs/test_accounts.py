"""The service accounts file, the choice of an account, and its slots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from syncapp.jobs import accounts, resting
from syncapp.models import AccountSlot, ServiceAccount
from tests.jobs.fakes import HOUR, MINUTE, NOW, account, enrollment

pytestmark = pytest.mark.django_db


def read(tmp_path: Path, content: Any) -> list[accounts.Listed]:
    """What the file with this content lists."""
    file = tmp_path / "admins.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return accounts.read_file(file)


def test_two_words_are_enough_for_an_account(tmp_path: Path, settings: Settings) -> None:
    (found,) = read(tmp_path, [{"Username": "sync1", "Password": "pw"}])
    assert (found.name, found.endpoint, found.auth_type) == ("sync1", settings.EXCHANGE_URL, "basic")


def test_no_file_means_no_accounts(tmp_path: Path) -> None:
    assert accounts.read_file(tmp_path / "admins.json") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{not json", "not valid JSON"),
        ({"Username": "a"}, "must hold a list"),
        (["a"], "Entry 1 of admins.json is not an object"),
        ([{"Username": "a"}], "Entry 1 of admins.json has no Password"),
        ([{"Username": "a", "Password": 7}], "no Password"),
        ([{"Username": "a", "Password": "secret", "Pasword": "x"}], '"Pasword" that means nothing'),
        ([{"Username": "a", "Password": "secret", "AuthType": "kerberos"}], "neither basic nor ntlm"),
        ([{"Username": "a", "Password": "secret", "Endpoint": "mail"}], "not an address"),
        ([{"Username": "a", "Password": "secret", "MaxConnections": 0}], "MaxConnections"),
        ([{"Username": "a", "Password": "secret"}, {"Username": "a", "Password": "secret"}], "more than once"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence_without_secrets(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(accounts.WrongFile, match=said) as caught:
        read(tmp_path, content)
    assert "secret" not in str(caught.value)


def test_http_is_for_the_lab_only(tmp_path: Path, settings: Settings) -> None:
    settings.ALLOW_HTTP = False
    with pytest.raises(accounts.WrongFile, match="in clear"):
        read(tmp_path, [{"Username": "a", "Password": "b", "Endpoint": "http://mail.example.org/EWS"}])


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
