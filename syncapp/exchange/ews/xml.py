"""EWS XML elements: building them, reading them, and parsing what comes from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACES = {"m": MESSAGES, "t": TYPES}

Element = etree._Element

# XML 1.0 section 2.2: what may not stand in a document at all. Exchange answers with references to such characters
# when a person pasted one into a text.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ILLEGAL_REFERENCE = re.compile(
    rb"&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[eEfF]);|0*(?:[0-8]|1[124-9]|2\d|3[01]);)"
)
_ILLEGAL_BYTE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class NotXml(ValueError):
    """What a server sent is no XML document."""


def t(name: str, *content: Element | str | None, **attributes: str) -> Element:
    """An element of the types namespace; ``content`` is its text or its children, None is left out."""
    return _element(TYPES, name, content, attributes)


def m(name: str, *content: Element | str | None, **attributes: str) -> Element:
    """An element of the messages namespace, as ``t``."""
    return _element(MESSAGES, name, content, attributes)


def _element(
    namespace: str, name: str, content: tuple[Element | str | None, ...], attributes: dict[str, str]
) -> Element:
    element = etree.Element(f"{{{namespace}}}{name}", attrib=attributes, nsmap=_NAMESPACES)
    for part in content:
        if isinstance(part, str):
            element.text = legal(part)
        elif part is not None:
            element.append(part)
    return element


def legal(text: str) -> str:
    """``text`` without the characters that XML can't hold."""
    return _ILLEGAL.sub("", text)


def child(element: Element, *path: str) -> Element | None:
    """The first descendant along ``path`` in the types namespace."""
    found: Element | None = element
    for name in path:
        if found is None:
            return None
        found = found.find(f"{{{TYPES}}}{name}")
    return found


def text(element: Element, *path: str) -> str:
    """The text of the descendant along ``path``, "" when it is missing or empty."""
    found = child(element, *path)
    return "" if found is None else found.text or ""


def flag(element: Element, *path: str) -> bool:
    """A boolean property; missing is false (xs:boolean allows 1)."""
    return text(element, *path).strip().lower() in ("true", "1")


def children(element: Element, *path: str) -> Iterator[Element]:
    """The elements inside the descendant along ``path``."""
    found = child(element, *path)
    if found is not None:
        yield from (each for each in found if isinstance(each.tag, str))


def attributes(element: Element) -> dict[str, str]:
    """The attributes of an element."""
    return {str(name): str(value) for name, value in element.items()}


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def parse(content: bytes) -> Element:
    """The root of a document from outside: no entities, no network, libxml2's own limits on depth and text.

    References to characters that XML forbids are dropped, as every reader of Exchange has to. Raises ``NotXml``.
    """
    try:
        return _strict(content)
    except etree.XMLSyntaxError:
        cleaned = _ILLEGAL_BYTE.sub(b"", _ILLEGAL_REFERENCE.sub(b"", content))
    try:
        return _strict(cleaned)
    except etree.XMLSyntaxError as problem:
        raise NotXml("the answer is no XML document") from problem


def _strict(content: bytes) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    return etree.fromstring(content, parser)
