"""Response messages, one per thing that a request asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from lxml import etree

from lab.exchange.call import Call
from lab.exchange.soap import Element, EwsError, M, SoapFault, message, response

Thing = TypeVar("Thing")

_ITEMS = (("Items", None),)
_ATTACHMENTS = (("Attachments", None),)
# What a response message carries even beside an error: messages.xsd wants it, or Exchange sends it and clients read it.
_CONTAINERS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "CreateItem": _ITEMS,
    "GetItem": _ITEMS,
    "UpdateItem": _ITEMS,
    "MoveItem": _ITEMS,
    "CopyItem": _ITEMS,
    "CreateAttachment": _ATTACHMENTS,
    "GetAttachment": _ATTACHMENTS,
    "GetServerTimeZones": (("TimeZoneDefinitions", None),),
    "SyncFolderItems": (("SyncState", ""), ("IncludesLastItemInRange", "true")),
    "SyncFolderHierarchy": (("SyncState", ""), ("IncludesLastFolderInRange", "true")),
}


def failure(operation: str, error: EwsError) -> Element:
    """The response message of something that went wrong."""
    element = message(operation, error)
    for name, text in _CONTAINERS.get(operation, ()):
        etree.SubElement(element, f"{M}{name}").text = text
    return element


def each(call: Call, things: Iterable[Thing], do: Callable[[Thing], Iterable[Element]]) -> Element:
    """Do something for each thing of a request; one's failure is its own (MS-OXWSCDATA 2.2.4.4).

    ``do`` returns what the response message carries; every thing is one atomic change.
    """
    messages = []
    for thing in things:
        try:
            with call.store.writing():
                content = list(do(thing))
        except SoapFault:
            raise
        except EwsError as error:
            messages.append(failure(call.operation, error))
            continue
        element = message(call.operation)
        element.extend(content)
        messages.append(element)
    if not messages:
        raise SoapFault("ErrorSchemaValidation", "The request failed schema validation: it asks for nothing.")
    return response(call.operation, messages)


def wrapped(name: str, *content: Element) -> Element:
    """A container element of a response message."""
    element = etree.Element(f"{M}{name}")
    element.extend(content)
    return element
