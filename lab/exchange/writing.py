"""Reading what a client sets: whole items of CreateItem, field by field of UpdateItem."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Any

from lab.exchange import calendar_rules, contacts, goid, task_rules
from lab.exchange.extended import CLEAN_GOID, GOID, key_of, read_property
from lab.exchange.properties import ALL_BY_URI, KIND_OF_ELEMENT, KINDS, Field, fields
from lab.exchange.records import Props
from lab.exchange.shapes import INDEXED
from lab.exchange.soap import Element, EwsError, T, local
from lab.exchange.timezones import Zone, read_zone, tz_of
from lab.exchange.values import Addresses, Attendees, BodyText, Context, Slots
from lab.exchange.view import View

_COMMON = {"Sensitivity": "Normal", "Importance": "Normal", "Culture": "en-US"}
# Required by the item itself: Exchange refuses to delete them.
_NEEDED = frozenset({"Start", "End", "IsAllDayEvent", "LegacyFreeBusyStatus", "Status", "PercentComplete", "ItemClass"})
_NAMES_OF_SERIES_ONLY = frozenset({"Recurrence", "UID"})


@dataclass
class Change:
    """What an update sets: typed values by element name, ``None`` for deleted ones."""

    props: Props = field(default_factory=dict)
    extended: Props = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The typed fields that the update names."""
        return frozenset(self.props)


def kind_of(element: Element) -> str:
    """The kind of a new item; raises EwsError for kinds that this server does not keep."""
    kind = KIND_OF_ELEMENT.get(local(element))
    if kind is None:
        raise EwsError("ErrorInvalidItemForOperationCreateItem", f"Items of type {local(element)} are not supported.")
    return kind


def _refuse(row: Field) -> EwsError:
    return EwsError("ErrorInvalidPropertySet", "Set action is invalid for property.", {"FieldURI": row.uri})


def read_new(element: Element, context: Context, zone: Zone) -> tuple[str, Props, Props]:
    """A new item as (kind, typed properties, extended properties), settled; raises EwsError."""
    kind = kind_of(element)
    rows = fields(kind)
    own_zone = element.find(f"{T}StartTimeZone")
    if own_zone is not None:
        context = replace(context, naive=tz_of(read_zone(own_zone)))
    props: Props = {}
    extended: Props = {}
    for child in element:
        name = local(child)
        if name == "ExtendedProperty":
            key, kept = read_property(child)
            extended[key] = kept
        elif (row := rows.get(name)) is not None and not row.ignored:
            if row.computed:
                raise _refuse(row)
            value = row.type.read(child, context)
            if value is not None and value != "":
                props[name] = value
    own_class = KINDS[kind][1]
    if not (props.setdefault("ItemClass", own_class) + ".").startswith(f"{own_class}."):
        raise EwsError("ErrorObjectTypeChanged", "The item class does not fit the item.")  # MS-OXWSCORE R2023
    _take_identity(props, extended)
    for name, value in _COMMON.items():
        props.setdefault(name, value)
    if kind == "calendar":
        calendar_rules.defaults(props, zone)
    else:
        props.setdefault("ReminderIsSet", False)
    settle(kind, props, frozenset(props))
    return kind, props, extended


def settle(kind: str, props: Props, changed: frozenset[str]) -> None:
    """Apply the rules of an item's kind after its fields were set; raises EwsError."""
    if kind == "calendar":
        calendar_rules.settle(props)
    elif kind == "contact":
        contacts.settle(props, changed)
    elif kind == "task":
        task_rules.settle(props, changed)


def _take_identity(props: Props, extended: Props) -> None:
    """A client may give the identity of an event as its GlobalObjectId: it and the UID are one."""
    for key in (CLEAN_GOID, GOID):
        kept = extended.pop(key, None)
        if kept is not None and "UID" not in props:
            try:
                props["UID"] = goid.uid_of(base64.b64decode(kept["value"]))
            except ValueError:
                raise EwsError("ErrorInvalidExtendedPropertyValue", "This is no GlobalObjectId.") from None


