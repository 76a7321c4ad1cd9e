"""The main tasks of an administrator, in a browser: at both widths, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect

from syncapp.models import Enrollment, Hold, Problem, Run
from tests.adminui import build
from tests.browser import scene

pytestmark = pytest.mark.django_db(transaction=True)

ONE_LOOK = pytest.mark.parametrize("look", [("desktop", "light")], indirect=True, ids="-".join)
TWO_LOOKS = pytest.mark.parametrize("look", [("desktop", "light"), ("phone", "dark")], indirect=True, ids="-".join)

Picture = Callable[[Page, str], None]


def fits(page: Page) -> None:
    """No page scrolls sideways."""
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_an_admin_signs_in_and_reads_the_overview(signed_in: Page, picture: Picture) -> None:
    scene.ordinary_morning()
    signed_in.reload()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("All is well with 6 users.")
    row = signed_in.get_by_role("row", name="Anna Berger")
    expect(row).to_contain_text("412 of 412")
    expect(row).to_contain_text("Active")
    fits(signed_in)
    picture(signed_in, "overview")


@TWO_LOOKS
def test_a_run_under_way_is_followed_without_reload(signed_in: Page) -> None:
    build.heartbeat()
    build.account()
    anna = build.user("anna", display_name="Anna Berger")
    run = build.running(anna, created=10, pending=90)
    signed_in.reload()
    running = signed_in.get_by_role("region", name="Running now")
    expect(running).to_contain_text("10 of 100 items")
    signed_in.evaluate("window.neverReloaded = true")
    Run.objects.filter(pk=run.pk).update(created=60, pending=40)
    expect(running).to_contain_text("60 of 100 items")
    assert running.get_by_role("progressbar").get_attribute("value") == "60"
    Run.objects.filter(pk=run.pk).update(created=100, pending=0, finished_at=timezone.now(), outcome=Run.Outcome.DONE)
    expect(running).to_contain_text("Nobody at this moment")
    expect(signed_in.get_by_role("row", name="Anna Berger")).to_contain_text("100")
    assert signed_in.evaluate("window.neverReloaded")


def test_a_user_is_approved_after_reading_what_that_means(signed_in: Page, picture: Picture) -> None:
    scene.ordinary_morning()
    henrik = scene.newcomer()
    signed_in.reload()
    waiting = signed_in.get_by_role("region", name="Waiting for your approval")
    expect(waiting).to_contain_text("read and change the calendar and contacts of the mailbox henrik.olsen@example.org")
    fits(signed_in)
    picture(signed_in, "approval")
    waiting.get_by_role("button", name="Approve Henrik Olsen").click()
    expect(signed_in.get_by_role("status").filter(has_text="Approved.")).to_be_visible()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Henrik Olsen")
    henrik.refresh_from_db()
    assert henrik.state == Enrollment.State.ACTIVE
    fits(signed_in)
    picture(signed_in, "approved")


def test_a_problem_says_who_must_do_what_and_goes_when_it_is_solved(signed_in: Page, picture: Picture) -> None:
    people = scene.ordinary_morning()
    scene.denied_mailbox(people["carlos.ortega"])
    scene.refused_event(people["fatima.haddad"])
    signed_in.reload()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("1 problem needs you.")
    problems = signed_in.get_by_role("region", name="Problems")
    denied = problems.get_by_role("listitem").filter(has_text="may not act on this mailbox")
    expect(denied).to_contain_text("You must act")
    expect(denied).to_contain_text("give the account the role ApplicationImpersonation")
    expect(denied.get_by_role("link", name="Carlos Ortega")).to_be_visible()
    expect(problems.get_by_role("listitem").filter(has_text="repeats more than")).to_contain_text("The user must act")
    fits(signed_in)
    picture(signed_in, "problems")
    Problem.objects.filter(code="impersonation-denied").delete()
    expect(denied).to_have_count(0)


def test_a_user_leads_to_runs_and_their_logs(signed_in: Page, picture: Picture) -> None:
    people = scene.ordinary_morning()
    scene.refused_event(people["anna.berger"])
    run = scene.run_with_log(people["anna.berger"])
    signed_in.reload()
    signed_in.get_by_role("row", name="Anna Berger").get_by_role("link").click()
    expect(signed_in.get_by_role("region", name="Pairings")).to_contain_text("Both ways")
    fits(signed_in)
    picture(signed_in, "user")
    signed_in.get_by_role("button", name="Sync now").click()
    expect(signed_in.get_by_role("status").filter(has_text="Due now")).to_be_visible()
    signed_in.locator(f"#run-{run.pk}").click()
    log = signed_in.get_by_role("region", name="Log")
    expect(log.get_by_role("row").filter(has_text="title and location")).to_contain_text("92")
    fits(signed_in)
    picture(signed_in, "run")


def test_held_deletions_are_put_back_with_one_click(signed_in: Page, picture: Picture) -> None:
    anna = scene.ordinary_morning()["anna.berger"]
    scene.held_deletions(anna)
    signed_in.goto(f"/users/{anna.pk}/")
    held = signed_in.get_by_role("region", name="Held for your decision")
    expect(held).to_contain_text("23 items are gone in Exchange")
    expect(held.get_by_role("button", name="Delete 23 in Nextcloud")).to_be_visible()
    fits(signed_in)
    picture(signed_in, "held")
    held.get_by_role("button", name="Put 23 back in Exchange").click()
    expect(signed_in.get_by_role("status").filter(has_text="Decided for 23 items")).to_be_visible()
    assert Hold.objects.filter(state=Hold.State.REFUSED).count() == 23


def test_an_empty_installation_teaches_the_next_steps(signed_in: Page, picture: Picture) -> None:
    steps = signed_in.get_by_role("region", name="Getting started")
    expect(steps).to_contain_text("python manage.py qcluster")
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("No worker has ever reported: nothing syncs.")
    fits(signed_in)
    picture(signed_in, "empty")
    build.heartbeat()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("No Exchange service account yet.")


@ONE_LOOK
def test_the_keyboard_is_enough_to_sign_in_and_open_a_user(browser_page: Page, transactional_db: None) -> None:
    build.admin()
    build.heartbeat()
    build.account()
    build.user("anna", display_name="Anna Berger")
    browser_page.goto("/sign-in/")
    fits(browser_page)

    press = browser_page.keyboard
    expect(browser_page.get_by_label("Username")).to_be_focused()
    press.type("ada")
    press.press("Tab")
    press.type(build.PASSWORD)
    press.press("Enter")
    browser_page.wait_for_url(re.compile(r":\d+/$"))
    press.press("Tab")
    expect(browser_page.get_by_role("link", name="Skip to content")).to_be_focused()
    press.press("Enter")
    press.press("Tab")
    expect(browser_page.get_by_role("link", name="Anna Berger")).to_be_focused()
    press.press("Enter")
    expect(browser_page.get_by_role("heading", level=1)).to_have_text("Anna Berger")


@ONE_LOOK
def test_a_live_update_leaves_the_focus_where_it_is(signed_in: Page) -> None:
    build.heartbeat()
    build.account()
    build.user("anna", display_name="Anna Berger")
    signed_in.reload()
    link = signed_in.get_by_role("link", name="Anna Berger")
    link.focus()
    build.user("bert", display_name="Bert")
    expect(signed_in.get_by_role("link", name="Bert")).to_be_visible()
    expect(link).to_be_focused()


@ONE_LOOK
def test_a_session_that_ended_leads_to_the_sign_in_page_and_back(signed_in: Page) -> None:
    anna = build.user("anna", display_name="Anna Berger")
    signed_in.goto(f"/users/{anna.pk}/")
    Session.objects.all().delete()
    expect(signed_in.get_by_label("Password")).to_be_visible(timeout=10_000)
    signed_in.get_by_label("Username").fill("ada")
    signed_in.get_by_label("Password").fill(build.PASSWORD)
    signed_in.get_by_role("button", name="Sign in").click()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Anna Berger")


@ONE_LOOK
def test_it_reads_the_same_without_scripts(signed_in: Page) -> None:
    scene.ordinary_morning()
    context = signed_in.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, storage_state=signed_in.context.storage_state()
    )
    plain = context.new_page()
    plain.goto(signed_in.url)
    expect(plain.get_by_role("row", name="Anna Berger")).to_contain_text("412 of 412")
    context.close()


@ONE_LOOK
def test_a_page_weighs_less_than_200_kilobytes(signed_in: Page) -> None:
    scene.ordinary_morning()
    for number in range(50):
        build.user(f"user{number:02}")
    signed_in.goto("/", wait_until="load")
    weights: dict[str, int] = signed_in.evaluate(
        """Object.fromEntries(
            ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
            .map((entry) => [entry.name, entry.decodedBodySize]))"""
    )
    assert {"htmx.min.js", "components.css", ""} <= {url.rpartition("/")[2] for url in weights}
    assert all(weights.values())
    assert sum(weights.values()) < 200_000
