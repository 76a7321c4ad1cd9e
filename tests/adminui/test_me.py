"""Without any app: people sign in with Nextcloud or by an invitation, let the connector in, and take it back.

Nextcloud is the lab's, over HTTP; a person fills in its pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from lab.nextcloud.remote import NextcloudControl
from lab.process import ServerProcess, start
from syncapp.jobs import decisions, resting, revocations
from syncapp.life import Reason
from syncapp.models import Enrollment, Grant, Invitation, Problem, Revocation
from tests.adminui import build
from tests.jobs.fakes import HOUR, codes, enrollment

pytestmark = pytest.mark.django_db

State, Origin = Enrollment.State, Enrollment.Origin
ANNA, MALLORY = "anna@example.org", "mallory@example.org"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One lab Nextcloud for all tests of this file."""
    with start("lab.nextcloud", tmp_path_factory.mktemp("lab") / "nextcloud.sqlite3") as process:
        yield process


@pytest.fixture
def nextcloud(server: ServerProcess, settings: Settings) -> Iterator[NextcloudControl]:
    """Anna, whose login name is not her uid, and Mallory; the connector is known as a client."""
    control = NextcloudControl(server.url)
    control.reset()
    control.create_user("anna-uid", "anna's", login="anna", email=ANNA, display_name="Anna Berg", collections=False)
    control.create_user("mallory", "mallory's", email=MALLORY, collections=False)
    settings.NEXTCLOUD_URL = server.url
    settings.CONNECTOR_URL = "https://connector.example.org"
    settings.OAUTH_CLIENT_ID, settings.OAUTH_CLIENT_SECRET = control.oauth_client(
        f"{settings.CONNECTOR_URL}/me/signed-in/"
    )
    settings.SHARED_SECRET = ""
    yield control
    control.close()


class Browser:
    """A person at a browser of their own, which holds a session with the connector."""

    def __init__(self, nextcloud: NextcloudControl, user: str, password: str) -> None:
        self.nextcloud, self.user, self.password = nextcloud, user, password
        self.client = Client()

    def see(self, path: str = "/me/") -> str:
        """What a page says."""
        html = self.client.get(path, follow=True).content.decode()
        return " ".join(re.sub(r"<[^>]+>", " ", html).split())

    def sign_in(self) -> str:
        """Sign in with Nextcloud, as oneself."""
        sent = self.client.get("/me/sign-in/")
        back = self.nextcloud.fill_in(sent.headers["Location"], self.user, self.password).headers["Location"]
        parts = urlsplit(back)
        return self.see(f"{parts.path}?{parts.query}")

    def begin(self) -> str:
        """Begin to allow it; the address at Nextcloud."""
        self.client.post("/me/grant/")
        html = self.client.get("/me/").content.decode()
        found = re.search(r'href="(http[^"]+/login/v2/flow/[^"]+)"', html)
        assert found, html
        return found[1]

    def allow(self) -> str:
        """Allow it at Nextcloud, and come back."""
        self.nextcloud.fill_in(self.begin(), self.user, self.password)
        return self.see()


@pytest.fixture
def anna(nextcloud: NextcloudControl) -> Browser:
    """Anna's browser."""
    return Browser(nextcloud, "anna", "anna's")


@pytest.fixture
def mallory(nextcloud: NextcloudControl) -> Browser:
    """Mallory's browser."""
    return Browser(nextcloud, "mallory", "mallory's")


def row(uid: str = "anna-uid") -> Enrollment:
    """The enrollment of an account."""
    return Enrollment.objects.get(nextcloud_uid=uid)


def invited(capsys: pytest.CaptureFixture[str], uid: str = "anna-uid", mailbox: str = ANNA) -> str:
    """Invite somebody; the path of the link."""
    capsys.readouterr()
    call_command("invite", uid, mailbox)
    return urlsplit(capsys.readouterr().out.split()[0]).path


def passwords(nextcloud: NextcloudControl, uid: str = "anna-uid") -> list[str]:
    """The app passwords that Nextcloud knows of somebody."""
    [found] = [each["tokens"] for each in nextcloud.users() if each["uid"] == uid]
    return list(found)


# Signing in and letting in -------------------------------------------------------------------------------------------


