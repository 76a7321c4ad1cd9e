"""The Side contract: what the engine may ask of Exchange and of Nextcloud, and the errors it may get.

Terminology is that of docs/architecture.md. One ``Side`` object serves one kind of item of one enrollment: one mailbox
or one Nextcloud account, seen with one service account or token. It is used by one thread at a time, holds no state
that matters after a crash, and never touches the database. Ids of objects and of folders are opaque texts; comparing
them is all that the engine does with them. Every list answer may be in any order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from syncapp.items import Item, Kind
from syncapp.items.elements import Element


class SideName(StrEnum):
    """The two sides."""

    EXCHANGE = "exchange"
    NEXTCLOUD = "nextcloud"

    @property
    def other(self) -> SideName:
        """The side across."""
        return SideName.NEXTCLOUD if self is SideName.EXCHANGE else SideName.EXCHANGE


# What comes back -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Folder:
    """A calendar or an address book. ``default`` marks the one that a first pairing takes."""

    id: str
    name: str
    kind: Kind
    writable: bool = True
    default: bool = False


@dataclass(frozen=True)
class Change:
    """An object that is there and that differs from what the token's time knew; it may be an echo of our own write."""

    id: str
    revision: str


@dataclass(frozen=True)
class Changes:
    """One page of what happened in a folder since a token.

    ``gone`` are ids reported as no longer there: a claim, to be confirmed by a read (rule 3). ``more`` asks for another
    call with the new token. ``full`` says that this page (and those after it, while ``more``) lists everything that is
    in the folder, so that what is not listed is not there.
    """

    changed: tuple[Change, ...]
    gone: tuple[str, ...]
    token: str
    more: bool = False
    full: bool = False


@dataclass(frozen=True)
class Object:
    """A stored object as it was read.

    ``source`` is the native object, needed to patch it and kept in history (``Side.pack``). ``whole`` is the content of
    the whole object, fields that the other side can't hold included and what a server touches by itself (times of
    modification, change keys) left out: equal means that nobody changed anything. ``own_id`` is the id that we gave it
    when we created it ("" if we did not); on Nextcloud that is the last part of its href. ``modified`` is the server's
    time of the last modification if it is known; it settles conflicts in pairings where the latest wins, nothing else.
    """

    id: str
    folder: str
    revision: str
    item: Item
    whole: bytes
    uid: str = ""
    own_id: str = ""
    in_bin: bool = False
    source: Any = None
    modified: datetime | None = None


@dataclass(frozen=True)
class Found:
    """What ``find`` knows of an object without reading it."""

    id: str
    folder: str
    revision: str
    uid: str = ""
    own_id: str = ""
    in_bin: bool = False


@dataclass(frozen=True)
class Written:
    """The answer to a write that was accepted.

    ``id`` is the object's id from now on (a move or a restore may have changed it). ``revision`` is what the write
    returned, "" when the server named none. ``unwritten`` are elements that the side holds in steps of their own
    (exceptions, photo) and whose step failed with ``problem``: the object exists, these are still to be written.
    ``whole`` is what ``Object.whole`` of the stored object is, where the answer proves that the server stored just what
    it was sent; None where only a read can tell.
    """

    id: str
    revision: str = ""
    unwritten: frozenset[Element] = frozenset()
    problem: SideError | None = None
    whole: bytes | None = None


@dataclass(frozen=True)
class Creation:
    """A new object to be written: our own id for it, the UID it shall have, the folder and the item.

    ``native`` is what ``Side.pack`` made of an object of this side that was ``item``: where the side keeps more of an
    object than an item says, the new one has that, too.
    """

    own_id: str
    uid: str
    folder: str
    item: Item
    native: bytes = b""


@dataclass(frozen=True)
class Update:
    """A change to a stored object: as it was last read, as it shall be, and the elements in which the two differ.

    With ``native`` (see ``Creation``) the object becomes that earlier version again, what no item says included.
    """

    object: Object
    item: Item
    changed: frozenset[Element]
    native: bytes = b""


@dataclass(frozen=True)
class Deletion:
    """A stored object that shall go to the bin if it still has ``revision``."""

    id: str
    revision: str


# Errors: named after situations ----------------------------------------------------------------------------------


class SideError(Exception):
    """Something that a side could not do. ``str()`` is a sentence for a person and holds no personal content.

    ``side`` says which side it was, where that was noted (jobs wrap the sides that they build).
    """

    side: SideName | None = None


@dataclass(eq=False)
class Throttled(SideError):
    """The server asks for rest. ``seconds`` says how long if it said so.

    ``whole_server`` when all of it must rest; ``account`` when it is the account that asked too much, whomever it acted
    for.
    """

    seconds: float | None = None
    whole_server: bool = False
    account: bool = False

    def __str__(self) -> str:
        return "The server is busy and asked us to wait."


class TokenLost(SideError):
    """The sync token means nothing to the server any more: list everything."""


class Gone(SideError):
    """The object (or, from ``changes``, the folder) does not exist any more."""


class ChangedMeanwhile(SideError):
    """Somebody wrote in between: the precondition failed. Read again and decide again."""


