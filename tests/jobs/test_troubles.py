"""Every way in which a side fails is one problem at the right level, and everybody else goes on."""

from __future__ import annotations

import datetime as dt

import pytest

from syncapp.jobs import accounts, places, resting, troubles
from syncapp.jobs.probe import Health
from syncapp.models import Enrollment, Problem, ServiceAccount
from syncapp.side import (
    Gone,
    LoginFailed,
    NoMailbox,
    NotAllowed,
    NoToken,
    SideError,
    SideName,
    Throttled,
    Unreachable,
    Untrusted,
)
from tests.jobs.fakes import HOUR, MINUTE, NOW, account, codes, enrollment

pytestmark = pytest.mark.django_db

State = Enrollment.State
EXCHANGE, NEXTCLOUD = SideName.EXCHANGE, SideName.NEXTCLOUD


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> dict[SideName, Health]:
    """What the servers say about themselves; tests change it."""
    found = {EXCHANGE: Health.UP, NEXTCLOUD: Health.UP}
    monkeypatch.setattr("syncapp.jobs.probe.exchange", lambda account: found[EXCHANGE])
    monkeypatch.setattr("syncapp.jobs.probe.nextcloud", lambda: found[NEXTCLOUD])
    return found


def met(error: Exception, side: SideName | None, person: Enrollment, now: dt.datetime = NOW) -> dt.datetime:
    """Let an error of a side stop a slice of ``person``; when the person is due again."""
    if isinstance(error, SideError):
        error.side = side
    found = ServiceAccount.objects.first() or account()
    person.refresh_from_db()
    return troubles.met(error, person, found, now)


def the_problem() -> tuple[str, str]:
    """Level and code of the only problem."""
    problem = Problem.objects.get()
    return problem.level, problem.code


# Levels ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("health")
@pytest.mark.parametrize(
    ("error", "side", "level", "code"),
    [
        (LoginFailed("no"), EXCHANGE, "account", "exchange-login"),
        (NotAllowed("no"), EXCHANGE, "enrollment", "exchange-denied"),
        (NoMailbox("no"), EXCHANGE, "enrollment", "no-mailbox"),
        (Throttled(30), EXCHANGE, "enrollment", "busy"),
        (Throttled(30, account=True), EXCHANGE, "account", "exchange-busy"),
        (NoToken("no"), EXCHANGE, "account", "exchange-token"),
        (Untrusted("no"), EXCHANGE, "account", "exchange-untrusted"),
        (Throttled(30, whole_server=True), EXCHANGE, "installation", "exchange-busy"),
        (Unreachable("no"), EXCHANGE, "enrollment", "mailbox-unreachable"),
        (Gone("no"), EXCHANGE, "enrollment", "folder-gone"),
        (LoginFailed("no"), NEXTCLOUD, "enrollment", "token-refused"),
        (NotAllowed("no"), NEXTCLOUD, "enrollment", "nextcloud-denied"),
        (NoMailbox("no"), NEXTCLOUD, "enrollment", "nextcloud-denied"),
        (Throttled(), NEXTCLOUD, "installation", "nextcloud-busy"),
        (Unreachable("no"), NEXTCLOUD, "enrollment", "account-unreachable"),
        (Gone("no"), NEXTCLOUD, "enrollment", "folder-gone"),
        (ZeroDivisionError("Alice's secret title"), None, "enrollment", "internal"),
    ],
)
def test_each_failure_has_its_level(error: Exception, side: SideName | None, level: str, code: str) -> None:
    person, _other = enrollment(), enrollment("bob")
    met(error, side, person)
    assert the_problem() == (level, code)


@pytest.mark.parametrize(
    ("error", "side", "health_now", "code"),
    [
        (Unreachable("no"), EXCHANGE, Health.DOWN, "exchange-unreachable"),
        (Unreachable("no"), NEXTCLOUD, Health.DOWN, "nextcloud-unreachable"),
        (Unreachable("no"), NEXTCLOUD, Health.MAINTENANCE, "nextcloud-maintenance"),
        (Throttled(), NEXTCLOUD, Health.MAINTENANCE, "nextcloud-maintenance"),
    ],
)
def test_a_server_that_answers_nobody_is_one_problem_of_the_installation(
    error: SideError, side: SideName, health_now: Health, code: str, health: dict[SideName, Health]
) -> None:
    health[side] = health_now
    alice, bob = enrollment(), enrollment("bob")
    assert met(error, side, alice) == NOW
    met(error, side, bob)
    assert the_problem() == ("installation", code)
    server = resting.NEXTCLOUD if side is NEXTCLOUD else ServiceAccount.objects.get().endpoint
    assert resting.server_rests(server, NOW)


