"""The stored object as Exchange gave it: the EWS item with what belongs to it, its name by content, its packed form."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256

from lxml import etree

from syncapp.exchange.ews.markup import Markup, as_is, t
from syncapp.exchange.ews.xml import TYPES, Element, NotXml, Properties, child, children, parse, text
from syncapp.side import Unreadable

_VOLATILE = frozenset({"ItemId", "ParentFolderId", "AttachmentId", "DateTimeStamp", "LastModifiedTime", "Size"})
"""What a server gives anew or touches by itself: left out of ``Native.whole``."""

_PACK_LEVEL = 6
_UNPACKED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Native:
    """An EWS item: ``item`` is the CalendarItem or Contact, ``occurrences`` the modified occurrences of a series (whole
    CalendarItems), ``photos`` the FileAttachments of a contact that are its picture, with content."""

    item: Element
    occurrences: tuple[Element, ...] = ()
    photos: tuple[Element, ...] = ()

    @cached_property
    def properties(self) -> Properties:
        """What ``item`` holds, by name."""
        return Properties(self.item)

    @property
    def id(self) -> str:
        """The ItemId."""
        return self.properties.attribute("ItemId", "Id")

    @property
    def change_key(self) -> str:
        """The revision."""
        return self.properties.attribute("ItemId", "ChangeKey")

    @property
    def folder(self) -> str:
        """The id of the folder that holds it."""
        return self.properties.attribute("ParentFolderId", "Id")

    def whole(self) -> bytes:
        """The content by which two readings are the same object unchanged (docs/architecture.md, rule 5)."""
        parts = [content_of(self.item)]
        parts += sorted(content_of(each) for each in self.occurrences)
        parts += sorted(sha256(text(each, "Content").encode()).digest() for each in self.photos)
        return b"\x1d".join(parts)

    def pack(self) -> bytes:
        """The object as bytes for history."""
        root = t(
            "Native",
            t("Item", _markup(self.item)),
            t("Occurrences", *map(_markup, self.occurrences)),
            t("Photos", *map(_markup, self.photos)),
            **{"xmlns:t": TYPES},
        )
        return zlib.compress(root.encode(), _PACK_LEVEL)

    @classmethod
    def unpack(cls, packed: bytes) -> Native:
        """What ``pack`` packed. Raises ``Unreadable``."""
        try:
            root = parse(zlib.decompressobj().decompress(packed, _UNPACKED_BYTES))
            (item,) = children(root, "Item")
        except (zlib.error, NotXml, ValueError):
            raise Unreadable("The stored copy of an Exchange object is damaged.") from None
        return cls(item, tuple(children(root, "Occurrences")), tuple(children(root, "Photos")))


def item_id(element: Element) -> tuple[str, str]:
    """Id and change key in an element that has an ItemId; ("", "") without."""
    found = child(element, "ItemId")
    return ("", "") if found is None else (found.get("Id", ""), found.get("ChangeKey", ""))


def _markup(element: Element) -> Markup:
    return as_is(etree.tostring(element, encoding="unicode", with_tail=False))


def content_of(element: Element) -> bytes:
    """An element as bytes that are equal when its content is: namespaces, prefixes and volatile parts left out."""
    found: list[str] = []
    _write_content(element, _name(str(element.tag)), found)
    return "\x1f".join(found).encode()


@lru_cache(maxsize=1024)
def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _write_content(element: Element, name: str, found: list[str]) -> None:
    """Every object that is read goes through here with all its elements: hence no helpers, and leaves on the spot."""
    found.append(name)
    found += [f"{key!s}={value!s}" for key, value in sorted(element.items())]
    if not len(element):
        found.append(element.text or "")
    for each in element:
        tag = each.tag
        if not isinstance(tag, str) or (part := _name(tag)) in _VOLATILE:
            continue
        if len(each):
            _write_content(each, part, found)
        elif marks := each.items():
            found += [part, *[f"{key!s}={value!s}" for key, value in sorted(marks)], each.text or "", ""]
        else:
            found += [part, each.text or "", ""]
    found.append("")
