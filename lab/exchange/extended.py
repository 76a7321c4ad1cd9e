"""Extended properties (MS-OXWSXPROP): typed MAPI values under a canonical key.

A key is ``tag:0x3001``, ``{property set}:id:35`` or ``{property set}:name:Foo``; what is kept is
``{"type": MapiPropertyType, "value": text or list of texts}``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from lxml import etree

from lab.exchange.soap import Element, EwsError, T

Extended = dict[str, Any]

# MS-OXPROPS 1.3.2
PROPERTY_SETS = {
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Address": "00062004-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
    "UnifiedMessaging": "4442858e-a9e3-4e80-b900-317a210cc15b",
    "Task": "00062003-0000-0000-c000-000000000046",
    "Sharing": "00062040-0000-0000-c000-000000000046",
}
GOID = f"{PROPERTY_SETS['Meeting']}:id:3"
STATE_FLAGS = f"{PROPERTY_SETS['Appointment']}:id:{0x8217}"
CLEAN_GOID = f"{PROPERTY_SETS['Meeting']}:id:35"

_NUMBERS = ("Integer", "Long", "Short", "Error", "Currency")


def key_of(uri: Element) -> str:
    """The canonical key of an ExtendedFieldURI; raises EwsError for combinations that mean nothing."""
    tag, ident, name = uri.get("PropertyTag"), uri.get("PropertyId"), uri.get("PropertyName")
    if tag is not None:
        number = int(tag, 16 if tag.lower().startswith("0x") else 10)
        if number >= 0x8000:
            raise EwsError("ErrorNoPropertyTagForCustomProperties", "Custom properties have no tags of their own.")
        return f"tag:{number:#06x}"
    known = uri.get("DistinguishedPropertySetId")
    guid = PROPERTY_SETS.get(known, "") if known else (uri.get("PropertySetId") or "")
    if not guid or (ident is None) == (name is None):
        raise EwsError(
            "ErrorInvalidExtendedProperty", "The extended property attribute combination specified is invalid."
        )
    # Property sets compare as GUIDs, names as they are spelt.
    return f"{guid.lower().strip('{}')}:id:{int(ident)}" if ident is not None else f"{guid.lower()}:name:{name}"


def read_property(element: Element) -> tuple[str, Extended]:
    """An ExtendedProperty of a request as (key, kept form); raises EwsError for values not of their type."""
    uri = element.find(f"{T}ExtendedFieldURI")
    if uri is None:
        raise EwsError("ErrorInvalidExtendedProperty", "An extended property needs a path.")
    kind = uri.get("PropertyType", "")
    values = element.find(f"{T}Values")
    if kind.endswith("Array") != (values is not None):
        raise EwsError("ErrorInvalidExtendedPropertyValue", "The value is not of the property's type.")
    if values is not None:
        value: Any = [canonical(kind.removesuffix("Array"), item.text or "") for item in values]
    else:
        value = canonical(kind, element.findtext(f"{T}Value") or "")
    return key_of(uri), {"type": kind, "value": value}


def canonical(kind: str, text: str) -> str:
    """A value's text in the one form in which equal values are equal; raises EwsError."""
    try:
        if kind == "Binary":
            return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
        if kind in _NUMBERS:
            return str(int(text))
        if kind in ("Double", "Float", "ApplicationTime"):
            return repr(float(text))
        if kind == "Boolean":
            return {"true": "true", "1": "true", "false": "false", "0": "false"}[text.strip()]
    except (ValueError, KeyError, binascii.Error):
        raise EwsError("ErrorInvalidExtendedPropertyValue", f"{text!r} is no {kind}.") from None
    return text


def write_property(uri: Element, kept: Extended) -> Element:
    """An ExtendedProperty of an answer, under the path that the request named it by."""
    element = etree.Element(f"{T}ExtendedProperty")
    etree.SubElement(element, f"{T}ExtendedFieldURI", {str(name): str(value) for name, value in uri.attrib.items()})
    if isinstance(kept["value"], list):
        values = etree.SubElement(element, f"{T}Values")
        for value in kept["value"]:
            etree.SubElement(values, f"{T}Value").text = value
    else:
        etree.SubElement(element, f"{T}Value").text = kept["value"]
    return element
