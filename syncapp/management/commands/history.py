"""Look at what was overwritten or deleted, and have it back."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from syncapp.crypto import WrongKey
from syncapp.items import FIELDS, Item, Kind
from syncapp.items.elements import EXCEPTIONS, elements
from syncapp.jobs import history
from syncapp.management import people
from syncapp.models import Enrollment, History, Restoration
from syncapp.side import SideName, Unreadable
from syncapp.startup import check_ready

_SHOWN = 50


class Command(BaseCommand):
    """Lists versions, shows one, asks for one, and says what came of that."""

    help = (
        "What the connector has overwritten or deleted on either side. `list USER` finds versions, `show ID` "
        "shows one, `restore ID...` puts them back with the next run, `restores [USER]` says what came of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and with what."""
        parser.add_argument("action", choices=["list", "show", "restore", "restores"])
        parser.add_argument("what", nargs="*", help="USER to list, IDs to show or to restore")
        parser.add_argument("--since", help="list: kept on this day (2026-03-01) or later, or since a time")
        parser.add_argument("--side", choices=[side.value for side in SideName], help="list: only of this side")
        parser.add_argument("--kind", choices=[kind.value for kind in Kind], help="list: only events, or contacts")
        parser.add_argument("--run", type=int, help="list: only what this run has overwritten or deleted")
        parser.add_argument("--search", metavar="TEXT", help="list: only versions in which this text stands")
        parser.add_argument("--ids", action="store_true", help="list: only the IDs of all, to be given to restore")
        parser.add_argument("--all", action="store_true", help=f"list: all of them, not the newest {_SHOWN}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when that can't be done."""
        check_ready()
        words: list[str] = options["what"]
        match options["action"]:
            case "list":
                self._list(_only(words), options)
            case "restores":
                self._tell(_only(words) if words else None)
            case "show":
                for version in _versions(words):
                    self._show(version)
            case "restore":
                self._restore(_versions(words))

    def _list(self, person: Enrollment, options: dict[str, Any]) -> None:
        found = history.kept(person)
        if options["since"]:
            found = found.filter(at__gte=_moment(options["since"]))
        columns = {"side": "side", "kind": "kind", "run": "run_id"}
        found = found.filter(**{column: options[name] for name, column in columns.items() if options[name]})
        most = None if options["all"] or options["ids"] else _SHOWN
        shown = 0
        for version in found.iterator():
            if options["search"] and not _says(version, options["search"]):
                continue
            if shown == most:
                self.stdout.write("There is more: --all, or narrow it down.")
                break
            shown += 1
            self.stdout.write(str(version.pk) if options["ids"] else _line(version))
        if not shown and not options["ids"]:
            self.stdout.write("Nothing of that sort is kept.")
        elif not options["ids"]:
            self.stdout.write("Look at one with `history show ID`, put it back with `history restore ID`.")

    def _show(self, version: History) -> None:
        self.stdout.write(_line(version))
        try:
            item = history.item_of(version)
        except (Unreadable, WrongKey) as problem:
            raise CommandError(str(problem)) from problem
        for name, text in _values(item):
            self.stdout.write(f"    {name}: {text}")

    def _restore(self, versions: list[History]) -> None:
        for version in versions:
            try:
                history.ask_back(version, timezone.now())
            except history.NotPossible as problem:
                raise CommandError(f"{version.pk}: {problem}") from problem
            self.stdout.write(f"Will be put back in {version.side.title()}: {version.label}")
        users = sorted(set(Enrollment.objects.filter(history__in=versions).values_list("nextcloud_uid", flat=True)))
        for user in users:
            self.stdout.write(f"The next run does it, or at once: python manage.py sync {user}")
            self.stdout.write(f"What came of it: python manage.py history restores {user}")

    def _tell(self, person: Enrollment | None) -> None:
        wishes = Restoration.objects.select_related("enrollment").order_by("-pk")
        if person is not None:
            wishes = wishes.filter(enrollment=person)
        labels = {each.pk: each.label for each in History.objects.filter(pk__in=wishes.values("history")[:_SHOWN])}
        told = list(wishes[:_SHOWN])
        for wish in told:
            state = Restoration.State(wish.state).label
            why = f": {wish.text}" if wish.text else ""
            run = f", run {wish.run_id}" if wish.run_id else ""
            label = labels.get(wish.history_id, "(no longer kept)")
            where = f"{wish.enrollment.nextcloud_uid}, {wish.side.title()}"
            self.stdout.write(f"{_local(wish.at)}  {where}  {wish.history_id}: {label}  {state}{why}{run}")
        if not told:
            self.stdout.write("Nothing was asked back.")


def _only(words: list[str]) -> Enrollment:
    if len(words) != 1:
        raise CommandError("Name one user: python manage.py history list USER")
    return people.find(words[0])


def _versions(words: list[str]) -> list[History]:
    """The versions with these IDs, in this order. Raises CommandError."""
    if not words or not all(word.isdecimal() for word in words):
        raise CommandError("Name the IDs of versions: python manage.py history list USER")
    found = History.objects.in_bulk(map(int, words))
    if missing := [word for word in words if int(word) not in found]:
        raise CommandError(f"Nothing is kept under {', '.join(missing)}: python manage.py history list USER")
    return [found[int(word)] for word in words]


def _moment(text: str) -> datetime:
    try:
        day = parse_date(text)
        moment = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError("Write a day as 2026-03-01, a time as 2026-03-01T08:00.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _says(version: History, text: str) -> bool:
    try:
        return history.says(version, text)
    except (Unreadable, WrongKey):
        return False


def _line(version: History) -> str:
    reason = History.Reason(version.reason).label
    facts = [f"fields: {version.fields}" if version.fields else "", f"run {version.run_id}" if version.run_id else ""]
    if version.conflicts:
        facts.insert(1, f"{version.winner.title()} won in conflict: {version.conflicts}")
    more = "; ".join(filter(None, facts))
    return f"{version.pk}  {_local(version.at)}  {version.side.title()}  {reason}  {version.label}  ({more})"


def _values(item: Item) -> list[tuple[str, str]]:
    """The fields of an item in words, in the order of its table."""
    labels = {each.name: each.label for each in FIELDS[item.kind]}
    shown: list[tuple[str, str]] = []
    for path, part in elements(item).items():
        text = "(a picture)" if path[0] == "photo" else ", ".join(filter(None, part.normal.split("\x1f")))
        if path[0] == EXCEPTIONS:
            name = labels.get(path[2], path[2]) if len(path) > 2 else "Occurrence"
            shown.append((f"{path[1]} {name}", text.removeprefix("=")))
        else:
            shown.append((labels[path[0]], text))
    return shown


def _local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"
