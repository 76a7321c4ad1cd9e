"""The overview: what it says and what it costs."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from syncapp.jobs.health import SILENT_AFTER
from syncapp.models import Enrollment, Heartbeat, Link, Problem, ServiceAccount
from tests.adminui import build


def text_of(client: Client, path: str = "/", **headers: str) -> str:
    """The words of a page, without tags."""
    answer = client.get(path, headers=headers)
    assert answer.status_code in {200, 286}
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.fixture
def running_well(db: None) -> Enrollment:
    """Workers, an account and one user in step."""
    build.heartbeat()
    build.account()
    anna = build.user("anna", display_name="Anna Berger")
    build.links(anna, in_step=41, dirty=1, left_out=7)
    build.run(anna, created=3, updated=2, deleted=1, adopted=9)
    return anna


def test_it_is_well(page: Client, running_well: Enrollment) -> None:
    said = text_of(page)
    assert "All is well with 1 user." in said
    assert "Getting started" not in said


def test_a_user_shows_state_success_items_and_what_moved(page: Client, running_well: Enrollment) -> None:
    said = text_of(page)
    assert "Anna Berger anna@example.org Active 1 minute ago 41 of 42 6 0" in said


def test_events_outside_the_window_do_not_count_as_out_of_step(page: Client, running_well: Enrollment) -> None:
    assert "Items in step 41 of 42" in text_of(page)


def test_yesterdays_moves_are_not_todays(page: Client, running_well: Enrollment) -> None:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    build.run(running_well, started_at=midnight - dt.timedelta(seconds=1), updated=1000)
    assert "Moved today 6 items" in text_of(page)


def test_workers_silent(page: Client, running_well: Enrollment) -> None:
    Heartbeat.objects.update(at=timezone.now() - SILENT_AFTER - dt.timedelta(hours=2))
    said = text_of(page)
    assert "The workers are silent: nothing syncs." in said
    assert "python manage.py qcluster" in said
    assert "2 hours ago" in said


def test_a_dispatcher_without_workers_is_silence_too(page: Client, running_well: Enrollment) -> None:
    Heartbeat.objects.filter(name__startswith="worker").update(at=timezone.now() - dt.timedelta(hours=1))
    assert "The workers are silent" in text_of(page)


def test_an_empty_installation_teaches_the_steps(page: Client) -> None:
    said = text_of(page)
    assert "No worker has ever reported" in said
    assert "1 Start the workers" in said
    assert "2 Add an Exchange service account" in said
    assert "3 Let the first user give consent" in said


def test_a_step_that_is_done_is_marked(page: Client) -> None:
    build.heartbeat()
    said = text_of(page)
    assert "No Exchange service account yet." in said
    assert "Start the workers done" in said
    assert "Add an Exchange service account An account" in said


def test_no_users_yet(page: Client) -> None:
    build.heartbeat()
    build.account()
    assert "Ready, but nobody has enrolled yet." in text_of(page)


def test_an_account_that_is_switched_off_is_none(page: Client, running_well: Enrollment) -> None:
    ServiceAccount.objects.update(enabled=False)
    assert "No Exchange service account yet." in text_of(page)


def test_problems_are_grouped_by_reason_with_who_must_act_and_where(page: Client, running_well: Enrollment) -> None:
    bert = build.user("bert")
    for enrollment in (running_well, bert):
        build.problem(f"login:{enrollment.pk}", "login-failed", enrollment=enrollment)
    build.problem("item:1", "refused", level=Problem.Level.ITEM, actor=Problem.Actor.USER, enrollment=bert)
    build.problem("busy", "busy", level=Problem.Level.INSTALLATION, actor=Problem.Actor.NOBODY)
    said = text_of(page)
    assert "2 problems need you." in said
    assert said.count("Something about login-failed is wrong.") == 1
    login = said.index("Something about login-failed")
    refused = said.index("Something about refused")
    assert login < refused < said.index("Something about busy")
    assert "Do this about login-failed. Concerns users: " in said
    assert "Anna Berger" in said[login:refused]
    assert "Bert" in said[login:refused]
    assert "2 times" in said[login:refused]
    assert "You must act" in said[login:refused]


def test_a_problem_of_many_names_a_few_and_counts_the_others(page: Client, running_well: Enrollment) -> None:
    for number in range(9):
        user = build.user(f"user{number}")
        build.problem(f"login:{user.pk}", "login-failed", enrollment=user)
    assert "and 4 more" in text_of(page)


def test_ignored_items_need_nobody_and_are_counted(page: Client, running_well: Enrollment) -> None:
    for number in range(2):
        link = Link.objects.create(enrollment=running_well, kind="event", ignored=number == 0)
        build.problem(f"item:{number}", "refused", level=Problem.Level.ITEM, link_id=link.pk, enrollment=running_well)
    said = text_of(page)
    assert "1 problem needs you." in said
    assert "2 times · 1 ignored" in said


def test_the_label_of_an_item_is_not_shown(page: Client, running_well: Enrollment) -> None:
    build.problem("item:1", level=Problem.Level.ITEM, enrollment=running_well, label="Dentist, secret")
    assert "Dentist" not in text_of(page)
    assert "Dentist" not in text_of(page, f"/users/{running_well.pk}/")


def test_a_run_under_way_shows_how_far_it_is(page: Client, running_well: Enrollment) -> None:
    build.running(running_well, created=30, adopted=10, pending=60)
    html = page.get("/").content.decode()
    assert '<progress max="100" value="40"' in html
    assert "40 of 100 items" in html


def test_when_nothing_runs_it_says_when_somebody_is_next(page: Client, running_well: Enrollment) -> None:
    assert "the next is due in 3 minutes" in text_of(page)


def test_names_are_escaped(page: Client, running_well: Enrollment) -> None:
    build.user("eve", display_name="<script>alert(1)</script>")
    html = page.get("/").content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_a_live_part_is_the_same_without_the_frame(page: Client, running_well: Enrollment) -> None:
    part = page.get("/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "All is well with 1 user." in part
    assert "Anna Berger" in part


def test_the_list_is_paged(page: Client, running_well: Enrollment) -> None:
    for number in range(120):
        build.user(f"user{number:03}")
    first, last = text_of(page), text_of(page, "/?page=99")
    assert "Page 1 of 3" in first
    assert "Anna Berger" in first
    assert "Page 3 of 3" in last
    assert "User119" in last
    assert "Anna Berger" not in last


OVERVIEW_QUERIES = 17


def test_the_number_of_queries_does_not_depend_on_the_number_of_users(
    page: Client, running_well: Enrollment, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    build.waiting("a-newcomer")
    build.running(running_well, pending=3)
    build.problem("login:1", enrollment=running_well)
    with django_assert_num_queries(OVERVIEW_QUERIES):
        page.get("/")
    for number in range(200):
        user = build.user(f"user{number:03}") if number % 4 else build.waiting(f"user{number:03}")
        build.links(user, in_step=2, dirty=1)
        build.run(user, updated=1)
        build.running(user)
        build.problem(f"login:{user.pk}", f"reason-{number % 7}", enrollment=user)
    with django_assert_num_queries(OVERVIEW_QUERIES - 2):  # the totals are remembered for some seconds
        assert page.get("/").status_code == 200
