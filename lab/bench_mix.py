"""The fixed mix of the bench: four people with 2,000 events and 1,000 contacts between them, the same on every day.

A quarter of the events are series, some of them with exceptions; a fifth of the contacts have photos. Half stands on
each side, a tenth on both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lab import seed
from lab.environment import Place
from lab.nextcloud.remote import NextcloudControl
from lab.scenario import people
from lab.scenario.contacts import plan_contacts
from lab.scenario.events import plan_mix
from lab.scenario.people import DOMAIN, ZONES, LabUser
from lab.scenario.plans import ContactPlan, EventPlan
from lab.scenario.texts import calendar_text
from lab.webdav import WebDav

EVENTS, CONTACTS, PEOPLE = 2000, 1000, 4
_PHOTO_EVERY = 5
_WRITERS = 4


@dataclass(frozen=True)
class Mix:
    """Who there is, and what each of them has."""

    users: tuple[LabUser, ...]
    events: dict[LabUser, list[EventPlan]]
    contacts: dict[LabUser, list[ContactPlan]]

    @property
    def event_count(self) -> int:
        """Events of all people; one on both sides counts once."""
        return sum(map(len, self.events.values()))

    @property
    def items(self) -> int:
        """Items of all people."""
        return self.event_count + sum(map(len, self.contacts.values()))


def plan(scale: float, today: date | None = None, *, people: range = range(1, PEOPLE + 1)) -> Mix:
    """The mix, or the share ``scale`` of it; events are set around ``today``. Other ``people`` have as much each."""
    day = today or datetime.now(UTC).date()
    users = tuple(map(_user, people))
    events, contacts = (max(1, round(count * scale / PEOPLE)) for count in (EVENTS, CONTACTS))
    return Mix(
        users,
        {user: plan_mix(user, day, events) for user in users},
        {user: plan_contacts(user, contacts, _PHOTO_EVERY) for user in users},
    )


def _user(number: int) -> LabUser:
    name = f"person{number}"
    return LabUser(name, name, f"{name}@{DOMAIN}", f"Person {number}", f"{name}-lab-password", ZONES[number % 3])


def write(place: Place, mixes: Sequence[Mix], say: Callable[[int, int], None]) -> None:
    """Write mixes into empty labs; nobody consents yet. ``say`` is told how many people are done, of how many."""
    everybody = [(mix, user) for mix in mixes for user in mix.users]
    control = NextcloudControl(place.nextcloud_url)
    try:
        control.set_secret(people.SHARED_SECRET)
        seed.create_people(place.exchange_url, control, [user for _, user in everybody])
    finally:
        control.close()
    filled = seed.scenario(place.exchange_url, place.nextcloud_url, admin_token="")
    with ThreadPoolExecutor(_WRITERS) as pool:
        jobs = [pool.submit(seed.fill, filled, user, mix.events[user], mix.contacts[user]) for mix, user in everybody]
        for done, job in enumerate(as_completed(jobs), start=1):
            job.result()
            say(done, len(jobs))


def write_events(place: Place, account: LabUser, mix: Mix) -> None:
    """Put all events of the mix into the calendar of one Nextcloud account, as one person's."""
    with (
        WebDav(place.nextcloud_url, account.login, account.password, account.uid) as dav,
        ThreadPoolExecutor(_WRITERS) as pool,
    ):
        plans = [event for events in mix.events.values() for event in events]
        list(pool.map(lambda event: dav.create(dav.calendar, event.uid, calendar_text(event)), plans))
