"""Restrictions and sort orders of FindItem, compiled to functions over views (MS-OXWSSRCH 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab.exchange import properties
from lab.exchange.computed import computed
from lab.exchange.extended import canonical, key_of
from lab.exchange.properties import KINDS
from lab.exchange.shapes import INDEXED, extended_value
from lab.exchange.soap import Element, EwsError, T, local
from lab.exchange.values import Flag, Moment, Number, Whole
from lab.exchange.view import View

Predicate = Callable[[View], bool]
Getter = Callable[[View], Any]

_PATHS = ("FieldURI", "IndexedFieldURI", "ExtendedFieldURI")
# The UID lies inside the GlobalObjectId, organizer and attendees are no single columns: Exchange can't search them.
_UNSEARCHABLE = frozenset({"calendar:UID", "calendar:Organizer", "item:Attachments", "calendar:Recurrence"})


def _invalid(text: str) -> EwsError:
    return EwsError("ErrorInvalidRestriction", text)


def compile_restriction(element: Element | None) -> Predicate | None:
    """The predicate of a Restriction; raises EwsError for what can't be searched."""
    if element is None or len(element) == 0:
        return None
    return _compile(element[0])


def _compile(element: Element) -> Predicate:
    name = local(element)
    if name == "And":
        parts = [_compile(child) for child in element]
        return lambda view: all(part(view) for part in parts)
    if name == "Or":
        return _either(element)
    if name == "Not":
        inner = _compile(element[0])
        return lambda view: not inner(view)
    if name == "Exists":
        getter, _ = compile_path(element)
        return lambda view: getter(view) is not None
    if name == "Contains":
        return _contains(element)
    if name == "Excludes":
        return _excludes(element)
    if name in _COMPARISONS:
        return _comparison(element, _COMPARISONS[name])
    raise _invalid(f"{name} is not supported.")


def _either(element: Element) -> Predicate:
    """An Or; many equalities on one path become one look into a set."""
    parts: list[Predicate] = []
    sets: dict[tuple[tuple[str, str], ...], tuple[Getter, set[Any]]] = {}
    for child in element:
        constant = child.find(f"{T}FieldURIOrConstant/{T}Constant")
        if local(child) != "IsEqualTo" or constant is None:
            parts.append(_compile(child))
            continue
        path = _path(child)
        getter, convert = compile_path(child)
        key = (("", local(path)), *sorted((str(name), str(value)) for name, value in path.attrib.items()))
        sets.setdefault(key, (getter, set()))[1].add(convert(constant.get("Value", "")))
    for getter, wanted in sets.values():
        parts.append(_membership(getter, wanted))
    return lambda view: any(part(view) for part in parts)


def _membership(getter: Getter, wanted: set[Any]) -> Predicate:
    def check(view: View) -> bool:
        value = getter(view)
        return any(each in wanted for each in value) if isinstance(value, list) else value in wanted

    return check


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": lambda left, right: bool(left == right),
    "IsNotEqualTo": lambda left, right: bool(left != right),
    "IsGreaterThan": lambda left, right: bool(left > right),
    "IsGreaterThanOrEqualTo": lambda left, right: bool(left >= right),
    "IsLessThan": lambda left, right: bool(left < right),
    "IsLessThanOrEqualTo": lambda left, right: bool(left <= right),
}


def _comparison(element: Element, compare: Callable[[Any, Any], bool]) -> Predicate:
    getter, convert = compile_path(element)
    other = element.find(f"{T}FieldURIOrConstant")
    if other is None or len(other) == 0:
        raise _invalid("A comparison needs a second operand.")
    if local(other[0]) != "Constant":
        second, _ = compile_path(other)
        return lambda view: (
            getter(view) is not None and second(view) is not None and compare(getter(view), second(view))
        )
    constant = convert(other[0].get("Value", ""))
    missing_matches = local(element) == "IsNotEqualTo"

    def check(view: View) -> bool:
        value = getter(view)
        if value is None:
            return missing_matches
        if isinstance(value, list):
            return any(compare(each, constant) for each in value)
        return compare(value, constant)

    return check


