"""Mallory, who has an account in Nextcloud, wants to read the director's calendar. Each test is one way to try it.

What counts is whom workers would serve: a token of Mallory's together with a mailbox of the director's.
"""

from __future__ import annotations

import pytest
from pytest_django import Settings

from lab.nextcloud.consent import encrypt
from syncapp.jobs import decisions, pairings, refresh
from syncapp.jobs.addresses import mailbox_of
from syncapp.jobs.probe import Health
from syncapp.models import Enrollment, Pairing, Transition
from syncapp.nextcloud.consent import Person
from syncapp.side import SidesOf
from tests.jobs.fakes import NOW, FakeConsentApp, codes, fake_sides

pytestmark = pytest.mark.django_db

State = Enrollment.State
DIRECTOR, MALLORY = "director@example.org", "mallory@example.org"
VARIANTS = [
    "Director@Example.Org",  # another case
    "DIRECTOR@EXAMPLE.ORG",
    " director@example.org ",
    "director+calendar@example.org",  # a part after a plus, which Exchange drops
    "dırector@example.org",  # no dot on the i
    "dírector@example.org",  # directories do not mind accents
    "director@example.org",  # wide letters
    "dire\N{CYRILLIC SMALL LETTER ES}tor@example.org",  # looks the same
    "director\N{ZERO WIDTH SPACE}@example.org",
    "director@example.org.",
    "director@EXAMPLE.ORG\n",
    "director@sub.example.org",
    '"director"@example.org',
    "director(me)@example.org",
    "director @example.org",
    "<director@example.org>",
    "The director <director@example.org>",
    "mallory@example.org,director@example.org",
    "mallory@example.org director@example.org",
    "SMTP:director@example.org",
    "director@example.org\0",
    "director%example.org@example.org",
    "@example.org:director@example.org",
    "..director@example.org",
]


@pytest.fixture(autouse=True)
def _up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncapp.jobs.probe.nextcloud", lambda: Health.UP)


@pytest.fixture(params=["typed", "managed"])
def addresses(request: pytest.FixtureRequest, settings: Settings) -> str:
    """People may type their addresses, or they come from the directory."""
    settings.ADDRESSES_ARE_MANAGED = request.param == "managed"
    settings.MAILBOX_DOMAINS = ["example.org"]
    return str(request.param)


def listed(uid: str, email: str, token: str = "", **changes: str) -> Person:
    """Somebody whom the consent app lists, with an app password of their own account."""
    token = token or f"{uid}0".ljust(72, "x")
    fields = {"uid": uid, "login": uid, "token": encrypt(token, "a shared secret"), "email": email} | changes
    return Person(**fields)


def read(*people: Person) -> None:
    """The consent app's list is read."""
    refresh.refresh(NOW, lambda: FakeConsentApp(people))


def served() -> dict[str, str | None]:
    """Whose token workers would use together with which mailbox."""
    return dict(Enrollment.objects.filter(state__in=Enrollment.SERVED).values_list("nextcloud_uid", "mailbox"))


def row(uid: str) -> Enrollment:
    """The enrollment of an account."""
    return Enrollment.objects.get(nextcloud_uid=uid)


def approve(uid: str, mailbox: str) -> bool:
    """An admin approves what a page shows."""
    return decisions.approve(row(uid).pk, mailbox, NOW, by="ada")


@pytest.fixture
def both(addresses: str) -> str:
    """The director and Mallory sync, each with the mailbox that is theirs."""
    read(listed("director", DIRECTOR), listed("mallory", MALLORY))
    if addresses == "typed":
        assert served() == {}
        assert approve("director", DIRECTOR)
        assert approve("mallory", MALLORY)
    assert served() == {"director": DIRECTOR, "mallory": MALLORY}
    return addresses


# The address ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [DIRECTOR, *VARIANTS])
def test_somebody_who_types_the_directors_address_before_the_first_consent(settings: Settings, email: str) -> None:
    settings.MAILBOX_DOMAINS = ["example.org"]
    read(listed("mallory", email))
    assert served() == {}


