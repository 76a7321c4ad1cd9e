"""Commands: what they say, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from syncapp.jobs import places, resting
from syncapp.models import Enrollment, Link, Problem, Run, RunLine, ServiceAccount
from tests.jobs.fakes import HOUR, NOW, FakeConsentApp, account, enrollment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _accounts_file(settings: Settings, tmp_path: Path) -> None:
    settings.SERVICE_ACCOUNTS_FILE = tmp_path / "admins.json"


def list_one(settings: Settings) -> None:
    """List one account in the file."""
    settings.SERVICE_ACCOUNTS_FILE.write_text(json.dumps([{"Username": "sync1", "Password": "secret"}]))


def test_accounts_are_imported_and_listed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    list_one(settings)
    resting.rest_account(account("tired"), timezone.now())
    account("off", enabled=False)
    call_command("accounts", "import")
    said = capsys.readouterr().out
    assert "sync1: http://127.0.0.1:9/EWS/Exchange.asmx, basic, in use, 8 connections" in said
    assert "tired: http://127.0.0.1:9/EWS, basic, rests until" in said
    assert "off: http://127.0.0.1:9/EWS, basic, no longer listed in the file" in said
    assert "secret" not in said


def test_an_account_is_disabled_and_enabled(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    list_one(settings)
    call_command("accounts", "import")
    call_command("accounts", "disable", "sync1")
    assert "manage.py accounts enable" in capsys.readouterr().out
    call_command("accounts", "import")
    assert "sync1: http://127.0.0.1:9/EWS/Exchange.asmx, basic, switched off" in capsys.readouterr().out
    call_command("accounts", "enable", "sync1")
    assert ServiceAccount.objects.get().enabled
    settings.SERVICE_ACCOUNTS_FILE.write_text(json.dumps([{"Username": "sync3", "Password": "secret"}]))
    with pytest.raises(CommandError, match='"sync1" is no longer listed in'):
        call_command("accounts", "enable", "sync1")
    with pytest.raises(CommandError, match='no service account "sync2"; there are: sync1, sync3'):
        call_command("accounts", "disable", "sync2")


def test_an_empty_list_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("accounts", "list")
    assert "manage.py accounts import" in capsys.readouterr().out


def test_a_file_that_others_may_read_is_imported_with_a_warning(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    list_one(settings)
    settings.SERVICE_ACCOUNTS_FILE.chmod(0o640)
    call_command("accounts", "import")
    assert "chmod 600" in capsys.readouterr().err
    settings.SERVICE_ACCOUNTS_FILE.chmod(0o600)
    call_command("accounts", "import")
    assert capsys.readouterr().err == ""


def test_a_wrong_accounts_file_ends_with_its_sentence(settings: Settings) -> None:
    with pytest.raises(CommandError, match="lists nobody"):
        call_command("accounts", "import")
    settings.SERVICE_ACCOUNTS_FILE.write_text("[")
    with pytest.raises(CommandError, match="not valid JSON"):
        call_command("accounts", "import")
    assert not ServiceAccount.objects.exists()


def test_health_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="No worker has ever run"):
        call_command("health")
    places.beat(places.DISPATCHER, timezone.now())
    places.take(1, "me", timezone.now())
    call_command("health")
    assert "alive" in capsys.readouterr().out


def test_refresh_says_what_it_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    list_one(settings)
    monkeypatch.setattr("syncapp.jobs.refresh.connect", FakeConsentApp)
    call_command("refresh")
    assert "0 people are listed" in capsys.readouterr().out


def test_refresh_ends_with_what_is_wrong() -> None:
    # Nobody listens where the settings of tests say that Nextcloud is.
    with pytest.raises(CommandError, match=r"no Exchange service account.*can't be reached"):
        call_command("refresh")


def test_runs_are_listed_and_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    anna = enrollment("anna")
    call_command("runs", "anna")
    assert "There is no run yet" in capsys.readouterr().out
    run = Run.objects.create(enrollment=anna, started_at=NOW, outcome=Run.Outcome.DONE, updated=1)
    RunLine.objects.create(run=run, at=NOW, code="updated", side="nextcloud", link_id=92, fields="title location")
    call_command("runs", "ANNA@example.org")
    assert f"{run.pk}  2026-03-02 08:00  done: 0 created, 1 updated" in capsys.readouterr().out
    call_command("runs", "anna", run=run.pk)
    assert "08:00:00  item 92: Updated in Nextcloud: title and location." in capsys.readouterr().out


def test_runs_of_nobody_and_runs_of_others_are_not_shown() -> None:
    theirs = Run.objects.create(enrollment=enrollment("bob"), started_at=NOW)
    enrollment("anna")
    with pytest.raises(CommandError, match="Nobody of that name"):
        call_command("runs", "carol")
    with pytest.raises(CommandError, match="no run of that number"):
        call_command("runs", "anna", run=theirs.pk)


def refused(uid: str = "anna", label: str = "Budget") -> Problem:
    """An item of somebody's that a server does not take."""
    person = Enrollment.objects.filter(nextcloud_uid=uid).first() or enrollment(uid, due_at=timezone.now() + HOUR)
    link = Link.objects.create(enrollment=person, kind="event", dirty=1, failures=3, not_before=NOW, has_problem=True)
    return Problem.objects.report(
        f"item:{link.pk}",
        level=Problem.Level.ITEM,
        code="refused",
        text="It is refused.",
        enrollment=person,
        link_id=link.pk,
        label=label,
    )


