"""The DAV methods other than REPORT, on the resources of one account."""

from __future__ import annotations

import time
from collections.abc import Callable

from lxml import etree

from lab.nextcloud import birthdays, calendar_rules, card_rules, lines, scheduling, shelves
from lab.nextcloud.accounts import Account
from lab.nextcloud.multistatus import Multistatus
from lab.nextcloud.names import cal, card, d, parse_xml
from lab.nextcloud.nodes import Node, Tree
from lab.nextcloud.properties import PROTECTED, WRITABLE_NAMESPACES, Properties, content_type
from lab.nextcloud.reports import Reports
from lab.nextcloud.shelves import Kind
from lab.nextcloud.store import Store
from lab.nextcloud.wire import (
    Answer,
    Refusal,
    Request,
    bad_request,
    broken,
    forbidden,
    not_allowed,
    precondition_failed,
    segments_of,
)

ALLOW = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, COPY, MOVE, REPORT, MKCALENDAR, MKCOL"
DAV_HEADER = (
    "1, 3, extended-mkcol, access-control, calendarserver-principal-property-search, calendar-access, "
    "calendar-proxy, calendar-auto-schedule, calendar-availability, nc-calendar-trashbin, "
    "nc-calendar-webcal-cache, calendarserver-subscribed, addressbook, oc-resource-sharing, "
    "calendarserver-sharing, nextcloud-checksum-update, nc-paginate"
)
DEFAULT_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL")
RESERVED_CALENDARS = {"inbox", "outbox", "trashbin", shelves.BIRTHDAYS}

OPTIONS_ANSWER = Answer(200, headers={"Allow": ALLOW, "DAV": DAV_HEADER, "MS-Author-Via": "DAV"})


