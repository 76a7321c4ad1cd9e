"""The DAV properties of each kind of resource, as the real server answers PROPFIND for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime

from lxml import etree

from lab.nextcloud import accounts, card_rules
from lab.nextcloud.accounts import Account
from lab.nextcloud.names import APPLE, CAL, CARD, CS, NC, OC, SABRE, cal, card, d, element
from lab.nextcloud.nodes import Node
from lab.nextcloud.store import Store
from lab.nextcloud.wire import href

Value = str | list[etree._Element]
SYNC_PREFIX = "http://sabre.io/ns/sync/"
PROTECTED = {
    d("getetag"),
    d("sync-token"),
    d("resourcetype"),
    f"{{{CS}}}getctag",
    d("owner"),
    d("current-user-privilege-set"),
}
_WHEN_ALL = [
    d("getlastmodified"),
    d("getcontentlength"),
    d("resourcetype"),
    d("getetag"),
    d("getcontenttype"),
    d("displayname"),
]


class Properties:
    """Answers for the properties of resources, for one logged-in account."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._account = account

    def of(self, node: Node, names: Iterable[str]) -> tuple[dict[str, Value], list[str]]:
        """The values of the named properties that a resource has, and the names it does not have."""
        found: dict[str, Value] = {}
        missing: list[str] = []
        for name in names:
            value = self.value(node, name)
            if value is None:
                missing.append(name)
            else:
                found[name] = value
        return found, missing

    def names(self, node: Node) -> list[str]:
        """What ``allprop`` asks for."""
        return [name for name in _WHEN_ALL if self.value(node, name) is not None]

    def value(self, node: Node, name: str) -> Value | None:
        """One property; None when the resource does not have it."""
        general = _GENERAL.get(name)
        if general is not None:
            return general(self, node)
        if node.kind == "principal":
            return self._of_principal(node, name)
        if node.item is not None:
            return self._of_item(node, name)
        if node.collection is not None:
            return self._of_collection(node, name)
        return None

    def _resource_type(self, node: Node) -> Value:
        types = {
            "principal": [d("principal")],
            "calendar": [cal("calendar")],
            "addressbook": [card("addressbook")],
            "inbox": [cal("schedule-inbox")],
            "outbox": [cal("schedule-outbox")],
            "trashbin": [f"{{{NC}}}trash-bin"],
        }.get(node.kind, [])
        if node.kind == "calendar" and node.collection and node.collection.deleted_at is not None:
            types = [f"{{{NC}}}deleted-calendar"]
        return [element(name) for name in ([d("collection")] if node.is_collection else []) + types]

    def _current_user(self, _: Node) -> Value:
        return [_href("principals", "users", self._account.uid)]

    def _owner(self, node: Node) -> Value | None:
        return [_href("principals", "users", node.owner)] if node.owner else None

    def _privileges(self, node: Node) -> Value:
        return [element(d("privilege"), element(name)) for name in _privileges(node)]

    def _acl(self, node: Node) -> Value:
        who = element(d("principal"), *([_href("principals", "users", node.owner)] if node.owner else []))
        entries = []
        for name in _privileges(node):
            grant = element(d("grant"), element(d("privilege"), element(name)))
            principal = etree.fromstring(etree.tostring(who))
            entries.append(element(d("ace"), principal, grant, element(d("protected"))))
        return entries

    def _reports(self, node: Node) -> Value:
        names = [d("expand-property"), d("principal-match"), d("principal-property-search")]
        if node.kind in ("calendar", "addressbook"):
            names.append(d("sync-collection"))
        if node.kind in ("calendar", "event", "trash-objects"):
            names += [cal("calendar-multiget"), cal("calendar-query")]
        if node.kind in ("addressbook", "card"):
            names += [card("addressbook-multiget"), card("addressbook-query")]
        return [element(d("supported-report"), element(d("report"), element(name))) for name in names]

    def _of_principal(self, node: Node, name: str) -> Value | None:
        account = accounts.load(self._store, node.owner or "")
        if account is None:
            return None
        uid = account.uid
        match name:
            case "{DAV:}displayname":
                return account.display_name
            case "{DAV:}principal-URL":
                return [_href("principals", "users", uid)]
        if name == cal("calendar-home-set"):
            return [_href("calendars", uid)]
        if name == card("addressbook-home-set"):
            return [_href("addressbooks", "users", uid)]
        if name == cal("schedule-inbox-URL"):
            return [_href("calendars", uid, "inbox")]
        if name == cal("schedule-outbox-URL"):
            return [_href("calendars", uid, "outbox")]
        if name == cal("schedule-default-calendar-URL"):
            return [_href("calendars", uid, "personal")]
        if name == cal("calendar-user-address-set"):
            mail = [element(d("href"), text=f"mailto:{account.email}")] if account.email else []
            return [*mail, _href("principals", "users", uid)]
        if name == cal("calendar-user-type"):
            return "INDIVIDUAL"
        if name == f"{{{SABRE}}}email-address":
            return account.email
        return None

    def _of_item(self, node: Node, name: str) -> Value | None:
        item = node.item
        assert item is not None
        data, etag = card_rules.as_read(item.data) if node.kind == "card" else (item.data, item.etag)
        match name:
            case "{DAV:}getetag":
                return etag
            case "{DAV:}getcontenttype":
                return content_type(node)
            case "{DAV:}getcontentlength":
                return str(len(data))
            case "{DAV:}getlastmodified":
                return format_datetime(datetime.fromtimestamp(item.modified, UTC), usegmt=True)
        if name == cal("calendar-data") and node.kind != "card":
            return data.decode()
        if name == card("address-data") and node.kind == "card":
            return data.decode()
        if item.deleted_at is not None and name == f"{{{NC}}}deleted-at":
            return _iso(item.deleted_at)
        if node.kind == "trashed" and name == f"{{{NC}}}calendar-uri" and node.collection:
            return node.collection.uri
        return None

    def _of_collection(self, node: Node, name: str) -> Value | None:
        shelf = node.collection
        assert shelf is not None
        token = f"{SYNC_PREFIX}{shelf.sync_token}"
        if name in (d("sync-token"), f"{{{CS}}}getctag", f"{{{SABRE}}}sync-token"):
            return str(shelf.sync_token) if name.startswith(f"{{{SABRE}}}") else token
        if name == cal("supported-calendar-component-set") and node.kind == "calendar":
            return [etree.Element(cal("comp"), {"name": component}) for component in shelf.components]
        if name == cal("max-resource-size") and node.kind == "calendar":
            return "10485760"
        if name == card("supported-address-data") and node.kind == "addressbook":
            kinds = (("text/vcard", "3.0"), ("text/vcard", "4.0"), ("application/vcard+json", "4.0"))
            return [etree.Element(card("address-data-type"), {"content-type": a, "version": b}) for a, b in kinds]
        if name == f"{{{NC}}}deleted-at" and shelf.deleted_at is not None:
            return _iso(shelf.deleted_at)
        if name == f"{{{OC}}}enabled" and node.kind == "calendar":
            return shelf.properties.get(name, "1")
        if name == f"{{{NC}}}owner-displayname":
            return self._account.display_name
        if name == f"{{{OC}}}read-only" and shelf.read_only:
            return "1"
        return shelf.properties.get(name)


