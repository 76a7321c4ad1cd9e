"""Signing in and out."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from tests.adminui import build


def sign_in(client: Client, password: str = build.PASSWORD, name: str = "ada") -> Any:
    """Post the form."""
    return client.post("/sign-in/?next=/users/1/", {"username": name, "password": password, "next": "/users/1/"})


def test_an_admin_arrives_where_they_wanted_to_go(client: Client, admin: User) -> None:
    answer = sign_in(client)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/users/1/"
    assert client.get("/").status_code == 200


def test_it_never_leads_to_a_foreign_site(client: Client, admin: User) -> None:
    answer = client.post("/sign-in/", {"username": "ada", "password": build.PASSWORD, "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_a_wrong_password_is_told_in_words_and_the_name_kept(client: Client, admin: User) -> None:
    answer = sign_in(client, "wrong")
    assert answer.status_code == 200
    assert "do not match an administrator" in answer.content.decode()
    assert 'value="ada"' in answer.content.decode()
    assert client.get("/").status_code == 302


def test_a_user_who_is_not_staff_learns_nothing_about_their_password(client: Client, db: None) -> None:
    User.objects.create_user("mallory", password=build.PASSWORD)
    right, wrong = sign_in(client, name="mallory"), sign_in(client, "wrong", name="mallory")
    assert "do not match an administrator" in right.content.decode()
    assert right.content.decode().count("do not match") == wrong.content.decode().count("do not match")
    assert client.get("/").status_code == 302


def test_the_page_says_how_the_first_account_is_made(client: Client, db: None) -> None:
    assert "python manage.py createsuperuser" in client.get("/sign-in/").content.decode()


def test_signing_out_ends_the_session_and_needs_a_post(page: Client) -> None:
    assert page.get("/sign-out/").status_code == 405
    assert page.get("/").status_code == 200
    assert page.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert page.get("/").status_code == 302


def test_signing_in_changes_the_session_key(client: Client, admin: User) -> None:
    session = client.session
    session["anything"] = 1
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = str(before)
    sign_in(client)
    assert client.cookies["sessionid"].value not in {None, before}


def test_cookies_are_kept_from_scripts_and_other_sites(client: Client, admin: User) -> None:
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 12 * 3600


@pytest.fixture
def throttling(settings: Settings) -> None:
    """django-axes as it is in production."""
    settings.AXES_ENABLED = True


@pytest.mark.usefixtures("throttling")
def test_guessing_is_stopped_for_a_while_even_with_the_right_password(client: Client, admin: User) -> None:
    for _ in range(5):
        last = sign_in(client, "wrong")
    assert last.status_code == 429
    answer = sign_in(client)
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()
    assert client.get("/").status_code == 302


@pytest.mark.usefixtures("throttling")
def test_guessing_one_name_does_not_lock_others_out(client: Client, admin: User) -> None:
    for _ in range(6):
        sign_in(client, "wrong", name="somebody")
    assert sign_in(client).status_code == 302


@pytest.mark.usefixtures("throttling")
def test_the_log_names_neither_who_tries_nor_from_where(
    client: Client, admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(6):
        client.post("/sign-in/", {"username": "ada", "password": "wrong"}, REMOTE_ADDR="192.0.2.77")
    assert "AXES" in caplog.text
    assert "ada" not in caplog.text
    assert "192.0.2.77" not in caplog.text
    assert "wrong" not in caplog.text