def test_the_log_of_an_error_holds_no_content(caplog: pytest.LogCaptureFixture) -> None:
    met(ValueError("Alice's secret title"), None, enrollment())
    assert "ValueError" in caplog.text
    assert "secret title" not in caplog.text
    assert "secret title" not in Problem.objects.get().text


def test_an_account_that_cannot_log_in_rests_and_another_takes_over() -> None:
    account("good", slots=1)
    bad, person = account("bad"), enrollment()
    error = LoginFailed("no")
    error.side = EXCHANGE
    assert troubles.met(error, person, bad, NOW) == NOW
    with accounts.slot_for(person, "me", NOW, 60) as found:
        assert found is not None
        assert found.name == "good"


@pytest.mark.parametrize("error", [Throttled(90, account=True), NoToken("no"), Untrusted("no")])
def test_an_account_in_trouble_rests_while_others_go_on(error: SideError) -> None:
    person = enrollment()
    tired = account("tired")
    assert met(error, EXCHANGE, person) == NOW
    account("awake", slots=1)
    person.account = tired
    assert [each.name for each in accounts.usable(NOW, person)] == ["awake"]
    told = getattr(error, "seconds", None) or 60
    assert "tired" in [each.name for each in accounts.usable(NOW + dt.timedelta(seconds=told), person)]
    tired.refresh_from_db()
    assert tired.failures == 0
    troubles.works(person, tired)
    assert codes() == []


def test_a_busy_mailbox_rests_and_two_at_a_time_are_their_accounts_trouble() -> None:
    row = account()
    alice, bob = enrollment(account=row), enrollment("bob", account=row)
    assert met(Throttled(90), EXCHANGE, alice) == NOW + dt.timedelta(seconds=90)
    assert accounts.usable(NOW) == [row]
    assert met(Throttled(90), EXCHANGE, alice) == NOW + dt.timedelta(seconds=90)
    assert accounts.usable(NOW) == [row]
    assert met(Throttled(40), EXCHANGE, bob) == NOW + dt.timedelta(seconds=40)
    assert accounts.usable(NOW) == []
    assert accounts.usable(NOW + dt.timedelta(seconds=40)) == [row]


@pytest.mark.parametrize(("auth_type", "said"), [("basic", "locked"), ("ntlm", "locked"), ("oauth", "admin consent")])
def test_a_failed_login_comes_with_what_to_do_about_it(auth_type: str, said: str) -> None:
    account(auth_type=auth_type)
    met(LoginFailed("no"), EXCHANGE, enrollment())
    assert said in Problem.objects.get().remedy


@pytest.mark.usefixtures("health")
def test_what_nobody_knows_the_end_of_is_tried_with_growing_delays() -> None:
    person = enrollment(attempts=1)
    first = met(Unreachable("no"), EXCHANGE, person) - NOW
    Enrollment.objects.update(attempts=3)
    assert met(Unreachable("no"), EXCHANGE, person) - NOW == 4 * first
    Enrollment.objects.update(attempts=90)
    assert met(Unreachable("no"), EXCHANGE, person) - NOW == HOUR


def test_success_ends_what_it_disproves_and_nothing_else() -> None:
    person, bob = enrollment(), enrollment("bob")
    row = account()
    met(NoMailbox("no"), EXCHANGE, person)
    met(NotAllowed("no"), EXCHANGE, bob)
    met(LoginFailed("no"), EXCHANGE, person)
    resting.rest_server(row.endpoint, NOW)
    Problem.objects.report("enrollment:1:address", level=Problem.Level.ENROLLMENT, code="address-changed", text="x",
                           enrollment=person)  # fmt: skip
    row.refresh_from_db()
    troubles.works(person, row)
    assert codes() == ["address-changed", "exchange-denied"]
    assert accounts.usable(NOW) == [row]


# Refused tokens ----------------------------------------------------------------------------------------------------


def crowd(count: int = 10) -> list[Enrollment]:
    """Many people, so that a few refused tokens are not all."""
    return [enrollment(f"user{number}") for number in range(count)]


