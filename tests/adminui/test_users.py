"""The page of one user, and what an admin does there."""

from __future__ import annotations

import datetime as dt
import logging

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from syncapp.items import Kind
from syncapp.models import Enrollment, Hold, Link, Run
from tests.adminui import build
from tests.adminui.test_overview import text_of


def page_of(enrollment: Enrollment) -> str:
    """The address of a user's page."""
    return f"/users/{enrollment.pk}/"


def test_it_shows_pairings_and_runs(page: Client) -> None:
    anna = build.user("anna")
    build.pairing(anna)
    build.pairing(anna, Kind.CONTACT)
    build.run(anna, created=12, outcome=Run.Outcome.FAILED)
    said = text_of(page, page_of(anna))
    assert "Calendar Both ways Exchange wins 30 days back, 365 ahead · done 2 days ago yes" in said
    assert "Address book Both ways Exchange wins everything · done 2 days ago yes" in said
    assert "2 minutes ago Failed 4 s 12 0 0 0 0" in said


def test_empty_lists_say_what_comes_next(page: Client) -> None:
    anna, henrik = build.user("anna"), build.waiting("henrik")
    said = text_of(page, page_of(anna))
    assert "The first sync pairs the mailbox" in said
    assert "The first one starts when a worker is free" in said
    assert "Runs begin once the user is active." in text_of(page, page_of(henrik))


@pytest.mark.parametrize("state", Enrollment.State.values)
def test_every_state_is_said_in_words_with_its_meaning(page: Client, state: str) -> None:
    said = text_of(page, page_of(build.user("anna", state=state)))
    assert f" {state} " not in said
    assert "At a glance " in said
    assert "At a glance Mailbox" not in said


def test_it_says_when_the_next_look_is_or_that_it_goes_on(page: Client) -> None:
    anna = build.user("anna")
    assert "Next look in 3 minutes" in text_of(page, page_of(anna))
    Enrollment.objects.update(lease_owner="w1", lease_until=timezone.now() + dt.timedelta(minutes=1))
    assert "Next look going on now" in text_of(page, page_of(anna))


USER_QUERIES = 13


def test_who_is_due_waits_for_a_worker(page: Client) -> None:
    anna = build.user("anna", due_at=build.ago(seconds=5))
    assert "Next look due: waits for a worker" in text_of(page, page_of(anna))


def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    page: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    anna = build.user("anna", account=build.account())
    build.pairing(anna)
    build.run(anna)
    build.problem("one", enrollment=anna)
    with django_assert_num_queries(USER_QUERIES):
        page.get(page_of(anna))
    build.links(anna, in_step=200)
    for number in range(200):
        build.run(anna)
        build.problem(f"problem {number}", f"code-{number % 5}", enrollment=anna)
    with django_assert_num_queries(USER_QUERIES):
        assert page.get(page_of(anna)).status_code == 200


# Approval --------------------------------------------------------------------------------------------------------


def test_the_consequence_of_an_approval_is_spelled_out(page: Client) -> None:
    henrik = build.waiting("henrik")
    for path in ("/", page_of(henrik)):
        said = text_of(page, path)
        assert "read and change the calendar and contacts of the mailbox henrik@example.org" in said
        assert "the Nextcloud account henrik" in said
        assert "Make sure that this mailbox belongs to this person" in said


def test_an_approved_user_is_active_and_due(page: Client, admin: User, caplog: pytest.LogCaptureFixture) -> None:
    henrik = build.waiting("henrik", due_at=timezone.now() + dt.timedelta(days=1))
    with caplog.at_level(logging.INFO, "syncapp.life"):
        answer = page.post(f"/users/{henrik.pk}/approve/", {"mailbox": "henrik@example.org"}, follow=True)
    assert "Approved. The first sync starts within a minute." in answer.content.decode()
    henrik.refresh_from_db()
    assert henrik.state == Enrollment.State.ACTIVE
    assert henrik.due_at <= timezone.now()
    assert f"enrollment {henrik.pk}: waiting to active, approved (admin)" in caplog.text
    assert f"Approved: account and mailbox belong together. by {admin.get_username()}" in text_of(page, page_of(henrik))
    assert "henrik" not in caplog.text


def test_an_approved_user_may_have_to_wait_for_a_preview(page: Client) -> None:
    henrik = build.waiting("henrik", preview_first=True)
    answer = page.post(f"/users/{henrik.pk}/approve/", {"mailbox": "henrik@example.org"}, follow=True)
    assert "The first sync waits until its preview was approved" in answer.content.decode()
    henrik.refresh_from_db()
    assert henrik.state == Enrollment.State.PREVIEW


def test_an_approval_counts_for_the_mailbox_that_the_admin_saw(page: Client) -> None:
    henrik = build.waiting("henrik")
    Enrollment.objects.update(mailbox="director@example.org")
    answer = page.post(f"/users/{henrik.pk}/approve/", {"mailbox": "henrik@example.org"}, follow=True)
    assert "Not approved" in answer.content.decode()
    henrik.refresh_from_db()
    assert henrik.state == Enrollment.State.WAITING