@pytest.mark.parametrize("email", [DIRECTOR, *VARIANTS])
def test_somebody_with_the_directors_address_while_the_director_syncs(addresses: str, email: str) -> None:
    read(listed("director", DIRECTOR))
    approve("director", DIRECTOR)
    read(listed("director", DIRECTOR), listed("mallory", email))
    assert served() == {"director": DIRECTOR}
    assert row("mallory").mailbox != DIRECTOR


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("email", [DIRECTOR, *VARIANTS, ""])
def test_somebody_who_syncs_and_then_types_the_directors_address(email: str) -> None:
    read(listed("director", DIRECTOR), listed("mallory", email))
    assert served() == {"director": DIRECTOR}
    assert (row("mallory").state, row("mallory").mailbox) == (State.HELD, MALLORY)
    read(listed("director", DIRECTOR), listed("mallory", MALLORY))
    assert served()["mallory"] == MALLORY, "the former address, and with it the former mailbox"


@pytest.mark.usefixtures("both")
def test_somebody_who_takes_over_the_address_that_the_director_gives_up() -> None:
    read(listed("director", "new@example.org"), listed("mallory", DIRECTOR))
    assert served() == {}
    assert (row("director").mailbox, row("mallory").mailbox) == (DIRECTOR, MALLORY)


@pytest.mark.usefixtures("both")
def test_somebody_who_waits_until_the_director_is_not_listed() -> None:
    read(listed("mallory", DIRECTOR))
    read(listed("mallory", DIRECTOR))
    assert served() == {}
    assert row("mallory").mailbox == MALLORY


def test_two_accounts_with_one_address_in_one_list(addresses: str) -> None:
    read(listed("mallory", DIRECTOR), listed("director", DIRECTOR))
    # Whoever comes first has it, and that is for an admin to say unless addresses are managed.
    assert set(served()) == ({"mallory"} if addresses == "managed" else set())
    assert row("director").state == State.NO_MAILBOX
    assert "mailbox-taken" in codes()


def test_an_address_that_changes_between_the_page_and_the_click() -> None:
    read(listed("mallory", MALLORY))
    read(listed("mallory", DIRECTOR))
    assert not approve("mallory", MALLORY)
    assert served() == {}


def test_an_address_that_changes_right_after_the_approval() -> None:
    read(listed("mallory", MALLORY))
    assert approve("mallory", MALLORY)
    read(listed("mallory", DIRECTOR))
    assert served() == {}
    assert row("mallory").mailbox == MALLORY


def test_an_address_elsewhere_never_starts_by_itself(settings: Settings) -> None:
    settings.ADDRESSES_ARE_MANAGED, settings.MAILBOX_DOMAINS = True, ["example.org"]
    people = [listed(f"m{n}", email) for n, email in enumerate(["director@evil.example", "d@example.org.evil.example"])]
    read(*people)
    assert served() == {}


@pytest.mark.parametrize("address", VARIANTS)
def test_what_looks_different_to_a_database_is_never_the_same_to_a_directory(address: str) -> None:
    """An address is taken as it stands, in small letters, or not at all."""
    taken = mailbox_of(address)
    assert taken is None or taken == address.lower()
    assert taken is None or taken.isascii()


def test_an_alias_of_the_directors_mailbox() -> None:
    """The folder in Exchange is the same, whatever the address by which it was reached."""
    read(listed("director", DIRECTOR), listed("mallory", "ceo@example.org"))
    assert approve("director", DIRECTOR)
    assert approve("mallory", "ceo@example.org")
    pairings.ensure(row("director"), fake_sides(owner="director"), [])
    through_the_alias = [
        SidesOf(mine.kind, directors.exchange, mine.nextcloud)
        for mine, directors in zip(fake_sides(owner="mallory"), fake_sides(owner="director"), strict=True)
    ]
    assert pairings.ensure(row("mallory"), through_the_alias, []) == []
    assert set(Pairing.objects.values_list("enrollment__nextcloud_uid", flat=True)) == {"director"}
    assert codes() == ["folder-missing", "folder-missing"]


