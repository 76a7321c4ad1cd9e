"""Elements as a server would hand them back: what a request sets, kept literally."""

from __future__ import annotations

import base64
from copy import deepcopy
from itertools import count

from syncapp.exchange.ews.event_writing import new_event, occurrence_changes
from syncapp.exchange.ews.events import day_zone_of
from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.native import Native
from syncapp.exchange.ews.occurrences import steps_between
from syncapp.exchange.ews.times import format_instant, instant_of
from syncapp.exchange.ews.xml import MESSAGES, TYPES, Element, Properties, child, local, parse
from syncapp.items.event import Event

_ids = count(1)


def element(markup: Markup) -> Element:
    """What a server reads from a request."""
    return parse(f'<request xmlns:t="{TYPES}" xmlns:m="{MESSAGES}">{markup}</request>'.encode())[0]


def stored(item: Markup) -> Element:
    """An item that was created, with its ids."""
    found = element(item)
    found.insert(0, element(t("ItemId", Id=f"id-{next(_ids)}", ChangeKey="ck")))
    found.insert(1, element(t("ParentFolderId", Id="folder")))
    return found


def apply(item: Element, changes: list[Markup]) -> Element:
    """``item`` after the SetItemField and DeleteItemField elements of an UpdateItem."""
    found = deepcopy(item)
    for change in map(element, changes):
        path = change[0]
        if local(path) == "FieldURI":
            name = path.get("FieldURI", "").split(":")[1]
            for old in found.findall(f"{{{TYPES}}}{name}"):
                found.remove(old)
        elif local(path) == "IndexedFieldURI":
            _clear_slot(found, path.get("FieldURI", "").split(":"), path.get("FieldIndex", ""))
        else:
            _clear_extended(found, path)
        if local(change) == "SetItemField":
            for value in change[1]:
                _put(found, value)
    return found


def _clear_slot(item: Element, names: list[str], key: str) -> None:
    container = {
        "EmailAddress": "EmailAddresses",
        "PhoneNumber": "PhoneNumbers",
        "ImAddress": "ImAddresses",
        "PhysicalAddress": "PhysicalAddresses",
    }
    for entry in item.findall(f"{{{TYPES}}}{container[names[1]]}/{{{TYPES}}}Entry[@Key='{key}']"):
        if len(names) == 2:
            entry.getparent().remove(entry)  # type: ignore[union-attr]
        elif (part := child(entry, names[2])) is not None:
            entry.remove(part)


def _clear_extended(item: Element, path: Element) -> None:
    for old in item.findall(f"{{{TYPES}}}ExtendedProperty"):
        if dict(old[0].items()) == dict(path.items()):
            item.remove(old)


def _put(item: Element, value: Element) -> None:
    held = child(item, local(value))
    if held is None or local(value) not in ("EmailAddresses", "PhoneNumbers", "ImAddresses", "PhysicalAddresses"):
        item.append(deepcopy(value))
        return
    for entry in value:
        old = next((each for each in held if each.get("Key") == entry.get("Key")), None)
        if old is None:
            held.append(deepcopy(entry))
        else:
            for part in entry:
                old.append(deepcopy(part))


def series_of(event: Event, home: str) -> Native:
    """What a server holds after ``event`` was created and its exceptions were written, as ``project_event`` made it."""
    item = stored(new_event(event, "uid", "own.1", home))
    modified, deleted = element(t("ModifiedOccurrences")), element(t("DeletedOccurrences"))
    occurrences = []
    for step in steps_between(None, event):
        begin = instant_of(step.original, day_zone_of(Properties(item), home))
        if step.deleted:
            deleted.append(element(t("DeletedOccurrence", t("Start", format_instant(begin)))))
            continue
        changes = occurrence_changes(step.values, step.original, event, step.names, day_zone_of(Properties(item), home))
        occurrences.append(apply(plain_occurrence(event, item, step.original, home), changes))
        reference = t("ItemId", Id=occurrences[-1][0].get("Id", ""), ChangeKey="ck")
        times = (t(each, format_instant(begin)) for each in ("Start", "End", "OriginalStart"))
        modified.append(element(t("Occurrence", reference, *times)))
    for each in (modified, deleted):
        if len(each):
            item.append(each)
    return Native(item, tuple(occurrences))


def plain_occurrence(event: Event, item: Element, original: object, home: str) -> Element:
    """The occurrence that begins at ``original`` before anybody changed it."""
    from syncapp.exchange.ews.event_projection import inherited_values

    zone = day_zone_of(Properties(item), home)
    found = deepcopy(item)
    for name in ("ItemId", "Recurrence", "UID"):
        for old in found.findall(f"{{{TYPES}}}{name}"):
            found.remove(old)
    values = inherited_values(original, event)  # type: ignore[arg-type]
    for name, moment in (("Start", values["start"]), ("End", values["end"])):
        child(found, name).text = format_instant(instant_of(moment, zone))  # type: ignore[union-attr]
    found.insert(0, element(t("ItemId", Id=f"id-{next(_ids)}", ChangeKey="ck")))
    found.append(element(t("OriginalStart", format_instant(instant_of(values["start"], zone)))))
    return found


def with_photo(item: Element, data: bytes) -> Native:
    """A contact with a picture."""
    content = t("FileAttachment", t("AttachmentId", Id="a"), t("Content", base64.b64encode(data).decode()))
    return Native(item, photos=(element(content),))
