"""The test of a service account against the lab: every step, every failure with its sentence and remedy."""

from __future__ import annotations

import datetime as dt
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from lab.process import start
from syncapp.jobs import account_test, remedies, resting, troubles
from syncapp.models import AccountTest, AccountTestStep, Problem, ServiceAccount
from tests.jobs.fakes import account, codes

pytestmark = pytest.mark.django_db

ADA = "ada@lab.example"
NAMES = {"name", "connection", "login", "impersonation", "folders", "write"}


class Lab:
    """A running lab Exchange: Ada's mailbox, a service account for all and one for nobody, an application."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.endpoint = f"{url}/EWS/Exchange.asmx"

    def control(self, method: str, path: str, data: Any = None) -> Any:
        """A control request; the JSON answer."""
        answer = httpx.request(method, f"{self.url}/lab/{path}", json=data)
        answer.raise_for_status()
        return answer.json()

    def arrange(self) -> None:
        """Begin anew."""
        self.control("POST", "reset", {"keep_accounts": False})
        self.control("DELETE", "faults")
        self.control("POST", "mailboxes", {"address": ADA})
        self.control("POST", "accounts", {"name": "svc", "password": "pw", "impersonates": "*"})
        self.control("POST", "accounts", {"name": "nobody", "password": "pw", "impersonates": []})
        self.control("POST", "apps", {"app_id": "app", "tenant": "t", "secret": "s3cret", "impersonates": "*"})
        self.control("POST", "traffic", {"record": True})

    def account(self, **values: Any) -> ServiceAccount:
        """A stored account that works, or what is different about it."""
        return account("tested", **({"endpoint": self.endpoint, "username": "svc", "password": "pw"} | values))

    def application(self, **values: Any) -> ServiceAccount:
        """The same for the application."""
        fields = {"auth_type": "oauth", "username": "app", "password": "s3cret", "tenant": "t", "authority": self.url}
        return self.account(**(fields | values))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start("lab.exchange", tmp_path_factory.mktemp("lab") / "exchange.db") as process:
        yield Lab(process.url)


@pytest.fixture
def lab(server: Lab) -> Lab:
    server.arrange()
    return server


def perform(row: ServiceAccount, mailbox: str = ADA, *, write: bool = True) -> list[AccountTestStep]:
    """All steps of a test."""
    return list(account_test.perform(account_test.begin(row, mailbox, write=write)))


def the_failure(steps: list[AccountTestStep]) -> AccountTestStep:
    """The step that failed; those before it went well, those after it were not tried."""
    states = [step.state for step in steps]
    at = states.index("failed")
    assert states == ["done"] * at + ["failed"] + ["skipped"] * (len(steps) - at - 1)
    assert steps[at].remedy
    return steps[at]


def test_an_account_that_works_passes_every_step(lab: Lab) -> None:
    steps = perform(lab.account())
    assert {step.name for step in steps} == NAMES
    assert {step.state for step in steps} == {"done"}
    assert all(step.text.endswith(".") and not step.remedy for step in steps)


def test_what_it_writes_is_gone_afterwards_and_nobody_was_mailed(lab: Lab) -> None:
    perform(lab.account())
    operations = [each["operation"] for each in lab.control("GET", "traffic")]
    assert operations[-2:] == ["CreateItem", "DeleteItem"]
    for folder in ("inbox", "drafts", "sentitems", "deleteditems"):
        assert lab.control("GET", f"items?mailbox={ADA}&folder={folder}") == []
    assert lab.control("GET", "mail") == []


@pytest.mark.parametrize("auth_type", ["basic", "ntlm", "oauth"])
def test_each_way_to_sign_in_is_tested(lab: Lab, auth_type: str) -> None:
    row = lab.application() if auth_type == "oauth" else lab.account(auth_type=auth_type)
    steps = perform(row)
    assert {step.name for step in steps} == NAMES | ({"token"} if auth_type == "oauth" else set())
    assert {step.state for step in steps} == {"done"}


def test_what_nobody_asked_for_is_left_out(lab: Lab) -> None:
    states = {step.name: step.state for step in perform(lab.account(), write=False)}
    assert states.pop("write") == "skipped"
    assert set(states.values()) == {"done"}
    states = {step.name: step.state for step in perform(ServiceAccount.objects.get(), "")}
    assert [name for name, state in states.items() if state == "skipped"] == ["impersonation", "folders", "write"]


Arrange = Callable[[Lab], dict[str, Any]]


def closed_port(_: Lab) -> dict[str, Any]:
    """The address of a server where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return {"endpoint": f"http://127.0.0.1:{taken.getsockname()[1]}/EWS/Exchange.asmx"}


def expired(lab: Lab) -> dict[str, Any]:
    """A password that is too old."""
    lab.control("PUT", "expiry", {"name": "svc"})
    return {}


def locked(lab: Lab) -> dict[str, Any]:
    """An account that somebody got locked."""
    lab.control("PUT", "lockout", {"after": 1})
    httpx.post(lab.endpoint, auth=("svc", "wrong"), content=b"")
    return {}


def fault(**values: Any) -> Arrange:
    """Something that the server does."""

    def arrange(lab: Lab) -> dict[str, Any]:
        lab.control("POST", "faults", {"times": None, **values})
        return {}

    return arrange


