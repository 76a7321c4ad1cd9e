"""Who has a mailbox, who may log in, and the folders of each mailbox."""

from __future__ import annotations

import json
import uuid

from lab.exchange.database import Database
from lab.exchange.ids import new_ident
from lab.exchange.records import Account, Folder, Mailbox, now, stamp

# role, folder class, display name, parent's role (MS-OXWSFOLD; the names are Exchange's English ones)
_TREE = (
    ("root", "", "Root", None),
    ("msgfolderroot", "IPF.Note", "Top of Information Store", "root"),
    ("searchfolders", "IPF.Note", "Finder", "root"),
    ("recoverableitemsroot", "", "Recoverable Items", "root"),
    ("recoverableitemsdeletions", "", "Deletions", "recoverableitemsroot"),
    ("recoverableitemsversions", "", "Versions", "recoverableitemsroot"),
    ("recoverableitemspurges", "", "Purges", "recoverableitemsroot"),
    ("calendar", "IPF.Appointment", "Calendar", "msgfolderroot"),
    ("contacts", "IPF.Contact", "Contacts", "msgfolderroot"),
    ("tasks", "IPF.Task", "Tasks", "msgfolderroot"),
    ("notes", "IPF.StickyNote", "Notes", "msgfolderroot"),
    ("journal", "IPF.Journal", "Journal", "msgfolderroot"),
    ("inbox", "IPF.Note", "Inbox", "msgfolderroot"),
    ("drafts", "IPF.Note", "Drafts", "msgfolderroot"),
    ("outbox", "IPF.Note", "Outbox", "msgfolderroot"),
    ("sentitems", "IPF.Note", "Sent Items", "msgfolderroot"),
    ("deleteditems", "IPF.Note", "Deleted Items", "msgfolderroot"),
    ("junkemail", "IPF.Note", "Junk Email", "msgfolderroot"),
)

_FOLDER = "id, mailbox, parent, ident, role, class, name, version, born"


