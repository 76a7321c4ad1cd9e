"""What does not sync and why, and what is to be done about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from syncapp.jobs import problems
from syncapp.management import people
from syncapp.models import Problem
from syncapp.startup import check_ready

_SHOWN = 20
_DONE = {"retry": "are tried again at once", "ignore": "are left alone until they change", "unignore": "count again"}


class Command(BaseCommand):
    """Lists problems by reason, and takes decisions about them."""

    help = "List what does not sync and why; try it again now, or leave an item alone until it changes."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and which problems are meant."""
        parser.add_argument("action", choices=["list", *_DONE])
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="numbers of problems, as list shows them")
        parser.add_argument("--user", help="only problems of this person")
        parser.add_argument("--code", help="only problems of this reason, as list shows it in brackets")
        parser.add_argument("--json", action="store_true", help="with list: print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when no problem is named, or none is found."""
        check_ready()
        found = self._found(options)
        if options["action"] == "list":
            self._list(found, as_json=options["json"])
            return
        if not (options["ids"] or options["user"] or options["code"]):
            raise CommandError("Name problems by their numbers, or all of a person (--user) or a reason (--code).")
        decide = {"retry": problems.retry, "ignore": problems.ignore, "unignore": problems.unignore}
        done = decide[options["action"]](found.values_list("pk", flat=True), timezone.now())
        if not done:
            raise CommandError(f"There is nothing to {options['action']} among these: see `problems list`.")
        self.stdout.write(f"{done} problems {_DONE[options['action']]}.")

    def _found(self, options: dict[str, Any]) -> QuerySet[Problem]:
        found = Problem.objects.select_related("enrollment", "link")
        if options["ids"]:
            found = found.filter(pk__in=options["ids"])
        if options["user"]:
            found = found.filter(enrollment=people.find(options["user"]))
        if options["code"]:
            found = found.filter(code=options["code"])
        return found.order_by("level", "code", "pk")

    def _list(self, found: QuerySet[Problem], *, as_json: bool) -> None:
        groups = [list(group) for _, group in groupby(found, key=lambda each: (each.level, each.code))]
        if as_json:
            self.stdout.write(json.dumps({"problems": [_told(group) for group in groups]}))
            return
        if not groups:
            self.stdout.write("There are no problems.")
        for group in groups:
            self._show(group)

    def _show(self, group: Sequence[Problem]) -> None:
        first, ignored = group[0], sum(each.is_ignored for each in group)
        count = f"{len(group)}, {ignored} of them ignored" if ignored else f"{len(group)}"
        self.stdout.write(f"[{first.code}] {count}: {first.text} {first.remedy}".rstrip())
        for problem in group[:_SHOWN]:
            self.stdout.write(f"  {problem.pk:>6}  {_place(problem)}")
        if len(group) > _SHOWN:
            self.stdout.write(f"  ... and {len(group) - _SHOWN} more")


def _place(problem: Problem) -> str:
    """Whose it is, which item, how often, and when it is tried again."""
    who = problem.enrollment.nextcloud_uid if problem.enrollment else ""
    label = f'"{problem.label}"' if problem.label else ""
    return ", ".join(filter(None, (who, label, f"{problem.count} times", _next(problem))))


def _next(problem: Problem) -> str:
    if problem.is_ignored:
        return "ignored"
    at = problem.link.not_before if problem.link else None
    return f"next try {timezone.localtime(at):%Y-%m-%d %H:%M}" if at else ""


def _told(group: Sequence[Problem]) -> dict[str, Any]:
    first = group[0]
    return {
        "code": first.code,
        "level": first.level,
        "text": first.text,
        "remedy": first.remedy,
        "count": len(group),
        "ignored": sum(each.is_ignored for each in group),
        "ids": [each.pk for each in group],
    }