@pytest.mark.parametrize(
    ("arrange", "name", "said", "remedy"),
    [
        (lambda lab: {"endpoint": "http://no.such.host.invalid/EWS"}, "name", "has no address", "misspelling"),
        (closed_port, "connection", "can't be reached", "firewall"),
        (lambda lab: {"endpoint": f"{lab.url}/autodiscover/autodiscover.json"}, "connection", "405|400|404|status",
         "EWS/Exchange.asmx"),
        (lambda lab: {"password": "wrong"}, "login", "does not accept the login", "neither locked"),
        (expired, "login", "password has expired", "not expired"),
        (locked, "login", "locked", "neither locked"),
        (fault(operation="GetFolder", status=503), "login", "maintenance or overloaded", "server runs"),
        (fault(operation="GetFolder", code="ErrorServerBusy"), "login", "asked us to wait", "Try again"),
        (lambda lab: {"username": "nobody"}, "impersonation", "may not act", "New-ManagementRoleAssignment"),
        (fault(operation="GetFolder", skip=2, code="ErrorAccessDenied"), "folders", "read-only", "Role"),
        (fault(operation="CreateItem", code="ErrorQuotaExceeded"), "write", "mailbox is full", ""),
        (fault(operation="DeleteItem", code="ErrorItemSave"), "write", "could not be removed", ""),
    ],
)  # fmt: skip
def test_each_failure_is_a_sentence_with_a_remedy(
    lab: Lab, arrange: Arrange, name: str, said: str, remedy: str
) -> None:
    step = the_failure(perform(lab.account(**arrange(lab))))
    assert step.name == name
    assert re.search(said, step.text)
    assert remedy in step.remedy


def test_a_mailbox_that_is_not_there_says_so(lab: Lab) -> None:
    step = the_failure(perform(lab.account(), "nobody@lab.example"))
    assert (step.name, step.remedy) == ("impersonation", remedies.MAILBOX)


@pytest.mark.parametrize(
    ("values", "name", "said"),
    [
        ({"password": "wrong"}, "token", "client secret"),
        ({"username": "app-2"}, "token", "no application"),
        ({"authority": "http://127.0.0.1:9"}, "token", "can't be reached"),
    ],
)
def test_an_application_fails_with_its_reason(lab: Lab, values: dict[str, str], name: str, said: str) -> None:
    step = the_failure(perform(lab.application(**values)))
    assert step.name == name
    assert said in step.text


def test_no_answer_of_a_server_is_shown(lab: Lab) -> None:
    lab.control("POST", "faults", {"operation": "GetFolder", "status": 500, "body": "secret answer", "times": None})
    steps = perform(lab.account())
    the_failure(steps)
    assert not any("secret answer" in step.text + step.remedy for step in steps)


def test_an_account_without_an_endpoint_begins_with_autodiscover(lab: Lab, settings: Settings) -> None:
    settings.AUTODISCOVER_URL = lab.url
    settings.MAILBOX_DOMAINS = ["lab.example"]
    steps = perform(lab.account(endpoint=""))
    assert (steps[0].name, {step.state for step in steps}) == ("address", {"done"})
    settings.MAILBOX_DOMAINS = []
    assert the_failure(perform(ServiceAccount.objects.get())).name == "address"
    assert the_failure(perform(ServiceAccount.objects.get(), "")).name == "address"


def test_a_mistake_of_ours_ends_in_a_sentence_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(account: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("syncapp.exchange.ews.checks.connect", fail)
    step = the_failure(perform(lab.account()))
    assert "secret" not in step.text


def test_a_test_that_goes_well_ends_the_rest_and_the_problems_of_an_account(lab: Lab) -> None:
    row = lab.account()
    resting.rest_account(row, timezone.now())
    Problem.objects.report(
        troubles.account_keys(row)[0], level=Problem.Level.ACCOUNT, code="exchange-login", text="x", account=row
    )
    perform(row)
    row.refresh_from_db()
    assert (row.rests_until, row.failures, codes()) == (None, 0, [])


def test_a_page_asks_a_worker_and_follows_the_steps(lab: Lab) -> None:
    first = account_test.ask(lab.account(), ADA)
    second = account_test.ask(ServiceAccount.objects.get(), ADA.upper())
    assert OrmQ.objects.count() == 2
    account_test.run(second.pk)
    [test] = AccountTest.objects.all()
    assert test.pk == second.pk != first.pk
    assert test.finished_at is not None
    assert [step.state for step in AccountTestStep.objects.filter(test=test)] == ["done"] * 5 + ["skipped"]


def test_the_command_says_it_step_by_step(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.account()
    call_command("accounts", "test", "tested", "--mailbox", ADA, "--write")
    said = capsys.readouterr().out
    assert "ok      Impersonation: The account may act for the mailbox." in said
    assert said.rstrip().endswith("All is well.")
    ServiceAccount.objects.update(password="wrong")
    with pytest.raises(CommandError, match="1 of 1 accounts cannot be used"):
        call_command("accounts", "test")
    said = capsys.readouterr().out
    assert "FAILED  Login: Exchange does not accept the login" in said
    assert "Not tried" in said


def test_the_end_of_ews_in_exchange_online_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    online = "https://outlook.office365.com/EWS/Exchange.asmx"
    assert "in 31 days" in remedies.ending(online, dt.date(2027, 3, 1))
    assert "has switched EWS off" in remedies.ending(online, dt.date(2027, 4, 1))
    assert remedies.ending("https://mail.example.org/EWS", dt.date(2027, 4, 1)) == ""
    account("online", endpoint=online)
    call_command("accounts", "list")
    assert "Microsoft" in capsys.readouterr().out
