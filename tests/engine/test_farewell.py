"""Copies are taken back from one side: ours, unchanged, and nothing else."""

from __future__ import annotations

import pytest

from lab.chaos.town import EVENT, EXCHANGE, NEXTCLOUD, Town, contact, event, titled
from syncapp.engine.farewell import TakenBack, take_back
from syncapp.engine.lease import LeaseLost
from syncapp.items import Kind
from syncapp.models import Enrollment, History, Link, Run
from syncapp.side import SideName
from tests.leases import claim_now

pytestmark = pytest.mark.django_db


def taken_back(town: Town, name: SideName) -> TakenBack:
    """Take back the copies on one side."""
    lease = claim_now(town.enrollment.pk, "me", 600, clock=town.clock)
    assert lease is not None
    run = Run.objects.create(enrollment=town.enrollment, started_at=town.clock.now())
    found = take_back(lease, run, town.world.sides(town.kinds), name, clock=town.clock)
    lease.release(town.clock.now())
    return found


@pytest.fixture
def synced(town: Town) -> Town:
    """Something of either side, something of both, and a contact; everything in step."""
    town.outlook.create(town.folder(EXCHANGE), event("From Exchange"))
    town.phone.create(town.folder(NEXTCLOUD), event("From Nextcloud", 11))
    both = event("On both", 12)
    town.outlook.create(town.folder(EXCHANGE), both)
    town.phone.create(town.folder(NEXTCLOUD), both)
    town.outlook.create(town.folder(EXCHANGE, Kind.CONTACT), contact("Ben", "ben@example.org"))
    town.sync()
    assert town.both() == ["From Exchange", "From Nextcloud", "On both"]
    return town


def test_only_copies_go_and_the_originals_stay(synced: Town) -> None:
    assert taken_back(synced, NEXTCLOUD) == TakenBack(removed=2)
    assert synced.titles(NEXTCLOUD) == ["From Nextcloud", "On both"]
    assert synced.titles(NEXTCLOUD, Kind.CONTACT) == []
    assert synced.titles(EXCHANGE) == ["From Exchange", "From Nextcloud", "On both"]
    assert synced.titles(EXCHANGE, Kind.CONTACT) == ["Ben"]


def test_either_side_can_be_cleared(synced: Town) -> None:
    assert taken_back(synced, EXCHANGE) == TakenBack(removed=1)
    assert synced.titles(EXCHANGE) == ["From Exchange", "On both"]
    assert synced.titles(NEXTCLOUD) == ["From Exchange", "From Nextcloud", "On both"]


def test_what_somebody_changed_stays(synced: Town) -> None:
    copy = synced.find(NEXTCLOUD, "From Exchange")
    synced.phone.edit(copy.id, titled("Mine now"))
    assert taken_back(synced, NEXTCLOUD) == TakenBack(removed=1, left=1)
    assert synced.titles(NEXTCLOUD) == ["From Nextcloud", "Mine now", "On both"]


def test_it_is_in_history_and_in_the_log(synced: Town) -> None:
    taken_back(synced, NEXTCLOUD)
    assert sorted(synced.history_titles()) == ["Ben", "From Exchange"]
    assert History.objects.filter(reason="deleted", side="nextcloud").count() == 2
    assert [line.split()[1] for line in synced.log()].count("deleted") == 2


def test_it_goes_on_where_it_was_interrupted(synced: Town) -> None:
    taken_back(synced, NEXTCLOUD)
    assert taken_back(synced, NEXTCLOUD) == TakenBack()
    assert Link.objects.filter(kind=EVENT).count() == 2


def test_without_the_lease_nothing_is_taken(synced: Town) -> None:
    lease = claim_now(synced.enrollment.pk, "me", 600, clock=synced.clock)
    assert lease is not None
    Enrollment.objects.update(fence=99)
    run = Run.objects.create(enrollment=synced.enrollment, started_at=synced.clock.now())
    with pytest.raises(LeaseLost):
        take_back(lease, run, synced.world.sides(synced.kinds), NEXTCLOUD, clock=synced.clock)
    assert "From Exchange" in synced.titles(NEXTCLOUD)