def test_somebody_signs_in_lets_us_in_and_waits_for_an_approval(anna: Browser, nextcloud: NextcloudControl) -> None:
    assert "Sign in with Nextcloud" in anna.see()
    assert "Signed in with the Nextcloud account anna-uid" in anna.sign_in()
    assert passwords(nextcloud) == [], "who they are is all that was asked"
    assert "An administrator now checks that the mailbox is yours" in anna.allow()
    person = row()
    assert (person.state, person.origin, person.mailbox) == (State.WAITING, Origin.PAGES, ANNA)
    assert (person.nextcloud_login, [person.token]) == ("anna", passwords(nextcloud))
    assert person.display_name == "Anna Berg"
    assert [each.reason for each in person.transitions.all()] == ["granted"]
    assert not Grant.objects.exists()


def test_the_first_sync_begins_at_once_where_addresses_are_managed(anna: Browser, settings: Settings) -> None:
    settings.ADDRESSES_ARE_MANAGED = True
    anna.sign_in()
    assert "kept the same in Exchange and in Nextcloud" in anna.allow()
    assert (row().state, row().approved) == (State.ACTIVE, True)


def test_the_page_goes_on_by_itself_and_stops_asking_in_the_end(anna: Browser, nextcloud: NextcloudControl) -> None:
    anna.sign_in()
    address = anna.begin()
    ask = {"HTTP_HX_REQUEST": "true"}
    waiting = anna.client.get("/me/", **ask)  # type: ignore[arg-type]
    assert waiting.status_code == 200
    assert "Open Nextcloud" in waiting.content.decode()
    nextcloud.fill_in(address, "anna", "anna's")
    assert anna.client.get("/me/", **ask).status_code == 286  # type: ignore[arg-type]
    assert row().state == State.WAITING


def test_what_was_granted_survives_a_failure_right_after_it(anna: Browser, nextcloud: NextcloudControl) -> None:
    """Nextcloud tells the app password once."""
    anna.sign_in()
    nextcloud.fill_in(anna.begin(), "anna", "anna's")
    nextcloud.fail({"path": "/ocs/v2.php/cloud/user", "status": 502, "times": 1})
    assert "does not answer as it should" in anna.see()
    resting.server_answered(resting.NEXTCLOUD)
    nextcloud.clear_faults()
    assert "An administrator now checks" in anna.see()
    assert [row().token] == passwords(nextcloud)


def test_an_expired_grant_leads_nowhere(anna: Browser) -> None:
    anna.sign_in()
    anna.begin()
    Grant.objects.update(begun_at=timezone.now() - HOUR)
    anna.begin()
    assert Grant.objects.count() == 1


@pytest.mark.parametrize("health", ["up", "maintenance"])
def test_a_server_that_wants_to_rest_rests_as_a_whole(anna: Browser, nextcloud: NextcloudControl, health: str) -> None:
    anna.sign_in()
    nextcloud.maintenance(health == "maintenance")
    nextcloud.fail({"path": "/index.php/login/v2", "status": 429 if health == "up" else 503})
    anna.client.post("/me/grant/")
    assert resting.server_rests(resting.NEXTCLOUD, timezone.now())
    assert codes() == ["nextcloud-busy" if health == "up" else "nextcloud-maintenance"]
    before = len(nextcloud.traffic())
    anna.client.post("/me/grant/")
    assert "Please try again in some minutes" in anna.see()
    assert len(nextcloud.traffic()) == before, "nobody asks while it rests"


def test_a_nextcloud_that_calls_itself_otherwise_is_an_admins_problem(anna: Browser, settings: Settings) -> None:
    anna.sign_in()
    settings.NEXTCLOUD_URL = settings.NEXTCLOUD_URL.replace("127.0.0.1", "localhost")
    # The lab calls itself what it is called by, as a proxy might not.
    reported = "http://evil.example/index.php/login/v2/flow/x"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("syncapp.nextcloud.sign_in.SignIn._post", lambda *_, **__: {
            "poll": {"token": "t", "endpoint": reported}, "login": reported,
        })  # fmt: skip
        anna.client.post("/me/grant/")
    assert "not set up right" in anna.see()
    assert codes() == ["nextcloud-address"]
    assert "http://evil.example" in Problem.objects.get().remedy
    assert "evil.example/index" not in anna.see()


# Taking it back ------------------------------------------------------------------------------------------------------


def test_consent_taken_back_ends_the_app_password_at_once(anna: Browser, nextcloud: NextcloudControl) -> None:
    anna.sign_in()
    anna.allow()
    assert decisions.approve(row().pk, ANNA, timezone.now(), "ada")
    fence = row().fence
    anna.client.post("/me/retract/")
    assert "You do not take part any more" in anna.see()
    assert (row().state, row().token, row().approved) == (State.LEFT, "", False)
    assert row().fence == fence + 1, "a worker that is with them commits nothing more"
    assert passwords(nextcloud) == []
    assert not Revocation.objects.exists()


