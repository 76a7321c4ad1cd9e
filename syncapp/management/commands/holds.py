"""Decide about what the guard has held."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from syncapp.items import Kind
from syncapp.jobs import holds
from syncapp.management import people
from syncapp.models import Enrollment, Hold, Pairing
from syncapp.side import SideName
from syncapp.startup import check_ready

_SAMPLE = 10
_KINDS = {Kind.EVENT.value: "Calendar", Kind.CONTACT.value: "Address book"}
_Reason = Hold.Reason


class Command(BaseCommand):
    """Lists waves, shows what is in them, approves and refuses."""

    help = (
        "Look at what was held because it looks like an accident, and decide about it: all of a user's at once, one "
        "wave (--kind, --side, --reason), or single items (--hold)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, of whom, and of what."""
        parser.add_argument("action", choices=["list", "show", "approve", "refuse"])
        parser.add_argument("user", nargs="?", help="user id in Nextcloud, or address of the mailbox")
        parser.add_argument("--kind", choices=list(_KINDS), help="only of the calendar, or of the address book")
        parser.add_argument("--side", choices=[side.value for side in SideName], help="only what would be done there")
        parser.add_argument("--reason", choices=_Reason.values, help="only what was held for this reason")
        parser.add_argument("--hold", type=int, action="append", metavar="ID", help="only this one; may be repeated")
        parser.add_argument("--all", action="store_true", help=f"show every item, not the first {_SAMPLE} of a wave")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when there is nothing of that sort."""
        check_ready()
        person = people.find(options["user"]) if options["user"] else None
        if options["action"] in ("approve", "refuse"):
            self._decide(person, _wanted(options), approves=options["action"] == "approve")
            return
        found = Hold.objects.filter(_wanted(options))
        waves = holds.waves(found.filter(enrollment=person) if person else found)
        for wave in waves:
            self._say(wave)
            if options["action"] == "show":
                self._show(wave, None if options["all"] else _SAMPLE)
        if waves:
            self.stdout.write("Decide with `python manage.py holds approve USER` or `holds refuse USER`.")
        else:
            self.stdout.write("Nothing is held.")

    def _decide(self, person: Enrollment | None, wanted: Q, *, approves: bool) -> None:
        if person is None:
            raise CommandError("Say whose: python manage.py holds list")
        chosen = holds.waves(Hold.objects.filter(wanted, enrollment=person))
        decided = holds.decide(person.pk, wanted, approves, timezone.now())
        if not decided:
            raise CommandError("Nothing of that sort is held: see `python manage.py holds show`.")
        for wave in chosen:
            approved, refused, _ = _consequences(wave)
            self.stdout.write(f"{_what(wave)}: {approved if approves else refused}.")
        self.stdout.write(f"The next run does it, or at once: python manage.py sync {person.nextcloud_uid}")

    def _say(self, wave: holds.Wave) -> None:
        person = Enrollment.objects.get(pk=wave.enrollment_id)
        approved, refused, undecided = _consequences(wave)
        label = _Reason(wave.reason).label
        self.stdout.write(f"{person.nextcloud_uid}: {_what(wave)}, held since {_local(wave.since)}: {label}.")
        self.stdout.write(f"  --kind {wave.kind} --side {wave.side} --reason {wave.reason}")
        self.stdout.write(f"  Approved: {approved}. Refused: {refused}. {undecided}")

    def _show(self, wave: holds.Wave, most: int | None) -> None:
        for hold in wave.holds[:most]:
            change = f" -> {hold.becomes}" if hold.becomes else ""
            fields = f" ({hold.fields})" if hold.fields else ""
            self.stdout.write(f"    {hold.pk}: {hold.label}{change}{fields}")
        if most is not None and wave.count > most:
            self.stdout.write(f"    and {wave.count - most} more: --all")


def _wanted(options: dict[str, Any]) -> Q:
    names = {"kind": "pairing__kind", "side": "side", "reason": "reason", "hold": "pk__in"}
    return Q(**{column: options[name] for name, column in names.items() if options[name]})


def _what(wave: holds.Wave) -> str:
    side = wave.side.title()
    words = {
        Hold.Deed.DELETE: f"to be deleted in {side}",
        Hold.Deed.UPDATE: f"to be overwritten in {side}",
        Hold.Deed.CREATE: f"to be created in {side}",
    }
    return f"{_KINDS[wave.kind]}, {wave.count} {words[Hold.DEEDS[_Reason(wave.reason)]]}"


def _consequences(wave: holds.Wave) -> tuple[str, str, str]:
    """What approving means, what refusing means, and what happens when nobody decides."""
    side, other = wave.side.title(), SideName(wave.side).other.title()
    deed = Hold.DEEDS[_Reason(wave.reason)]
    approved = {
        Hold.Deed.DELETE: f"they are deleted in {side}",
        Hold.Deed.UPDATE: f"{side} gets what {other} says",
        Hold.Deed.CREATE: f"they are created in {side}",
    }[deed]
    refused = {
        Hold.Deed.DELETE: f"they are put back in {other}",
        Hold.Deed.UPDATE: f"{other} gets back what {side} says",
        Hold.Deed.CREATE: f"they stay in {other} only, each until somebody edits it",
    }[deed]
    if wave.reason == _Reason.RETURNED:
        refused = f"they stay in {side} and are created in {other}"
    elif wave.direction != Pairing.Direction.BOTH and deed is not Hold.Deed.CREATE:
        refused = f"{side} keeps them as they are there, and nothing is written to {other}"
    elif wave.reason == _Reason.FOLDER:
        refused = f"they stay in {side}, and are put back in {other} once the folder is there again"
    return approved, refused, _undecided(wave, deed, refused)


def _undecided(wave: holds.Wave, deed: Hold.Deed, refused: str) -> str:
    if wave.state == Hold.State.LAPSED:
        return "Nobody decided in time: both sides are left as they are."
    lapses = Hold(at=wave.since).lapses_at
    if lapses is None:
        return "They wait until somebody decides."
    left = refused if deed is Hold.Deed.DELETE else "both sides are left as they are"
    return f"If nobody decides until {_local(lapses)}: {left}."


def _local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"
