"""From consent on the connector's pages to a sync, and its end: both labs, over HTTP, no app in Nextcloud."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from syncapp.engine.lease import LeaseLost
from syncapp.jobs import dispatch, invitations, leases, owners, refresh
from syncapp.models import Enrollment, Revocation
from tests.e2e.conftest import ANNA, BEN, Town, problems

pytestmark = pytest.mark.django_db(transaction=True)

State = Enrollment.State


@pytest.fixture
def browser(town: Town, settings: Settings) -> Client:
    """A browser in which Anna has opened an invitation and allowed the connector at Nextcloud."""
    settings.CONNECTOR_URL, settings.SHARED_SECRET = "https://connector.example.org", ""
    refresh.import_file()
    secret = invitations.invite(ANNA.uid, ANNA.email, timezone.now(), by="ada")
    client = Client()
    client.get(f"/join/{secret}/")
    client.post("/me/grant/")
    found = re.search(r'href="(http[^"]+/login/v2/flow/[^"]+)"', client.get("/me/").content.decode())
    assert found
    town.nextcloud.fill_in(found[1], ANNA.login, ANNA.password)
    assert "kept the same in Exchange and in Nextcloud" in client.get("/me/").content.decode()
    return client


def test_who_allows_it_syncs_until_they_take_it_back(browser: Client, town: Town) -> None:
    town.create(ANNA, "Before")
    town.create(BEN, "Not Anna's")
    town.sync()
    assert "Before" in town.titles(ANNA)
    assert "Not Anna's" not in town.titles(ANNA) + town.titles(BEN)
    lease = leases.take(Enrollment.objects.get(), owners.new_owner())
    assert lease is not None
    browser.post("/me/retract/")
    with pytest.raises(LeaseLost):
        lease.hold()
    town.create(ANNA, "After")
    town.sync()
    titles = town.titles(ANNA)
    assert "Before" in titles, "what was copied stays"
    assert "After" not in titles
    [tokens] = [each["tokens"] for each in town.nextcloud.users() if each["uid"] == ANNA.uid]
    assert len(tokens) == 1, "the consent app's own; ours has ended"
    assert (Enrollment.objects.get().state, problems()) == (State.LEFT, [])


def test_copies_can_be_taken_back_from_one_side(
    browser: Client, town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    town.create(ANNA, "Made in Nextcloud")
    town.sync()
    in_exchange, in_nextcloud = set(town.titles(ANNA)), set(town.titles(ANNA, "nextcloud"))
    assert in_exchange == in_nextcloud
    call_command("people", "remove", ANNA.uid, "--copies", "exchange")
    said = capsys.readouterr().out
    assert "Copies put into the bin of Exchange: 1. Left because somebody has changed them: 0." in said
    assert set(town.titles(ANNA)) == in_exchange - {"Made in Nextcloud"}
    assert set(town.titles(ANNA, "nextcloud")) == in_nextcloud
    town.sync()
    assert set(town.titles(ANNA, "nextcloud")) == in_nextcloud, "nobody's deletion"
    row = Enrollment.objects.get()
    assert (row.state, row.token, row.links.count(), row.mailbox) == (State.LEFT, "", 0, None)
    [tokens] = [each["tokens"] for each in town.nextcloud.users() if each["uid"] == ANNA.uid]
    assert len(tokens) == 1, "ours has ended"


def test_copies_taken_back_in_two_attempts_are_nobodys_deletions(browser: Client, town: Town) -> None:
    town.create(ANNA, "Made in Nextcloud")
    town.sync()
    Enrollment.objects.update(lease_owner="another worker", lease_until=timezone.now() + dt.timedelta(minutes=4))
    with pytest.raises(CommandError, match="repeat the command in five minutes"):
        call_command("people", "remove", ANNA.uid, "--copies", "exchange")
    assert Enrollment.objects.get().state == State.LEFT
    town.sync()
    assert "Made in Nextcloud" in town.titles(ANNA)
    Enrollment.objects.update(lease_owner="", lease_until=None)
    call_command("people", "remove", ANNA.uid, "--copies", "exchange")
    assert "Made in Nextcloud" not in town.titles(ANNA)
    assert "Made in Nextcloud" in town.titles(ANNA, "nextcloud")


def test_the_minutes_tick_ends_what_could_not_be_ended_at_once(browser: Client, town: Town) -> None:
    town.nextcloud.fail({"path": "/ocs/v2.php/core/apppassword", "status": 500, "times": 1})
    browser.post("/me/retract/")
    assert Revocation.objects.count() == 1
    Revocation.objects.update(due_at=timezone.now())
    dispatch.tick()
    assert not Revocation.objects.exists()
    [tokens] = [each["tokens"] for each in town.nextcloud.users() if each["uid"] == ANNA.uid]
    assert len(tokens) == 1
