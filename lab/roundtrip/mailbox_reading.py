"""What events in Exchange say, and when its own view shows them, as exchangelib reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from exchangelib import Account, EWSDateTime, HTMLBody
from exchangelib.folders import BaseFolder

from lab.judge.reading import html_words
from lab.roundtrip.kinds import MASTER, Reading, Shown, Span

_TOUCHED_BY_ITSELF = frozenset(
    {
        *("id", "changekey", "parent_folder_id", "datetime_created", "datetime_received", "datetime_sent", "size"),
        *("last_modified_time", "last_modified_name", "datetime_stamp", "mime_content", "effective_rights", "uid"),
        *("first_occurrence", "last_occurrence", "modified_occurrences", "deleted_occurrences", "conversation_id"),
        *("reminder_due_by", "adjacent_meetings", "conflicting_meetings", "text_body", "unique_body", "web_client"),
        *(
            "adjacent_meeting_count",
            "conflicting_meeting_count",
            "recurrence_id",
            "reminder_next_time",
            "old_folder_id",
        ),
    }
)
_EDGE_DAYS, _MOST = 400, 900
"""A view is looked at in the first and in the last part of the time; it answers no more than 1000 occurrences."""


def read_events(account: Account, ids: Sequence[str]) -> list[Reading]:
    """Items with their exceptions. Raises what exchangelib raises."""
    found = []
    for item in _fetched(account, ids):
        parts = {MASTER: _values(item)}
        modified = [each.id for each in item.modified_occurrences or ()]
        for each in _fetched(account, modified):
            parts[str(each.original_start)] = _values(each)
        for each in item.deleted_occurrences or ():
            parts[str(each.start)] = {"deleted": "yes"}
        found.append(Reading(parts))
    return found


def _fetched(account: Account, ids: Sequence[str]) -> list[Any]:
    items = list(account.fetch([(each, None) for each in ids])) if ids else []
    for item in items:
        if isinstance(item, Exception):
            raise item
    return items


def _values(item: Any) -> dict[str, str]:
    found = {}
    for each in item.FIELDS:
        value = None if each.name in _TOUCHED_BY_ITSELF or each.name.startswith("_") else getattr(item, each.name, None)
        if isinstance(value, HTMLBody):
            found["formatting"] = str(value)
            value = html_words(value)
        if value is not None and (text := str(sorted(map(str, value)) if isinstance(value, list) else value)):
            found[each.name] = text
    return found


def shown_in_folder(folder: BaseFolder, like: Shown, home: str) -> Shown:
    """The occurrences in a folder, at the edges of the time that ``like`` is about."""
    spans = [each for start, end in like.spans for each in _edges(start, end)]
    found: set[tuple[str, str]] = set()
    for start, end in spans:
        bounds = {"start": EWSDateTime.from_datetime(start), "end": EWSDateTime.from_datetime(end)}
        items = list(folder.view(**bounds, max_items=_MOST).only("start", "end", "is_all_day"))
        exact = list(folder.view(**bounds, max_items=_MOST).only("start", "end")) if _has_days(items) else items
        found.update(_times(item, bool(full.is_all_day), home) for item, full in zip(exact, items, strict=True))
    return Shown(found, spans)


def _has_days(items: Sequence[Any]) -> bool:
    """Whether exchangelib has to be asked again for moments: it takes 24 hours off the end of an all-day event."""
    return any(item.is_all_day for item in items)


def _edges(start: datetime, end: datetime) -> list[Span]:
    edge = timedelta(days=_EDGE_DAYS)
    return [(start, start + edge), (end - edge / 4, end)]


def _times(item: Any, all_day: bool, home: str) -> tuple[str, str]:
    if all_day:
        return _day(item.start, home), _day(item.end, home)
    return _instant(item.start), _instant(item.end)


def _instant(value: Any) -> str:
    return datetime.fromtimestamp(value.timestamp(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(value: Any, home: str) -> str:
    # Half a day on, because for years long gone this machine knows local mean times, and Windows does not.
    return (datetime.fromtimestamp(value.timestamp(), ZoneInfo(home)) + timedelta(hours=12)).date().isoformat()
