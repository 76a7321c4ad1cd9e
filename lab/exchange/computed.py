"""Properties that the server makes itself, one function each."""

# ruff: noqa: ARG001, ARG005 - all makers share one signature
from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from lxml import etree

from lab.exchange import body as bodies
from lab.exchange.contacts import full_name
from lab.exchange.extended import CLEAN_GOID, GOID, STATE_FLAGS
from lab.exchange.goid import clean_goid, goid
from lab.exchange.ids import change_key, occurrence_ident
from lab.exchange.properties import KINDS
from lab.exchange.series import Instance
from lab.exchange.soap import Element, T
from lab.exchange.timezones import tz_of
from lab.exchange.values import BodyText, Context
from lab.exchange.view import View

_RIGHTS = dict.fromkeys(("CreateAssociated", "CreateContents", "CreateHierarchy"), "false") | dict.fromkeys(
    ("Delete", "Modify", "Read", "ViewPrivateItems"), "true"
)


def item_id(ident: str, key: str, tag: str = "ItemId") -> Element:
    """An ItemId element."""
    return etree.Element(f"{T}{tag}", Id=ident, ChangeKey=key)


def _folder_id(view: View, tag: str, context: Context) -> Element:
    element = etree.Element(tag, Id=view.folder.ident)
    element.set("ChangeKey", change_key(view.folder.version))
    return element


def _attachments(view: View, tag: str, context: Context) -> Element:
    root = etree.Element(tag)
    root.extend([attachment_element(view, attachment.ident, context) for attachment in view.attachments])
    return root


def attachment_element(view: View, ident: str, context: Context, content: bytes | None = None) -> Element:
    """A FileAttachment of an item; with its bytes when they are given (MS-OXWSATT 2.2.4.5)."""
    attachment = next(each for each in view.attachments if each.ident == ident)
    element = etree.Element(f"{T}FileAttachment")
    etree.SubElement(element, f"{T}AttachmentId", Id=attachment.ident)
    etree.SubElement(element, f"{T}Name").text = attachment.name
    if attachment.content_type:
        etree.SubElement(element, f"{T}ContentType").text = attachment.content_type
    if attachment.content_id:
        etree.SubElement(element, f"{T}ContentId").text = attachment.content_id
    etree.SubElement(element, f"{T}Size").text = str(attachment.size)
    moment = datetime.fromisoformat(attachment.modified)
    etree.SubElement(element, f"{T}LastModifiedTime").text = context.written(moment)
    etree.SubElement(element, f"{T}IsInline").text = "true" if attachment.inline else "false"
    etree.SubElement(element, f"{T}IsContactPhoto").text = "true" if attachment.photo else "false"
    if content is not None:
        etree.SubElement(element, f"{T}Content").text = base64.b64encode(content).decode("ascii")
    return element


def _text_body(view: View, tag: str, context: Context) -> Element:
    return BodyText().write(tag, bodies.converted(view.props["Body"], "Text"), Context(body_type="Text"))


def _size(view: View) -> int:
    return 500 + len(json.dumps(view.props)) + sum(attachment.size for attachment in view.attachments)


def _names(people: Iterable[dict[str, str]]) -> str:
    return "; ".join(person["name"] for person in people)


def _calendar_kind(view: View) -> str:
    if view.instance is not None:
        return "Exception" if view.is_exception else "Occurrence"
    return "RecurringMaster" if view.is_master else "Single"


def _duration(view: View) -> str:
    minutes = (view.moment("End") - view.moment("Start")) // timedelta(minutes=1)
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}" if days or clock else "PT0S"


def _state(view: View) -> int:
    """MS-OXOCAL 2.2.1.10: asfMeeting 1, asfReceived 2, asfCanceled 4."""
    state = 1 if view.attendees or "Organizer" in view.item.props else 0
    return state | (2 if "Organizer" in view.item.props else 0) | (4 if _cancelled(view) else 0)


def _cancelled(view: View) -> bool:
    """Cancelled by its organizer, or by whoever has set the flag (MS-OXOCAL 2.2.1.10)."""
    stated = view.extended.get(STATE_FLAGS)
    return bool(view.get("IsCancelled")) or (stated is not None and bool(int(stated["value"]) & 4))


