"""Contacts in an Exchange mailbox: their photos are attachments, read and written in requests of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncapp.exchange.ews import operations
from syncapp.exchange.ews.common import EwsSide, contact_uid_term
from syncapp.exchange.ews.contact_projection import project_contact
from syncapp.exchange.ews.contacts import (
    contact_changes,
    new_contact,
    photo_attachment,
    photo_attachments,
    read_contact,
)
from syncapp.exchange.ews.extended import OWN_UID, extended
from syncapp.exchange.ews.landmarks import BIN
from syncapp.exchange.ews.markup import Markup
from syncapp.exchange.ews.native import Native, item_id
from syncapp.exchange.ews.properties import CONTACT_PATHS
from syncapp.exchange.ews.xml import Properties
from syncapp.items import Item
from syncapp.items.contact import Contact
from syncapp.items.values import Kind, Photo
from syncapp.side import Creation, Gone, SideError, Update, WriteResult, Written

_PHOTO = "photo"


class EwsContactSide(EwsSide):
    """The contact folders of a mailbox."""

    kind = Kind.CONTACT
    steps = frozenset({_PHOTO})
    _paths = CONTACT_PATHS

    def project(self, item: Item) -> Contact:
        assert isinstance(item, Contact)
        return project_contact(item)

    def check(self, item: Item, uid: str) -> None:
        """There is no contact of which it is known that Exchange does not take it."""

    def _item(self, native: Native) -> Contact:
        return read_contact(native, self.home)

    def _uid(self, item: Properties) -> str:
        return extended(item, OWN_UID)

    def _uid_term(self, uid: str) -> Markup:
        return contact_uid_term(uid)

    def _complete(self, found: dict[str, Native | SideError]) -> dict[str, Native | SideError]:
        """Contacts with the content of their photos."""
        wanted = [
            (id, attachment)
            for id, native in found.items()
            if isinstance(native, Native)
            for attachment in photo_attachments(native.properties)
        ]
        answers = operations.get_attachments(self.connection, [each for _, each in wanted])
        for (id, _), answer in zip(wanted, answers, strict=True):
            native = found[id]
            if isinstance(answer, SideError):
                found[id] = answer if not isinstance(answer, Gone) else native
            elif isinstance(native, Native):
                found[id] = replace(native, photos=(*native.photos, answer))
        return found

    def _to_bin(self, ids: Sequence[str]) -> list[WriteResult]:
        """Moved, as Outlook does it: unlike DeleteItem, MoveItem names the id in the bin, and a contact that we did not
        create has nothing else by which to find it again."""
        some = [operations.item_id(id) for id in ids]
        answers = operations.move_items(self.connection, some, operations.distinguished(BIN))
        return [each if isinstance(each, SideError) else Written(*item_id(each)) for each in answers]

    def create(self, creations: Sequence[Creation]) -> list[WriteResult]:
        """CreateItem, then the photos: a photo inside a CreateItem is dropped by some servers."""
        results = self._create_all(creations, [self._new(each) for each in creations])
        for at, (creation, result) in enumerate(zip(creations, results, strict=True)):
            photo = self.project(creation.item).photo
            if photo and isinstance(result, Written):
                results[at] = self._write_photo(result, photo, [])
        return results

    def _new(self, creation: Creation) -> Markup:
        assert isinstance(creation.item, Contact)
        return new_contact(creation.item, creation.uid, creation.own_id)

    def update(self, updates: Sequence[Update]) -> list[WriteResult]:
        """UpdateItem, then the photos."""
        plans = {at: (each, self._changes(each)) for at, each in enumerate(updates)}
        found = self._update_masters(plans)
        results = [found[at] for at in range(len(updates))]
        for at, (update, result) in enumerate(zip(updates, results, strict=True)):
            if isinstance(result, Written) and any(path[0] == _PHOTO for path in update.changed):
                photo = self.project(update.item).photo
                results[at] = self._write_photo(result, photo, photo_attachments(update.object.source.properties))
        return results

    def _changes(self, update: Update) -> list[Markup]:
        assert isinstance(update.item, Contact)
        return contact_changes(update.object.source, update.item, {path[0] for path in update.changed})

    def _write_photo(self, written: Written, photo: Photo | None, old: Sequence[str]) -> Written:
        """The new photo first, so that a refused one leaves the old one where it was."""
        revision = written.revision
        try:
            if photo is not None:
                revision = operations.create_attachment(self.connection, written.id, photo_attachment(photo))
            if old:
                # A server may have taken the old photo away by itself when it got the new one.
                revision = operations.delete_attachments(self.connection, old) or revision
        except SideError as problem:
            return Written(written.id, "", frozenset({(_PHOTO,)}), problem)
        return Written(written.id, revision)
