"""The XML bodies of our PROPFINDs and REPORTs (RFC 4791, RFC 6352, RFC 6578)."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from syncapp.items import Kind
from syncapp.nextcloud.dav import CALDAV, CALENDARSERVER, CARDDAV, DAV

_NAMESPACES = f'xmlns:d="{DAV}" xmlns:c="{CALDAV}" xmlns:card="{CARDDAV}" xmlns:cs="{CALENDARSERVER}"'
_DATA = {Kind.EVENT: "<c:calendar-data/>", Kind.CONTACT: "<card:address-data/>"}

PRINCIPAL = f"<d:propfind {_NAMESPACES}><d:prop><d:current-user-principal/></d:prop></d:propfind>"
HOMES = f"<d:propfind {_NAMESPACES}><d:prop><c:calendar-home-set/><card:addressbook-home-set/></d:prop></d:propfind>"
COLLECTIONS = (
    f"<d:propfind {_NAMESPACES}><d:prop><d:resourcetype/><d:displayname/><d:sync-token/><cs:getctag/><d:owner/>"
    "<d:current-user-privilege-set/><c:supported-calendar-component-set/></d:prop></d:propfind>"
)
TOKENS = f"<d:propfind {_NAMESPACES}><d:prop><d:resourcetype/><d:sync-token/><cs:getctag/></d:prop></d:propfind>"
ETAGS = f"<d:propfind {_NAMESPACES}><d:prop><d:getetag/></d:prop></d:propfind>"


def sync_collection(token: str) -> str:
    """What changed since ``token``, "" for everything; never with a limit, which loses changes in Nextcloud."""
    return (
        f"<d:sync-collection {_NAMESPACES}><d:sync-token>{escape(token)}</d:sync-token>"
        "<d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"
    )


def multiget(kind: Kind, paths: Iterable[str]) -> str:
    """These objects, with their content."""
    hrefs = "".join(f"<d:href>{escape(path)}</d:href>" for path in paths)
    name = "c:calendar-multiget" if kind is Kind.EVENT else "card:addressbook-multiget"
    return f"<{name} {_NAMESPACES}><d:prop><d:getetag/>{_DATA[kind]}</d:prop>{hrefs}</{name}>"


def by_uid(kind: Kind, uids: Iterable[str]) -> str:
    """Objects whose UID contains one of these texts (the answer is filtered again); a calendar takes one at a time.

    No UIDs at all asks for every object of the kind.
    """
    if kind is Kind.CONTACT:
        # RFC 6352 section 10.5.1 knows "any of"; RFC 4791 does not.
        filters = "".join(
            f'<card:prop-filter name="UID"><card:text-match collation="i;unicode-casemap" match-type="equals">'
            f"{escape(uid)}</card:text-match></card:prop-filter>"
            for uid in uids
        )
        return (
            f"<card:addressbook-query {_NAMESPACES}><d:prop><d:getetag/><card:address-data/></d:prop>"
            f'<card:filter test="anyof">{filters}</card:filter></card:addressbook-query>'
        )
    filters = "".join(
        f'<c:prop-filter name="UID"><c:text-match collation="i;octet">{escape(uid)}</c:text-match></c:prop-filter>'
        for uid in uids
    )
    return (
        f"<c:calendar-query {_NAMESPACES}><d:prop><d:getetag/><c:calendar-data/></d:prop>"
        f'<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT">{filters}'
        "</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
    )
