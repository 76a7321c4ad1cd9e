"""The seed, the judge and the hands together, against both lab servers as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from lab import seed as seeding
from lab.edit import ContactChange, EventChange, Hand, NotThere, Side, hand, quick_contact, quick_event
from lab.judge import Judgement, judge
from lab.judge.exchange import occurrences
from lab.nextcloud.consent import PREFIX
from lab.process import start
from lab.scenario.contacts import plan_contacts
from lab.scenario.events import plan_events
from lab.scenario.mailbox import connect, write_contacts, write_events
from lab.scenario.people import USERS, LabUser
from lab.scenario.plans import Placement
from lab.scenario.texts import calendar_text, card_text
from lab.seed import AlreadySeeded, Scenario, is_seeded, scenario, seed
from lab.webdav import WebDav

SIDES: tuple[Side, Side] = ("exchange", "nextcloud")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder: Path = tmp_path_factory.mktemp("lab")
    with (
        start("lab.exchange", folder / "exchange.sqlite3") as exchange,
        start("lab.nextcloud", folder / "nextcloud.sqlite3") as nextcloud,
    ):
        yield exchange.url, nextcloud.url


@pytest.fixture(scope="module")
def filled(servers: tuple[str, str]) -> Scenario:
    said: list[str] = []
    result = seed(*servers, say=said.append)
    assert len(said) == len(USERS)
    return result


def _judge(filled: Scenario, user: LabUser) -> Judgement:
    return judge(
        filled.ews_url,
        filled.exchange_login(user),
        user.email,
        filled.nextcloud_url,
        filled.nextcloud_login(user),
        user.uid,
    )


def test_a_filled_lab_is_known_as_such_and_not_filled_twice(filled: Scenario, servers: tuple[str, str]) -> None:
    assert is_seeded(servers[1])
    assert scenario(*servers) == filled
    with pytest.raises(AlreadySeeded):
        seed(*servers)


def test_half_of_it_is_on_one_side_and_some_on_both(filled: Scenario) -> None:
    user = USERS[0]
    counts = {}
    for side in SIDES:
        with hand(filled, user, side) as work:
            counts[side] = (len(work.events()), len(work.contacts()))
            titles = set(work.events())
        planned = plan_events(user, datetime.now(UTC).date())
        elsewhere = Placement.NEXTCLOUD if side == "exchange" else Placement.EXCHANGE
        assert titles == {plan.title for plan in planned if plan.placement is not elsewhere}
    assert counts == {"exchange": (55, 33), "nextcloud": (66, 28)}


def test_items_on_both_sides_share_their_uid_or_not_as_planned(filled: Scenario) -> None:
    user = USERS[0]
    planned = {plan.title: plan for plan in plan_events(user, datetime.now(UTC).date())}
    account = connect(filled.ews_url, filled.exchange_login(user), user.email)
    for item in account.calendar.all().only("subject", "uid"):
        plan = planned[item.subject]
        assert (item.uid == plan.uid) is (plan.placement is Placement.BOTH), item.subject
    account.protocol.close()


def test_the_service_account_opens_every_mailbox_and_the_admin_sees_every_consent(filled: Scenario) -> None:
    for user in filled.users:
        account = connect(filled.ews_url, filled.service_account, user.email, impersonate=True)
        assert account.calendar.total_count > 0
        account.protocol.close()
    listed = httpx.get(
        f"{filled.nextcloud_url}{PREFIX}/user/actives",
        auth=(filled.nextcloud_admin.name, filled.nextcloud_admin.password),
    ).json()
    assert {entry["email"]: (entry["uid"], entry["username"]) for entry in listed} == {
        user.email: (user.uid, user.login) for user in filled.users
    }


def test_no_mail_left_while_seeding(filled: Scenario, servers: tuple[str, str]) -> None:
    assert [httpx.get(f"{url}/lab/mail").json() for url in servers] == [[], []]


def test_the_judge_finds_what_is_on_one_side_only(filled: Scenario) -> None:
    found = _judge(filled, USERS[1])
    assert not found.agree
    assert any("0 in Nextcloud" in text for text in found.differences)
    assert any("0 in Exchange" in text for text in found.differences)


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """A lab in which the first user's whole plan was written to both sides."""
    folder: Path = tmp_path_factory.mktemp("mirrored")
    user, today = USERS[0], datetime.now(UTC).date()
    with (
        start("lab.exchange", folder / "exchange.sqlite3") as exchange,
        start("lab.nextcloud", folder / "nextcloud.sqlite3") as nextcloud,
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seeding, "fill", lambda *_: "")
            filled = seed(exchange.url, nextcloud.url)
        events, contacts = plan_events(user, today), plan_contacts(user)
        account = connect(filled.ews_url, filled.exchange_login(user), user.email, user.zone)
        write_events(account, events)
        write_contacts(account, contacts)
        account.protocol.close()
        with WebDav(filled.nextcloud_url, user.login, user.password, user.uid) as dav:
            for event in events:
                dav.create(dav.calendar, event.uid, calendar_text(event))
            for contact in contacts:
                dav.create(dav.book, contact.uid, card_text(contact))
        yield filled


