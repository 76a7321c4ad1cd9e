"""Every schema that there was is brought up to date with all its rows, and syncs go on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from syncapp.models import Enrollment, History, Hold, Link, Problem, Sent, Tomb
from tests.upgrades.rows import store, written
from tests.upgrades.scenes import SCENES, end
from tests.upgrades.schema import FIRST, migrate
from tests.upgrades.town import OwnTown, set_up

pytestmark = pytest.mark.django_db(transaction=True)

RECORDED = sorted(Path(__file__).parent.glob("*.json"))


@pytest.fixture(autouse=True)
def _up_to_date_in_the_end() -> Iterator[None]:
    yield
    migrate()


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A database under a former schema, its rows as they were written down."""
    told: dict[str, Any] = json.loads(request.param.read_text())
    store(migrate(request.param.stem), told["rows"])
    return {"schema": request.param.stem, **told}


def lost(before: Mapping[str, list[dict[str, Any]]], after: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """What of the rows of one schema is not there, or is another value, under another schema."""
    found = []
    for model, rows in before.items():
        now = {row["id"]: row for row in after.get(model, [])}
        for row in rows:
            kept = now.get(row["id"], {})
            found += [f"{model} {row['id']}: {name}" for name, value in row.items() if kept.get(name, value) != value]
            found += [] if kept else [f"{model} {row['id']}"]
    return found


def test_the_first_schema_was_recorded() -> None:
    assert FIRST in [path.stem for path in RECORDED]


def test_no_row_is_lost_on_the_way_here_and_back(recorded: dict[str, Any]) -> None:
    former = written(migrate(recorded["schema"]))
    today = written(migrate())
    assert not lost(former, today)
    assert not lost(today, written(migrate(recorded["schema"])))
    assert written(migrate()) == today


def test_whoever_waits_for_a_preview_waits_for_approval_before_there_were_any(recorded: dict[str, Any]) -> None:
    migrate()
    Enrollment.objects.filter(nextcloud_uid="in_step").update(state=Enrollment.State.PREVIEW)
    migrate(FIRST)
    migrate()
    assert Enrollment.objects.get(nextcloud_uid="in_step").state == Enrollment.State.WAITING


def test_states_that_there_were_not_become_those_that_sync_as_much() -> None:
    migrate()
    former = {"invited": "no-consent", "later": "waiting", "unavailable": "active", "left": "paused", "held": "held"}
    for state in former:
        Enrollment.objects.create(nextcloud_uid=state, state=state, due_at=timezone.now())
    [people] = [each for each in migrate("0009_account_tests") if each.__name__ == "Enrollment"]
    assert dict(people._default_manager.values_list("nextcloud_uid", "state")) == former
    migrate()
    assert not Enrollment.objects.get(nextcloud_uid="later").approved
    assert Enrollment.objects.get(nextcloud_uid="held").approved


def test_links_are_in_every_state(recorded: dict[str, Any]) -> None:
    """The recording is worth something."""
    migrate()
    begun = {intent["do"] for intent in Link.objects.values_list("intent", flat=True) if intent}
    assert begun == {"create", "change", "delete", "move", "check"}
    assert Link.objects.filter(Link.in_step()).count() > 20
    assert any(link.half for link in Link.objects.filter(dirty=0)), "left out by the window"
    assert Link.objects.filter(content=None, dirty__gt=0, intent__isnull=True).exists(), "not looked at"
    assert Link.objects.filter(has_problem=True).exists()
    assert Link.objects.exclude(exchange_missing=None, nextcloud_missing=None).exists()
    assert {"waiting", "approved", "refused"} <= set(Hold.objects.values_list("state", flat=True))
    assert {True, False} == set(Sent.objects.values_list("linked", flat=True))
    assert {"overwritten", "deleted"} <= set(History.objects.values_list("reason", flat=True))
    assert Tomb.objects.exists()
    assert Problem.objects.exists()


def test_syncs_go_on(recorded: dict[str, Any]) -> None:
    migrate()
    assert {each.nextcloud_uid for each in Enrollment.objects.all()} == set(SCENES)
    for name in SCENES:
        town = OwnTown(uid=name)
        set_up(town, recorded["servers"][name])
        if name == "in_step":
            assert town.sync().writes == ()
            assert town.sync(full=True).writes == ()
            assert not Link.objects.filter(enrollment=town.enrollment, dirty__gt=0).exists()
        assert end(town) == recorded["expected"][name], name
        assert str(town.enrollment.token) == f"token of {name}", "what was sealed opens"
