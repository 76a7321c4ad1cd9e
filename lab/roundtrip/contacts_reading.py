"""What contacts in Exchange say, as exchangelib reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exchangelib import Account, FileAttachment, HTMLBody

from lab.judge.reading import html_words
from lab.roundtrip.kinds import MASTER, Reading
from lab.roundtrip.pictures import picture_text

_TOUCHED_BY_ITSELF = frozenset(
    {
        *("id", "changekey", "parent_folder_id", "datetime_created", "datetime_received", "datetime_sent", "size"),
        *("last_modified_time", "last_modified_name", "mime_content", "effective_rights", "attachments"),
        *("text_body", "unique_body", "web_client", "conversation_id", "has_attachments", "old_folder_id"),
        *("complete_name", "photo", "is_associated"),
    }
)


def read_contacts(account: Account, ids: Sequence[str]) -> list[Reading]:
    """Contacts with their pictures. Raises what exchangelib raises."""
    items = list(account.fetch([(each, None) for each in ids])) if ids else []
    for item in items:
        if isinstance(item, Exception):
            raise item
    return [Reading({MASTER: _values(item)}) for item in items]


def _values(item: Any) -> dict[str, str]:
    found = {}
    for each in item.FIELDS:
        value = None if each.name in _TOUCHED_BY_ITSELF or each.name.startswith("_") else getattr(item, each.name, None)
        if isinstance(value, HTMLBody):
            found["formatting"] = str(value)
            value = html_words(value)
        if value is not None and (text := str(sorted(map(str, value)) if isinstance(value, list) else value)):
            found[each.name] = text
    for each in item.attachments or ():
        if isinstance(each, FileAttachment) and each.is_contact_photo:
            found["photo"] = picture_text(each.content)
    return found


def set_job_title(account: Account, ids: Sequence[str], title: str) -> None:
    """Give contacts another job title. Raises what exchangelib raises."""
    for item in account.fetch([(each, None) for each in ids], only_fields=["job_title"]):
        if isinstance(item, Exception):
            raise item
        item.job_title = title
        item.save(update_fields=["job_title"])