# The account ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen_away", [True, False])
def test_the_directors_account_is_deleted_and_made_anew_for_somebody_else(settings: Settings, seen_away: bool) -> None:
    """The name of the account is the same, and whoever has it now types the former address."""
    read(listed("director", DIRECTOR), listed("ben", "ben@example.org"))
    assert approve("director", DIRECTOR)
    assert approve("ben", "ben@example.org")
    if seen_away:
        read(listed("ben", "ben@example.org"))
        assert row("director").state == State.ABSENT
    else:
        # The app password of a deleted account is refused, and refused again an hour later.
        Enrollment.objects.filter(nextcloud_uid="director").update(state=State.NO_CONSENT)
    read(listed("director", DIRECTOR, "n" * 72), listed("ben", "ben@example.org"))
    assert "director" not in served()
    assert row("director").state == State.WAITING


def test_an_account_made_anew_that_goes_round_by_another_address() -> None:
    """Held, then back: the former address does not make up for the approval that is missing."""
    read(listed("director", DIRECTOR), listed("ben", "ben@example.org"))
    assert approve("director", DIRECTOR)
    pairings.ensure(row("director"), fake_sides(owner="director"), [])
    read(listed("ben", "ben@example.org"))
    read(listed("director", "other@example.org", "n" * 72), listed("ben", "ben@example.org"))
    assert row("director").state == State.HELD
    read(listed("director", DIRECTOR, "n" * 72), listed("ben", "ben@example.org"))
    assert "director" not in served()
    assert row("director").state == State.WAITING


def test_waiting_anew_does_not_point_what_was_synced_at_another_mailbox() -> None:
    read(listed("mallory", MALLORY), listed("ben", "ben@example.org"))
    assert approve("mallory", MALLORY)
    pairings.ensure(row("mallory"), fake_sides(owner="mallory"), [])
    read(listed("ben", "ben@example.org"))
    read(listed("mallory", MALLORY, "n" * 72), listed("ben", "ben@example.org"))
    assert row("mallory").state == State.WAITING
    read(listed("mallory", DIRECTOR, "n" * 72), listed("ben", "ben@example.org"))
    assert (row("mallory").state, row("mallory").mailbox) == (State.HELD, MALLORY)
    assert not approve("mallory", DIRECTOR)


@pytest.mark.usefixtures("both")
def test_a_login_name_that_is_the_name_of_the_directors_account() -> None:
    """The account is what counts, never the name that somebody logs in with."""
    read(listed("director", DIRECTOR), listed("mallory", MALLORY, login="director"))
    assert served() == {"director": DIRECTOR, "mallory": MALLORY}
    assert row("director").token.startswith("director0")
    assert row("mallory").token.startswith("mallory0")


@pytest.mark.parametrize("uid", ["Director", "director ", "director\N{ZERO WIDTH SPACE}", "ｄirector"])
def test_an_account_whose_name_looks_like_the_directors(addresses: str, uid: str) -> None:
    read(listed("director", DIRECTOR))
    approve("director", DIRECTOR)
    read(listed("director", DIRECTOR), listed(uid, DIRECTOR, "m" * 72))
    assert served() == {"director": DIRECTOR}
    assert row("director").token.startswith("director0")


@pytest.mark.usefixtures("both")
def test_a_token_of_mallorys_making_is_no_token() -> None:
    """It would have to be sealed with the shared secret."""
    forged = Person("director", "director", encrypt("m" * 72, "a guess"), DIRECTOR)
    read(forged, listed("mallory", MALLORY))
    assert row("director").token.startswith("director0")
    assert codes() == ["shared-secret"]


# The admin -----------------------------------------------------------------------------------------------------------


def test_whoever_left_is_not_brought_back_by_the_list() -> None:
    read(listed("mallory", MALLORY))
    Enrollment.objects.update(state=State.LEFT)
    read(listed("mallory", MALLORY, "n" * 72))
    assert row("mallory").state == State.LEFT


def test_a_paused_account_made_anew_does_not_go_on_when_it_is_resumed() -> None:
    read(listed("director", DIRECTOR))
    assert approve("director", DIRECTOR)
    Enrollment.objects.update(state=State.PAUSED)
    read(listed("director", DIRECTOR, "n" * 72))
    assert row("director").state == State.WAITING


def test_every_step_is_written_down(settings: Settings) -> None:
    read(listed("mallory", MALLORY))
    approve("mallory", MALLORY)
    read(listed("mallory", DIRECTOR))
    read(listed("mallory", MALLORY))
    reasons = list(Transition.objects.order_by("pk").values_list("reason", flat=True))
    assert reasons == ["listed", "approved", "address-changed", "address-back"]
