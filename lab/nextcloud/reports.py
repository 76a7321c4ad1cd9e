"""REPORT: sync-collection, multigets, queries, and the search for principals."""

from __future__ import annotations

from lxml import etree

from lab.nextcloud import accounts, filters, shelves
from lab.nextcloud.accounts import Account
from lab.nextcloud.multistatus import Multistatus
from lab.nextcloud.names import CAL, CARD, SABRE, cal, card, d, parse_xml
from lab.nextcloud.nodes import Node, Tree
from lab.nextcloud.properties import SYNC_PREFIX, Properties
from lab.nextcloud.shelves import Collection
from lab.nextcloud.store import Store
from lab.nextcloud.wire import Answer, Refusal, Request, bad_request, forbidden, not_found, segments_of

# carddav_sync_request_truncation of the real server.
ADDRESS_BOOK_LIMIT = 2500


class Reports:
    """Answers the REPORT requests of one account."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._account = account
        self._tree = Tree(store, account)
        self._properties = Properties(store, account)

    def answer(self, request: Request, node: Node) -> Answer:
        """Dispatch by the name of the report; raises Refusal."""
        body = parse_xml(request.body)
        answer = Multistatus(minimal="return=minimal" in request.header("prefer"))
        names = [str(child.tag) for child in body.findall(f"{d('prop')}/*")]
        if body.tag == d("sync-collection") and node.kind in ("calendar", "addressbook"):
            return self._sync(node, body, names, answer)
        if body.tag in (cal("calendar-multiget"), card("addressbook-multiget")):
            return self._multiget(body, names, answer)
        if body.tag == cal("calendar-query") and node.kind in ("calendar", "trash-objects", "calendar-home"):
            return self._calendar_query(node, body, names, answer)
        if body.tag == card("addressbook-query") and node.kind == "addressbook":
            return self._card_query(node, body, names, answer)
        if body.tag == d("principal-property-search"):
            return self._search_principals(body, names, answer)
        if body.tag == d("principal-search-property-set"):
            return answer.answer()
        raise Refusal(
            415, "Sabre\\DAV\\Exception\\ReportNotSupported", f"The {body.tag} REPORT is not supported on this url."
        )

    def _add(self, answer: Multistatus, node: Node, names: list[str]) -> None:
        answer.properties(node.href, *self._properties.of(node, names))

    def _multiget(self, body: etree._Element, names: list[str], answer: Multistatus) -> Answer:
        """Hrefs that do not exist are left out, without a 404 entry (measured)."""
        for entry in body.findall(d("href")):
            segments = segments_of((entry.text or "").strip())
            if segments is None:
                raise bad_request("An href lies outside of this server")
            try:
                node = self._tree.resolve(segments)
            except Refusal:
                continue
            if node.item is not None and node.kind != "trashed":
                self._add(answer, node, names)
        return answer.answer()

    def _calendar_query(self, node: Node, body: etree._Element, names: list[str], answer: Multistatus) -> Answer:
        if node.kind == "trash-objects":
            # The trash bin lists everything, whatever the filter says.
            found = self._tree.children(node)
        else:
            calendars = [node] if node.kind == "calendar" else self._tree.children(node)
            found = [
                member
                for calendar in calendars
                if calendar.kind == "calendar"
                for member in self._tree.members(calendar)
                if member.item and filters.calendar_matches(member.item.data, body)
            ]
        for member in found:
            self._add(answer, member, names)
        return answer.answer()

    def _card_query(self, node: Node, body: etree._Element, names: list[str], answer: Multistatus) -> Answer:
        limit = body.findtext(f"{card('limit')}/{card('nresults')}")
        found = [
            member
            for member in self._tree.members(node)
            if member.item and filters.card_matches(member.item.data, body)
        ]
        for member in found[: int(limit) if limit and limit.isdigit() else None]:
            self._add(answer, member, names)
        return answer.answer()

    def _search_principals(self, body: etree._Element, names: list[str], answer: Multistatus) -> Answer:
        """Accounts whose address or name contains the text searched for."""
        for search in body.findall(d("property-search")):
            wanted = (search.findtext(d("match")) or "").lower()
            asked = {str(child.tag) for child in search.findall(f"{d('prop')}/*")}
            for account in accounts.all_accounts(self._store):
                mail = (account.email or "").lower() if asked & _MAIL_PROPERTIES else ""
                name = account.display_name.lower() if d("displayname") in asked else ""
                if wanted and (wanted in mail or wanted in name):
                    self._add(answer, self._tree.resolve(["principals", "users", account.uid]), names)
        return answer.answer()

    def _sync(self, node: Node, body: etree._Element, names: list[str], answer: Multistatus) -> Answer:
        assert node.collection is not None
        if node.collection.deleted_at is not None:
            raise not_found("The calendar has been deleted")
        text = (body.findtext(d("sync-token")) or "").strip()
        if text and not text.startswith(SYNC_PREFIX):
            raise Refusal(
                403,
                "Sabre\\DAV\\Exception\\InvalidSyncToken",
                "Invalid or unknown sync token",
                d("valid-sync-token"),
            )
        limit = body.findtext(f"{d('limit')}/{d('nresults')}")
        if limit is not None and not limit.strip().isdigit():
            raise forbidden("The limit is not a number")
        token = text.removeprefix(SYNC_PREFIX)
        count = int(limit) if limit else None
        changes = (_calendar_changes if node.kind == "calendar" else _book_changes)(
            self._store, node.collection, token, count
        )
        for uri in changes.present:
            try:
                member = self._tree.member(node, uri)
            except Refusal:
                continue
            self._add(answer, member, names)
        for uri in changes.gone:
            answer.status(node.href + _name(uri), 404)
        if changes.truncated:
            answer.status(node.href, 507)
        return answer.answer(SYNC_PREFIX + changes.token)


class Changes:
    """What a sync-collection reports: names of objects that exist, names of those that are gone, the next token."""

    def __init__(self, token: str, present: list[str], gone: list[str], truncated: bool = False) -> None:
        self.token = token
        self.present = present
        self.gone = gone
        self.truncated = truncated


def _calendar_changes(store: Store, shelf: Collection, token: str, limit: int | None) -> Changes:
    """As measured: per object only the highest operation counts, so deleted and created again reads as deleted.

    With a limit the rest is dropped while the newest token is returned; an initial sync says so with 507.
    """
    newest = str(shelf.sync_token)
    if not token.isdigit():
        living = [item.uri for item in shelves.objects(store, shelf)]
        return Changes(newest, living[:limit], [], limit is not None and len(living) > limit)
    rows = store.rows(
        "SELECT uri, MAX(operation) AS operation FROM change"
        " WHERE collection = ? AND sync_token >= ? AND sync_token < ? AND uri != '' GROUP BY uri ORDER BY MIN(id)"
        " LIMIT ?",
        shelf.id,
        int(token),
        shelf.sync_token,
        -1 if limit is None else limit,
    )
    return _sorted_changes(newest, {row["uri"]: row["operation"] for row in rows})


def _book_changes(store: Store, shelf: Collection, token: str, limit: int | None) -> Changes:
    """As measured: at most 2500 at a time, with a 507 entry and a token from which to go on."""
    limit = ADDRESS_BOOK_LIMIT if limit is None else min(limit, ADDRESS_BOOK_LIMIT)
    if not token or token.startswith("init_"):
        _, last, start = token.split("_") if token else ("init", "0", str(shelf.sync_token))
        rows = store.rows(
            "SELECT id, uri FROM object WHERE collection = ? AND id > ? ORDER BY id LIMIT ?",
            shelf.id,
            int(last),
            limit,
        )
        # The server can't know that a full page was the last one: the next is empty and ends it.
        full = bool(rows) and len(rows) >= limit
        return Changes(f"init_{rows[-1]['id']}_{start}" if full else start, [row["uri"] for row in rows], [], full)
    rows = store.rows(
        "SELECT uri, operation, sync_token FROM change"
        " WHERE collection = ? AND sync_token >= ? AND sync_token < ? ORDER BY sync_token LIMIT ?",
        shelf.id,
        int(token),
        shelf.sync_token,
        limit,
    )
    operations = {row["uri"]: row["operation"] for row in rows if row["uri"]}
    # A full page ends with the change that the next page begins with; a page of one would never get on so.
    truncated = len(rows) == limit
    following = rows[-1]["sync_token"] + (limit == 1) if truncated else shelf.sync_token
    return _sorted_changes(str(following), operations, truncated)


def _sorted_changes(token: str, operations: dict[str, int], truncated: bool = False) -> Changes:
    gone = [uri for uri, operation in operations.items() if operation == shelves.DELETED]
    present = [uri for uri, operation in operations.items() if operation != shelves.DELETED]
    return Changes(token, present, gone, truncated)


def _name(uri: str) -> str:
    return Node("event", (uri,)).href.rpartition("/")[2]


_MAIL_PROPERTIES = {f"{{{SABRE}}}email-address", f"{{{CAL}}}calendar-user-address-set", f"{{{CARD}}}email"}
