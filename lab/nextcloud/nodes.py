"""The tree of DAV resources: which resource a path names, and what is below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.nextcloud import accounts, shelves
from lab.nextcloud.accounts import Account
from lab.nextcloud.shelves import Collection, Stored
from lab.nextcloud.store import Store
from lab.nextcloud.wire import forbidden, href, not_found

NodeKind = Literal[
    "folder",
    "principal",
    "calendar-home",
    "addressbook-home",
    "calendar",
    "addressbook",
    "event",
    "card",
    "inbox",
    "outbox",
    "trashbin",
    "trash-objects",
    "trashed",
    "restore",
]
_LEAVES = {"event", "card", "trashed"}


@dataclass(frozen=True)
class Node:
    """One resource; ``collection`` and ``item`` are set where the kind has them."""

    kind: NodeKind
    segments: tuple[str, ...]
    owner: str | None = None
    collection: Collection | None = None
    item: Stored | None = None

    @property
    def is_collection(self) -> bool:
        """Whether the resource has members."""
        return self.kind not in _LEAVES

    @property
    def href(self) -> str:
        """The resource's address, with a slash at the end of collections."""
        return href(*self.segments, collection=self.is_collection)


class Tree:
    """The tree as one account sees it. All methods raise Refusal (403, 404) for what it must not or can't see."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._account = account

    def resolve(self, segments: list[str]) -> Node:
        """The resource that a path names."""
        match segments:
            case (
                []
                | ["principals"]
                | ["principals", "users"]
                | ["calendars"]
                | ["addressbooks"]
                | ["addressbooks", "users"]
            ):
                return Node("folder", tuple(segments))
            case ["principals", "users", uid]:
                if accounts.load(self._store, uid) is None:
                    raise not_found(f"Principal with name {uid} not found")
                return Node("principal", tuple(segments), uid)
            case ["calendars", uid, *rest]:
                self._must_own(uid)
                return self._in_calendars(tuple(segments), uid, rest)
            case ["addressbooks", "users", uid, *rest]:
                self._must_own(uid)
                return self._in_addressbooks(tuple(segments), uid, rest)
        raise not_found(f"File not found: {'/'.join(segments)}")

    def _must_own(self, uid: str) -> None:
        if accounts.load(self._store, uid) is None:
            raise not_found(f"Principal with name {uid} not found")
        if uid != self._account.uid:
            raise forbidden("User did not have the required privileges ({DAV:}read)")

    def _in_calendars(self, segments: tuple[str, ...], uid: str, rest: list[str]) -> Node:
        match rest:
            case []:
                return Node("calendar-home", segments, uid)
            case ["inbox"]:
                return Node("inbox", segments, uid)
            case ["outbox"]:
                return Node("outbox", segments, uid)
            case ["trashbin"]:
                return Node("trashbin", segments, uid)
            case ["trashbin", "objects"]:
                return Node("trash-objects", segments, uid)
            case ["trashbin", "restore"]:
                return Node("restore", segments, uid)
            case ["trashbin", "objects", name]:
                item = next((item for item in shelves.trash(self._store, uid) if f"{item.id}.ics" == name), None)
                if item is None:
                    raise not_found(f"Calendar object {name} not found")
                return Node("trashed", segments, uid, shelves.collection_by_id(self._store, item.collection), item)
        return self._in_collection("calendar", segments, uid, rest)

    def _in_addressbooks(self, segments: tuple[str, ...], uid: str, rest: list[str]) -> Node:
        if not rest:
            return Node("addressbook-home", segments, uid)
        return self._in_collection("addressbook", segments, uid, rest)

    def _in_collection(self, kind: shelves.Kind, segments: tuple[str, ...], uid: str, rest: list[str]) -> Node:
        found = shelves.collection(self._store, uid, kind, rest[0])
        if found is None:
            raise not_found(f"{kind.capitalize()} with name '{rest[0]}' could not be found")
        if len(rest) == 1:
            return Node(kind, segments, uid, found)
        item = shelves.find(self._store, found, rest[1]) if len(rest) == 2 else None
        if item is None:
            raise not_found(f"{'Calendar object' if kind == 'calendar' else 'Card'} not found")
        return Node("event" if kind == "calendar" else "card", segments, uid, found, item)

    def member(self, node: Node, uri: str) -> Node:
        """A member of a collection by its name."""
        return self.resolve([*node.segments, uri])

    def children(self, node: Node) -> list[Node]:
        """The members of a resource."""
        below = node.segments
        match node.kind:
            case "folder":
                return self._folder_children(node)
            case "calendar-home":
                shelf = shelves.collections(self._store, self._account.uid, "calendar")
                calendars = [Node("calendar", (*below, entry.uri), node.owner, entry) for entry in shelf]
                return [
                    *calendars,
                    Node("inbox", (*below, "inbox"), node.owner),
                    Node("outbox", (*below, "outbox"), node.owner),
                    Node("trashbin", (*below, "trashbin"), node.owner),
                ]
            case "addressbook-home":
                shelf = shelves.collections(self._store, self._account.uid, "addressbook")
                return [Node("addressbook", (*below, entry.uri), node.owner, entry) for entry in shelf]
            case "calendar" | "addressbook":
                return self.members(node)
            case "trashbin":
                return [
                    Node("restore", (*below, "restore"), node.owner),
                    Node("trash-objects", (*below, "objects"), node.owner),
                ]
            case "trash-objects":
                return [self.member(node, f"{item.id}.ics") for item in shelves.trash(self._store, self._account.uid)]
        return []

    def members(self, node: Node) -> list[Node]:
        """The living objects of a calendar or address book."""
        assert node.collection is not None
        kind: NodeKind = "event" if node.kind == "calendar" else "card"
        return [
            Node(kind, (*node.segments, item.uri), node.owner, node.collection, item)
            for item in shelves.objects(self._store, node.collection)
        ]

    def _folder_children(self, node: Node) -> list[Node]:
        names = {
            (): ["principals", "calendars", "addressbooks"],
            ("principals",): ["users"],
            ("principals", "users"): [self._account.uid],
            ("calendars",): [self._account.uid],
            ("addressbooks",): ["users"],
            ("addressbooks", "users"): [self._account.uid],
        }[node.segments]
        return [self.resolve([*node.segments, name]) for name in names]