def _response(view: View) -> str:
    if "Organizer" not in view.item.props:
        return "Organizer"
    mine = [p for p in view.attendees if p["address"].lower() == view.mailbox.address.lower()]
    response = mine[0].get("response", "Unknown") if mine else "Unknown"
    return "NoResponseReceived" if response == "Unknown" else response


def _occurrence(view: View, instance: Instance, tag: str, context: Context) -> Element:
    element = etree.Element(tag)
    ident = occurrence_ident(view.item.ident, instance.original)
    element.append(item_id(ident, view.change_key))
    etree.SubElement(element, f"{T}Start").text = context.written(instance.start)
    etree.SubElement(element, f"{T}End").text = context.written(instance.end)
    etree.SubElement(element, f"{T}OriginalStart").text = context.written(instance.original)
    return element


def _first(view: View) -> Callable[[str, Context], Element] | None:
    return partial(_occurrence, view, view.series.first) if view.is_master and view.series.first else None


def _last(view: View) -> Callable[[str, Context], Element] | None:
    return partial(_occurrence, view, view.series.last) if view.is_master and view.series.last else None


def _modified(view: View) -> Callable[[str, Context], Element] | None:
    found = view.series.modified() if view.is_master else []

    def build(tag: str, context: Context) -> Element:
        root = etree.Element(tag)
        root.extend([_occurrence(view, instance, f"{T}Occurrence", context) for instance in found])
        return root

    return build if found else None


def _deleted(view: View) -> Callable[[str, Context], Element] | None:
    overrides = view.series.overrides.values() if view.is_master else ()
    found = sorted(override.original for override in overrides if override.deleted)

    def build(tag: str, context: Context) -> Element:
        root = etree.Element(tag)
        for original in found:
            gone = etree.SubElement(root, f"{T}DeletedOccurrence")
            etree.SubElement(gone, f"{T}Start").text = context.written(datetime.fromisoformat(original))
        return root

    return build if found else None


def _wall_clock(view: View, name: str) -> Callable[[str, Context], Element]:
    local = view.moment(name).astimezone(tz_of(view.get(f"{name}TimeZone")))

    def build(tag: str, context: Context) -> Element:
        element = etree.Element(tag)
        element.text = local.isoformat().replace("+00:00", "Z")
        return element

    return build


def _original(view: View) -> str | None:
    return None if view.instance is None else view.instance.original.strftime("%Y-%m-%dT%H:%M:%SZ")


def _complete_name(view: View) -> dict[str, str] | None:
    parts = {
        "FirstName": view.get("GivenName"),
        "MiddleName": view.get("MiddleName"),
        "LastName": view.get("Surname"),
        "Suffix": view.get("Generation"),
        "Initials": view.get("Initials"),
        "FullName": full_name(view.props),
        "Nickname": view.get("Nickname"),
    }
    title = view.extended.get("tag:0x3a45")
    if title:
        parts["Title"] = title["value"]
    return {name: value for name, value in parts.items() if value} or None


_STATUS = {
    "NotStarted": "Not Started",
    "InProgress": "In Progress",
    "Completed": "Completed",
    "WaitingOnOthers": "Waiting on someone else",
    "Deferred": "Deferred",
}

