"""Answering with items: which properties a request wants to see, and their elements in schema order."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from lab.exchange import properties
from lab.exchange.computed import COMPUTED_EXTENDED, computed, item_id
from lab.exchange.extended import key_of, write_property
from lab.exchange.properties import ALL_BY_URI, KINDS, Field
from lab.exchange.soap import Element, EwsError, T, local
from lab.exchange.values import ADDRESS_PARTS, Addresses, Context, Slots
from lab.exchange.view import View

INDEXED = {
    "contacts:EmailAddress": "EmailAddresses",
    "contacts:PhoneNumber": "PhoneNumbers",
    "contacts:ImAddress": "ImAddresses",
    **{f"contacts:PhysicalAddress:{part}": "PhysicalAddresses" for part in ADDRESS_PARTS},
}

# Where Microsoft's schema puts ExtendedProperty.
_BEFORE_EXTENDED = "item:HasAttachments"


@dataclass
class Shape:
    """An ItemShape (MS-OXWSCDATA 2.2.4.43)."""

    base: str = "IdOnly"
    uris: set[str] = field(default_factory=set)
    indexed: set[tuple[str, str]] = field(default_factory=set)
    extended: list[tuple[str, Element]] = field(default_factory=list)
    body_type: str = "Best"
    filter_html: bool = False
    mime: bool = False

    _rows: dict[str, list[tuple[Field, bool]]] = field(default_factory=dict)

    def rows(self, kind: str) -> list[tuple[Field, bool]]:
        """The properties of a kind of item that an answer has to do with, and whether each is wanted as a whole."""
        if kind not in self._rows:
            considered = ((row, self._wants(row)) for row in properties.fields(kind).values())
            self._rows[kind] = [
                (row, wanted)
                for row, wanted in considered
                if wanted or self.indexed or (self.extended and row.uri == _BEFORE_EXTENDED)
            ]
        return self._rows[kind]

    def _wants(self, row: Field) -> bool:
        if row.uri == "item:ItemId":
            return False
        if row.uri in self.uris:
            return True
        return (self.base == "AllProperties" and row.shapes in ("A", "D")) or (
            self.base == "Default" and row.shapes == "D"
        )


def read_shape(element: Element | None) -> Shape:
    """The ItemShape of a request; raises EwsError for paths that mean nothing."""
    shape = Shape()
    if element is None:
        return shape
    shape.base = element.findtext(f"{T}BaseShape") or "IdOnly"
    shape.body_type = element.findtext(f"{T}BodyType") or "Best"
    shape.filter_html = element.findtext(f"{T}FilterHtmlContent") in ("true", "1")
    shape.mime = element.findtext(f"{T}IncludeMimeContent") in ("true", "1")
    for path in element.iterfind(f"{T}AdditionalProperties/*"):
        match local(path):
            case "FieldURI":
                shape.uris.add(path.get("FieldURI", ""))
            case "IndexedFieldURI":
                shape.indexed.add((path.get("FieldURI", ""), path.get("FieldIndex", "")))
            case "ExtendedFieldURI":
                shape.extended.append((key_of(path), path))
    return shape


def refuse_complex(shape: Shape) -> None:
    """FindItem can't show everything that GetItem can; naming such a property is an error."""
    for uri in shape.uris:
        row = ALL_BY_URI.get(uri)
        if row is not None and row.complex and uri not in ("calendar:Organizer", "item:Attachments"):
            raise EwsError(
                "ErrorInvalidPropertyRequest", "Property is not valid for this operation.", {"FieldURI": uri}
            )


def item_element(view: View, shape: Shape, context: Context, finding: bool = False) -> Element:
    """An item under a shape; ``finding`` leaves out what only GetItem gives."""
    element = etree.Element(f"{T}{KINDS[view.kind][0]}")
    element.append(item_id(view.ident, view.change_key))
    context = Context(context.zone, context.naive, shape.body_type, shape.filter_html)
    for row, wanted in shape.rows(view.kind):
        if wanted:
            if finding and row.uri == "calendar:Organizer":
                nameless = {"name": view.organizer["name"], "address": ""}
                element.append(row.type.write(f"{T}Organizer", nameless, context))
            elif not (finding and row.complex):
                _append(element, row, view, context)
        elif shape.indexed:
            _append_indexed(element, row, view, shape, context)
        if row.uri == _BEFORE_EXTENDED and shape.extended:
            _append_extended(element, view, shape)
    return element


def _append(element: Element, row: Field, view: View, context: Context) -> None:
    value = computed(row.uri, view) if row.computed else view.props.get(row.name)
    if value is None and row.uri == "item:ItemClass":
        value = KINDS[view.kind][1]
    if value is not None:
        element.append(row.type.write(f"{T}{row.name}", value, context))


def _append_indexed(element: Element, row: Field, view: View, shape: Shape, context: Context) -> None:
    kept = view.props.get(row.name)
    if kept is None or not isinstance(row.type, Slots | Addresses):
        return
    wanted: dict[str, object] = {}
    for uri, index in shape.indexed:
        if INDEXED.get(uri) != row.name or index not in kept:
            continue
        if isinstance(row.type, Slots):
            wanted[index] = kept[index]
        else:
            part = uri.rsplit(":", 1)[1]
            if part in kept[index]:
                entry = wanted.setdefault(index, {})
                assert isinstance(entry, dict)
                entry[part] = kept[index][part]
    if wanted:
        element.append(row.type.write(f"{T}{row.name}", wanted, context))


def _append_extended(element: Element, view: View, shape: Shape) -> None:
    seen = set()
    for key, uri in shape.extended:
        kept = extended_value(view, key)
        if kept is not None and kept["type"] == uri.get("PropertyType") and key not in seen:
            seen.add(key)
            element.append(write_property(uri, kept))


def extended_value(view: View, key: str) -> dict[str, str] | None:
    """An extended property of an item, stored or made by the server."""
    make = COMPUTED_EXTENDED.get(key)
    made = make(view) if make else None
    if made is not None:
        return made
    kept: dict[str, str] | None = view.extended.get(key)
    return kept
