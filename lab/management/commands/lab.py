"""Look at the demo's lab and act in it: as a person on either side, or as the fate of its servers."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser

from lab import environment, seed
from lab.edit import EventChange, Hand, NotThere, hand, quick_event
from lab.scenario import people

_FAULTS: dict[str, dict[str, Any]] = {
    "busy": {"status": 503, "headers": {"Retry-After": "20"}, "times": 3},
    "broken": {"status": 500, "times": 5},
    "lost": {"drop": "after", "times": 1},
}


class Command(BaseCommand):
    """``manage.py lab``: list, edit, fail, mail, reset."""

    help = "Look at the running lab of `make demo`, act in it as a person would, or let its servers fail."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """One subcommand each."""
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="people, and what they have on both sides")
        edit = commands.add_parser("edit", help="change, create or delete an event as a person would")
        edit.add_argument("user", help="anna, ben or chiara")
        edit.add_argument("side", choices=["exchange", "nextcloud"])
        edit.add_argument(
            "title", nargs="?", default="", help="which event (default: the first with a name of its own)"
        )
        what = edit.add_mutually_exclusive_group()
        what.add_argument("--to", default="", help="the new title (default: the old one with the time of day)")
        what.add_argument("--create", action="store_true", help="create an event with this title, in an hour")
        what.add_argument("--delete", action="store_true", help="delete it")
        fail = commands.add_parser("fail", help="let a server fail for a while")
        fail.add_argument("server", choices=["exchange", "nextcloud"])
        how = "busy: asks for rest; broken: answers with errors; lost: does the work and loses the answer"
        fail.add_argument("how", choices=sorted(_FAULTS), help=how)
        commands.add_parser("mail", help="mail that left a server")
        commands.add_parser("reset", help="empty both servers and fill them anew; the connector will notice")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        """Raises CommandError, in a sentence, when the lab is not running or there is no such thing in it."""
        self._place = environment.current()
        try:
            getattr(self, f"_{command}")(options)
        except httpx.ConnectError as error:
            raise CommandError("The lab is not running. Start it with: make demo") from error
        except (KeyError, NotThere) as error:
            raise CommandError(str(error.args[0])) from error

    def _list(self, options: dict[str, Any]) -> None:
        filled = self._scenario()
        for user in people.USERS:
            counts = []
            for side in ("exchange", "nextcloud"):
                with hand(filled, user, side) as at:
                    counts.append(f"{len(at.events())} events and {len(at.contacts())} contacts in {side.title()}")
            self.stdout.write(f"{user.login:8} {user.email:20} {'; '.join(counts)}")

    def _edit(self, options: dict[str, Any]) -> None:
        user = people.user(options["user"])
        with hand(self._scenario(), user, options["side"]) as at:
            title = options["title"] or ("A new event" if options["create"] else _some_title(at))
            if options["create"]:
                at.create_event(quick_event(title))
                did = f"created {title!r}"
            elif options["delete"]:
                at.delete_event(title)
                did = f"deleted {title!r}"
            else:
                new = options["to"] or f"{title.split(' [')[0]} [{time.strftime('%H:%M:%S')}]"
                at.change_event(title, EventChange(title=new))
                did = f"renamed {title!r} to {new!r}"
        self.stdout.write(f"{user.name} {did} in {options['side'].title()}.")

    def _fail(self, options: dict[str, Any]) -> None:
        httpx.post(f"{self._url(options['server'])}/lab/faults", json=_FAULTS[options["how"]]).raise_for_status()
        self.stdout.write(f"The lab {options['server'].title()} will be {options['how']} for its next requests.")

    def _mail(self, options: dict[str, Any]) -> None:
        for server in ("exchange", "nextcloud"):
            mails = httpx.get(f"{self._url(server)}/lab/mail").raise_for_status().json()
            self.stdout.write(f"{server.title()}: {len(mails)} mails")
            for mail in mails:
                self.stdout.write(f"  {mail}")

    def _reset(self, options: dict[str, Any]) -> None:
        seed.empty(self._place.exchange_url, self._place.nextcloud_url)
        seed.seed(self._place.exchange_url, self._place.nextcloud_url, say=self.stdout.write)

    def _url(self, server: str) -> str:
        return self._place.exchange_url if server == "exchange" else self._place.nextcloud_url

    def _scenario(self) -> seed.Scenario:
        httpx.get(f"{self._place.exchange_url}/lab/mail")  # raises ConnectError, which exchangelib would wait out
        return seed.scenario(self._place.exchange_url, self._place.nextcloud_url, admin_token="")


def _some_title(at: Hand) -> str:
    """The first title that names one event only."""
    return next(title for title, count in Counter(at.events()).items() if title and count == 1)