class AlreadyThere(SideError):
    """A create met an object with the same UID or href. ``id`` is where it stands, if the server said so."""

    def __init__(self, message: str, id: str = "") -> None:
        super().__init__(message)
        self.id = id


class Refused(SideError):
    """The server, or our rule before it, does not take this item. The text says why; trying again needs a change."""


class Unreadable(SideError):
    """The stored object is broken: it can't be read as an item. The text says what is wrong with it.

    ``revision`` is the object's, where it is known: as long as it stays, another read finds the same.
    """

    revision: str = ""


class Unreachable(SideError):
    """No answer, or an answer that says that the server is not working now. ``sent`` if a write may have been done."""

    def __init__(self, message: str, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class Untrusted(Unreachable):
    """The server could not prove who it is; nothing was sent."""


class NoToken(Unreachable):
    """Where the account gets its tokens there is trouble: for now it can't sign in, whomever it acts for."""


class NotAllowed(SideError):
    """The account may not do this here: impersonation denied, folder read-only, account disabled."""


class LoginFailed(SideError):
    """The credentials were not accepted."""


class NoMailbox(SideError):
    """There is no such mailbox (or no such Nextcloud account) behind this server."""


@dataclass(frozen=True)
class Look:
    """The cheap look: ``token`` compared with the stored one tells whether there is anything to ask for.

    ``token`` may be of another sort than a sync token; it is kept beside it and only compared. None: not known, ask.
    """

    token: str | None


# The contract ----------------------------------------------------------------------------------------------------

WriteResult = Written | SideError
"""Batched calls answer with one of these per item, in order: one item's failure is its own."""


class Side(Protocol):
    """One kind of item of one mailbox or of one Nextcloud account.

    Every method may raise ``Throttled``, ``Unreachable``, ``NotAllowed``, ``LoginFailed`` or ``NoMailbox`` for the call
    as a whole. When a write raises ``Unreachable``, any part of it may have been done. Batched writes return one
    ``WriteResult`` per item; after a whole-call error in the middle of a batch the items whose answer is known are
    still returned, and the others carry that error.
    """

    name: SideName
    kind: Kind
    steps: frozenset[str]
    """Names of fields (or "exceptions") that the side writes in requests of their own, after the object exists."""
    request_seconds: float
    """The longest that one request may take before it counts as lost: leases must outlast it (rule 21)."""

    def epoch(self) -> str:
        """The identity of the store behind this side (server, account). A change means that revisions are void."""

    def folders(self) -> list[Folder]:
        """The folders of this kind that hold a person's own data (no trash, no generated ones)."""

    def look(self, folders: Collection[str]) -> Mapping[str, Look]:
        """A cheap look at many folders in one request; a folder that is not there is missing in the answer."""

    def changes(self, folder: str, token: str | None) -> Changes:
        """One page of changes since ``token``; None lists everything. Raises ``TokenLost``, ``Gone`` (the folder)."""

    def read(self, ids: Sequence[str]) -> Mapping[str, Object | SideError]:
        """The objects with these ids, bin included; what is not there is missing in the answer.

        An object that can't be read as an item is answered with ``Unreadable``.
        """

    def find(self, own_ids: Collection[str], uids: Collection[str]) -> list[Found]:
        """Every object, in all folders of this kind and in the bin, with one of these own ids or UIDs.

        An own id given as the part before its "." (the link) finds all of that link's nonces.
        """

    def binned(self) -> list[Found]:
        """Every object of this kind that lies in the bin."""

    def create(self, creations: Sequence[Creation]) -> list[WriteResult]:
        """Write new objects: ``AlreadyThere`` when UID or href is taken, ``Refused`` when the item can't be held."""

    def update(self, updates: Sequence[Update]) -> list[WriteResult]:
        """Change objects if they still have the revision that was read, else ``ChangedMeanwhile``; or ``Gone``."""

    def delete(self, deletions: Sequence[Deletion]) -> list[WriteResult]:
        """Move objects to the bin. ``ChangedMeanwhile`` where the server can check the revision; ``Gone`` if absent."""

    def move(self, id: str, revision: str, folder: str) -> Written:
        """Put a living object into another folder of this kind. Raises ``ChangedMeanwhile`` or ``Gone``."""

    def restore(self, id: str, folder: str) -> Written:
        """Take an object out of the bin, back into ``folder``. Raises ``Gone``."""

    def project(self, item: Item) -> Item:
        """What this side would hold of ``item`` if it were created here. Pure; never raises for a valid item."""

    def check(self, item: Item, uid: str) -> None:
        """Raises ``Refused`` where it is known without asking the server that it would not take this item. Pure."""

    def pack(self, source: Any) -> bytes:
        """The native object as bytes for history."""

    def unpack(self, packed: bytes) -> Item:
        """The item in a native object that ``pack`` made. Raises ``Unreadable``."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass
class SidesOf:
    """Both sides of one kind of an enrollment, as the jobs hand them to the engine."""

    kind: Kind
    exchange: Side
    nextcloud: Side
    by_name: Mapping[SideName, Side] = field(init=False)

    def __post_init__(self) -> None:
        self.by_name = {SideName.EXCHANGE: self.exchange, SideName.NEXTCLOUD: self.nextcloud}
