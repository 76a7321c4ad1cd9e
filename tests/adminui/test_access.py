"""Who sees what: every address of the app, for everybody who is no administrator."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from adminui.urls import urlpatterns
from syncapp.models import Enrollment
from tests.adminui import build

OPEN = {"sign-in", "sign-out"}
OF_PEOPLE = {"me", "me-sign-in", "me-signed-in", "me-sign-out", "me-grant", "me-retract", "join"}
"""Who may do what there: tests/adminui/test_me.py."""
POSTED = {"approve", "decide", "sync-now"}
GUARDED = sorted(str(each.name) for each in urlpatterns if each.name not in OPEN | OF_PEOPLE)


@pytest.fixture
def addresses(db: None) -> dict[str, str]:
    """Every guarded address with ids of rows that exist."""
    enrollment = build.waiting("grete")
    of_run = build.run(enrollment)
    pks = {"overview": None, "run": of_run.pk}
    return {
        name: reverse(f"adminui:{name}", args=[pk] if (pk := pks.get(name, enrollment.pk)) else []) for name in GUARDED
    }


def ask(client: Client, name: str, address: str, **headers: str) -> Any:
    """Use an address in the way it is meant to be used."""
    if name in POSTED:
        return client.post(address, {"mailbox": "grete@example.org"}, headers=headers)
    return client.get(address, headers=headers)


@pytest.mark.parametrize("name", GUARDED)
def test_strangers_are_asked_to_sign_in(client: Client, addresses: dict[str, str], name: str) -> None:
    answer = ask(client, name, addresses[name])
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in/?next=/")
    assert b"Grete" not in answer.content


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("live", [False, True])
def test_users_who_are_not_staff_get_nothing(client: Client, addresses: dict[str, str], name: str, live: bool) -> None:
    client.force_login(User.objects.create_user("mallory"))
    headers = {"HX-Request": "true"} if live else {}
    answer = ask(client, name, addresses[name], **headers)
    assert answer.status_code == 403
    assert b"Grete" not in answer.content
    assert b"grete@" not in answer.content


@pytest.mark.parametrize("name", GUARDED)
def test_an_admin_who_was_switched_off_gets_nothing(client: Client, addresses: dict[str, str], name: str) -> None:
    admin = build.admin()
    client.force_login(admin)
    User.objects.filter(pk=admin.pk).update(is_active=False)
    answer = ask(client, name, addresses[name])
    assert answer.status_code == 302


@pytest.mark.parametrize("name", sorted(POSTED))
def test_nobody_but_an_admin_changes_anything(client: Client, addresses: dict[str, str], name: str) -> None:
    before = Enrollment.objects.values("state", "due_at").get()
    ask(client, name, addresses[name])
    client.force_login(User.objects.create_user("mallory"))
    ask(client, name, addresses[name])
    assert Enrollment.objects.values("state", "due_at").get() == before


@pytest.mark.parametrize("name", sorted(POSTED))
def test_a_decision_needs_a_post_with_a_token(admin: User, addresses: dict[str, str], name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    before = Enrollment.objects.values("state", "due_at").get()
    assert client.get(addresses[name]).status_code == 405
    answer = client.post(addresses[name], {"mailbox": "grete@example.org"})
    assert answer.status_code == 403
    assert b"Please try again" in answer.content
    assert Enrollment.objects.values("state", "due_at").get() == before


def test_a_live_part_sends_the_whole_page_to_sign_in(client: Client, db: None) -> None:
    answer = client.get("/?page=2", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == "/sign-in/?next=%2F%3Fpage%3D2"
    assert answer.content == b""


@pytest.mark.parametrize("name", sorted(set(GUARDED) - POSTED))
def test_pages_stay_out_of_caches_and_allow_nothing_inline(page: Client, addresses: dict[str, str], name: str) -> None:
    answer = page.get(addresses[name])
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert "HX-Request" in answer.headers["Vary"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = answer.content.decode()
    assert " style=" not in html
    assert "<style" not in html
    assert "onclick" not in html


def test_a_page_that_is_not_there_says_so(page: Client) -> None:
    answer = page.get("/users/999/")
    assert answer.status_code == 404
    assert b"There is nothing here" in answer.content
