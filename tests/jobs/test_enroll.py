"""From a person of the list to an enrollment."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest
from pytest_django import Settings

from syncapp.jobs import enroll
from syncapp.jobs.addresses import mailbox_of
from syncapp.models import Enrollment, Pairing
from syncapp.nextcloud.consent import Person
from tests.jobs.fakes import HOUR, NOW, codes, enrollment

pytestmark = pytest.mark.django_db

State = Enrollment.State
ALICE = Person("alice", "alice", "sealed", "Alice@Example.org", "Alice", "work", "friends")


@pytest.fixture
def managed(settings: Settings) -> Settings:
    """An installation whose people cannot change their addresses."""
    settings.ADDRESSES_ARE_MANAGED = True
    settings.MAILBOX_DOMAINS = ["example.org"]
    return settings


def take(person: Person = ALICE, token: str | None = "t1", **changes: str) -> Enrollment:
    """Take a person of the list; the enrollment afterwards."""
    person = dataclasses.replace(person, **changes)
    known = Enrollment.objects.filter(nextcloud_uid=person.uid).first()
    enroll.take(known, person, token, NOW)
    return Enrollment.objects.get(nextcloud_uid=person.uid)


def test_a_new_person_waits_for_an_approval() -> None:
    row = take()
    assert row.state == State.WAITING
    assert (row.mailbox, row.nextcloud_login, row.token) == ("alice@example.org", "alice", "t1")
    assert (row.calendar, row.address_book, row.display_name) == ("work", "friends", "Alice")


@pytest.mark.usefixtures("managed")
def test_a_new_person_starts_at_once_where_addresses_are_managed() -> None:
    assert take().state == State.ACTIVE


@pytest.mark.usefixtures("managed")
@pytest.mark.parametrize("email", ["alice@example.com", "alice@sub.example.org", "alice@example.org.evil.com"])
def test_an_address_of_another_domain_waits_for_an_approval(email: str) -> None:
    assert take(email=email).state == State.WAITING


def test_a_person_without_an_address_has_no_mailbox() -> None:
    row = take(email="")
    assert (row.state, row.mailbox) == (State.NO_MAILBOX, None)
    assert codes() == ["no-address"]
    assert (take().state, take().mailbox) == (State.WAITING, "alice@example.org")


@pytest.mark.usefixtures("managed")
def test_a_second_person_never_gets_a_mailbox_that_somebody_has() -> None:
    take()
    mallory = take(uid="mallory")
    assert (mallory.state, mallory.mailbox) == (State.NO_MAILBOX, None)
    assert take(uid="mallory").mailbox is None
    assert codes() == ["mailbox-taken"]
    assert take(uid="mallory", email="mallory@example.org").state == State.ACTIVE
    assert codes() == []


@pytest.mark.usefixtures("managed")
def test_a_changed_address_holds_and_never_points_elsewhere() -> None:
    take()
    row = take(email="director@example.org")
    assert (row.state, row.mailbox, row.listed_address) == (State.HELD, "alice@example.org", "director@example.org")
    assert codes() == ["address-changed"]
    assert take(email="director@example.org").mailbox == "alice@example.org"


@pytest.mark.usefixtures("managed")
@pytest.mark.parametrize("email", ["", "other@example.org"])
def test_a_hold_ends_when_the_address_is_back(email: str) -> None:
    take()
    assert take(email=email).state == State.HELD
    assert take().state == State.ACTIVE
    assert codes() == []


def test_before_the_first_approval_the_address_may_change() -> None:
    take()
    row = take(email="alice@example.com")
    assert (row.state, row.mailbox) == (State.WAITING, "alice@example.com")


def test_a_token_that_cannot_be_opened_changes_nothing_about_the_known_one() -> None:
    take()
    row = take(token=None, display_name="Alice B.")
    assert (row.token, row.display_name) == ("t1", "Alice B.")


def test_a_new_person_whose_token_cannot_be_opened_is_not_enrolled_yet() -> None:
    enroll.take(None, ALICE, None, NOW)
    assert not Enrollment.objects.exists()


def test_a_new_token_ends_a_refusal() -> None:
    enrollment(token="t1", token_refused_at=NOW, due_at=NOW + HOUR)
    row = take(token="t2")
    assert (row.token, row.token_refused_at, row.due_at) == ("t2", None, NOW)


def test_the_same_token_ends_no_refusal() -> None:
    enrollment(token="t1", token_refused_at=NOW, due_at=NOW + HOUR)
    assert take().token_refused_at == NOW


@pytest.mark.usefixtures("managed")
def test_whoever_consents_again_goes_on() -> None:
    enrollment(token="t1", state=State.NO_CONSENT)
    assert take().state == State.NO_CONSENT
    assert take(token="t2").state == State.ACTIVE


def test_whoever_is_listed_again_goes_on() -> None:
    enrollment(token="t1", state=State.ABSENT, due_at=NOW - HOUR)
    row = take()
    assert (row.state, row.due_at) == (State.ACTIVE, NOW)


@pytest.mark.usefixtures("managed")
@pytest.mark.parametrize("state", [State.PAUSED, State.WAITING])
def test_what_an_admin_decides_stays(state: Enrollment.State) -> None:
    enrollment(state=state)
    assert take().state == state


def test_a_decision_made_in_between_is_not_overwritten() -> None:
    known = enrollment(token="t1", state=State.ABSENT)
    Enrollment.objects.update(state=State.PAUSED)
    enroll.take(known, ALICE, "t1", NOW)
    assert Enrollment.objects.get().state == State.PAUSED


# Everybody, whatever their state -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("are_managed", [True, False])
def test_no_reading_of_the_list_does_what_no_rule_allows(
    state: Enrollment.State, are_managed: bool, settings: Settings
) -> None:
    """One person for whom a reading failed would keep it from everybody."""
    settings.ADDRESSES_ARE_MANAGED = are_managed
    addresses = ["alice@example.org", "other@example.org", "bob@example.org", ""]
    known = [("alice@example.org", True), ("alice@example.org", False), (None, False)]
    pilot = (True, False) if state == State.LATER else (True,)
    enrollment("bob")
    for (mailbox, paired), approved, email, token, in_pilot in product(
        known, (True, False), addresses, ("t1", "t2", None), pilot
    ):
        row = enrollment(state=state, token="t1", mailbox=mailbox, approved=approved)
        if paired:
            Pairing.objects.create(enrollment=row, kind="event", exchange_folder="e", nextcloud_folder="n")
        enroll.take(row, dataclasses.replace(ALICE, email=email), token, NOW, in_pilot=in_pilot)
        row.refresh_from_db()
        mine = row.mailbox in (mailbox, None, *(() if paired else (mailbox_of(email),)))
        assert mine, "what was paired is never pointed at another mailbox"
        if row.state in Enrollment.SERVED and state not in Enrollment.SERVED:
            assert row.mailbox == mailbox_of(email), "nobody begins or goes on with another mailbox than they list"
            assert row.approved
        Enrollment.objects.filter(pk=row.pk).delete()
