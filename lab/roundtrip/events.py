"""The judge of events: .ics files, icalendar, recurring-ical-events and exchangelib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exchangelib import Account
from exchangelib.folders import BaseFolder, Calendar

from lab.roundtrip import calendar_reading, mailbox_reading
from lab.roundtrip.calendar_text import split_calendar
from lab.roundtrip.kinds import Reading, Shown


class EventJudge:
    """See ``kinds.Judge``. ``home`` is the zone of floating times and days, ``owner`` the address of the mailbox."""

    kind = "events"
    suffixes = frozenset({".ics", ".ical", ".ifb", ".icalendar"})
    fields: Mapping[str, str] = {
        "title": "Title",
        "start": "Start",
        "end": "End",
        "all_day": "All day",
        "clock": "Time zone",
        "location": "Location",
        "description": "Description",
        "formatting": "Formatted description",
        "categories": "Categories",
        "busy": "Busy status",
        "privacy": "Privacy",
        "importance": "Importance",
        "url": "Web address",
        "meeting_link": "Online meeting",
        "cancelled": "Cancelled",
        "reminder": "Reminder",
        "organizer": "Organizer (the calendar's owner)",
        "attendees": "Attendees (of the owner's meetings)",
    }

    def __init__(self, home: str, owner: str) -> None:
        self._home = home
        self._owner = owner

    def split(self, data: bytes) -> list[bytes]:
        """See ``Judge``."""
        return split_calendar(data)

    def read(self, text: bytes) -> Reading:
        """See ``Judge``."""
        return calendar_reading.read_event(text, self._home, self._owner)

    def same(self, name: str, before: str, after: str) -> bool:
        """See ``Judge``."""
        del name
        return before == after

    def shown(self, text: bytes) -> Shown:
        """See ``Judge``."""
        return calendar_reading.shown(text, self._home)

    def repeats(self, text: bytes) -> bool:
        """See ``Judge``."""
        return calendar_reading.repeats(calendar_reading.calendar_of(text))

    def read_mailbox(self, account: Account, ids: Sequence[str]) -> list[Reading]:
        """See ``Judge``."""
        return mailbox_reading.read_events(account, ids)

    def edit(self, account: Account, ids: Sequence[str]) -> bool:
        """See ``Judge``."""
        del account, ids
        return False

    def lost(self, before: bytes, after: bytes) -> list[str]:
        """See ``Judge``."""
        del before, after
        return []

    def new_folder(self, account: Account, name: str) -> BaseFolder:
        """See ``Judge``."""
        return Calendar(parent=account.calendar, name=name).save()

    def shown_in_mailbox(self, folder: BaseFolder, like: Shown) -> Shown:
        """See ``Judge``."""
        return mailbox_reading.shown_in_folder(folder, like, self._home)