def test_a_refused_token_is_left_alone_for_an_hour_and_the_list_is_read_again() -> None:
    places.take_turn(places.REFRESH, HOUR, NOW)
    alice = crowd()[0]
    assert met(LoginFailed("no"), NEXTCLOUD, alice) == NOW + HOUR
    alice.refresh_from_db()
    assert (alice.state, alice.token_refused_at) == (State.ACTIVE, NOW)
    assert places.take_turn(places.REFRESH, HOUR, NOW)


def test_a_token_refused_again_an_hour_later_ends_the_consent() -> None:
    alice = crowd()[0]
    met(LoginFailed("no"), NEXTCLOUD, alice)
    met(LoginFailed("no"), NEXTCLOUD, alice, NOW + HOUR)
    alice.refresh_from_db()
    assert alice.state == State.NO_CONSENT
    assert the_problem() == ("enrollment", "no-consent")


def test_a_token_refused_again_within_the_hour_proves_nothing() -> None:
    """As when somebody starts a sync by hand."""
    alice = crowd()[0]
    met(LoginFailed("no"), NEXTCLOUD, alice)
    assert met(LoginFailed("no"), NEXTCLOUD, alice, NOW + MINUTE) == NOW + HOUR
    alice.refresh_from_db()
    assert (alice.state, alice.token_refused_at) == (State.ACTIVE, NOW)
    assert the_problem() == ("enrollment", "token-refused")


def test_a_token_that_works_again_is_forgiven() -> None:
    alice = crowd()[0]
    met(LoginFailed("no"), NEXTCLOUD, alice)
    alice.refresh_from_db()
    troubles.works(alice, account("a"))
    alice.refresh_from_db()
    assert alice.token_refused_at is None
    assert codes() == []


@pytest.mark.parametrize(("people", "refused"), [(10, 3), (2, 2)])
def test_several_refused_tokens_are_a_problem_of_the_installation(people: int, refused: int) -> None:
    unlucky = crowd(people)[:refused]
    for minutes, person in enumerate(unlucky):
        met(LoginFailed("no"), NEXTCLOUD, person, NOW + minutes * MINUTE)
    assert "tokens-refused" in codes()
    for minutes, person in enumerate(unlucky):
        met(LoginFailed("no"), NEXTCLOUD, person, NOW + HOUR + minutes * MINUTE)
    assert Enrollment.objects.filter(state=State.ACTIVE).count() == people
    for person in unlucky:
        person.refresh_from_db()
        troubles.works(person, account(f"account of {person.pk}"))
    assert codes() == []


def test_refusals_far_apart_are_everybodys_own() -> None:
    for hours, person in enumerate(crowd()[:3]):
        met(LoginFailed("no"), NEXTCLOUD, person, NOW + 3 * hours * HOUR)
    assert set(codes()) == {"token-refused"}


# States ------------------------------------------------------------------------------------------------------------


def test_a_mailbox_that_exchange_does_not_find_is_tried_every_hour_until_it_is_there() -> None:
    person = enrollment()
    assert met(NoMailbox("no"), EXCHANGE, person) == NOW + HOUR
    person.refresh_from_db()
    assert person.state == State.UNAVAILABLE
    assert met(NoMailbox("no"), EXCHANGE, person, NOW + HOUR) == NOW + 2 * HOUR
    troubles.works(person, ServiceAccount.objects.get())
    person.refresh_from_db()
    assert (person.state, codes()) == (State.ACTIVE, [])
    assert [each.reason for each in person.transitions.order_by("pk")] == ["mailbox-gone", "mailbox-back"]


def test_a_preview_waits_for_its_mailbox_as_a_preview() -> None:
    person = enrollment(state=State.PREVIEW, preview_first=True)
    met(NoMailbox("no"), EXCHANGE, person)
    person.refresh_from_db()
    assert (person.state, codes()) == (State.PREVIEW, ["no-mailbox"])


def test_a_token_that_is_refused_because_somebody_left_is_nobodys_problem() -> None:
    person = enrollment()
    error = LoginFailed("no")
    error.side = NEXTCLOUD
    Enrollment.objects.update(state=State.LEFT)
    troubles.met(error, person, account(), NOW)
    person.refresh_from_db()
    assert (person.state, person.token_refused_at, codes()) == (State.LEFT, None, [])
