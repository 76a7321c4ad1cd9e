"""What the consent app's list changes, and what it must not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django import Settings

from lab.nextcloud.consent import encrypt
from syncapp.jobs import refresh, resting
from syncapp.jobs.probe import Health
from syncapp.models import Enrollment, Problem, ServiceAccount
from syncapp.nextcloud.consent import AppMissing, ListUnreadable, Person
from syncapp.side import LoginFailed, NotAllowed, SideError, Throttled, Unreachable
from tests.jobs.fakes import HOUR, NOW, FakeConsentApp, codes, enrollment

pytestmark = pytest.mark.django_db

State = Enrollment.State
TOKEN = "Ab1" * 24


@pytest.fixture(autouse=True)
def managed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """People start without an approval; there is a place for a service accounts file; Nextcloud is up."""
    settings.ADDRESSES_ARE_MANAGED = True
    settings.SERVICE_ACCOUNTS_FILE = tmp_path / "admins.json"
    monkeypatch.setattr("syncapp.jobs.probe.nextcloud", lambda: Health.UP)
    return settings


def person(uid: str, secret: str = "a shared secret", token: str = TOKEN) -> Person:
    """Somebody who is listed."""
    return Person(uid, uid, encrypt(token, secret), f"{uid}@example.org", uid.title())


def read(people: Sequence[Person] = (), error: SideError | None = None) -> FakeConsentApp:
    """Read a list once."""
    app = FakeConsentApp(people, error)
    refresh.refresh(NOW, lambda: app)
    assert app.closed
    return app


def states() -> dict[str, str]:
    """Everybody's state."""
    return dict(Enrollment.objects.values_list("nextcloud_uid", "state"))


def test_whoever_is_listed_is_enrolled_with_an_opened_token() -> None:
    read([person("alice"), person("bob")])
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE}
    assert Enrollment.objects.get(nextcloud_uid="alice").token == TOKEN
    assert codes() == []


def test_absence_pauses_and_loses_nothing() -> None:
    read([person("alice"), person("bob")])
    app = read([person("bob")])
    assert states() == {"alice": State.ABSENT, "bob": State.ACTIVE}
    assert Enrollment.objects.get(nextcloud_uid="alice").token == TOKEN
    assert app.invalidated == []
    read([person("alice"), person("bob")])
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE}


def test_an_empty_list_changes_nobody() -> None:
    read([person("alice")])
    read([])
    assert states() == {"alice": State.ACTIVE}
    assert codes() == ["consent-list-empty"]
    read([person("alice")])
    assert codes() == []


def test_an_empty_list_is_no_problem_before_anybody_enrolled() -> None:
    read([])
    assert codes() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LoginFailed("no"), "admin-login"),
        (NotAllowed("no"), "admin-denied"),
        (Unreachable("no"), "consent-list"),
        (Throttled(), "nextcloud-busy"),
        (ListUnreadable("cut off"), "consent-list"),
        (AppMissing("no"), "consent-app-missing"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_problem_and_changes_nobody(error: SideError, code: str) -> None:
    read([person("alice")])
    read(error=error)
    assert states() == {"alice": State.ACTIVE}
    problem = Problem.objects.get()
    assert (problem.code, problem.level) == (code, "installation")
    assert problem.remedy


@pytest.mark.parametrize(
    ("health", "code"), [(Health.DOWN, "nextcloud-unreachable"), (Health.MAINTENANCE, "nextcloud-maintenance")]
)
def test_a_server_that_is_down_is_named_as_such(health: Health, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.probe.nextcloud", lambda: health)
    read(error=Unreachable("no"))
    assert codes() == [code]
    assert resting.server_rests(resting.NEXTCLOUD, NOW)


def test_a_refused_admin_password_is_not_tried_at_every_turn() -> None:
    read(error=LoginFailed("no"))
    refused = FakeConsentApp([person("alice")])
    refresh.refresh(NOW, lambda: refused)
    assert states() == {}
    assert not resting.server_rests(resting.NEXTCLOUD, NOW)
    refresh.refresh(NOW + HOUR, lambda: refused)
    assert states() == {"alice": State.ACTIVE}
    assert codes() == []


def test_a_wrong_shared_secret_is_one_problem_of_the_installation() -> None:
    read([person("alice"), person("bob")])
    read([person("alice", "another secret", "x" * 72), person("bob", "another secret", "x" * 72)])
    problem = Problem.objects.get()
    assert (problem.code, problem.level) == ("shared-secret", "installation")
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE}
    assert Enrollment.objects.get(nextcloud_uid="alice").token == TOKEN
    read([person("alice"), person("bob")])
    assert codes() == []


def test_the_previous_secret_still_opens_tokens(settings: Settings) -> None:
    settings.SHARED_SECRET, settings.SHARED_SECRET_PREVIOUS = "the new secret", "a shared secret"
    read([person("alice"), person("bob", "the new secret")])
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE}
    assert codes() == []


def test_damaged_tokens_are_told_apart_from_a_wrong_secret() -> None:
    read([person("alice"), Person("bob", "bob", "c2hvcnQ=", "bob@example.org")])
    assert codes() == ["damaged-tokens"]
    assert states() == {"alice": State.ACTIVE}
    read([person("alice"), person("bob")])
    assert codes() == []


def test_the_app_is_told_whose_token_was_refused_twice() -> None:
    enrollment(token=TOKEN, state=State.NO_CONSENT)
    assert read([person("alice"), person("bob")]).invalidated == ["alice"]
    assert read([person("alice", token="n" * 72), person("bob")]).invalidated == []
    assert states()["alice"] == State.ACTIVE


# The service accounts file -----------------------------------------------------------------------------------------


def write(settings: Settings, content: str) -> None:
    """Put something into the file, for its owner's eyes only."""
    settings.SERVICE_ACCOUNTS_FILE.write_text(content)
    settings.SERVICE_ACCOUNTS_FILE.chmod(0o600)


def test_no_account_at_all_is_a_problem_until_there_is_one(settings: Settings) -> None:
    assert refresh.import_file()
    assert codes() == ["no-account"]
    write(settings, json.dumps([{"Username": "a", "Password": "b"}]))
    assert refresh.import_file() == ""
    assert codes() == []
    assert ServiceAccount.objects.get().origin == "file"


def test_a_broken_file_is_a_problem_and_known_accounts_stay(settings: Settings) -> None:
    write(settings, json.dumps([{"Username": "a", "Password": "b"}]))
    refresh.import_file()
    write(settings, "[{")
    assert "not valid JSON" in refresh.import_file()
    assert codes() == ["accounts-file"]
    assert ServiceAccount.objects.get().enabled


def test_a_file_that_others_may_read_is_a_problem_while_it_is_so(settings: Settings) -> None:
    write(settings, json.dumps([{"Username": "a", "Password": "b"}]))
    settings.SERVICE_ACCOUNTS_FILE.chmod(0o644)
    assert refresh.import_file() == ""
    assert codes() == ["accounts-file-open"]
    assert ServiceAccount.objects.get().enabled
    settings.SERVICE_ACCOUNTS_FILE.chmod(0o600)
    refresh.import_file()
    assert codes() == []


def test_it_is_read_once_per_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr("syncapp.jobs.refresh.refresh_enrollments", lambda: calls.append("read"))
    refresh.refresh_if_due()
    refresh.refresh_if_due()
    assert calls == ["read"]