class Methods:
    """Answers one account's requests below /remote.php/dav; every method raises Refusal."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._account = account
        self._tree = Tree(store, account)
        self._properties = Properties(store, account)

    def answer(self, request: Request) -> Answer:
        """Dispatch by HTTP method."""
        methods: dict[str, Callable[[Request], Answer]] = {
            "OPTIONS": lambda _: OPTIONS_ANSWER,
            "PROPFIND": self._propfind,
            "PROPPATCH": self._proppatch,
            "REPORT": self._report,
            "GET": self._get,
            "HEAD": self._get,
            "PUT": self._put,
            "DELETE": self._delete,
            "MOVE": self._move,
            "MKCALENDAR": self._make,
            "MKCOL": self._make,
        }
        method = methods.get(request.method)
        if method is None:
            raise Refusal(501, "Sabre\\DAV\\Exception\\NotImplemented", f"There was no handler for {request.method}")
        return method(request)

    def _report(self, request: Request) -> Answer:
        node = self._tree.resolve(request.segments)
        return Reports(self._store, self._account).answer(request, node)

    def _propfind(self, request: Request) -> Answer:
        node = self._tree.resolve(request.segments)
        body = parse_xml(request.body) if request.body else None
        asked = body.find(d("prop")) if body is not None else None
        # "infinity" is answered like 1: the real server does not allow more.
        deep = request.header("depth", "1") != "0" and node.is_collection
        answer = Multistatus(minimal="return=minimal" in request.header("prefer"))
        for member in [node, *(self._tree.children(node) if deep else [])]:
            names = [str(child.tag) for child in asked] if asked is not None else self._properties.names(member)
            answer.properties(member.href, *self._properties.of(member, names))
        return answer.answer()

    def _proppatch(self, request: Request) -> Answer:
        node = self._tree.resolve(request.segments)
        body = parse_xml(request.body)
        asked = _asked_properties(body)
        answer = Multistatus()
        refused = [name for name in asked if name in PROTECTED or not name.startswith(WRITABLE_NAMESPACES)]
        if refused or node.collection is None or node.item is not None:
            answer.refused(node.href, refused or list(asked))
            return answer.answer()
        kept = {**node.collection.properties, **{name: value or "" for name, value in asked.items()}}
        for removed in [name for name, value in asked.items() if value is None]:
            del kept[removed]
        shelves.set_properties(self._store, node.collection, kept)
        answer.properties(node.href, dict.fromkeys(asked, ""), [])
        return answer.answer()

    def _get(self, request: Request) -> Answer:
        node = self._tree.resolve(request.segments)
        if node.item is None:
            raise not_allowed("GET is only implemented for files")
        data, etag = card_rules.as_read(node.item.data) if node.kind == "card" else (node.item.data, node.item.etag)
        if request.header("if-none-match") and _etag_listed(request.header("if-none-match"), etag):
            return Answer(304, headers={"ETag": etag})
        return Answer(200, data, {"Content-Type": content_type(node), "ETag": etag})

    def _put(self, request: Request) -> Answer:
        parent = self._parent(request.segments)
        shelf = parent.collection
        if shelf is None or parent.kind not in ("calendar", "addressbook"):
            raise forbidden("Permission denied to create file")
        name = request.segments[-1]
        existing = shelves.find(self._store, shelf, name)
        _check_etag(request, None if existing is None else _etag(parent.kind == "addressbook", existing))
        if shelf.read_only or shelf.deleted_at is not None:
            raise forbidden("User did not have the required privileges ({DAV:}write-content)")
        etag = (
            self._put_event(request, parent, name)
            if parent.kind == "calendar"
            else self._put_card(request, parent, name)
        )
        headers = {"OC-ETag": etag, "ETag": etag} if etag else {}
        return Answer(201 if existing is None else 204, headers=headers)

    def _put_event(self, request: Request, parent: Node, name: str) -> str | None:
        """Store a calendar object; returns its ETag, or None when the server altered it."""
        shelf = parent.collection
        assert shelf is not None
        checked = calendar_rules.check(request.body, name, shelf.components)
        existing = shelves.find(self._store, shelf, name)
        for twin in shelves.find_uid(self._store, shelf, checked.uid):
            if existing and twin.id == existing.id:
                continue
            if existing or twin.deleted_at is not None:
                # The database's unique key on the UID, which the trash bin shares.
                raise broken()
            raise bad_request("Calendar object with uid already exists in this calendar collection.")
        mails = scheduling.send(self._store, self._account, request, existing.data if existing else None, checked.data)
        data = scheduling.mark_sent(checked.data, mails) if mails else checked.data
        shelves.put(self._store, shelf, name, checked.uid, checked.component, data)
        return None if checked.altered or mails else shelves.etag_of(data)

    def _put_card(self, request: Request, parent: Node, name: str) -> str | None:
        shelf = parent.collection
        assert shelf is not None
        checked = card_rules.check(request.body, name)
        existing = shelves.find(self._store, shelf, name)
        if existing is None and shelves.find_uid(self._store, shelf, checked.uid):
            raise bad_request("VCard object with uid already exists in this addressbook collection.")
        shelves.put(self._store, shelf, name, checked.uid, "VCARD", checked.data)
        birthdays.follow(self._store, shelf, name, checked.tree)
        return None if checked.altered else shelves.etag_of(checked.data)

    def _delete(self, request: Request) -> Answer:
        node = self._tree.resolve(request.segments)
        if node.collection is None:
            raise forbidden("Permission denied to delete node")
        if node.item is None:
            return self._delete_collection(request, node)
        _check_etag(request, _etag(node.kind == "card", node.item))
        if node.collection.read_only:
            raise forbidden("User did not have the required privileges ({DAV:}unbind)")
        if node.kind == "card":
            shelves.remove(self._store, node.item)
            birthdays.follow(self._store, node.collection, node.item.uri, None)
            return Answer(204)
        scheduling.send(self._store, self._account, request, node.item.data, None)
        if node.item.deleted_at is None:
            shelves.to_trash(self._store, node.item)
        else:
            shelves.remove(self._store, node.item)
        return Answer(204)

    def _delete_collection(self, request: Request, node: Node) -> Answer:
        shelf = node.collection
        assert shelf is not None
        for_good = request.header("x-nc-caldav-no-trashbin") == "1" or shelf.deleted_at is not None
        if node.kind == "addressbook" and shelf.uri == shelves.SYSTEM_BOOK:
            raise forbidden("Permission denied to delete node")
        if node.kind == "addressbook" or for_good:
            self._store.run("DELETE FROM collection WHERE id = ?", shelf.id)
        else:
            self._store.run("UPDATE collection SET deleted_at = ? WHERE id = ?", int(time.time()), shelf.id)
        return Answer(204)

    def _move(self, request: Request) -> Answer:
        node = self._tree.resolve(request.segments)
        destination = segments_of(request.header("destination"))
        if not destination:
            raise bad_request("The destination header was not supplied, or lies outside of this server")
        parent = self._parent(destination)
        if parent.kind == "restore":
            return self._restore(node)
        if node.item is None or parent.kind != ("calendar" if node.kind == "event" else "addressbook"):
            raise forbidden("This node can't be moved there")
        shelf, source = parent.collection, node.collection
        assert shelf is not None
        assert source is not None
        if shelf.read_only or source.read_only:
            raise forbidden("User did not have the required privileges")
        if shelf.id == source.id:
            raise forbidden("Permission denied to rename file")
        if shelves.find(self._store, shelf, destination[-1]):
            raise precondition_failed("The destination node already exists, and the overwrite header is set to false")
        shelves.move(self._store, node.item, shelf, destination[-1])
        if node.kind == "card":
            birthdays.follow(self._store, source, node.item.uri, None)
            birthdays.follow(self._store, shelf, destination[-1], lines.parse(node.item.data.decode()))
        return Answer(201)

    def _restore(self, node: Node) -> Answer:
        if node.kind == "trashed" and node.item:
            shelves.restore(self._store, node.item)
        elif node.kind == "calendar" and node.collection and node.collection.deleted_at is not None:
            self._store.run("UPDATE collection SET deleted_at = NULL WHERE id = ?", node.collection.id)
        else:
            raise forbidden("Only deleted things can be restored")
        return Answer(201)

    def _make(self, request: Request) -> Answer:
        segments = request.segments
        parent = self._parent(segments)
        body = parse_xml(request.body) if request.body else etree.Element(d("mkcol"))
        kind: Kind = "calendar" if parent.kind == "calendar-home" else "addressbook"
        types = {str(child.tag) for child in body.findall(f".//{d('resourcetype')}/*")}
        if request.method == "MKCALENDAR":
            types.add(cal("calendar"))
        expected = cal("calendar") if kind == "calendar" else card("addressbook")
        if parent.kind not in ("calendar-home", "addressbook-home") or expected not in types:
            raise forbidden("This resource type can't be created here")
        if segments[-1] in RESERVED_CALENDARS or shelves.collection(self._store, self._account.uid, kind, segments[-1]):
            raise not_allowed("The resource you tried to create already exists")
        asked = {name: value or "" for name, value in _asked_properties(body).items()}
        components = tuple(
            str(entry.get("name"))
            for entry in body.findall(f".//{cal('supported-calendar-component-set')}/{cal('comp')}")
        )
        for special in (d("resourcetype"), cal("supported-calendar-component-set")):
            asked.pop(special, None)
        shelves.create(
            self._store,
            self._account.uid,
            kind,
            segments[-1],
            asked,
            (components or DEFAULT_COMPONENTS) if kind == "calendar" else (),
        )
        return Answer(201)

    def _parent(self, segments: list[str]) -> Node:
        if not segments:
            raise forbidden("The root can't be changed")
        try:
            return self._tree.resolve(segments[:-1])
        except Refusal as refusal:
            if refusal.status == 404:
                conflict = "Sabre\\DAV\\Exception\\Conflict"
                raise Refusal(409, conflict, "Files can only be created in existing collections") from refusal
            raise


def _etag(is_card: bool, item: shelves.Stored) -> str:
    return card_rules.as_read(item.data)[1] if is_card else item.etag


def _check_etag(request: Request, etag: str | None) -> None:
    """If-Match and If-None-Match (RFC 9110 section 13.1), compared as strings, as sabre/dav does."""
    wanted, unwanted = request.header("if-match"), request.header("if-none-match")
    if wanted and (etag is None or not _etag_listed(wanted, etag)):
        raise precondition_failed("An If-Match header was specified, but none of the specified ETags matched.")
    if unwanted and etag is not None and _etag_listed(unwanted, etag):
        raise precondition_failed("An If-None-Match header was specified, but the ETag matched.")


def _etag_listed(header: str, etag: str) -> bool:
    return header.strip() == "*" or etag in {part.strip() for part in header.split(",")}


def _asked_properties(body: etree._Element) -> dict[str, str | None]:
    """The properties that a PROPPATCH or MKCOL sets (to a text) or removes (None)."""
    asked: dict[str, str | None] = {}
    for step in body:
        for entry in step.findall(f"{d('prop')}/*"):
            asked[str(entry.tag)] = None if step.tag == d("remove") else "".join(str(text) for text in entry.itertext())
    return asked
