"""A trial with some people: who begins, who waits for it, and who goes on."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from syncapp.jobs import refresh, resting
from syncapp.jobs.probe import Health
from syncapp.models import Enrollment, Problem
from syncapp.side import Throttled
from tests.jobs.fakes import NOW, FakeConsentApp, codes
from tests.jobs.test_refresh import person, states

pytestmark = pytest.mark.django_db

State = Enrollment.State


@pytest.fixture(autouse=True)
def managed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """People start without an approval; a pilot group is named."""
    settings.ADDRESSES_ARE_MANAGED = True
    settings.PILOT_GROUP = "pilot"
    monkeypatch.setattr("syncapp.jobs.probe.nextcloud", lambda: Health.UP)
    return settings


def read(*uids: str, group: tuple[str, ...] = ()) -> None:
    """The list is read; these are in the group."""
    refresh.refresh(NOW, lambda: FakeConsentApp([person(uid) for uid in uids], groups={"pilot": group}))


def test_only_the_pilot_begins() -> None:
    read("alice", "bob", group=("alice",))
    assert states() == {"alice": State.ACTIVE, "bob": State.LATER}
    assert Enrollment.objects.get(nextcloud_uid="bob").mailbox is None, "nobody reserves a mailbox meanwhile"


def test_people_may_be_named_in_the_configuration_too(settings: Settings) -> None:
    settings.PILOT_USERS = ["bob"]
    read("alice", "bob", "carl", group=("alice",))
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE, "carl": State.LATER}


def test_whoever_joins_the_pilot_begins() -> None:
    read("alice", "bob", group=("alice",))
    read("alice", "bob", group=("alice", "bob"))
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE}
    assert Enrollment.objects.get(nextcloud_uid="bob").mailbox == "bob@example.org"


def test_the_end_of_the_pilot_lets_everybody_begin(settings: Settings) -> None:
    read("alice", "bob", group=("alice",))
    settings.PILOT_GROUP = ""
    read("alice", "bob")
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE}


def test_whoever_syncs_goes_on_when_the_pilot_becomes_smaller(settings: Settings) -> None:
    read("alice", "bob", group=("alice", "bob"))
    settings.ADDRESSES_ARE_MANAGED = False
    read("alice", "bob", "carl", group=("alice", "carl"))
    read("alice", "bob", "carl", group=("alice",))
    assert states() == {"alice": State.ACTIVE, "bob": State.ACTIVE, "carl": State.WAITING}


def test_a_group_that_cannot_be_read_is_one_problem_and_lets_nobody_begin() -> None:
    read("alice", group=("alice",))
    refresh.refresh(NOW, lambda: FakeConsentApp([person("alice"), person("bob")]))
    assert states() == {"alice": State.ACTIVE, "bob": State.LATER}
    assert codes() == ["pilot-group"]
    assert "no such group" in Problem.objects.get().text
    read("alice", "bob", group=("alice", "bob"))
    assert (codes(), states()["bob"]) == ([], State.ACTIVE)


def test_a_server_that_wants_to_rest_rests_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def members(*_: object) -> None:
        raise Throttled(whole_server=True)

    monkeypatch.setattr(FakeConsentApp, "members", members)
    read("alice")
    assert states() == {}
    assert codes() == ["nextcloud-busy"]
    assert resting.server_rests(resting.NEXTCLOUD, NOW)
