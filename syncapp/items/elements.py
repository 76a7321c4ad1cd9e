"""An item as a flat mapping of elements, the unit in which sides are compared and merged.

An element is a path: ``("title",)`` for a scalar, ``("emails", "anna@lab.example")`` for a member of a keyed field,
``("exceptions", "20260105T080000Z")`` for the fact that an occurrence is an exception and
``("exceptions", "20260105T080000Z", "title")`` for what differs in it. A field that holds nothing has no element.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from syncapp.items import FIELDS, Item
from syncapp.items.event import EVENT_FIELDS, Event, Occurrence, normal_moment
from syncapp.items.fields import Field, Shape
from syncapp.items.values import moment_key

Element = tuple[str, ...]
EXCEPTIONS = "exceptions"

AnyItem = TypeVar("AnyItem", bound=Item)

_ELEMENTS = "_elements"
"""Where an item keeps its elements once they are known; no field, so no part of its value."""
_OCCURRENCE_FIELDS = {field.name: field for field in EVENT_FIELDS if field.per_occurrence}


class Part(NamedTuple):
    """What stands at an element: the normal form, which is compared, and the value, which travels.

    The value of ``("exceptions", key)`` is the whole ``Occurrence``.
    """

    normal: str
    value: Any


def elements(item: Item) -> Mapping[Element, Part]:
    """Every element that ``item`` has, with its value. Found once per item: items never change."""
    known: Mapping[Element, Part] | None = vars(item).get(_ELEMENTS)
    if known is None:
        known = vars(item)[_ELEMENTS] = _elements(item)
    return known


def _elements(item: Item) -> dict[Element, Part]:
    found: dict[Element, Part] = {}
    values = vars(item)
    for field in FIELDS[item.kind]:
        value = values[field.name]
        if value is None or value == "" or value == ():
            continue
        if field.key is not None:
            for member in value:
                if (key := field.key(member)) and (normal := field.normal(member)):
                    found[field.name, key] = Part(normal, member)
        elif normal := field.normal(item if field.name == "recurrence" else value):
            found[field.element] = Part(normal, value)
    if isinstance(item, Event):
        for occurrence in item.exceptions:
            found.update(_of_occurrence(occurrence))
    return found


def _of_occurrence(occurrence: Occurrence) -> Iterator[tuple[Element, Part]]:
    key = moment_key(occurrence.original)
    yield (EXCEPTIONS, key), Part("deleted" if occurrence.deleted else "modified", occurrence)
    for name, value in occurrence.values.items():
        # An empty value of an exception is a statement of its own: "this one has no location", unlike the master.
        yield (EXCEPTIONS, key, name), Part("=" + _OCCURRENCE_FIELDS[name].normal(value), value)


def _key(field: Field, member: Any) -> str:
    assert field.key is not None, f"{field.name} is keyed"
    return field.key(member)


def with_elements(item: AnyItem, source: Item, changed: Collection[Element]) -> AnyItem:
    """``item`` with the ``changed`` elements as they are in ``source``: copied where it has them, else removed.

    Members of keyed fields keep the order of ``item``; new ones follow in the order of ``source``.
    """
    values: dict[str, Any] = {}
    touched = {element[0] for element in changed}
    for field in FIELDS[item.kind]:
        if field.name not in touched:
            continue
        if field.shape is Shape.KEYED:
            keys = {element[1] for element in changed if element[0] == field.name}
            values[field.name] = _merged_members(field, getattr(item, field.name), getattr(source, field.name), keys)
        else:
            values[field.name] = getattr(source, field.name)
    if EXCEPTIONS in touched:
        assert isinstance(item, Event)
        assert isinstance(source, Event)
        values[EXCEPTIONS] = _merged_exceptions(item, source, [each for each in changed if each[0] == EXCEPTIONS])
    return replace(item, **values)


def _merged_members(field: Field, mine: Iterable[Any], theirs: Iterable[Any], keys: set[str]) -> tuple[Any, ...]:
    # As in ``elements``: of members with the same key the last one that says anything.
    new = {key: member for member in theirs if (key := _key(field, member)) in keys and field.normal(member)}
    kept: list[Any] = []
    for member in mine:
        key = _key(field, member)
        if key not in keys:
            kept.append(member)
        elif key in new:
            kept.append(new.pop(key))
    return (*kept, *new.values())


def _merged_exceptions(item: Event, source: Event, changed: Iterable[Element]) -> tuple[Occurrence, ...]:
    mine = {moment_key(each.original): each for each in item.exceptions}
    theirs = {moment_key(each.original): each for each in source.exceptions}
    for element in sorted(changed, key=len):
        key = element[1]
        occurrence = theirs.get(key)
        if len(element) == 2:
            if occurrence is None:
                mine.pop(key, None)
            elif occurrence.deleted or key not in mine or mine[key].deleted:
                mine[key] = Occurrence(occurrence.original, occurrence.deleted)
        elif key in mine and not mine[key].deleted:
            values = dict(mine[key].values)
            if occurrence is not None and element[2] in occurrence.values:
                values[element[2]] = occurrence.values[element[2]]
            else:
                values.pop(element[2], None)
            mine[key] = replace(mine[key], values=values)
    return tuple(mine[key] for key in sorted(mine))


def content_key(item: Item) -> tuple[str, ...]:
    """What two objects share if a person would call them the same, for adoption on first contact.

    An event: start, end, recurrence and title. A contact: see ``contact_name`` and ``contact_handles``; its key is
    the name only, and a shared handle must confirm it.
    """
    if isinstance(item, Event):
        parts = elements(item)
        wanted = (("recurrence",), ("title",))
        moments = (normal_moment(item.start).split(" ")[0], normal_moment(item.end).split(" ")[0])
        return moments + tuple(parts[each].normal.casefold() if each in parts else "" for each in wanted)
    return (contact_name(item),)


def contact_name(item: Item) -> str:
    """The name by which a contact is recognised on first contact."""
    assert not isinstance(item, Event)
    given_and_surname = " ".join(filter(None, (item.given_name, item.surname)))
    return " ".join((given_and_surname or item.display_name or item.company).casefold().split())


def contact_handles(item: Item) -> frozenset[str]:
    """Normal forms of the mail addresses and phone numbers of a contact: one shared confirms that it is the same."""
    found = elements(item)
    return frozenset(part.normal for path, part in found.items() if path[0] in ("emails", "phones"))
