"""The story of ``demo --once``: an edit and a deletion each way, judged by readers that are not the connector's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from lab import seed
from lab.console import Console
from lab.edit import EventChange, Hand, Side, hand
from lab.environment import Place
from lab.judge import judge
from lab.scenario.people import USERS, LabUser
from lab.stage import Stage

ARRIVES_WITHIN = 60.0
_OTHER: dict[Side, Side] = {"exchange": "nextcloud", "nextcloud": "exchange"}


class StoryFailed(RuntimeError):
    """Something did not arrive, or a server sent mail. The text is a sentence."""


@dataclass(frozen=True)
class Deed:
    """Something that a person does on one side, and how to see that it has arrived on the other."""

    user: LabUser
    side: Side
    words: str
    do: Callable[[Hand], None]
    arrived: Callable[[Hand], bool]


class Story:
    """Told on a stage whose first sync is done."""

    def __init__(self, place: Place, stage: Stage, console: Console) -> None:
        self._filled = seed.scenario(place.exchange_url, place.nextcloud_url, admin_token="")
        self._place = place
        self._stage = stage
        self._console = console

    def tell(self) -> list[str]:
        """The differences between both sides at the end, in words. Raises ``StoryFailed``."""
        if differences := self._judge():
            return differences
        for deed in self._deeds():
            self._do(deed)
        self._expect_no_mail()
        return self._judge()

    def _deeds(self) -> list[Deed]:
        anna, ben, chiara = USERS
        return [
            self._edit(anna, "exchange"),
            self._edit(ben, "nextcloud"),
            self._delete(chiara, "exchange"),
            self._delete(anna, "nextcloud"),
        ]

    def _edit(self, user: LabUser, side: Side) -> Deed:
        old = self._titles(user, side)[0]
        new = f"{old} (moved to the small room)"
        return Deed(
            user,
            side,
            "renames an event",
            lambda at: at.change_event(old, EventChange(title=new)),
            lambda at: new in at.events(),
        )

    def _delete(self, user: LabUser, side: Side) -> Deed:
        title = self._titles(user, side)[-1]
        return Deed(
            user, side, "deletes an event", lambda at: at.delete_event(title), lambda at: title not in at.events()
        )

    def _titles(self, user: LabUser, side: Side) -> list[str]:
        """The titles that name one event only."""
        with hand(self._filled, user, side) as at:
            return [title for title, count in Counter(at.events()).items() if title and count == 1]

    def _do(self, deed: Deed) -> None:
        with hand(self._filled, deed.user, deed.side) as at:
            deed.do(at)
        started = time.monotonic()
        with hand(self._filled, deed.user, _OTHER[deed.side]) as there:
            while not deed.arrived(there):
                self._stage.check()
                if time.monotonic() - started > ARRIVES_WITHIN:
                    raise StoryFailed(f"{deed.user.name} {deed.words} in {deed.side}: it did not arrive in a minute.")
                time.sleep(0.5)
        seconds = time.monotonic() - started
        self._console.say(
            f"{deed.user.name} {deed.words} in {deed.side.title()}: on the other side after {seconds:.0f} s."
        )

    def _judge(self) -> list[str]:
        """Compare everybody's both sides with exchangelib and icalendar."""
        differences: list[str] = []
        occurrences = contacts = 0
        for user in USERS:
            judgement = judge(
                self._filled.ews_url,
                self._filled.exchange_login(user),
                user.email,
                self._filled.nextcloud_url,
                self._filled.nextcloud_login(user),
                user.uid,
            )
            occurrences += judgement.occurrences
            contacts += judgement.contacts
            differences += [f"{user.name}: {text}" for text in judgement.differences]
        self._console.say(
            f"Compared {occurrences} occurrences and {contacts} contacts of {len(USERS)} people on both sides: "
            f"{len(differences)} differences."
        )
        return differences

    def _expect_no_mail(self) -> None:
        for url in (self._place.exchange_url, self._place.nextcloud_url):
            if mails := httpx.get(f"{url}/lab/mail", timeout=10).raise_for_status().json():
                raise StoryFailed(f"{len(mails)} mails left the lab server at {url}; a sync must send none.")
