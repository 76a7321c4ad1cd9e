"""The Nextcloud side of the contract: one kind of item of one account, on Nextcloud or any CalDAV or CardDAV server.

Ids of objects and folders are paths. An object that we created is called by its own id, ``<own id>.ics``.
"""

from __future__ import annotations

import re
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from syncapp.http import Limits, Transport
from syncapp.items import Item, Kind
from syncapp.nextcloud import reading, requests
from syncapp.nextcloud.codecs import CODECS, Parsed
from syncapp.nextcloud.content_lines import Text
from syncapp.nextcloud.dav import Answer, DavClient
from syncapp.nextcloud.homes import NEXTCLOUD_ROOT, Home, Listing, find_home, forget_homes, list_collections, not_dav
from syncapp.side import (
    AlreadyThere,
    ChangedMeanwhile,
    Changes,
    Creation,
    Deletion,
    Folder,
    Found,
    Gone,
    LoginFailed,
    Look,
    NoMailbox,
    NotAllowed,
    Object,
    Refused,
    SideError,
    SideName,
    Throttled,
    Unreachable,
    Update,
    WriteResult,
    Written,
)

WRITES_AT_ONCE = 2
"""What one user's connection gains by, and what a server bears (docs/server-behaviour.md#section-3)."""
LOCK_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)

# What servers answer to a second object with the same UID; Nextcloud's 500 speaks of one in the trash bin.
_CLASHES = frozenset({400, 403, 409, 412, 500})
_WHOLE_CALL = (Throttled, Unreachable, NotAllowed, LoginFailed, NoMailbox)
_Task = TypeVar("_Task")


@dataclass(frozen=True)
class Account:
    """A person's account on a server, as the consent app or a login flow gave it.

    ``server`` is the address of Nextcloud, path included. ``folder`` is the last part of the path of the collection
    that a first pairing takes. ``root`` is a DAV path of the server; "" asks /.well-known/ for it.
    """

    server: str
    login: str
    password: str = field(repr=False)
    folder: str
    root: str = NEXTCLOUD_ROOT


