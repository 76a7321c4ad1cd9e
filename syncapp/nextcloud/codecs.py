"""What differs between calendars and address books: protocol names, and how objects are read and written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncapp.items import Item, Kind
from syncapp.items.elements import Element
from syncapp.nextcloud import contact_projection, contact_writing, contacts, event_projection, event_writing, events
from syncapp.nextcloud.content_lines import Text
from syncapp.nextcloud.dav import CALDAV, CARDDAV
from syncapp.nextcloud.parsing import CALENDAR_BYTES, CARD_BYTES
from syncapp.side import Unreadable


@dataclass(slots=True)
class Parsed:
    """What is in a stored object: the item, its UID, and the content that only people change (``Object.whole``)."""

    item: Item
    uid: str
    whole: bytes


@dataclass(frozen=True)
class Codec:
    """One kind of item on a DAV server."""

    kind: Kind
    well_known: str
    home: str
    """The property of a principal that names the homes of its collections."""
    collection: str
    """The resource type of a collection."""
    data: str
    """The property that is a stored object's content."""
    suffix: str
    media_type: str
    most_bytes: int
    too_large: str
    """What to say of an object with more than ``most_bytes``, which Nextcloud does not store."""
    parse: Callable[[bytes], Parsed]
    new: Callable[[Any, str, datetime], Text]
    patch: Callable[[bytes, Any, Collection[Element], datetime], Text]
    again: Callable[[bytes, str, datetime], Text]
    """A former version of an object as it was, with the UID that it shall have."""
    whole: Callable[[Text], bytes]
    """The content that only people change: of a text that is about to be sent what ``parse`` says once it is stored."""
    project: Callable[[Any], Any]
    """What ``parse`` would say of what ``new`` makes of an item, its UID aside."""
    check: Callable[[Any, str], None]

    @property
    def limit(self) -> str:
        """``most_bytes`` as people say it."""
        return f"{self.most_bytes // 1024 // 1024} MiB"


class OtherKind(Unreadable):
    """The object is of a kind that this codec does not read; for this side it is not there."""


def _parse_event(data: bytes) -> Parsed:
    try:
        parsed = events.parse(data)
    except events.OtherKind as error:
        raise OtherKind(str(error)) from error
    return Parsed(parsed.event, parsed.uid, events.whole(parsed.text))


def _parse_contact(data: bytes) -> Parsed:
    try:
        parsed = contacts.parse(data)
    except contacts.OtherKind as error:
        raise OtherKind(str(error)) from error
    return Parsed(parsed.contact, parsed.uid, contacts.whole(parsed.text))


CODECS: Mapping[Kind, Codec] = {
    Kind.EVENT: Codec(
        kind=Kind.EVENT,
        well_known="/.well-known/caldav",
        home=f"{{{CALDAV}}}calendar-home-set",
        collection=f"{{{CALDAV}}}calendar",
        data=f"{{{CALDAV}}}calendar-data",
        suffix=".ics",
        media_type="text/calendar; charset=utf-8",
        most_bytes=CALENDAR_BYTES,
        too_large="The event is larger than the 10 MiB that Nextcloud stores.",
        parse=_parse_event,
        new=event_writing.new,
        patch=event_writing.patch,
        again=event_writing.again,
        whole=events.whole,
        project=event_projection.project,
        check=event_writing.check,
    ),
    Kind.CONTACT: Codec(
        kind=Kind.CONTACT,
        well_known="/.well-known/carddav",
        home=f"{{{CARDDAV}}}addressbook-home-set",
        collection=f"{{{CARDDAV}}}addressbook",
        data=f"{{{CARDDAV}}}address-data",
        suffix=".vcf",
        media_type="text/vcard; charset=utf-8",
        most_bytes=CARD_BYTES,
        too_large="The contact is larger than the 5 MiB that Nextcloud stores; its picture may be too large.",
        parse=_parse_contact,
        new=contact_writing.new,
        patch=contact_writing.patch,
        again=contact_writing.again,
        whole=contacts.whole,
        project=contact_projection.project,
        check=contact_writing.check,
    ),
}
