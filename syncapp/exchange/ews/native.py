"""The stored object as Exchange gave it: the EWS item with what belongs to it, its name by content, its packed form."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256

from lxml import etree

from syncapp.exchange.ews.xml import Element, NotXml, attributes, child, children, local, parse, t, text
from syncapp.side import Unreadable

_VOLATILE = frozenset({"ItemId", "ParentFolderId", "AttachmentId", "DateTimeStamp", "LastModifiedTime", "Size"})
"""What a server gives anew or touches by itself: left out of ``Native.whole``."""

_PACK_LEVEL = 6
_UNPACKED_BYTES = 64 * 1024 * 1024

PROPERTY_SET = "6b1f3c0e-7d52-4a8e-9d55-0c6a2f8e41b7"
"""The property set of ours that our id on objects we created lives in."""

OWN_ID_NAME = "ConnectorId"
UID_NAME = "ConnectorUid"
CLEAN_GLOBAL_OBJECT_ID = 0x23
DISPLAY_NAME_PREFIX = "0x3a45"


@dataclass(frozen=True, eq=False)
class Native:
    """An EWS item: ``item`` is the CalendarItem or Contact, ``occurrences`` the modified occurrences of a series (whole
    CalendarItems), ``photos`` the FileAttachments of a contact that are its picture, with content."""

    item: Element
    occurrences: tuple[Element, ...] = ()
    photos: tuple[Element, ...] = ()

    @property
    def id(self) -> str:
        """The ItemId."""
        return item_id(self.item)[0]

    @property
    def change_key(self) -> str:
        """The revision."""
        return item_id(self.item)[1]

    @property
    def folder(self) -> str:
        """The id of the folder that holds it."""
        found = child(self.item, "ParentFolderId")
        return "" if found is None else found.get("Id", "")

    def whole(self) -> bytes:
        """The content by which two readings are the same object unchanged (docs/architecture.md, rule 5)."""
        parts = [content_of(self.item)]
        parts += sorted(content_of(each) for each in self.occurrences)
        parts += sorted(sha256(text(each, "Content").encode()).digest() for each in self.photos)
        return b"\x1d".join(parts)

    def pack(self) -> bytes:
        """The object as bytes for history."""
        root = t("Native", t("Item", deepcopy(self.item)), t("Occurrences", *map(deepcopy, self.occurrences)))
        root.append(t("Photos", *map(deepcopy, self.photos)))
        return zlib.compress(etree.tostring(root, encoding="utf-8"), _PACK_LEVEL)

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


def content_of(element: Element) -> bytes:
    """An element as bytes that are equal when its content is: namespaces, prefixes and volatile parts left out."""
    found: list[str] = []
    _write_content(element, found)
    return "\x1f".join(found).encode()


def _write_content(element: Element, found: list[str]) -> None:
    found.append(local(element))
    found += [f"{name}={value}" for name, value in sorted(attributes(element).items())]
    if len(element) == 0:
        found.append(element.text or "")
    for each in element:
        if isinstance(each.tag, str) and local(each) not in _VOLATILE:
            _write_content(each, found)
    found.append("")


# Extended properties ---------------------------------------------------------------------------------------------


def own_property(name: str, value: str) -> Element:
    """An extended property in our own set, for an item that we create."""
    return t("ExtendedProperty", own_path(name), t("Value", value))


def own_path(name: str) -> Element:
    """The path of a property in our own set."""
    return t("ExtendedFieldURI", PropertySetId=PROPERTY_SET, PropertyName=name, PropertyType="String")


def global_object_id_path() -> Element:
    """The path of PidLidCleanGlobalObjectId (MS-OXOCAL section 2.2.1.28)."""
    return t(
        "ExtendedFieldURI",
        DistinguishedPropertySetId="Meeting",
        PropertyId=str(CLEAN_GLOBAL_OBJECT_ID),
        PropertyType="Binary",
    )


def prefix_path() -> Element:
    """The path of PidTagDisplayNamePrefix (MS-OXPROPS)."""
    return t("ExtendedFieldURI", PropertyTag=DISPLAY_NAME_PREFIX, PropertyType="String")


def extended(item: Element, path: Element) -> str:
    """The value of the extended property at ``path``, "" without. GUIDs and tags are compared as numbers are."""
    wanted = _path_key(attributes(path))
    for each in children(item):
        if local(each) == "ExtendedProperty":
            found = child(each, "ExtendedFieldURI")
            if found is not None and _path_key(attributes(found)) == wanted:
                return text(each, "Value")
    return ""


_PROPERTY_SETS = {"6ed8da90-450b-101b-98da-00aa003f1305": "Meeting"}


def _path_key(attributes: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    key = set()
    for name, value in attributes.items():
        if name == "PropertyTag":
            value = str(int(value, 0))
        elif name == "PropertySetId":
            value = value.casefold().strip("{}")
            if value in _PROPERTY_SETS:
                name, value = "DistinguishedPropertySetId", _PROPERTY_SETS[value]
        key.add((name, value))
    return frozenset(key)