def test_a_server_that_is_down_is_asked_until_the_app_password_has_ended(
    anna: Browser, nextcloud: NextcloudControl
) -> None:
    anna.sign_in()
    anna.allow()
    nextcloud.maintenance(True)
    anna.client.post("/me/retract/")
    assert row().state == State.LEFT, "nothing is read or written, whatever Nextcloud says"
    assert Revocation.objects.count() == 1
    nextcloud.maintenance(False)
    assert revocations.run(timezone.now()) == 0, "it rests"
    resting.server_answered(resting.NEXTCLOUD)
    assert revocations.run(timezone.now()) == 1
    assert passwords(nextcloud) == []


def test_an_app_password_that_ended_already_is_not_asked_for_again(anna: Browser, nextcloud: NextcloudControl) -> None:
    anna.sign_in()
    anna.allow()
    nextcloud.revoke_tokens("anna-uid")
    anna.client.post("/me/retract/")
    assert not Revocation.objects.exists()


def test_whoever_left_may_come_back_and_is_approved_anew(anna: Browser, settings: Settings) -> None:
    settings.ADDRESSES_ARE_MANAGED = True
    anna.sign_in()
    anna.allow()
    anna.client.post("/me/retract/")
    anna.allow()
    assert (row().state, row().mailbox) == (State.WAITING, ANNA)
    assert [each.reason for each in row().transitions.order_by("pk")] == ["granted", "retracted", "granted"]


def test_a_new_app_password_replaces_the_former_one(anna: Browser, nextcloud: NextcloudControl) -> None:
    anna.sign_in()
    anna.allow()
    former = row().token
    Enrollment.objects.update(state=State.NO_CONSENT)
    anna.allow()
    assert row().token != former
    assert [row().token] == passwords(nextcloud)


def test_whoever_consents_in_the_app_takes_it_back_in_both(anna: Browser) -> None:
    """What the app handed out is not ours to end; but it is not used any more."""
    enrollment("anna-uid", nextcloud_login="anna")
    anna.sign_in()
    anna.client.post("/me/retract/")
    assert (row().state, row().token) == (State.LEFT, "")
    assert not Revocation.objects.exists()


# Invitations ---------------------------------------------------------------------------------------------------------


def test_an_invitation_lets_the_invited_account_begin(
    anna: Browser, capsys: pytest.CaptureFixture[str], nextcloud: NextcloudControl
) -> None:
    nextcloud.change_user("anna-uid", email=None)
    link = invited(capsys)
    assert row().state == State.INVITED
    answer = anna.client.get(link)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/me/")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "You are invited" in anna.see()
    assert "kept the same in Exchange and in Nextcloud" in anna.allow()
    assert (row().state, row().mailbox, row().approved) == (State.ACTIVE, ANNA, True)
    assert [(each.reason, each.by) for each in row().transitions.order_by("pk")] == [
        ("invited", "the command line"),
        ("granted", ""),
    ]
    assert not Invitation.objects.exists()


