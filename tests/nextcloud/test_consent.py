"""The consent app's client, against the lab's app and against answers that no app in order gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.nextcloud.consent import DEFAULT_SECRET
from lab.nextcloud.remote import ADMIN, ADMIN_PASSWORD, NextcloudControl
from syncapp.http import Reply
from syncapp.nextcloud.consent import AppMissing, ConsentApp, ListUnreadable, Person, UnknownPerson
from syncapp.nextcloud.token import open_token
from syncapp.side import LoginFailed, NotAllowed, SideError, Throttled, Unreachable
from tests.nextcloud.conftest import LOGIN, PASSWORD, UID
from tests.nextcloud.transport import Pretended, Request, reply


@pytest.fixture
def app(control: NextcloudControl) -> Iterator[ConsentApp]:
    with ConsentApp(control.url, ADMIN, ADMIN_PASSWORD) as app:
        yield app


def answering(*answers: object, status: int = 200) -> ConsentApp:
    """An app that gives these answers, one after the other."""
    waiting = iter(answers)

    def respond(request: Request) -> Reply:
        answer = next(waiting)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return reply(status, content)

    return ConsentApp("https://cloud.example/sub", "admin", "secret", Pretended(respond))


def entry(uid: object = "anna", **more: object) -> dict[str, Any]:
    return {"id": 1, "uid": uid, "username": "a.berg", "token": "sealed", "active": 1, **more}


def test_who_consented_is_listed_with_a_token_that_opens(app: ConsentApp, control: NextcloudControl) -> None:
    token = control.consent(UID)
    [person] = app.actives()
    assert open_token(person.token, [DEFAULT_SECRET]) == token
    assert (person.uid, person.login, person.email, person.display_name, person.calendar, person.address_book) == (
        UID,
        LOGIN,
        "anna@lab.example",
        "Anna Berg",
        "personal",
        "contacts",
    )
    assert "sealed" not in repr(person)
    assert person.token not in repr(person)


def test_who_left_or_was_invalidated_is_not_listed(app: ConsentApp, control: NextcloudControl) -> None:
    control.consent(UID)
    app.invalidate(UID)
    assert app.actives() == []
    with pytest.raises(UnknownPerson):
        app.invalidate("nobody")


def test_the_app_says_which_it_is(app: ConsentApp) -> None:
    status = app.status()
    assert (status.version, status.user, status.licensed) == ("1.0.0", ADMIN, True)


def test_only_an_admin_may_ask(control: NextcloudControl) -> None:
    with ConsentApp(control.url, LOGIN, PASSWORD) as app, pytest.raises(NotAllowed, match="group admin"):
        app.actives()
    with ConsentApp(control.url, ADMIN, "wrong") as app, pytest.raises(LoginFailed, match="consent app"):
        app.actives()


def test_old_apps_are_read_liberally() -> None:
    people = answering(
        [
            entry("anna", active="1", email=None),
            {"uid": 42, "token": "sealed", "username": "", "calendar": "", "addressbook": "/team/"},
            entry("anna", username="a second time"),
            entry("ben", active="2"),
        ]
    ).actives()
    assert people == [
        Person("anna", "a.berg", "sealed"),
        Person("42", "42", "sealed", calendar="personal", address_book="team"),
    ]


def test_a_page_that_is_the_whole_list_is_enough() -> None:
    pagination = {"page": 1, "limit": 1000, "total": 1, "totalPages": 1}
    assert len(answering({"data": [entry()], "pagination": pagination}).actives()) == 1


def test_pages_are_put_together() -> None:
    pagination = {"page": 1, "limit": 1, "total": "2", "totalPages": "2"}
    pages = [{"data": [entry(uid)], "pagination": pagination} for uid in ("anna", "anna", "ben")]
    assert [each.uid for each in answering(*pages).actives()] == ["anna", "ben"]


def test_a_list_that_changed_between_its_pages_is_no_list() -> None:
    pagination = {"total": 2, "totalPages": 2}
    pages = [{"data": [entry()], "pagination": pagination}] * 3
    with pytest.raises(ListUnreadable, match="changed while it was read"):
        answering(*pages).actives()


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[{", {}, {"data": "x"}, "text", [1], [{"token": "x"}], [entry(""), entry("ben")], None]
)
def test_what_is_no_list_is_never_an_empty_one(answer: object) -> None:
    with pytest.raises(ListUnreadable):
        answering(answer).actives()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, LoginFailed),
        (403, NotAllowed),
        (404, AppMissing),
        (429, Throttled),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_each_status_is_an_error_of_its_own(status: int, error: type[SideError]) -> None:
    with pytest.raises(error):
        answering(b"", status=status).actives()


def test_the_apps_address_lies_below_nextclouds() -> None:
    def respond(request: Request) -> Reply:
        assert request.path == "/sub/index.php/apps/sendentsynchroniser/api/1.0/user/invalidate"
        assert request.content == b"userId=a%26b"
        return reply(200, b'{"status": "success"}')

    ConsentApp("https://cloud.example/sub/", "a", "b", Pretended(respond)).invalidate("a&b")
