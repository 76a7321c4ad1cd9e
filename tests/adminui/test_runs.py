"""A run and its stored log."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from adminui.queries import LINES_PER_PAGE
from syncapp.models import Run, RunLine
from tests.adminui import build
from tests.adminui.test_overview import text_of


@pytest.fixture
def run(db: None) -> Run:
    """A run without lines."""
    return build.run(build.user("anna"), created=1)


def line(run: Run, code: str, **values: object) -> RunLine:
    """A line of its log."""
    return RunLine.objects.create(run=run, at=run.started_at, code=code, **values)


def test_lines_are_words_with_side_item_and_fields(page: Client, run: Run) -> None:
    line(run, "updated", side="nextcloud", link_id=92, fields="title location", note="")
    line(run, "failed", side="exchange", link_id=7, note="refused")
    said = text_of(page, f"/runs/{run.pk}/")
    assert "Updated in Nextcloud: title and location. Nextcloud 92" in said
    assert "Failed: Exchange does not take it. Exchange 7" in said


def test_a_code_without_words_is_shown_as_it_is(page: Client, run: Run) -> None:
    line(run, "brand-new")
    assert "brand-new" in text_of(page, f"/runs/{run.pk}/")


def test_a_log_without_lines_says_why(page: Client, run: Run) -> None:
    assert "Nothing to tell: neither side had changed." in text_of(page, f"/runs/{run.pk}/")
    under_way = build.running(run.enrollment)
    assert "Lines appear here while the run goes on." in text_of(page, f"/runs/{under_way.pk}/")


def test_a_long_log_is_paged_in_the_order_in_which_it_was_written(
    page: Client, run: Run, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    RunLine.objects.bulk_create(
        RunLine(run=run, at=run.started_at, code="created", link_id=1_000_000 + number)
        for number in range(LINES_PER_PAGE + 1)
    )
    with django_assert_num_queries(5):
        first = text_of(page, f"/runs/{run.pk}/")
    assert first.index("1000000") < first.index("1000001")
    assert str(1_000_000 + LINES_PER_PAGE) not in first
    assert str(1_000_000 + LINES_PER_PAGE) in text_of(page, f"/runs/{run.pk}/?page=2")


def test_a_run_under_way_is_live_until_it_ends(page: Client, run: Run) -> None:
    under_way = build.running(run.enrollment, created=1, pending=1)
    path = f"/runs/{under_way.pk}/"
    assert 'hx-trigger="every' in page.get(path).content.decode()
    assert page.get(path, headers={"HX-Request": "true"}).status_code == 200
    Run.objects.filter(pk=under_way.pk).update(finished_at=build.ago(seconds=1), outcome=Run.Outcome.DONE)
    assert 'hx-trigger="every' not in page.get(path).content.decode()
    assert page.get(path, headers={"HX-Request": "true"}).status_code == 286


def test_a_run_that_went_away_under_ones_eyes_says_so(page: Client, run: Run) -> None:
    pk = run.pk
    run.delete()
    assert page.get(f"/runs/{pk}/").status_code == 404
    answer = page.get(f"/runs/{pk}/", headers={"HX-Request": "true"})
    assert answer.status_code == 286
    assert "found nothing to do" in answer.content.decode()


@pytest.mark.parametrize("outcome", Run.Outcome.values)
def test_every_outcome_has_words(page: Client, run: Run, outcome: str) -> None:
    Run.objects.filter(pk=run.pk).update(outcome=outcome)
    said = text_of(page, f"/runs/{run.pk}/")
    assert f"Run 2 minutes ago {outcome} " not in said