def test_an_invitation_works_once(anna: Browser, mallory: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    link = invited(capsys)
    anna.client.get(link)
    replayed = mallory.client.get(link)
    assert replayed.status_code == 410
    assert replayed.headers["Referrer-Policy"] == "no-referrer"
    assert "You are invited" not in mallory.see()
    assert "You are invited" in anna.see(), "who opened it goes on"


def test_a_look_ahead_without_reading_does_not_use_it_up(anna: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    link = invited(capsys)
    anna.client.head(link)
    assert anna.client.get(link).status_code == 302


def test_an_invitation_expires(anna: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    link = invited(capsys)
    Invitation.objects.update(expires_at=timezone.now())
    assert anna.client.get(link).status_code == 410


@pytest.mark.usefixtures("nextcloud")
def test_of_an_invitation_only_a_digest_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    secret = invited(capsys).split("/")[2]
    assert len(secret) >= 43
    assert [secret in values for values in _raw(Invitation)] == [False]


def test_a_new_invitation_ends_the_former_link_and_its_session(
    anna: Browser, mallory: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    former = invited(capsys)
    mallory.client.get(former)
    unused = invited(capsys)
    link = invited(capsys)
    assert "You are invited" not in mallory.see()
    mallory.client.post("/me/grant/")
    assert not Grant.objects.exists()
    assert anna.client.get(unused).status_code == 410
    assert anna.client.get(link).status_code == 302


@pytest.mark.parametrize(
    ("uid", "mailbox", "said"),
    [
        ("anna-uid", "älice@example.org", "no address that is taken"),
        ("anna-uid", "ben@example.org", "has the mailbox ben@example.org already"),
        ("ben", "ben@example.org", "needs no invitation: Active"),
    ],
)
@pytest.mark.usefixtures("nextcloud")
def test_who_cannot_be_invited_is_told_why(uid: str, mailbox: str, said: str) -> None:
    enrollment("ben")
    with pytest.raises(CommandError, match=said):
        call_command("invite", uid, mailbox)
    assert not Invitation.objects.exists()


def test_without_pages_nobody_is_invited(settings: Settings) -> None:
    settings.CONNECTOR_URL = ""
    with pytest.raises(CommandError, match="CONNECTOR_URL is empty"):
        call_command("invite", "anna", ANNA)


@pytest.mark.parametrize("path", ["/me/", "/me/sign-in/", "/me/signed-in/", "/join/x/"])
def test_without_an_address_there_are_no_such_pages(settings: Settings, path: str) -> None:
    settings.CONNECTOR_URL = ""
    assert Client().get(path).status_code == 404


# Attacks -------------------------------------------------------------------------------------------------------------


def test_another_account_at_the_invited_page_waits_for_an_admin(
    mallory: Browser, capsys: pytest.CaptureFixture[str], nextcloud: NextcloudControl, page: Client
) -> None:
    mallory.client.get(invited(capsys))
    assert "An administrator now checks" in mallory.allow()
    person = row("mallory")
    assert (person.state, person.mailbox, person.approved) == (State.WAITING, ANNA, False)
    assert codes() == ["granted-by-another"]
    said = page.get(f"/users/{person.pk}/").content.decode()
    assert "meant for anna-uid and was used by mallory" in said
    decisions.leave(person, Reason.REMOVED, timezone.now(), "ada")
    assert passwords(nextcloud, "mallory") == []
    assert codes() == []


def test_an_account_that_takes_part_already_takes_over_no_invitation(
    mallory: Browser, capsys: pytest.CaptureFixture[str], nextcloud: NextcloudControl
) -> None:
    enrollment("mallory", mailbox=MALLORY)
    mallory.client.get(invited(capsys))
    assert "This invitation is for another Nextcloud account" in mallory.allow()
    assert (row().state, row().token) == (State.INVITED, "")
    assert row("mallory").mailbox == MALLORY
    assert passwords(nextcloud, "mallory") == [], "what was granted in vain is given back"


def test_access_granted_by_another_account_than_the_signed_in_one_is_given_back(
    anna: Browser, nextcloud: NextcloudControl
) -> None:
    """As when Mallory sends Anna the address at Nextcloud, and Anna allows it: Anna's data would be Mallory's."""
    mallory = Browser(nextcloud, "mallory", "mallory's")
    mallory.sign_in()
    nextcloud.fill_in(mallory.begin(), "anna", "anna's")
    assert "another Nextcloud account than the one that you signed in with" in mallory.see()
    assert not Enrollment.objects.exists()
    assert passwords(nextcloud) == []


def test_an_address_typed_in_nextcloud_reads_no_colleagues_calendar(
    mallory: Browser, nextcloud: NextcloudControl
) -> None:
    nextcloud.change_user("mallory", email="director@example.org")
    mallory.sign_in()
    mallory.allow()
    assert row("mallory").state == State.WAITING


def test_the_mailbox_of_somebody_is_not_to_be_had(
    mallory: Browser, nextcloud: NextcloudControl, settings: Settings
) -> None:
    settings.ADDRESSES_ARE_MANAGED = True
    enrollment("director", mailbox="director@example.org")
    nextcloud.change_user("mallory", email="Director@Example.org")
    mallory.sign_in()
    assert "No mailbox is known" in mallory.allow()
    assert (row("mallory").state, row("mallory").mailbox) == (State.NO_MAILBOX, None)
    assert codes() == ["mailbox-taken"]


def test_a_sign_in_that_did_not_begin_here_is_none(
    anna: Browser, mallory: Browser, nextcloud: NextcloudControl
) -> None:
    """As when Mallory lets Anna's browser open the end of Mallory's own sign-in."""
    sent = mallory.client.get("/me/sign-in/")
    back = urlsplit(nextcloud.fill_in(sent.headers["Location"], "mallory", "mallory's").headers["Location"])
    assert "did not begin here" in anna.see(f"{back.path}?{back.query}")
    assert "mallory" not in anna.see()
    anna.client.get("/me/sign-in/")
    assert "did not begin here" in anna.see(f"{back.path}?{back.query}")


def test_a_code_is_used_once(mallory: Browser, nextcloud: NextcloudControl) -> None:
    sent = mallory.client.get("/me/sign-in/")
    back = urlsplit(nextcloud.fill_in(sent.headers["Location"], "mallory", "mallory's").headers["Location"])
    mallory.see(f"{back.path}?{back.query}")
    assert "did not begin here" in mallory.see(f"{back.path}?{back.query}")


def test_a_made_up_code_is_refused(mallory: Browser) -> None:
    state = mallory.client.get("/me/sign-in/").headers["Location"].partition("state=")[2]
    assert "Nextcloud did not accept this" in mallory.see(f"/me/signed-in/?code=made-up&state={state}")


def test_made_up_codes_stop_nobodys_sync(mallory: Browser, nextcloud: NextcloudControl) -> None:
    """Nextcloud has had enough of them; but it counts them apart from failed logins."""
    nextcloud.fail({"path": "/index.php/apps/oauth2/api/v1/token", "status": 429})
    for _ in range(2):
        state = mallory.client.get("/me/sign-in/").headers["Location"].partition("state=")[2]
        assert "Too many sign-ins have failed" in mallory.see(f"/me/signed-in/?code=made-up&state={state}")
    assert not resting.server_rests(resting.NEXTCLOUD, timezone.now())
    assert codes() == []
    tokens = [each for each in nextcloud.traffic() if each["path"].endswith("/token")]
    assert len(tokens) == 1, "it is not asked again for a while"


def test_a_session_is_another_one_after_the_sign_in(anna: Browser) -> None:
    anna.client.get("/me/sign-in/")
    before = anna.client.session.session_key
    anna.sign_in()
    assert anna.client.session.session_key != before


def test_the_session_of_a_person_is_none_of_an_admin(anna: Browser) -> None:
    anna.sign_in()
    anna.allow()
    for path in ("/", f"/users/{row().pk}/"):
        assert anna.client.get(path).headers["Location"].startswith("/sign-in/")
    assert anna.client.post(f"/users/{row().pk}/approve/", {"mailbox": ANNA}).status_code == 302
    assert row().state == State.WAITING


def test_the_session_of_an_admin_is_none_of_a_person(page: Client, nextcloud: NextcloudControl) -> None:
    build.user("ada")
    page.post("/me/retract/")
    page.post("/me/grant/")
    assert row("ada").state == State.ACTIVE
    assert not Grant.objects.exists()


def test_strangers_can_do_nothing(mallory: Browser) -> None:
    enrollment("anna-uid")
    mallory.client.post("/me/retract/")
    mallory.client.post("/me/grant/")
    assert row().state == State.ACTIVE
    assert not Grant.objects.exists()


def test_an_opened_invitation_alone_takes_nothing_back(mallory: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    mallory.client.get(invited(capsys))
    mallory.client.post("/me/retract/")
    assert row().state == State.INVITED


@pytest.mark.parametrize("path", ["/me/grant/", "/me/retract/", "/me/sign-out/"])
def test_foreign_pages_can_not_act_for_somebody(anna: Browser, path: str) -> None:
    anna.sign_in()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = anna.client.cookies
    assert strict.post(path).status_code == 403


def test_an_account_made_anew_is_approved_anew(anna: Browser, nextcloud: NextcloudControl) -> None:
    anna.sign_in()
    anna.allow()
    decisions.approve(row().pk, ANNA, timezone.now(), "ada")
    Enrollment.objects.update(state=State.NO_CONSENT, token_refused_at=timezone.now())
    nextcloud.delete_user("anna-uid")
    nextcloud.create_user("anna-uid", "another's", login="anna", email=ANNA, collections=False)
    another = Browser(nextcloud, "anna", "another's")
    another.sign_in()
    another.allow()
    assert (row().state, row().approved) == (State.WAITING, False)


def test_no_secret_stands_in_a_page_or_in_clear_in_the_database(anna: Browser, nextcloud: NextcloudControl) -> None:
    anna.sign_in()
    nextcloud.fill_in(anna.begin(), "anna", "anna's")
    grant = Grant.objects.get()
    [token] = [str(grant.token)]
    assert token not in anna.client.get("/me/").content.decode()
    [password] = passwords(nextcloud)
    for model in (Enrollment, Grant):
        for values in _raw(model):
            assert password not in values
            assert token not in values


def _raw(model: type[Any]) -> list[str]:
    """The rows of a table as they are stored."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table}")
        return [repr([bytes(each) if isinstance(each, memoryview) else each for each in row]) for row in cursor]


def test_signing_out_forgets_the_person(anna: Browser) -> None:
    anna.sign_in()
    anna.client.post("/me/sign-out/")
    assert "Sign in with Nextcloud" in anna.see()
