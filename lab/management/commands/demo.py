"""The main job on the embedded lab, in the browser: ``make demo``."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from lab import environment, seed
from lab.console import Console
from lab.management.progress import FirstSync, Totals
from lab.scenario.people import USERS
from lab.stage import Stage, StageBroke
from lab.story import Story, StoryFailed

ADMIN, PASSWORD = "admin", "admin-lab-password"
_FIRST_SYNC_PATIENCE = 600.0


class Command(BaseCommand):
    """Starts everything, shows a first sync, then keeps running or (``--once``) tells one story and judges it."""

    help = "Start the lab and the connector, sync three people for the first time, and keep running until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """``--once`` is what CI and the curious run."""
        parser.add_argument(
            "--once",
            action="store_true",
            help="first sync, an edit and a deletion each way, compare both sides, print a JSON line, end",
        )

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        """Raises CommandError, with where to look, when something did not work."""
        place, console = environment.current(), Console()
        started = time.monotonic()
        with _signals_end_it(), Stage(place) as stage:
            try:
                _begin(stage, console)
                first = _first_sync(stage, console)
                if not once:
                    _keep_running(stage, console)
                    return
                differences = Story(place, stage, console).tell()
            except (StageBroke, StoryFailed) as error:
                raise CommandError(str(error)) from error
            except KeyboardInterrupt:
                console.say("Stopping.")
                return
            totals = Totals.now()
        _report(console, first, totals, differences, time.monotonic() - started)


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the demo in order, also where a shell started it with SIGINT ignored."""

    def interrupt(*_: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _begin(stage: Stage, console: Console) -> None:
    """Start the servers, fill them on the first start, then start the connector."""
    place = stage.place
    console.say(f"Starting the lab Exchange and the lab Nextcloud (data and logs: {place.directory}) ...")
    stage.start_servers()
    if not seed.is_seeded(place.nextcloud_url):
        console.say("Filling both with the data of three people, half of it on one side only:")
        seed.empty(place.exchange_url, place.nextcloud_url)
        seed.seed(place.exchange_url, place.nextcloud_url, say=lambda text: console.say(f"  {text}"))
    console.say("Starting the web app and the workers ...")
    call_command("migrate", verbosity=0)
    users = get_user_model()._default_manager
    if not users.filter(username=ADMIN).exists():
        users.create_superuser(username=ADMIN, password=PASSWORD)
    stage.start_web()
    stage.start_workers()
    _addresses(stage, console)


def _addresses(stage: Stage, console: Console) -> None:
    place = stage.place
    console.say()
    console.say(f"  Connector      {place.connector_url}   sign in as {ADMIN} / {PASSWORD}")
    console.say(f"  Lab Exchange   {place.exchange_url}/EWS/Exchange.asmx")
    console.say(f"  Lab Nextcloud  {place.nextcloud_url}/remote.php/dav/")
    for user in USERS:
        console.say(f"    {user.name:14} {user.email} (Exchange), {user.login} (Nextcloud) / {user.password}")
    console.say()


def _first_sync(stage: Stage, console: Console) -> Totals:
    """Follow the first sync until everybody is through; on a second start they are at once."""
    console.say("First sync:")
    first = FirstSync()
    deadline = time.monotonic() + _FIRST_SYNC_PATIENCE
    while not first.done:
        stage.check()
        if time.monotonic() > deadline:
            raise StageBroke(f"The first sync did not come to an end; {stage.place.directory}/workers.log may say why.")
        console.progress(first.items_done, first.items_known, first.words)
        time.sleep(0.5)
        first.look()
    totals = Totals.now()
    console.say(
        f"  {first.words}: {totals.created} created, {totals.updated} updated, {totals.adopted} adopted, "
        f"{totals.problems} problems."
    )
    return totals


def _keep_running(stage: Stage, console: Console) -> None:
    console.say()
    console.say("Running. An edit on either side arrives on the other within a minute; from a second terminal:")
    console.say("  .venv/bin/python manage.py lab list")
    console.say("  .venv/bin/python manage.py lab edit anna exchange")
    console.say("  .venv/bin/python manage.py lab edit anna nextcloud --delete")
    console.say("Ctrl-C ends everything; the next start goes on from here.")
    before = Totals.now()
    while True:
        stage.check()
        time.sleep(1)
        now = Totals.now()
        if now != before:
            console.say(f"{time.strftime('%H:%M:%S')}  {now.since(before)}")
            before = now


def _report(console: Console, first: Totals, totals: Totals, differences: list[str], seconds: float) -> None:
    """The last lines of ``--once``. Raises CommandError when both sides differ or something ended as a problem."""
    for text in differences[:20]:
        console.say(f"  differs: {text}")
    result = {
        "users": totals.users,
        "items": totals.items,
        "created": totals.created,
        "updated": totals.updated,
        "deleted": totals.deleted,
        "adopted": first.adopted,
        "problems": totals.problems,
        "seconds": round(seconds, 1),
    }
    if differences or totals.problems:
        console.say(json.dumps(result))
        raise CommandError(f"{len(differences)} differences between both sides, {totals.problems} problems.")
    console.say("Both sides agree, occurrence by occurrence and field by field; no mail left either server.")
    console.say(json.dumps(result))