def content_type(node: Node) -> str:
    """The media type of an object."""
    if node.kind == "card":
        return "text/vcard; charset=utf-8"
    component = node.item.component.lower() if node.item else "vevent"
    return f"text/calendar; charset=utf-8; component={component}"


def _privileges(node: Node) -> list[str]:
    reading = [d("read"), d("read-acl"), d("read-current-user-privilege-set")]
    if node.collection and node.collection.read_only:
        return [*reading, d("write-properties")]
    writing = [d("write"), d("write-properties"), d("write-content"), d("unlock"), d("bind"), d("unbind")]
    return [*reading[:1], *writing, d("write-acl"), *reading[1:]]


def _href(*segments: str) -> etree._Element:
    return element(d("href"), text=href(*segments, collection=True))


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


_GENERAL: dict[str, Callable[[Properties, Node], Value | None]] = {
    d("resourcetype"): Properties._resource_type,
    d("current-user-principal"): Properties._current_user,
    d("owner"): Properties._owner,
    d("current-user-privilege-set"): Properties._privileges,
    d("acl"): Properties._acl,
    d("supported-report-set"): Properties._reports,
}
WRITABLE_NAMESPACES = ("{DAV:}displayname", f"{{{CAL}}}", f"{{{CARD}}}", f"{{{APPLE}}}", f"{{{OC}}}", f"{{{NC}}}")