class NextcloudSide:
    """``syncapp.side.Side`` over DAV. Threads inside do HTTP only; the object itself is for one thread at a time."""

    name = SideName.NEXTCLOUD
    steps: frozenset[str] = frozenset()
    request_seconds = Limits.request

    def __init__(
        self,
        kind: Kind,
        account: Account,
        transport: Transport | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.kind = kind
        self._codec = CODECS[kind]
        self._account = account
        self._clock = clock
        self._client = DavClient(account.server, account.login, account.password, transport)
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Let go of connections and threads."""
        if self._pool is not None:
            self._pool.shutdown()
        self._client.close()

    # Where things are --------------------------------------------------------------------------------------------

    @cached_property
    def _home(self) -> Home:
        root = self._account.root
        below = urlsplit(self._account.server).path.rstrip("/")
        return find_home(self._client, self._codec, below + root if root else "", self._account.login)

    @cached_property
    def _bin(self) -> str:
        return self._listing().bin

    def _listing(self, body: str = requests.COLLECTIONS) -> Listing:
        try:
            listing = self._listed(body)
        except (NoMailbox, NotAllowed):
            # What was remembered may be out of date: the login may stand for another account by now.
            forget_homes(self._client, self._account.login)
            self.__dict__.pop("_home", None)
            listing = self._listed(body)
        # Whoever looks first, as every run does, spares ``_bin`` its own request.
        self.__dict__["_bin"] = listing.bin
        return listing

    def _listed(self, body: str) -> Listing:
        return list_collections(self._client, self._codec, self._home, self._account.folder, body)

    def epoch(self) -> str:
        """The server and the account on it."""
        return f"{self._client.origin}{self._home.principal}"

    def folders(self) -> list[Folder]:
        """The person's own collections: nothing generated, deleted, subscribed to, or shared by somebody else."""
        return [each.folder for each in self._listing().collections]

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """The sync tokens of all collections, by one PROPFIND on the home."""
        wanted = frozenset(folders)
        listed = self._listing(requests.TOKENS).collections
        return {each.folder.id: Look(each.token) for each in listed if each.folder.id in wanted}

    def changes(self, folder: str, token: str | None) -> Changes:
        """What happened since ``token``, in one page whatever the server's own pages are."""
        if not folder.startswith("/"):
            raise Gone("There is no such folder.")
        return reading.changes(self._client, folder, token)

    # Reading -----------------------------------------------------------------------------------------------------

    def read(self, ids: Sequence[str]) -> Mapping[str, Object | SideError]:
        """Objects by multiget, those in the trash bin one by one."""
        by_folder: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for id in ids:
            if reading.is_path(id):
                by_folder[reading.folder_of(id)][id] = None
        found: dict[str, Object | SideError] = {}
        for folder, paths in by_folder.items():
            if folder == self._bin:
                answers: Iterable[reading.Answered] = (
                    stored for path in paths if (stored := reading.one(self._client, path))
                )
            else:
                answers = reading.objects(self._client, self._codec, paths)
            for each in answers:
                if isinstance(each, tuple):
                    found[each[0]] = each[1]
                elif (object := self._object(each)) is not None:
                    found[each.path] = object
        return found

    def _object(self, stored: reading.Stored) -> Object | SideError | None:
        content = reading.parsed(self._codec, stored)
        if not isinstance(content, Parsed):
            return content
        folder = reading.folder_of(stored.path)
        in_bin = folder == self._bin
        return Object(
            id=stored.path,
            folder=folder,
            revision=stored.revision,
            item=content.item,
            whole=content.whole,
            uid=content.uid,
            own_id="" if in_bin else reading.own_id_of(stored.path, self._codec),
            in_bin=in_bin,
            source=stored.data,
        )

    def find(self, own_ids: Collection[str], uids: Collection[str]) -> list[Found]:
        """Objects by UID and own id in every collection; in the bin by UID only, for it forgets names."""
        if not own_ids and not uids:
            return []
        listing = self._listing()
        found = [
            each
            for collection in listing.collections
            for each in reading.find_in(self._client, self._codec, collection.folder.id, own_ids, uids)
        ]
        if listing.bin and uids and self.kind is Kind.EVENT:
            found.extend(reading.find_in_bin(self._client, self._codec, listing.bin, uids))
        return found

    def binned(self) -> list[Found]:
        """What lies in the trash bin; address books have none."""
        if not self._bin or self.kind is not Kind.EVENT:
            return []
        return list(reading.in_bin(self._client, self._codec, self._bin))

    # Writing -----------------------------------------------------------------------------------------------------

    def create(self, creations: Sequence[Creation]) -> list[WriteResult]:
        """PUT with If-None-Match."""
        return self._each(creations, self._create)

    def _create(self, creation: Creation) -> Written:
        self.check(creation.item, creation.uid)
        if creation.native:
            text = self._codec.again(creation.native, creation.uid, self._clock())
        else:
            text = self._codec.new(creation.item, creation.uid, self._clock())
        path = reading.path_in(creation.folder, creation.own_id, self._codec)
        answer, written = self._put(path, text, {"If-None-Match": "*"})
        if written is not None:
            return written
        if answer.status == 412 and reading.revision_of(self._client, path) is not None:
            raise AlreadyThere("There is an object of this name.", path)
        if answer.status in (404, 409, 410) and not reading.is_there(self._client, creation.folder):
            raise Gone("The calendar or address book does not exist any more.")
        if answer.status in _CLASHES and (other := self._uid_clash(creation.folder, creation.uid, path)):
            raise AlreadyThere("There is an object with this UID, perhaps in the trash bin.", other)
        raise refusal(answer, self._codec.limit)

    def _uid_clash(self, folder: str, uid: str, path: str) -> str:
        """Where the object stands that keeps ``uid`` for itself: in the same collection, or in the bin."""
        hits = list(reading.find_in(self._client, self._codec, folder, (), (uid,)))
        if not hits and self._bin and self.kind is Kind.EVENT:
            hits = list(reading.find_in_bin(self._client, self._codec, self._bin, (uid,)))
        return next((each.id for each in hits if each.id != path), "")

    def update(self, updates: Sequence[Update]) -> list[WriteResult]:
        """PUT with If-Match of the patched object."""
        return self._each(updates, self._update)

    def _update(self, update: Update) -> Written:
        old = update.object
        self.check(update.item, old.uid)
        if update.native:
            text = self._codec.again(update.native, old.uid, self._clock())
        else:
            text = self._codec.patch(old.source, update.item, update.changed, self._clock())
        answer, written = self._put(old.id, text, _if_match(old.revision))
        if written is not None:
            return written
        if answer.status in (404, 409, 410, 412):
            raise self._lost(old.id, old.revision) or refusal(answer, self._codec.limit)
        raise refusal(answer, self._codec.limit)

    def _put(self, path: str, text: Text, condition: Mapping[str, str]) -> tuple[Answer, Written | None]:
        """Store a text; the answer, and what was written if the server took it. Raises Refused for a very long one."""
        data = bytes(text)
        if len(data) > self._codec.most_bytes:
            raise Refused(self._codec.too_large)
        answer = self._write("PUT", path, {"Content-Type": self._codec.media_type, **condition}, data)
        if answer.status not in (200, 201, 204):
            return answer, None
        whole = self._codec.whole(text) if answer.proves_stored(data) else None
        return answer, Written(path, answer.etag, whole=whole)

    def _write(self, method: str, path: str, headers: Mapping[str, str], data: bytes = b"") -> Answer:
        """A write; one that meets a lock, which other writers hold for moments only, is tried again.

        Raises Unreachable when the database behind the server stays locked: that is no fault of the object.
        """
        for seconds in LOCK_WAITS:
            answer = self._client.request(method, path, data, headers)
            if not (answer.status == 423 or answer.database_locked):
                return answer
            time.sleep(seconds)
        answer = self._client.request(method, path, data, headers)
        if answer.database_locked:
            raise Unreachable("Nextcloud's database is locked by other writers; we try again later.")
        return answer

    def delete(self, deletions: Sequence[Deletion]) -> list[WriteResult]:
        """DELETE with If-Match: to the trash bin where there is one."""
        return self._each(deletions, self._delete)

    def _delete(self, deletion: Deletion) -> Written:
        if not reading.is_path(deletion.id):
            raise Gone("There is no such object.")
        answer = self._write("DELETE", deletion.id, _if_match(deletion.revision))
        if answer.status in (200, 202, 204):
            return Written(deletion.id)
        raise self._lost(deletion.id, deletion.revision) or refusal(answer, self._codec.limit)

    def move(self, id: str, revision: str, folder: str) -> Written:
        """MOVE with If-Match; the object keeps its name, unless something else has it in the other folder."""
        name = id.rpartition("/")[2]
        target = folder + name
        answer = self._move(id, target, _if_match(revision))
        if answer.status == 412 and not self._lost(id, revision):
            target = f"{folder}{uuid.uuid4()}.{name.rpartition('.')[2]}"
            answer = self._move(id, target, _if_match(revision))
        if answer.status in (201, 204):
            return Written(target)
        if lost := self._lost(id, revision):
            raise lost
        if answer.status == 412:
            raise AlreadyThere("There is an object of this name in the other folder.", target)
        raise refusal(answer, self._codec.limit)

    def _move(self, id: str, target: str, condition: Mapping[str, str]) -> Answer:
        headers = {"Destination": self._client.origin + target, "Overwrite": "F", **condition}
        return self._write("MOVE", id, headers)

    def restore(self, id: str, folder: str) -> Written:
        """MOVE out of the trash bin, which puts an object back to where it was, and from there to ``folder``."""
        stored = None
        if self._bin and reading.is_path(id) and reading.folder_of(id) == self._bin:
            stored = reading.one(self._client, id)
        if stored is None:
            raise Gone("The object is not in the trash bin.")
        answer = self._move(id, self._bin.removesuffix("objects/") + "restore/file", {})
        if answer.status in (404, 410):
            raise Gone("The object is not in the trash bin.")
        if answer.status not in (201, 204):
            raise refusal(answer, self._codec.limit)
        uid = reading.uid_of(stored.data)
        back = [each for each in self.find((), (uid,)) if not each.in_bin]
        back.sort(key=lambda each: each.folder != folder)
        if not back:
            raise Gone("The object was taken out of the trash bin and is in none of the person's calendars.")
        if back[0].folder == folder:
            return Written(back[0].id, back[0].revision)
        return self.move(back[0].id, back[0].revision, folder)

    def _lost(self, id: str, revision: str) -> SideError | None:
        """Why a write with a precondition was refused, if it was because of the object's revision."""
        if not reading.is_path(id):
            return Gone("There is no such object.")
        now = reading.revision_of(self._client, id)
        if now is None:
            return Gone("The object does not exist any more.")
        return ChangedMeanwhile("Somebody changed the object in between.") if now != revision else None

    def _each(self, tasks: Sequence[_Task], do: Callable[[_Task], Written]) -> list[WriteResult]:
        """Do each task, two at once; what concerns the whole account ends it for those not yet begun."""
        stopped: list[SideError] = []
        results: dict[int, WriteResult] = {}
        # Each thread takes what comes next: handing single tasks over costs more than what is done for one here.
        waiting = deque(enumerate(tasks))

        def work() -> None:
            while True:
                try:
                    at, task = waiting.popleft()
                except IndexError:
                    return
                results[at] = _not_begun(stopped[0]) if stopped else one(task)

        def one(task: _Task) -> WriteResult:
            try:
                return do(task)
            except SideError as error:
                if isinstance(error, _WHOLE_CALL):
                    stopped.append(error)
                return error
            except BaseException:
                waiting.clear()
                raise

        if len(tasks) < 2:
            work()
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(WRITES_AT_ONCE, thread_name_prefix="dav")
            for done in [self._pool.submit(work) for _ in range(WRITES_AT_ONCE)]:
                done.result()
        return [results[at] for at in range(len(tasks))]

    # Without a server --------------------------------------------------------------------------------------------

    def project(self, item: Item) -> Item:
        """What a new object made of ``item`` reads as."""
        projected: Item = self._codec.project(item)
        return projected

    def check(self, item: Item, uid: str) -> None:
        """Raises ``Refused`` for what Nextcloud can't store."""
        self._codec.check(item, uid)

    def pack(self, source: Any) -> bytes:
        """The stored object itself, which is text."""
        assert isinstance(source, bytes)
        return source

    def unpack(self, packed: bytes) -> Item:
        """The item in a stored object. Raises Unreadable."""
        return self._codec.parse(packed).item


def _if_match(revision: str) -> dict[str, str]:
    return {"If-Match": f'"{revision}"'}


def _not_begun(error: SideError) -> SideError:
    """The error for a write that was not sent because another one met ``error``."""
    return Unreachable(str(error)) if isinstance(error, Unreachable) else error


def refusal(answer: Answer, limit: str) -> SideError:
    """Why a write was refused, in words for the person whose object it is."""
    conditions, words = answer.error
    # Servers quote what they were sent; an error holds no personal content.
    words = re.sub(r""""[^"]*"|'[^']*'|\S*[@/]\S*""", "…", words)[:200]
    said = f" It says: {words}" if words else ""
    if answer.status == 403 and "need-privileges" in conditions:
        return NotAllowed("The account may not write into this calendar or address book.")
    if answer.status in (413, 507) or "max-resource-size" in conditions:
        return Refused(f"The server has no room for this object: it is larger than {limit}, or the quota is used up.")
    if answer.status == 403:
        return Refused(f"The server does not take this object here (403).{said}")
    if answer.status == 415:
        return Refused(f"The server does not accept what this object is made of (415).{said}")
    if answer.status >= 500:
        return Refused(f"The server fails on this object with an error of its own ({answer.status}).{said}")
    if answer.status < 400:
        return not_dav(answer)
    return Refused(f"The server refuses this object ({answer.status}).{said}")
