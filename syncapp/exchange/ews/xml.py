"""What Exchange says: parsing documents from outside, and reading elements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"

Element = etree._Element

_IN_TYPES = f"{{{TYPES}}}"

ILLEGAL = r"\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
"""XML 1.0 section 2.2: what may not stand in a document at all, as ranges of a character class. Exchange answers with
references to such characters when a person pasted one into a text."""
_ILLEGAL = re.compile(f"[{ILLEGAL}]")
_ILLEGAL_REFERENCE = re.compile(
    rb"&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[eEfF]);|0*(?:[0-8]|1[124-9]|2\d|3[01]);)"
)
_ILLEGAL_BYTE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class NotXml(ValueError):
    """What a server sent is no XML document."""


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
    return is_true(text(element, *path))


def is_true(value: str) -> bool:
    """What an xs:boolean says; servers add white space and write it in capitals."""
    return value.strip().lower() in ("true", "1")


class Properties:
    """The properties of an item by name, gathered in one pass, since dozens are asked for."""

    __slots__ = ("_found", "_more", "extended")

    def __init__(self, item: Element) -> None:
        self.extended: Mapping[Any, str] | None = None
        """The values of extended properties once they were asked for (``extended``)."""
        self._found: dict[Any, Element] = {}
        self._more: list[Element] = []
        for each in item:
            # By the names as they are: to cut them, or to let lxml choose, takes longer than all the rest.
            if each.tag in self._found:
                self._more.append(each)
            else:
                self._found[each.tag] = each

    def get(self, name: str) -> Element | None:
        """The property's element, the first if there are several, None without."""
        return self._found.get(_IN_TYPES + name)

    def all(self, name: str) -> list[Element]:
        """All elements of this name."""
        first, tag = self.get(name), _IN_TYPES + name
        return [] if first is None else [first, *[each for each in self._more if each.tag == tag]]

    def attribute(self, name: str, attribute: str) -> str:
        """An attribute of a property, "" when either is missing."""
        found = self._found.get(_IN_TYPES + name)
        return "" if found is None else found.get(attribute, "")

    def text(self, name: str) -> str:
        """The text of a property, "" when it is missing or empty."""
        found = self._found.get(_IN_TYPES + name)
        return "" if found is None else found.text or ""

    def flag(self, name: str) -> bool:
        """A boolean property, as the function ``flag`` reads it."""
        return is_true(self.text(name))

    def children(self, name: str) -> list[Element]:
        """The elements inside a property."""
        found = self._found.get(_IN_TYPES + name)
        return [] if found is None else [each for each in found if isinstance(each.tag, str)]


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
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True, collect_ids=False
    )
    return etree.fromstring(content, parser)
