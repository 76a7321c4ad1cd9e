"""The test of a service account: one step after the other, each with a plain sentence, and a remedy if it failed.

``ask`` queues one for a page, which follows its step rows; the command line goes through the steps itself. Nothing that
a server sends is repeated. The account's slots are left alone: a test is one connection more, for some seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from django.utils import timezone
from django_q.tasks import async_task

from syncapp.exchange.ews import checks, posting
from syncapp.jobs import backends, remedies, resting, sides, troubles
from syncapp.jobs.task import describe, task
from syncapp.models import AccountTest, AccountTestStep, Problem, ServiceAccount
from syncapp.side import LoginFailed, NoMailbox, NotAllowed, NoToken, SideError, Throttled, Untrusted

logger = logging.getLogger(__name__)

Name, State = AccountTestStep.Name, AccountTestStep.State

_REQUEST_SECONDS = 30.0


def begin(account: ServiceAccount, mailbox: str = "", *, write: bool = False) -> AccountTest:
    """A new test, which takes the place of earlier ones."""
    AccountTest.objects.filter(account=account).delete()
    return AccountTest.objects.create(account=account, mailbox=mailbox.strip().lower(), write=write)


def ask(account: ServiceAccount, mailbox: str = "", *, write: bool = False) -> AccountTest:
    """Queue a test; a page follows its step rows."""
    test = begin(account, mailbox, write=write)
    async_task("syncapp.jobs.account_test.run", test.pk)
    return test


@task
def run(test_id: int) -> None:
    """Go through a test that was asked for."""
    for _ in perform(AccountTest.objects.select_related("account").get(pk=test_id)):
        pass


def perform(test: AccountTest) -> Iterator[AccountTestStep]:
    """Try one thing after the other, and give each step as it ends; after a failure the others are not tried.

    A test that goes well ends the rest of the account and its problems.
    """
    failed = False
    for number, (name, attempt) in enumerate(_Attempts(test).steps(), start=1):
        step = AccountTestStep(test=test, number=number, name=name)
        if failed:
            step.state, step.text = State.SKIPPED, "Not tried, because an earlier step failed."
        else:
            _try(test.account, step, attempt)
            failed = step.state == State.FAILED
        step.save()
        yield step
    if not failed:
        resting.account_works(test.account)
        Problem.objects.clear(*troubles.account_keys(test.account))
    AccountTest.objects.filter(pk=test.pk).update(finished_at=timezone.now())


def _try(account: ServiceAccount, step: AccountTestStep, attempt: Callable[[], str] | str) -> None:
    if isinstance(attempt, str):
        step.state, step.text = State.SKIPPED, attempt
        return
    try:
        step.state, step.text = State.DONE, attempt()
    except SideError as error:
        step.state, step.text, step.remedy = State.FAILED, str(error), _remedy(step, account, error)
    except Exception as error:  # a test ends with a sentence, whatever happens
        logger.error("account test: %s", describe(error))
        step.state, step.text = State.FAILED, "The connector itself failed here; its log says where."
        step.remedy = "Please report this with the lines of the log."


def _remedy(step: AccountTestStep, account: ServiceAccount, error: SideError) -> str:
    match error:
        case LoginFailed():
            return remedies.LOGIN[account.auth_type]
        case NoToken():
            return remedies.tokens(account.auth_type)
        case Untrusted():
            return remedies.TRUST
        case NotAllowed():
            return remedies.RIGHTS[account.auth_type]
        case NoMailbox():
            return remedies.MAILBOX
        case Throttled():
            return remedies.BUSY
    return remedies.NAMES if step.name == Name.NAME else remedies.REACH


Attempt = Callable[[], str] | str
"""What does a step and says how it went, or why it is not tried."""


class _Attempts:
    """What there is to try for one test."""

    def __init__(self, test: AccountTest) -> None:
        self._test = test
        self._row = test.account
        self._account = replace(sides.service_of(test.account), request_seconds=_REQUEST_SECONDS)

    def steps(self) -> Iterator[tuple[AccountTestStep.Name, Attempt]]:
        """Each step and what does it."""
        if not self._row.endpoint:
            yield Name.ADDRESS, self._discover
        yield Name.NAME, self._resolve
        yield Name.CONNECTION, self._connect
        if self._account.authentication is posting.Authentication.OAUTH:
            yield Name.TOKEN, self._token
        yield Name.LOGIN, self._sign_in
        nobody = "" if self._test.mailbox else "Left out, because no mailbox was named (--mailbox)."
        yield Name.IMPERSONATION, nobody or self._act_for
        yield Name.FOLDERS, nobody or self._read_folders
        not_asked = "" if self._test.write else "Left out, because nobody asked for it (--write)."
        yield Name.WRITE, nobody or not_asked or self._write

    def _discover(self) -> str:
        if not self._test.mailbox:
            raise NoMailbox("The account has no Endpoint, and autodiscover needs a mailbox to ask about.")
        url = backends.discover(self._test.mailbox, self._row)
        self._account = replace(self._account, url=url)
        return f"Autodiscover leads to {url}."

    def _resolve(self) -> str:
        return f"{urlsplit(self._account.url).hostname} is reached at {checks.resolve(self._account)}."

    def _connect(self) -> str:
        checks.connect(self._account)
        if not self._account.url.startswith("https://"):
            return "EWS answers, without TLS (ALLOW_HTTP)."
        how = "is the pinned one" if self._account.fingerprint else "is trusted"
        return f"EWS answers, and its certificate {how}."

    def _token(self) -> str:
        checks.token(self._account)
        return f"{urlsplit(self._account.authority).hostname} gave the application a token."

    def _sign_in(self) -> str:
        checks.sign_in(self._account, self._test.mailbox)
        return f"Exchange accepts the login. {remedies.ending(self._account.url, timezone.now().date())}".strip()

    def _act_for(self) -> str:
        checks.act_for(self._account, self._test.mailbox)
        return "The account may act for the mailbox."

    def _read_folders(self) -> str:
        checks.read_folders(self._account, self._test.mailbox)
        return "Calendar and contacts can be read."

    def _write(self) -> str:
        checks.write(self._account, self._test.mailbox)
        return "A draft was written into the bin of the mailbox, and removed for good."