def read_change(view: View, updates: Element, context: Context) -> Change:
    """The Updates of an ItemChange (MS-OXWSCORE 3.1.4.9.3.8); raises EwsError."""
    change = Change()
    context = _naive_zone(view, updates, context)
    for update in updates:
        path = update[0]
        action = local(update)
        match local(path):
            case "ExtendedFieldURI":
                _change_extended(change, update, path)
            case "IndexedFieldURI":
                _change_indexed(change, view, update, path, context)
            case "FieldURI":
                _change_field(change, view, update, path.get("FieldURI", ""), action, context)
            case _:
                raise EwsError("ErrorInvalidPropertySet", "The path is not supported.")
    return change


def _naive_zone(view: View, updates: Element, context: Context) -> Context:
    if view.kind != "calendar":
        return context
    element = updates.find(f"{T}SetItemField/{T}CalendarItem/{T}StartTimeZone")
    return replace(context, naive=tz_of(read_zone(element))) if element is not None else context


def _only_property(update: Element) -> Element:
    """The one property inside the item of a SetItemField."""
    if len(update) != 2 or len(update[1]) != 1:
        raise EwsError("ErrorIncorrectUpdatePropertyCount", "An update names exactly one property.")
    return update[1][0]


def _change_extended(change: Change, update: Element, path: Element) -> None:
    key = key_of(path)
    if key in (GOID, CLEAN_GOID):
        raise EwsError("ErrorInvalidPropertySet", "The identity of an item can't be changed.")
    if local(update) == "DeleteItemField":
        change.extended[key] = None
        return
    found, kept = read_property(_only_property(update))
    if found != key:
        raise EwsError("ErrorUpdatePropertyMismatch", "The path and the property differ.")
    change.extended[key] = kept


def _field(view: View, uri: str) -> Field:
    row = ALL_BY_URI.get(uri)
    if row is None or row.name not in fields(view.kind) or fields(view.kind)[row.name].uri != uri:
        raise EwsError("ErrorInvalidPropertySet", "Set action is invalid for property.", {"FieldURI": uri})
    if view.instance is not None and row.name in _NAMES_OF_SERIES_ONLY:
        raise _refuse(row)
    return row


def _change_field(change: Change, view: View, update: Element, uri: str, action: str, context: Context) -> None:
    row = _field(view, uri)
    if action == "DeleteItemField":
        if row.computed or row.name in _NEEDED:
            raise EwsError("ErrorInvalidPropertyDelete", "Delete action is invalid for property.", {"FieldURI": uri})
        change.props[row.name] = None
        return
    element = _only_property(update)
    if local(element) != row.name:
        raise EwsError("ErrorUpdatePropertyMismatch", "The path and the property differ.", {"FieldURI": uri})
    if row.ignored:
        return
    if row.computed:
        raise _refuse(row)
    value = row.type.read(element, context)
    if row.name == "UID" and value != view.get("UID"):
        raise _refuse(row)
    if action == "AppendToItemField":
        value = _appended(row, change.props.get(row.name, view.get(row.name)), value)
    change.props[row.name] = None if value == "" else value


def _appended(row: Field, before: Any, value: Any) -> Any:
    if isinstance(row.type, Attendees):
        return [*(before or []), *(value or [])]
    if isinstance(row.type, BodyText):
        return value if before is None else {"type": before["type"], "text": before["text"] + value["text"]}
    raise EwsError("ErrorInvalidPropertyAppend", "Append action is invalid for property.", {"FieldURI": row.uri})


def _change_indexed(change: Change, view: View, update: Element, path: Element, context: Context) -> None:
    """Set or delete one entry of a dictionary: an e-mail slot, a phone, one part of an address."""
    uri, index = path.get("FieldURI", ""), path.get("FieldIndex", "")
    name = INDEXED.get(uri)
    row = fields(view.kind).get(name or "")
    if name is None or row is None or not isinstance(row.type, Slots | Addresses):
        raise EwsError("ErrorInvalidPropertySet", "Set action is invalid for property.", {"FieldURI": uri})
    before: Props = dict(change.props[name] or {}) if name in change.props else dict(view.get(name) or {})
    given: Props = {}
    if local(update) != "DeleteItemField":
        given = row.type.read(_only_property(update), context) or {}
    if isinstance(row.type, Addresses):
        part = uri.rsplit(":", 1)[1]
        parts = {key: text for key, text in before.get(index, {}).items() if key != part}
        if (text := given.get(index, {}).get(part)) is not None:
            parts[part] = text
        value: Any = parts
    else:
        value = given.get(index)
    if value:
        before[index] = value
    else:
        before.pop(index, None)
    change.props[name] = before or None