def test_problems_are_listed_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("problems", "list")
    assert "There are no problems." in capsys.readouterr().out
    first, second = refused(), refused("bob", "Urlaub")
    Problem.objects.report("x", level=Problem.Level.INSTALLATION, code="down", text="It is down.", remedy="Start it.")
    call_command("problems", "list")
    out = capsys.readouterr().out
    assert "[down] 1: It is down. Start it." in out
    assert "[refused] 2: It is refused." in out
    assert f'{first.pk}  anna, "Budget", 1 times, next try 2026-03-02 08:00' in out
    call_command("problems", "ignore", str(second.pk))
    capsys.readouterr()
    call_command("problems", "list", user="bob")
    out = capsys.readouterr().out
    assert "[refused] 1, 1 of them ignored" in out
    assert "ignored" in out.splitlines()[1]
    assert "down" not in out
    call_command("problems", "list", json=True)
    told = json.loads(capsys.readouterr().out)["problems"]
    assert [(each["code"], each["count"], each["ignored"]) for each in told] == [("down", 1, 0), ("refused", 2, 1)]


def test_problems_are_decided_about(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = refused(), refused(label="Urlaub")
    call_command("problems", "ignore", user="anna")
    assert "2 problems are left alone" in capsys.readouterr().out
    assert set(Link.objects.values_list("ignored", "dirty")) == {(True, 0)}
    call_command("problems", "unignore", str(first.pk))
    links = dict(Link.objects.values_list("pk", "ignored"))
    assert links == {first.link_id: False, second.link_id: True}
    assert Enrollment.objects.get().due_at <= timezone.now()
    Link.objects.update(failures=3, not_before=timezone.now() + HOUR)
    call_command("problems", "retry", code="refused")
    assert set(Link.objects.values_list("failures", "not_before", "ignored")) == {(0, None, False)}


def test_problems_have_to_be_named() -> None:
    with pytest.raises(CommandError, match="Name problems"):
        call_command("problems", "retry")
    with pytest.raises(CommandError, match="nothing to ignore"):
        call_command("problems", "ignore", "7")


def test_a_problem_of_everybody_is_nothing_to_try_again() -> None:
    problem = Problem.objects.report("x", level=Problem.Level.INSTALLATION, code="down", text="x")
    with pytest.raises(CommandError, match="nothing to retry"):
        call_command("problems", "retry", str(problem.pk))


def test_a_problem_of_a_person_can_be_tried_again_but_not_ignored() -> None:
    anna = enrollment("anna", due_at=timezone.now() + HOUR)
    problem = Problem.objects.report("x", level=Problem.Level.ENROLLMENT, code="gone", text="x", enrollment=anna)
    with pytest.raises(CommandError, match="nothing to ignore"):
        call_command("problems", "ignore", str(problem.pk))
    call_command("problems", "retry", str(problem.pk))
    anna.refresh_from_db()
    assert anna.due_at <= timezone.now()