@pytest.mark.parametrize("state", sorted(set(Enrollment.State.values) - {Enrollment.State.WAITING}))
def test_only_who_waits_is_approved(page: Client, state: str) -> None:
    henrik = build.user("henrik", state=state)
    answer = page.post(f"/users/{henrik.pk}/approve/", {"mailbox": "henrik@example.org"}, follow=True)
    assert "Not approved" in answer.content.decode()
    henrik.refresh_from_db()
    assert henrik.state == state


def test_nobody_is_approved_without_a_mailbox(page: Client) -> None:
    henrik = build.waiting("henrik", mailbox=None)
    html = page.get(page_of(henrik)).content.decode()
    assert "No mailbox is known" in html
    assert "/approve/" not in html
    page.post(f"/users/{henrik.pk}/approve/", {"mailbox": ""})
    henrik.refresh_from_db()
    assert henrik.state == Enrollment.State.WAITING


# Held deletions --------------------------------------------------------------------------------------------------


def held_form(holds: list[Hold], decision: str) -> dict[str, object]:
    """What the page posts about calendar deletions held on Nextcloud."""
    newest = max(hold.pk for hold in holds)
    return {"kind": "event", "side": "nextcloud", "reason": "many", "newest": newest, "decision": decision}


def test_held_deletions_are_counted_and_their_consequences_spelled_out(page: Client) -> None:
    anna = build.user("anna")
    build.holds(anna, 23)
    said = text_of(page, page_of(anna))
    assert "Calendar: 23 items are gone in Exchange" in said
    assert "Held because so many at once look like a mistake." in said
    assert "Deleting removes them from Nextcloud, too." in said
    assert "Put 23 back in Exchange" in said
    assert "Delete 23 in Nextcloud" in said


@pytest.mark.parametrize(("decision", "state"), [("delete", Hold.State.APPROVED), ("keep", Hold.State.REFUSED)])
def test_a_decision_is_stored_and_the_user_due(page: Client, decision: str, state: str) -> None:
    anna = build.user("anna")
    holds = build.holds(anna, 3)
    answer = page.post(f"/users/{anna.pk}/held/", held_form(holds, decision), follow=True)
    assert "Decided for 3 items" in answer.content.decode()
    assert set(Hold.objects.values_list("state", flat=True)) == {state}
    assert set(Link.objects.values_list("dirty", flat=True)) == {1}
    anna.refresh_from_db()
    assert anna.due_at <= timezone.now()


def test_a_decision_covers_only_what_the_page_showed(page: Client) -> None:
    anna, bert = build.user("anna"), build.user("bert")
    seen = build.holds(anna, 2)
    later = build.holds(anna, 1)
    others = build.holds(bert, 1)
    page.post(f"/users/{anna.pk}/held/", held_form(seen, "delete"))
    waiting = Hold.objects.filter(state=Hold.State.WAITING)
    assert set(waiting.values_list("pk", flat=True)) == {later[0].pk, others[0].pk}


@pytest.mark.parametrize("decision", ["", "maybe"])
def test_an_unclear_decision_changes_nothing(page: Client, decision: str) -> None:
    anna = build.user("anna")
    holds = build.holds(anna, 2)
    answer = page.post(f"/users/{anna.pk}/held/", held_form(holds, decision), follow=True)
    assert "Nothing was decided" in answer.content.decode()
    assert set(Hold.objects.values_list("state", flat=True)) == {Hold.State.WAITING}


def test_what_is_decided_is_not_decided_again(page: Client) -> None:
    anna = build.user("anna")
    holds = build.holds(anna, 2)
    page.post(f"/users/{anna.pk}/held/", held_form(holds, "keep"))
    answer = page.post(f"/users/{anna.pk}/held/", held_form(holds, "delete"), follow=True)
    assert "Nothing was decided" in answer.content.decode()
    assert set(Hold.objects.values_list("state", flat=True)) == {Hold.State.REFUSED}


# Sync now --------------------------------------------------------------------------------------------------------


def test_sync_now_makes_due(page: Client) -> None:
    anna = build.user("anna")
    answer = page.post(f"/users/{anna.pk}/sync-now/", follow=True)
    assert "Due now" in answer.content.decode()
    anna.refresh_from_db()
    assert anna.due_at <= timezone.now()


def test_sync_now_never_moves_a_due_time_back(page: Client) -> None:
    overdue = build.ago(minutes=5)
    anna = build.user("anna", due_at=overdue)
    assert "Due now" in page.post(f"/users/{anna.pk}/sync-now/", follow=True).content.decode()
    anna.refresh_from_db()
    assert anna.due_at == overdue


def test_sync_now_is_neither_offered_nor_done_for_who_is_not_active(page: Client) -> None:
    held = build.user("anna", state=Enrollment.State.HELD)
    assert "sync-now" not in page.get(page_of(held)).content.decode()
    before = held.due_at
    assert "Only active users are synced" in page.post(f"/users/{held.pk}/sync-now/", follow=True).content.decode()
    held.refresh_from_db()
    assert held.due_at == before
