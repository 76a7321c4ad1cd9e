"""Which properties are asked for, and how one is set or cleared in an UpdateItem request."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from syncapp.exchange.ews.extended import (
    GLOBAL_OBJECT_ID,
    MEETING_LINK,
    NAME_PREFIX,
    OWN_ID,
    OWN_UID,
    PERSONAL_PAGE,
    PHONETIC,
    POST_BOXES,
    STATE_FLAGS,
)
from syncapp.exchange.ews.markup import Markup, joined, t

_ITEM = ("ParentFolderId", "ItemClass", "Subject", "Sensitivity", "Body", "Attachments", "Categories", "Importance")
_CALENDAR_ITEM = (*_ITEM, "ReminderIsSet", "ReminderMinutesBeforeStart")
_CALENDAR = (
    "UID", "Start", "End", "IsAllDayEvent", "LegacyFreeBusyStatus", "Location", "IsMeeting", "IsCancelled",
    "CalendarItemType", "MyResponseType", "Organizer", "RequiredAttendees", "OptionalAttendees", "Resources",
    "Recurrence", "ModifiedOccurrences", "DeletedOccurrences", "StartTimeZone", "EndTimeZone", "MeetingWorkspaceUrl",
)  # fmt: skip
_OCCURRENCE = (
    "UID", "Start", "End", "OriginalStart", "IsAllDayEvent", "LegacyFreeBusyStatus", "Location", "IsCancelled",
    "CalendarItemType",
)  # fmt: skip
_CONTACT = (
    "FileAs", "DisplayName", "GivenName", "Initials", "MiddleName", "Nickname", "CompanyName", "AssistantName",
    "Birthday", "BusinessHomePage", "Children", "Department", "Generation", "JobTitle", "Manager", "Mileage",
    "OfficeLocation", "PostalAddressIndex", "Profession", "SpouseName", "Surname", "WeddingAnniversary", "HasPicture",
)  # fmt: skip

EMAIL_KEYS = ("EmailAddress1", "EmailAddress2", "EmailAddress3")
PHONE_KEYS = {
    "work": "BusinessPhone", "work-2": "BusinessPhone2", "home": "HomePhone", "home-2": "HomePhone2",
    "mobile": "MobilePhone", "work-fax": "BusinessFax", "home-fax": "HomeFax", "other-fax": "OtherFax",
    "pager": "Pager", "car": "CarPhone", "isdn": "Isdn", "main": "PrimaryPhone", "assistant": "AssistantPhone",
    "callback": "Callback", "company": "CompanyMainPhone", "radio": "RadioPhone", "telex": "Telex",
    "tty": "TtyTddPhone", "other": "OtherTelephone",
}  # fmt: skip
"""The label of a neutral phone and the key of its slot in Exchange."""
ADDRESS_KEYS = {"work": "Business", "home": "Home", "other": "Other"}
ADDRESS_PARTS = {
    "street": "Street", "city": "City", "region": "State", "country": "CountryOrRegion", "postal_code": "PostalCode",
}  # fmt: skip
IM_KEYS = ("ImAddress1", "ImAddress2", "ImAddress3")


@cache
def path(uri: str) -> Markup:
    """The path of a property with a name of its own, as ``calendar:Start``."""
    return t("FieldURI", FieldURI=uri)


@cache
def indexed(uri: str, key: str) -> Markup:
    """The path of one slot, as the e-mail address with the key EmailAddress1."""
    return t("IndexedFieldURI", FieldURI=uri, FieldIndex=key)


def _paths(prefix: str, names: Iterable[str]) -> list[Markup]:
    return [path(f"{prefix}:{name}") for name in names]


EVENT_PATHS = joined(
    [
        *_paths("item", _CALENDAR_ITEM),
        *_paths("calendar", _CALENDAR),
        OWN_ID.path,
        GLOBAL_OBJECT_ID.path,
        STATE_FLAGS.path,
        MEETING_LINK.path,
    ]
)
"""What is read of an event: all that we map, and what tells that anything else changed."""

OCCURRENCE_PATHS = joined([*_paths("item", _CALENDAR_ITEM), *_paths("calendar", _OCCURRENCE), STATE_FLAGS.path])
"""What is read of a modified occurrence."""

CONTACT_PATHS = joined(
    [
        *_paths("item", _ITEM),
        *_paths("contacts", _CONTACT),
        *(indexed("contacts:EmailAddress", key) for key in EMAIL_KEYS),
        *(indexed("contacts:PhoneNumber", key) for key in PHONE_KEYS.values()),
        *(indexed("contacts:ImAddress", key) for key in IM_KEYS),
        *(
            indexed(f"contacts:PhysicalAddress:{part}", key)
            for key in ADDRESS_KEYS.values()
            for part in ADDRESS_PARTS.values()
        ),
        OWN_ID.path,
        OWN_UID.path,
        *(each.path for each in (NAME_PREFIX, PERSONAL_PAGE, *PHONETIC.values(), *POST_BOXES.values())),
    ]
)
"""What is read of a contact."""

FOUND_PATHS = joined([path("item:ParentFolderId"), OWN_ID.path, OWN_UID.path, GLOBAL_OBJECT_ID.path])
"""What a search brings of each object."""


def set_field(where: Markup, item: str, value: Markup) -> Markup:
    """A change that sets one property; ``item`` names the type of item, ``value`` is the property's element."""
    return t("SetItemField", where, t(item, value))


def clear_field(where: Markup) -> Markup:
    """A change that removes one property."""
    return t("DeleteItemField", where)