def _contains(element: Element) -> Predicate:
    getter, _ = compile_path(element)
    constant = element.find(f"{T}Constant")
    wanted = constant.get("Value", "") if constant is not None else ""
    exact = element.get("ContainmentComparison", "Exact") == "Exact"
    mode = element.get("ContainmentMode", "FullString")
    fold: Callable[[str], str] = (lambda text: text) if exact else str.casefold
    needle = fold(wanted)

    def matches(text: str) -> bool:
        hay = fold(text)
        if mode == "FullString":
            return hay == needle
        if mode == "Prefixed":
            return hay.startswith(needle)
        if mode in ("PrefixOnWords", "ExactPhrase"):
            return needle in hay.split() or any(word.startswith(needle) for word in hay.split()) or needle in hay
        return needle in hay

    def check(view: View) -> bool:
        value = getter(view)
        texts = value if isinstance(value, list) else [value]
        return any(isinstance(text, str) and matches(text) for text in texts)

    return check


def _excludes(element: Element) -> Predicate:
    getter, _ = compile_path(element)
    mask_element = element.find(f"{T}Bitmask")
    text = mask_element.get("Value", "0") if mask_element is not None else "0"
    mask = int(text, 16 if text.lower().startswith("0x") else 10)
    return lambda view: int(getter(view) or 0) & mask == 0


def _path(element: Element) -> Element:
    for child in element:
        if local(child) in _PATHS:
            return child
    raise _invalid("The restriction names no property.")


def compile_path(element: Element) -> tuple[Getter, Callable[[str], Any]]:
    """How to read the property that an element names, and how to read a constant to compare it with."""
    path = _path(element)
    if local(path) == "ExtendedFieldURI":
        return _extended_path(path)
    uri = path.get("FieldURI", "")
    if local(path) == "IndexedFieldURI":
        return _indexed_path(uri, path.get("FieldIndex", ""))
    row = properties.ALL_BY_URI.get(uri)
    if row is None or uri in _UNSEARCHABLE:
        raise EwsError("ErrorUnsupportedPathForQuery", "The property can not be used with this type of restriction.")
    return _getter(uri), _converter(row)


def _extended_path(path: Element) -> tuple[Getter, Callable[[str], Any]]:
    key, kind = key_of(path), path.get("PropertyType", "").removesuffix("Array")
    numeric = kind in ("Integer", "Long", "Short", "Double", "Float")

    def shown(text: str) -> Any:
        return float(text) if numeric else text

    def get(view: View) -> Any:
        kept = extended_value(view, key)
        if kept is None:
            return None
        value: Any = kept["value"]
        return [shown(each) for each in value] if isinstance(value, list) else shown(value)

    return get, lambda text: shown(canonical(kind, text))


def _indexed_path(uri: str, index: str) -> tuple[Getter, Callable[[str], Any]]:
    name = INDEXED.get(uri)
    if name is None:
        raise _invalid(f"{uri} is not supported.")

    def get(view: View) -> Any:
        value = view.props.get(name, {}).get(index)
        return value.get(uri.rsplit(":", 1)[1]) if isinstance(value, dict) else value

    return get, lambda text: text


def _getter(uri: str) -> Getter:
    row = properties.ALL_BY_URI[uri]
    if uri == "item:ItemId":
        return lambda view: view.ident
    if uri == "item:ItemClass":
        return lambda view: view.props.get("ItemClass", KINDS[view.kind][1])
    if uri in ("item:Body", "item:TextBody"):
        return lambda view: view.props.get("Body", {}).get("text")

    def get(view: View) -> Any:
        if uri not in properties.fields_by_uri(view.kind):
            return None
        value = computed(uri, view) if row.computed else view.props.get(row.name)
        if value is None:
            return None
        if isinstance(row.type, Moment):
            return datetime.fromisoformat(value)
        if isinstance(value, dict):
            return [each for each in value.values() if isinstance(each, str)]
        if isinstance(value, list):
            return [each.get("address") if isinstance(each, dict) else each for each in value]
        return value

    return get


def _converter(row: properties.Field) -> Callable[[str], Any]:
    if isinstance(row.type, Moment):
        return _moment
    if isinstance(row.type, Flag):
        return lambda text: text.lower() in ("true", "1")
    if isinstance(row.type, Whole | Number):
        return float
    return lambda text: text


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise EwsError("ErrorInvalidValueForProperty", f"{text!r} is no date and time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def sort(views: list[View], order: Element | None) -> list[View]:
    """The views in a SortOrder's order; items without the property come first, as in Exchange."""
    if order is None:
        return views
    for field_order in reversed(list(order)):
        getter, _ = compile_path(field_order)

        def key(view: View, getter: Getter = getter) -> tuple[bool, Any]:
            value = getter(view)
            if isinstance(value, str):
                value = value.casefold()
            return (value is not None, value if value is not None else 0)

        views = sorted(views, key=key, reverse=field_order.get("Order") == "Descending")
    return views
