"""XML names of the DAV world, and safe parsing of what clients send."""

from __future__ import annotations

from lxml import etree

from lab.nextcloud.wire import bad_request

DAV = "DAV:"
CAL = "urn:ietf:params:xml:ns:caldav"
CARD = "urn:ietf:params:xml:ns:carddav"
CS = "http://calendarserver.org/ns/"
NC = "http://nextcloud.com/ns"
OC = "http://owncloud.org/ns"
SABRE = "http://sabredav.org/ns"
APPLE = "http://apple.com/ns/ical/"
NAMESPACES: dict[str, str] = {
    "d": DAV,
    "s": SABRE,
    "cal": CAL,
    "cs": CS,
    "card": CARD,
    "oc": OC,
    "nc": NC,
    "x1": APPLE,
}
MAX_XML = 20 * 1024 * 1024


def d(name: str) -> str:
    """A name in the DAV: namespace."""
    return f"{{{DAV}}}{name}"


def cal(name: str) -> str:
    """A CalDAV name."""
    return f"{{{CAL}}}{name}"


def card(name: str) -> str:
    """A CardDAV name."""
    return f"{{{CARD}}}{name}"


def element(name: str, *children: etree._Element, text: str | None = None, **attributes: str) -> etree._Element:
    """An element with its children or its text."""
    made = etree.Element(name, attributes)
    made.text = text
    made.extend(children)
    return made


def parse_xml(body: bytes) -> etree._Element:
    """What a client sent, without document types, entities and network; raises Refusal (400)."""
    if len(body) > MAX_XML:
        raise bad_request("The request body is too large")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise bad_request(f"The request body is no valid XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise bad_request("A document type is not accepted")
    return root