COMPUTED: dict[str, Callable[[View], Any]] = {
    "item:ItemId": lambda view: lambda tag, context: item_id(view.ident, view.change_key),
    "item:ParentFolderId": lambda view: partial(_folder_id, view),
    "item:Attachments": lambda view: partial(_attachments, view) if view.attachments else None,
    "item:DateTimeReceived": lambda view: view.item.created,
    "item:Size": _size,
    "item:IsSubmitted": lambda view: False,
    "item:IsDraft": lambda view: bool(view.kind == "message" and view.get("IsDraft", True)),
    "item:IsFromMe": lambda view: False,
    "item:IsResend": lambda view: False,
    "item:IsUnmodified": lambda view: False,
    "item:DateTimeSent": lambda view: view.item.created,
    "item:DateTimeCreated": lambda view: view.item.created,
    "item:DisplayCc": lambda view: _names(view.get("OptionalAttendees", view.get("CcRecipients", ()))),
    "item:DisplayTo": lambda view: _names(view.get("RequiredAttendees", view.get("ToRecipients", ()))),
    "item:HasAttachments": lambda view: any(not attachment.photo for attachment in view.attachments),
    "item:EffectiveRights": lambda view: _RIGHTS,
    "item:LastModifiedName": lambda view: view.mailbox.name,
    "item:LastModifiedTime": lambda view: view.item.modified,
    "item:IsAssociated": lambda view: False,
    "item:UniqueBody": lambda view: view.get("Body"),
    "item:InstanceKey": lambda view: view.ident,
    "item:TextBody": lambda view: partial(_text_body, view) if "Body" in view.props else None,
    "calendar:RecurrenceId": _original,
    "calendar:DateTimeStamp": lambda view: view.item.modified,
    "calendar:OriginalStart": lambda view: _original(view) if view.is_exception else None,
    "calendar:IsMeeting": lambda view: bool(_state(view) & 1),
    "calendar:IsCancelled": _cancelled,
    # MS-OXWSMTGS R175 to R733: "part of a recurring item": the occurrences, not their master.
    "calendar:IsRecurring": lambda view: view.instance is not None,
    "calendar:MeetingRequestWasSent": lambda view: bool(view.get("MeetingRequestWasSent")),
    "calendar:CalendarItemType": _calendar_kind,
    "calendar:MyResponseType": _response,
    "calendar:Organizer": lambda view: view.organizer,
    "calendar:ConflictingMeetingCount": lambda view: 0,
    "calendar:AdjacentMeetingCount": lambda view: 0,
    "calendar:Duration": _duration,
    "calendar:TimeZone": lambda view: view.get("StartTimeZone", {}).get("name"),
    "calendar:AppointmentSequenceNumber": lambda view: view.get("Sequence", 0),
    "calendar:AppointmentState": _state,
    "calendar:FirstOccurrence": _first,
    "calendar:LastOccurrence": _last,
    "calendar:ModifiedOccurrences": _modified,
    "calendar:DeletedOccurrences": _deleted,
    "calendar:StartWallClock": partial(_wall_clock, name="Start"),
    "calendar:EndWallClock": partial(_wall_clock, name="End"),
    "calendar:StartTimeZoneId": lambda view: view.get("StartTimeZone", {}).get("id"),
    "calendar:EndTimeZoneId": lambda view: view.get("EndTimeZone", {}).get("id"),
    "calendar:IsOrganizer": lambda view: "Organizer" not in view.item.props,
    "contacts:CompleteName": _complete_name,
    "contacts:ContactSource": lambda view: "Store",
    "contacts:HasPicture": lambda view: any(attachment.photo for attachment in view.attachments),
    "task:ChangeCount": lambda view: view.get("ChangeCount", 1),
    "task:DelegationState": lambda view: "NoMatch",
    "task:IsComplete": lambda view: view.get("Status") == "Completed",
    "task:IsRecurring": lambda view: "Recurrence" in view.props,
    "task:IsTeamTask": lambda view: False,
    "task:Owner": lambda view: view.mailbox.name,
    "task:StatusDescription": lambda view: _STATUS.get(view.get("Status", "NotStarted")),
}


def computed(uri: str, view: View) -> Any:
    """The value of a property that the server makes; None where it makes none."""
    make = COMPUTED.get(uri)
    return make(view) if make else None


def _binary(raw: bytes) -> dict[str, str]:
    return {"type": "Binary", "value": base64.b64encode(raw).decode("ascii")}


def _goid(view: View) -> dict[str, str] | None:
    uid = view.get("UID")
    if uid is None:
        return None
    zone = tz_of(view.get("StartTimeZone"))
    original = view.instance.original.astimezone(zone).date() if view.instance else None
    return _binary(goid(uid, original))


# MAPI properties that are another face of typed ones (MS-OXPROPS).
COMPUTED_EXTENDED: dict[str, Callable[[View], dict[str, str] | None]] = {
    GOID: lambda view: _goid(view) if view.kind == "calendar" else None,
    CLEAN_GOID: lambda view: _binary(clean_goid(view.props["UID"])) if "UID" in view.props else None,
    "tag:0x0037": lambda view: {"type": "String", "value": view.get("Subject", "")},
    "tag:0x001a": lambda view: {"type": "String", "value": view.get("ItemClass", KINDS[view.kind][1])},
    "tag:0x3007": lambda view: {"type": "SystemTime", "value": view.item.created},
    "tag:0x3008": lambda view: {"type": "SystemTime", "value": view.item.modified},
}
