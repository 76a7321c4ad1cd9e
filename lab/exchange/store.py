"""What the mailboxes hold: typed items, what is gone, attachments, and mail that would have gone out."""

from __future__ import annotations

import json
from typing import Any

from lab.exchange.directory import Directory
from lab.exchange.ids import new_ident
from lab.exchange.records import Attachment, Folder, Item, Override, Props, now, stamp

_ITEM = "id, mailbox, folder, ident, kind, version, born, props, extended, created, modified"
_ATTACHMENT = "id, item, ident, name, content_type, content_id, inline, photo, modified, length(content)"


def _item(row: tuple[Any, ...]) -> Item:
    *head, props, extended, created, modified = row
    return Item(*[*head, json.loads(props), json.loads(extended), created, modified])


def _attachment(row: tuple[Any, ...]) -> Attachment:
    *head, inline, photo, modified, size = row
    return Attachment(*[*head, bool(inline), bool(photo), modified, size])


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Store(Directory):
    """Everything in one SQLite file (database.py says how to lock and write)."""

    # items

    def add_item(self, folder: Folder, kind: str, props: Props, extended: Props) -> Item:
        """Store a new item."""
        with self.writing():
            number, moment = self._next(), stamp(now())
            mailbox = self.mailbox_by_id(folder.mailbox)
            cursor = self._db.execute(
                "INSERT INTO item (mailbox, folder, ident, kind, version, born, content, props, extended, created, "
                "modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(folder.mailbox, folder.id, new_ident(mailbox.guid), kind, number, number, number),
                    *(_dump(props), _dump(extended), moment, moment),
                ),
            )
            self._note_activity(folder.id)
            return self.item(int(cursor.lastrowid or 0))

    def item(self, item: int) -> Item:
        """The item with this row id."""
        return _item(self._db.execute(f"SELECT {_ITEM} FROM item WHERE id = ?", (item,)).fetchone())

    def item_by_ident(self, ident: str) -> Item | None:
        """The item with this ItemId; ids are case-sensitive."""
        row = self._db.execute(f"SELECT {_ITEM} FROM item WHERE ident = ?", (ident,)).fetchone()
        return _item(row) if row else None

    def items(self, folder: Folder) -> list[Item]:
        """All items of a folder, oldest first."""
        rows = self._db.execute(f"SELECT {_ITEM} FROM item WHERE folder = ? ORDER BY id", (folder.id,))
        return [_item(row) for row in rows]

    def save_item(self, item: Item, only_read_flag: bool = False) -> Item:
        """Write an item's properties; it gets a new version."""
        with self.writing():
            number = self._next()
            self._db.execute(
                "UPDATE item SET props = ?, extended = ?, version = ?, modified = ?, "
                "content = CASE WHEN ? THEN content ELSE ? END WHERE id = ?",
                (_dump(item.props), _dump(item.extended), number, stamp(now()), only_read_flag, number, item.id),
            )
            self._note_activity(item.folder)
            return self.item(item.id)

    def move_item(self, item: Item, folder: Folder) -> Item:
        """Put an item in another folder, where it has another id."""
        with self.writing():
            number = self._next()
            mailbox = self.mailbox_by_id(folder.mailbox)
            self._bury(item, number)
            self._db.execute(
                "UPDATE item SET folder = ?, mailbox = ?, ident = ?, version = ?, born = ?, content = ? WHERE id = ?",
                (folder.id, folder.mailbox, new_ident(mailbox.guid), number, number, number, item.id),
            )
            self._note_activity(folder.id)
            return self.item(item.id)

    def copy_item(self, item: Item, folder: Folder) -> Item:
        """Store a copy of an item with its exceptions and attachments."""
        with self.writing():
            copy = self.add_item(folder, item.kind, item.props, item.extended)
            for override in self.overrides(item):
                self.put_override(copy, override)
            for attachment in self.attachments(item):
                self.add_attachment(copy, attachment, self.attachment_content(attachment))
            return self.save_item(copy)

    def delete_item(self, item: Item) -> None:
        """Remove an item for good."""
        with self.writing():
            self._bury(item, self._next())
            self._db.execute("DELETE FROM item WHERE id = ?", (item.id,))

    def _bury(self, item: Item, number: int) -> None:
        self._db.execute("INSERT INTO item_gone VALUES (?, ?, ?, ?)", (item.folder, item.ident, number, item.born))
        self._note_activity(item.folder, deleted=1)

    def changed_items(self, folder: Folder, since: int, limit: int) -> list[tuple[Item, int]]:
        """Up to ``limit`` items written after a number, in order: (item, number of its last change of content)."""
        rows = self._db.execute(
            f"SELECT {_ITEM}, content FROM item WHERE folder = ? AND version > ? ORDER BY version LIMIT ?",
            (folder.id, since, limit),
        )
        return [(_item(row[:11]), row[11]) for row in rows]

    def born_items(self, folder: Folder, since: int, limit: int) -> list[Item]:
        """Up to ``limit`` items that came into the folder after a number, in order."""
        rows = self._db.execute(
            f"SELECT {_ITEM} FROM item WHERE folder = ? AND born > ? ORDER BY born LIMIT ?", (folder.id, since, limit)
        )
        return [_item(row) for row in rows]

    def gone_items(self, folder: Folder, since: int, limit: int) -> list[tuple[str, int, int]]:
        """Items that left the folder after a number: (ident, number of the leaving, number of the coming)."""
        rows = self._db.execute(
            "SELECT ident, sequence, born FROM item_gone WHERE folder = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (folder.id, since, limit),
        )
        return rows.fetchall()

    # occurrences

    def overrides(self, item: Item) -> list[Override]:
        """Modified and deleted occurrences of a series, by original start."""
        rows = self._db.execute(
            "SELECT original, deleted, props, extended FROM occurrence WHERE item = ? ORDER BY original", (item.id,)
        )
        return [Override(row[0], bool(row[1]), json.loads(row[2]), json.loads(row[3])) for row in rows]

    def put_override(self, item: Item, override: Override) -> None:
        """Record an exception or a deleted occurrence; the caller saves the series."""
        with self.writing():
            self._db.execute(
                "INSERT OR REPLACE INTO occurrence VALUES (?, ?, ?, ?, ?)",
                (item.id, override.original, override.deleted, _dump(override.props), _dump(override.extended)),
            )

    def drop_overrides(self, item: Item) -> None:
        """Forget all exceptions and deleted occurrences of a series; the caller saves the series."""
        with self.writing():
            self._db.execute("DELETE FROM occurrence WHERE item = ?", (item.id,))

    # attachments

    def attachments(self, item: Item) -> list[Attachment]:
        """The attachments of an item."""
        rows = self._db.execute(f"SELECT {_ATTACHMENT} FROM attachment WHERE item = ? ORDER BY id", (item.id,))
        return [_attachment(row) for row in rows]

    def attachment(self, ident: str) -> Attachment | None:
        """The attachment with this id."""
        row = self._db.execute(f"SELECT {_ATTACHMENT} FROM attachment WHERE ident = ?", (ident,)).fetchone()
        return _attachment(row) if row else None

    def attachment_content(self, attachment: Attachment) -> bytes:
        """The bytes of an attachment: Exchange keeps those as they are."""
        row = self._db.execute("SELECT content FROM attachment WHERE id = ?", (attachment.id,)).fetchone()
        return bytes(row[0])

    def add_attachment(self, item: Item, attachment: Attachment, content: bytes) -> Attachment:
        """Attach a file under a fresh id; the caller saves the item."""
        with self.writing():
            mailbox = self.mailbox_by_id(item.mailbox)
            ident = new_ident(mailbox.guid)
            self._db.execute(
                "INSERT INTO attachment (item, ident, name, content_type, content_id, inline, photo, modified, "
                "content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(item.id, ident, attachment.name, attachment.content_type, attachment.content_id),
                    *(attachment.inline, attachment.photo, stamp(now()), content),
                ),
            )
            added = self.attachment(ident)
            assert added is not None
            return added

    def delete_attachment(self, attachment: Attachment) -> None:
        """Remove an attachment; the caller saves the item."""
        with self.writing():
            self._db.execute("DELETE FROM attachment WHERE id = ?", (attachment.id,))

    # the mail ledger

    def add_mail(self, entry: Props) -> None:
        """Note a message that a real Exchange would have sent."""
        with self.writing():
            self._db.execute("INSERT INTO mail (at, entry) VALUES (?, ?)", (stamp(now()), _dump(entry)))

    def mail(self) -> list[Props]:
        """The ledger, oldest first."""
        rows = self._db.execute("SELECT id, at, entry FROM mail ORDER BY id")
        return [{"number": row[0], "at": row[1], **json.loads(row[2])} for row in rows]

    def clear_mail(self) -> None:
        """Empty the ledger."""
        with self.writing():
            self._db.execute("DELETE FROM mail")
