"""How much of people's items survives Exchange: ``manage.py roundtrip PATH...``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lab.console import Console
from lab.process import ServerDidNotStart
from lab.roundtrip.contacts import ContactJudge
from lab.roundtrip.crossing import Crossing, Crossings
from lab.roundtrip.events import EventJudge
from lab.roundtrip.kinds import Judge, NotReadable
from lab.roundtrip.place import HOME, Place
from lab.roundtrip.report import Report

_BATCH = 40
_JUDGES: dict[str, Callable[[str, str], Judge]] = {"contacts": ContactJudge, "events": EventJudge}


class Command(BaseCommand):
    """Takes files or folders, crosses what is in them, and counts what is left of it."""

    help = (
        "Put the items of files or folders through Nextcloud, Exchange and Nextcloud, and say what is left of them. "
        "Servers are the labs, or the Exchange that EWS_TEST_URL names."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Paths, and what to print."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, or folders of files")
        parser.add_argument("--kind", choices=sorted(_JUDGES), default="events", help="what sort of item they hold")
        parser.add_argument(
            "--json", action="store_true", help="print the figures as one JSON object, as the last line"
        )
        parser.add_argument(
            "--details", action="store_true", help="name each item that is not as it should be, and why"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when a path does not exist or a server does not start."""
        console = Console()
        try:
            with Place() as place:
                judge = _JUDGES[options["kind"]](HOME, place.mailbox)
                report = _run(judge, place, list(_files(options["paths"], judge)), console)
        except ServerDidNotStart as error:
            raise CommandError(str(error)) from error
        for line in report.failing if options["details"] else ():
            console.say(line)
        for line in report.lines():
            console.say(line)
        if report.failing and not options["details"]:
            console.say("Which items these are: --details")
        if options["json"]:
            console.say(json.dumps(report.to_json()))


def _files(paths: Sequence[Path], judge: Judge) -> Iterator[Path]:
    """The files of the judge's kind. Raises CommandError for a path that does not exist."""
    for path in paths:
        if not path.exists():
            raise CommandError(f"There is no {path}.")
        some = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (each for each in some if each.is_file() and each.suffix.lower() in judge.suffixes)


def _run(judge: Judge, place: Place, files: Sequence[Path], console: Console) -> Report:
    report = Report(judge.kind, judge.fields, judge.same)
    crossings = Crossings(judge, place)
    waiting: list[Crossing] = []
    for number, path in enumerate(files, start=1):
        report.add_file()
        waiting += _items(path, judge)
        if len(waiting) >= _BATCH or number == len(files):
            while waiting:
                batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
                crossings.take(batch)
                for each in batch:
                    report.add(each)
                console.progress(number, len(files), f"{number} of {len(files)} files, {report.items} items")
    crossings.close()
    return report


def _items(path: Path, judge: Judge) -> Iterator[Crossing]:
    """The items of a file; a file that is broken as a whole is one item that can't be read."""
    try:
        texts = judge.split(path.read_bytes())
    except NotReadable as error:
        broken = Crossing(str(path), 0, b"")
        broken.fail("unreadable", str(error))
        yield broken
        return
    for number, text in enumerate(texts, start=1):
        yield Crossing(str(path), number, text)
