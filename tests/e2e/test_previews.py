"""A first sync that waits for its preview, over HTTP with both labs: what is announced, and what is done."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Sum
from django_q.models import OrmQ
from pytest_django import Settings

from lab.edit import Side
from syncapp.jobs import preview, sync
from syncapp.models import Enrollment, Link, Pairing, Preview, Run
from tests.e2e.conftest import ANNA, BEN, Town, problems

State = Enrollment.State
SIDES: tuple[Side, ...] = ("exchange", "nextcloud")


@pytest.fixture
def preview_first(settings: Settings) -> None:
    """New people wait."""
    settings.PREVIEW_FIRST = True


def made() -> None:
    """Let workers make all previews, one after the other."""
    for _ in range(3):
        sync._hand_over(1)
        [row] = OrmQ.objects.all()
        OrmQ.objects.all().delete()
        if row.task["func"] == "syncapp.jobs.preview.make":
            preview.make(*row.task["args"])
            OrmQ.objects.all().delete()


def told(*command: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    out = StringIO()
    call_command(*command, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def total(counts: dict[str, dict[str, int]], code: str) -> int:
    """How often something is announced, on both sides."""
    return sum(counts.get(code, {}).values())


@pytest.mark.usefixtures("preview_first")
def test_a_first_sync_does_what_its_approved_preview_announced(town: Town) -> None:
    for side in SIDES:
        town.create(ANNA, "On both sides", side)
        town.create(ANNA, f"Only in {side}", side)
    town.create(BEN, "Of Ben")
    town.refresh()
    town.sync()
    assert set(Enrollment.objects.values_list("state", flat=True)) == {State.PREVIEW}
    before = [town.titles(person, side) for person in (ANNA, BEN) for side in SIDES]
    made()
    town.sync()
    assert Preview.objects.count() == 2
    assert [town.titles(person, side) for person in (ANNA, BEN) for side in SIDES] == before
    assert [model.objects.count() for model in (Link, Pairing, Run)] == [0, 0, 0]

    seen = told("preview", ANNA.uid)
    assert sorted(each["label"] for each in seen["items"] if each["code"] == "created") == [
        "Only in exchange",
        "Only in nextcloud",
    ]
    assert told("sync", ANNA.uid, "--dry-run")["counts"] == seen["counts"]
    call_command("preview", ANNA.uid, "--approve")
    town.sync()
    assert set(town.titles(ANNA)) == set(town.titles(ANNA, "nextcloud"))
    done = Run.objects.filter(enrollment__nextcloud_uid=ANNA.uid).aggregate(
        **{name: Sum(name) for name in ("created", "updated", "adopted", "deleted")}
    )
    assert done["created"] == total(seen["counts"], "created") == 2
    assert done["adopted"] == total(seen["counts"], "adopted") == 1
    assert done["updated"] == total(seen["counts"], "updated")
    assert done["deleted"] == 0
    assert Link.objects.filter(Link.in_step()).count() == seen["in_step"] == 3
    assert town.titles(BEN) == [], "nobody approved of Ben"
    assert problems() == []