def test_everything_planned_can_be_held_by_both_servers(mirrored: Scenario) -> None:
    found = _judge(mirrored, USERS[0])
    assert found.differences == ()
    assert found.occurrences > 300
    assert found.contacts == 55


@pytest.mark.parametrize("side", SIDES)
def test_edits_of_one_side_are_seen_and_the_same_edits_of_the_other_settle_it(mirrored: Scenario, side: Side) -> None:
    # Somebody whose data was left out: the judge reads little.
    user = USERS[2]
    first, second = (side, SIDES[1] if side == SIDES[0] else SIDES[0])
    lunch = quick_event(f"Lunch {side}", location="Kantine", reminder=15, categories=("Work",), busy="free")
    holiday = replace(
        quick_event(f"Holiday {side}"), start=date.today(), end=date.today() + timedelta(days=3), privacy="private"
    )
    friend = quick_contact("Nina", f"Neu {side}", emails=("nina@new.example",), phones=(("mobile", "+49 170 1"),))
    changed = EventChange(
        "Dinner", "Upstairs", "Bring a friend", lunch.start + timedelta(hours=6), lunch.end + timedelta(hours=6)
    )
    steps: list[Callable[[Hand], None]] = [
        lambda work: work.create_event(lunch),
        lambda work: work.create_event(holiday),
        lambda work: work.create_contact(friend),
        lambda work: work.change_event(lunch.title, changed),
        lambda work: work.change_contact(friend.display_name, ContactChange("Chef", "nina@newer.example", "Cooks.")),
        lambda work: work.delete_event("Dinner"),
        lambda work: work.delete_event(holiday.title),
        lambda work: work.delete_contact(friend.display_name),
    ]
    for step in steps:
        with hand(mirrored, user, first) as work:
            step(work)
        assert not _judge(mirrored, user).agree
        with hand(mirrored, user, second) as work:
            step(work)
        assert _judge(mirrored, user).differences == ()


def test_a_day_of_23_hours_is_judged_as_one_day(mirrored: Scenario) -> None:
    user = USERS[1]
    day = date(2027, 3, 14)
    plan = replace(quick_event("Clocks go forward"), start=day, end=day + timedelta(days=1))
    for side in SIDES:
        with hand(mirrored, user, side) as work:
            work.create_event(plan)
    account = connect(mirrored.ews_url, mirrored.exchange_login(user), user.email, user.zone)
    try:
        found = occurrences(account, datetime(2027, 3, 10, tzinfo=UTC), datetime(2027, 3, 20, tzinfo=UTC))
    finally:
        account.protocol.close()
    assert [(shown.start, shown.end) for shown in found] == [("2027-03-14", "2027-03-15")]


@pytest.mark.parametrize("side", SIDES)
def test_what_is_not_there_is_said(mirrored: Scenario, side: Side) -> None:
    with hand(mirrored, USERS[1], side) as work:
        with pytest.raises(NotThere, match="Nonsense"):
            work.delete_event("Nonsense")
        with pytest.raises(NotThere, match="Nobody"):
            work.change_contact("Nobody", ContactChange(notes="x"))