class Directory(Database):
    """Mailboxes, logins and folders."""

    def reset(self, keep_accounts: bool) -> None:
        """Empty every mailbox (or forget all mailboxes and accounts); old ids and sync states stop being valid."""
        tables = ["item", "item_gone", "folder", "folder_activity", "folder_gone", "occurrence", "attachment", "mail"]
        with self.writing():
            for table in tables + ([] if keep_accounts else ["mailbox", "account"]):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("UPDATE server SET incarnation = ?", (uuid.uuid4().hex,))
            for mailbox in self.mailboxes():
                self._plant(mailbox)

    # mailboxes and accounts

    def mailboxes(self) -> list[Mailbox]:
        """All mailboxes."""
        return [Mailbox(*row) for row in self._db.execute("SELECT id, address, name, guid FROM mailbox ORDER BY id")]

    def mailbox(self, address: str) -> Mailbox | None:
        """The mailbox with this address, compared without case."""
        row = self._db.execute("SELECT id, address, name, guid FROM mailbox WHERE address = ?", (address,)).fetchone()
        return Mailbox(*row) if row else None

    def mailbox_by_id(self, mailbox: int) -> Mailbox:
        """The mailbox with this row id."""
        row = self._db.execute("SELECT id, address, name, guid FROM mailbox WHERE id = ?", (mailbox,)).fetchone()
        return Mailbox(*row)

    def put_mailbox(self, address: str, name: str) -> Mailbox:
        """Make a mailbox with its distinguished folders, or rename the one that is there."""
        with self.writing():
            known = self.mailbox(address)
            if known is not None:
                self._db.execute("UPDATE mailbox SET name = ? WHERE id = ?", (name, known.id))
                return Mailbox(known.id, known.address, name, known.guid)
            guid = str(uuid.uuid4())
            cursor = self._db.execute(
                "INSERT INTO mailbox (address, name, guid) VALUES (?, ?, ?)", (address, name, guid)
            )
            mailbox = Mailbox(int(cursor.lastrowid or 0), address, name, guid)
            self._plant(mailbox)
            return mailbox

    def _plant(self, mailbox: Mailbox) -> None:
        planted: dict[str, int] = {}
        for role, folder_class, name, parent in _TREE:
            folder = self.add_folder(mailbox, planted[parent] if parent else None, folder_class, name, role)
            planted[role] = folder.id

    def delete_mailbox(self, mailbox: Mailbox) -> None:
        """Remove a mailbox with all it holds; its logins stay, without a mailbox."""
        with self.writing():
            for table in ("item", "folder", "folder_gone"):
                self._db.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox.id,))
            self._db.execute("DELETE FROM mailbox WHERE id = ?", (mailbox.id,))
            self._db.execute("UPDATE account SET mailbox = NULL WHERE mailbox = ?", (mailbox.id,))

    def put_account(self, account: Account) -> None:
        """Add or replace a login."""
        with self.writing():
            self._db.execute(
                "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)",
                (account.name, account.password, account.mailbox, json.dumps(sorted(account.impersonates))),
            )

    def accounts(self) -> list[Account]:
        """All logins."""
        rows = self._db.execute("SELECT name, password, mailbox, impersonates FROM account ORDER BY name")
        return [Account(row[0], row[1], row[2], frozenset(json.loads(row[3]))) for row in rows]

    def account(self, name: str) -> Account | None:
        """The login with this name, compared without case."""
        row = self._db.execute(
            "SELECT name, password, mailbox, impersonates FROM account WHERE name = ?", (name,)
        ).fetchone()
        return Account(row[0], row[1], row[2], frozenset(json.loads(row[3]))) if row else None

    # folders

    def add_folder(self, mailbox: Mailbox, parent: int | None, folder_class: str, name: str, role: str) -> Folder:
        """Make a folder."""
        with self.writing():
            number = self._next()
            cursor = self._db.execute(
                "INSERT INTO folder (mailbox, parent, ident, role, class, name, version, born) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (mailbox.id, parent, new_ident(mailbox.guid), role, folder_class, name, number, number),
            )
            return self.folder(int(cursor.lastrowid or 0))

    def folder(self, folder: int) -> Folder:
        """The folder with this row id."""
        return Folder(*self._db.execute(f"SELECT {_FOLDER} FROM folder WHERE id = ?", (folder,)).fetchone())

    def folder_by_ident(self, ident: str) -> Folder | None:
        """The folder with this FolderId."""
        row = self._db.execute(f"SELECT {_FOLDER} FROM folder WHERE ident = ?", (ident,)).fetchone()
        return Folder(*row) if row else None

    def folder_by_role(self, mailbox: Mailbox, role: str) -> Folder | None:
        """A distinguished folder of a mailbox."""
        row = self._db.execute(
            f"SELECT {_FOLDER} FROM folder WHERE mailbox = ? AND role = ?", (mailbox.id, role)
        ).fetchone()
        return Folder(*row) if row else None

    def folders(self, mailbox: int) -> list[Folder]:
        """All folders of a mailbox, parents first."""
        rows = self._db.execute(f"SELECT {_FOLDER} FROM folder WHERE mailbox = ? ORDER BY id", (mailbox,))
        return [Folder(*row) for row in rows]

    def folder_counts(self, folder: Folder) -> tuple[int, int]:
        """Items and direct subfolders of a folder."""
        items = self._db.execute("SELECT count(*) FROM item WHERE folder = ?", (folder.id,)).fetchone()[0]
        children = self._db.execute("SELECT count(*) FROM folder WHERE parent = ?", (folder.id,)).fetchone()[0]
        return int(items), int(children)

    def folder_activity(self, folder: Folder) -> tuple[str | None, int]:
        """When an item of the folder last changed, and how many have left it."""
        row = self._db.execute("SELECT committed, deleted FROM folder_activity WHERE folder = ?", (folder.id,))
        found: tuple[str | None, int] = row.fetchone() or (None, 0)
        return found

    def _note_activity(self, folder: int, deleted: int = 0) -> None:
        """Note a change of what a folder holds; the caller is writing."""
        self._db.execute(
            "INSERT INTO folder_activity VALUES (?1, ?2, ?3) "
            "ON CONFLICT (folder) DO UPDATE SET committed = ?2, deleted = deleted + ?3",
            (folder, stamp(now()), deleted),
        )

    def change_folder(self, folder: Folder, name: str, parent: int | None) -> Folder:
        """Rename or move a folder."""
        with self.writing():
            self._db.execute(
                "UPDATE folder SET name = ?, parent = ?, version = ? WHERE id = ?",
                (name, parent, self._next(), folder.id),
            )
            return self.folder(folder.id)

    def delete_folder(self, folder: Folder) -> None:
        """Remove a folder with what it holds."""
        with self.writing():
            for child in self.folders(folder.mailbox):
                if child.parent == folder.id:
                    self.delete_folder(child)
            for table in ("item", "item_gone"):
                self._db.execute(f"DELETE FROM {table} WHERE folder = ?", (folder.id,))
            self._db.execute("DELETE FROM folder WHERE id = ?", (folder.id,))
            self._db.execute(
                "INSERT INTO folder_gone VALUES (?, ?, ?, ?)",
                (folder.mailbox, folder.ident, self._next(), folder.born),
            )

    def folders_gone(self, mailbox: int, since: int) -> list[tuple[str, int, int]]:
        """Folders removed after a write: (ident, number of the removal, number of the birth)."""
        rows = self._db.execute(
            "SELECT ident, sequence, born FROM folder_gone WHERE mailbox = ? AND sequence > ? ORDER BY sequence",
            (mailbox, since),
        )
        return rows.fetchall()
