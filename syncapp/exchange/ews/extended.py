"""Extended properties: how they are named in requests, and how they are found again in what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.xml import TYPES, Element, Properties

_PROPERTY_SET = "6b1f3c0e-7d52-4a8e-9d55-0c6a2f8e41b7"
"""The property set of ours that our ids on objects we created live in."""

_PATH, _VALUE = f"{{{TYPES}}}ExtendedFieldURI", f"{{{TYPES}}}Value"
_PROPERTY_SETS = {
    "6ed8da90-450b-101b-98da-00aa003f1305": "Meeting",
    "00062002-0000-0000-c000-000000000046": "Appointment",
    "00020329-0000-0000-c000-000000000046": "PublicStrings",
    "00062004-0000-0000-c000-000000000046": "Address",
}


@dataclass(frozen=True)
class Extended:
    """An extended property: its path in a request, and what all spellings of that path have alike."""

    path: Markup
    key: frozenset[tuple[str, str]]

    def element(self, value: str) -> Markup:
        """The property with a value, for an item that is written."""
        return t("ExtendedProperty", self.path, t("Value", value))


def extended(item: Properties, wanted: Extended) -> str:
    """The value that the property ``wanted`` has in an item, "" without."""
    return extended_values(item).get(wanted.key, "")


def extended_values(item: Properties) -> Mapping[frozenset[tuple[str, str]], str]:
    """The values of all extended properties that an item has, by ``Extended.key``."""
    if item.extended is None:
        item.extended = dict(map(_read, reversed(item.all("ExtendedProperty"))))
    return item.extended


def _read(element: Element) -> tuple[frozenset[tuple[str, str]], str]:
    path, value = frozenset[tuple[str, str]](), ""
    for each in element:
        if each.tag == _PATH:
            path = _key(tuple(each.items()))
        elif each.tag == _VALUE:
            value = each.text or ""
    return path, value


@lru_cache(maxsize=256)
def _key(attributes: tuple[tuple[str, str], ...]) -> frozenset[tuple[str, str]]:
    """GUIDs and tags are compared as numbers are. Cached: the same few paths come with every item."""
    key = set()
    for name, value in attributes:
        if name == "PropertyTag":
            value = str(int(value, 0))
        elif name == "PropertySetId":
            value = value.casefold().strip("{}")
            if value in _PROPERTY_SETS:
                name, value = "DistinguishedPropertySetId", _PROPERTY_SETS[value]
        key.add((name, value))
    return frozenset(key)


def _extended(**attributes: str) -> Extended:
    return Extended(t("ExtendedFieldURI", **attributes), _key(tuple(attributes.items())))


def _own(name: str) -> Extended:
    return _extended(PropertySetId=_PROPERTY_SET, PropertyName=name, PropertyType="String")


OWN_ID = _own("ConnectorId")
"""Our own id of an object that we created."""
OWN_UID = _own("ConnectorUid")
"""The UID that we gave to a contact: contacts have none in Exchange."""
GLOBAL_OBJECT_ID = _extended(DistinguishedPropertySetId="Meeting", PropertyId=str(0x23), PropertyType="Binary")
"""PidLidCleanGlobalObjectId (MS-OXOCAL section 2.2.1.28)."""
STATE_FLAGS = _extended(DistinguishedPropertySetId="Appointment", PropertyId=str(0x8217), PropertyType="Integer")
"""PidLidAppointmentStateFlags (MS-OXOCAL section 2.2.1.10), which cancel an event: IsCancelled can't be set."""
MEETING_LINK = _extended(
    DistinguishedPropertySetId="PublicStrings", PropertyName="SkypeTeamsMeetingUrl", PropertyType="String"
)
"""Where the add-in of Teams keeps the address of a meeting."""
NAME_PREFIX = _extended(PropertyTag="0x3a45", PropertyType="String")
"""PidTagDisplayNamePrefix (MS-OXPROPS)."""
PERSONAL_PAGE = _extended(PropertyTag="0x3a50", PropertyType="String")
"""PidTagPersonalHomePage (MS-OXPROPS)."""
PHONETIC = {
    "phonetic_given_name": _extended(
        DistinguishedPropertySetId="Address", PropertyId=str(0x802C), PropertyType="String"
    ),
    "phonetic_surname": _extended(DistinguishedPropertySetId="Address", PropertyId=str(0x802D), PropertyType="String"),
    "phonetic_company": _extended(DistinguishedPropertySetId="Address", PropertyId=str(0x802E), PropertyType="String"),
}
"""PidLidYomiFirstName, PidLidYomiLastName and PidLidYomiCompanyName (MS-OXOCNTC section 2.2.1.1)."""
POST_BOXES = {
    "work": _extended(DistinguishedPropertySetId="Address", PropertyId=str(0x804A), PropertyType="String"),
    "home": _extended(PropertyTag="0x3a5e", PropertyType="String"),
    "other": _extended(PropertyTag="0x3a64", PropertyType="String"),
}
"""PidLidWorkAddressPostOfficeBox, PidTagHomeAddressPostOfficeBox, PidTagOtherAddressPostOfficeBox (MS-OXOCNTC section
2.2.1.3)."""
HIDDEN = _extended(PropertyTag="0x10f4", PropertyType="Boolean")
"""PidTagAttributeHidden of a folder (MS-OXPROPS)."""
LAST_CHANGE = _extended(PropertyTag="0x670a", PropertyType="SystemTime")
"""When a folder's content last changed: PidTagLocalCommitTimeMax (MS-OXPROPS)."""
DELETED_TOTAL = _extended(PropertyTag="0x670b", PropertyType="Integer")
"""How much a folder has lost: PidTagDeletedCountTotal (MS-OXPROPS)."""
