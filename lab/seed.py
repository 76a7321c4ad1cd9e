"""Fill an empty lab: three people, their data in both servers, and what the connector needs to reach them.

Items are written by unmodified clients: exchangelib into the mailboxes, plain HTTP PUT into Nextcloud. A tenth of
them is on both sides already; everything can be held by both, so that a first sync ends without problems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TypeVar

import httpx

from lab.nextcloud.control import ADMIN
from lab.nextcloud.remote import NextcloudControl
from lab.scenario import people
from lab.scenario.contacts import plan_contacts
from lab.scenario.events import plan_events
from lab.scenario.mailbox import connect, write_contacts, write_events
from lab.scenario.people import LabUser, Login
from lab.scenario.plans import ContactPlan, EventPlan, Placement
from lab.scenario.texts import calendar_text, card_text
from lab.webdav import WebDav

EWS_PATH = "/EWS/Exchange.asmx"
ADMIN_TOKEN_NAME = "connector"

AnyPlan = TypeVar("AnyPlan", EventPlan, ContactPlan)


@dataclass(frozen=True)
class Scenario:
    """A filled lab: addresses, people and logins. The passwords are the lab's own and public.

    ``service_account`` may impersonate all mailboxes; ``nextcloud_admin`` carries an app password and may call the
    consent app. ``events`` and ``contacts`` count the planned items (one on both sides counts once).
    """

    ews_url: str
    nextcloud_url: str
    users: tuple[LabUser, ...]
    service_account: Login
    nextcloud_admin: Login
    shared_secret: str
    events: int
    contacts: int

    def exchange_login(self, user: LabUser) -> Login:
        """How a person opens their own mailbox."""
        return Login(user.email, user.password)

    def nextcloud_login(self, user: LabUser) -> Login:
        """How a person logs in to Nextcloud."""
        return Login(user.login, user.password)


class AlreadySeeded(RuntimeError):
    """The lab has accounts already; it is emptied with a reset of both servers."""


def _quiet(_: str) -> None:
    return None


def is_seeded(nextcloud_url: str) -> bool:
    """Whether the lab has its people, written by an earlier ``seed`` that came to its end."""
    control = NextcloudControl(nextcloud_url)
    try:
        return any(user["consent"] for user in control.users())
    finally:
        control.close()


def scenario(exchange_url: str, nextcloud_url: str, admin_token: str | None = None) -> Scenario:
    """The filled lab behind these addresses, without writing anything but, if none is given, an admin's token."""
    if admin_token is None:
        control = NextcloudControl(nextcloud_url)
        try:
            known = next(user["tokens"] for user in control.users() if user["uid"] == ADMIN)
            admin_token = known[0] if known else control.new_token(ADMIN, ADMIN_TOKEN_NAME)
        finally:
            control.close()
    return Scenario(
        ews_url=exchange_url.rstrip("/") + EWS_PATH,
        nextcloud_url=nextcloud_url.rstrip("/"),
        users=people.USERS,
        service_account=people.SERVICE_ACCOUNT,
        nextcloud_admin=Login(ADMIN, admin_token),
        shared_secret=people.SHARED_SECRET,
        events=people.EVENTS_EACH * len(people.USERS),
        contacts=people.CONTACTS_EACH * len(people.USERS),
    )


def empty(exchange_url: str, nextcloud_url: str) -> None:
    """Forget everything in both servers, accounts included."""
    httpx.post(f"{exchange_url}/lab/reset", json={"keep_accounts": False}, timeout=30).raise_for_status()
    control = NextcloudControl(nextcloud_url)
    try:
        control.reset()
    finally:
        control.close()


def seed(
    exchange_url: str, nextcloud_url: str, today: date | None = None, say: Callable[[str], None] = _quiet
) -> Scenario:
    """Create the people and write their data; ``say`` is told what is being done.

    The same day gives the same data. Consent is given last: a lab whose seed was interrupted is not taken for a
    filled one. Raises AlreadySeeded, and what httpx and exchangelib raise.
    """
    if is_seeded(nextcloud_url):
        raise AlreadySeeded("the lab is filled already")
    today = today or datetime.now(UTC).date()
    control = NextcloudControl(nextcloud_url)
    try:
        control.set_secret(people.SHARED_SECRET)
        create_people(exchange_url, control, people.USERS)
        filled = scenario(exchange_url, nextcloud_url)
        for user in people.USERS:
            say(f"{user.name}: {fill(filled, user, plan_events(user, today), plan_contacts(user))}")
        for user in people.USERS:
            control.consent(user.uid)
    finally:
        control.close()
    return filled


def create_people(exchange_url: str, control: NextcloudControl, users: Sequence[LabUser]) -> None:
    """Mailboxes and accounts, not yet consenting, and the service account that may impersonate them all."""
    with httpx.Client(base_url=exchange_url, timeout=30) as exchange:
        for user in users:
            mailbox = {"address": user.email, "name": user.name, "password": user.password}
            exchange.post("/lab/mailboxes", json=mailbox).raise_for_status()
        service = {
            "name": people.SERVICE_ACCOUNT.name,
            "password": people.SERVICE_ACCOUNT.password,
            "impersonates": "*",
        }
        exchange.post("/lab/accounts", json=service).raise_for_status()
    for user in users:
        control.create_user(
            user.uid, user.password, login=user.login, email=user.email, display_name=user.name, groups=["sync"]
        )


def fill(filled: Scenario, user: LabUser, events: Sequence[EventPlan], contacts: Sequence[ContactPlan]) -> str:
    """Write what is planned for one person into both servers; says in words what was written."""
    account = connect(filled.ews_url, filled.exchange_login(user), user.email, user.zone)
    try:
        write_events(account, _for_exchange(events))
        write_contacts(account, _for_exchange(contacts))
    finally:
        account.protocol.close()
    login = filled.nextcloud_login(user)
    with WebDav(filled.nextcloud_url, login.name, login.password, user.uid) as dav:
        for event in _for_nextcloud(events):
            dav.create(dav.calendar, event.uid, calendar_text(event))
        for contact in _for_nextcloud(contacts):
            dav.create(dav.book, contact.uid, card_text(contact))
    placements = [event.placement for event in events] + [contact.placement for contact in contacts]
    counts = Counter(placements)
    placed = ", ".join(f"{counts[placement]} {words}" for placement, words in _WORDS.items())
    return f"{len(events)} events and {len(contacts)} contacts ({placed})"


_WORDS = {
    Placement.EXCHANGE: "only in Exchange",
    Placement.NEXTCLOUD: "only in Nextcloud",
    Placement.BOTH: "on both sides",
    Placement.TWIN: "on both sides as strangers",
}


def _for_exchange(plans: Iterable[AnyPlan]) -> list[AnyPlan]:
    """What is written into the mailbox; of events on both sides only those planned so keep the UID."""
    return [
        replace(plan, uid="") if plan.placement is not Placement.BOTH else plan
        for plan in plans
        if plan.placement is not Placement.NEXTCLOUD
    ]


def _for_nextcloud(plans: Iterable[AnyPlan]) -> list[AnyPlan]:
    return [plan for plan in plans if plan.placement is not Placement.EXCHANGE]
