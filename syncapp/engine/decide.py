"""What shall become of an item that both sides hold: the three-way merge. Pure: no I/O, no Django.

The unit of everything is the element (``syncapp.items.elements``). An element has changed on a side when its hash
differs from that side's own base; servers rewrite what they are given, and comparing each side with itself is what
stops ping-pong. Without a base everything that is there counts as new, which makes first contact a case like any
other: what is on one side only goes to the other, and what is on both and differs is a conflict.

What is decided for one target is projected onto it before it is compared: what a side can't hold is never a write.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from syncapp.items import FIELDS, Item, Kind
from syncapp.items.elements import EXCEPTIONS, Element, Part, elements, with_elements
from syncapp.items.fields import Field, Shape
from syncapp.items.fingerprint import Fingerprinter, Hashes
from syncapp.side import SideName

Delta = Mapping[bytes, bytes | None]
"""How a base moves: hash of an element's path → its new hash, None where the element is gone."""

Project = Callable[[Item], Item]
"""``Side.project``."""

_TIME = "time"


def moved(base: Hashes, delta: Delta) -> dict[bytes, bytes]:
    """``base`` after ``delta``."""
    result = dict(base)
    for path, value in delta.items():
        if value is None:
            result.pop(path, None)
        else:
            result[path] = value
    return result


@dataclass(frozen=True)
class View:
    """One side of an item: what stands there now, what stood there when both agreed, and what the side can hold."""

    item: Item
    base: Hashes
    project: Project

    @cached_property
    def parts(self) -> Mapping[Element, Part]:
        """The elements that are there now."""
        return elements(self.item)

    def normal(self, element: Element) -> str | None:
        """The normal form that stands at an element, None if nothing does."""
        part = self.parts.get(element)
        return None if part is None else part.normal


@dataclass(frozen=True)
class Write:
    """What one side is to be told: the item as it shall be, and the elements in which that differs from what is there.

    Once the side has done it, the bases move by ``target`` and ``source``. ``before`` is what stood at those elements:
    whoever finds that afterwards knows that the element was not written.
    """

    item: Item
    changed: frozenset[Element]
    target: Delta
    source: Delta
    before: Delta


@dataclass(frozen=True)
class Decision:
    """What to do: the bases that hold at once, a write for a side that needs one, and what was in conflict.

    ``conflicts`` are the elements that both sides had changed to different things, with the side whose value stands:
    that is ``winner``, but where it had nothing and the other side had something at first contact. ``first_contact``
    says that nothing was known to agree before.
    """

    bases: Mapping[SideName, Hashes]
    writes: Mapping[SideName, Write] = field(default_factory=dict)
    conflicts: Mapping[Element, SideName] = field(default_factory=dict)
    winner: SideName | None = None
    first_contact: bool = False

    def lost_on(self, name: SideName) -> dict[Element, SideName]:
        """The conflicts that the write to one side settles there, against what stood there."""
        changed = self.writes[name].changed if name in self.writes else frozenset()
        return {each: stands for each, stands in self.conflicts.items() if each in changed and stands is not name}


def decide(
    views: Mapping[SideName, View],
    prints: Fingerprinter,
    *,
    winner: SideName,
    source: SideName | None = None,
) -> Decision:
    """Merge both sides of an item.

    ``winner`` is the side whose value stands where both changed the same to different things. ``source`` is set for a
    pairing that goes one way: the other side's edits are left alone until the same element changes on the source
    (rule 24).
    """
    merge = _Merge(views, prints, winner, source)
    if not merge.touched:
        # Elements that are gone from both sides leave the bases.
        return Decision({name: merge.current_hashes(name) for name in SideName})
    return merge.decision()


class _Merge:
    """The work of ``decide``, in the order of its methods."""

    def __init__(
        self, views: Mapping[SideName, View], prints: Fingerprinter, winner: SideName, source: SideName | None
    ) -> None:
        self.views = views
        self.prints = prints
        self.source = source
        self.winner = source or winner
        kind: Kind = views[SideName.EXCHANGE].item.kind
        self.fields: Mapping[str, Field] = {each.name: each for each in FIELDS[kind]}
        self.union = tuple(dict.fromkeys((*views[SideName.EXCHANGE].parts, *views[SideName.NEXTCLOUD].parts)))
        self.paths = {each: prints.path(each) for each in self.union}
        self.current = {name: self._hashes(view) for name, view in views.items()}
        self.changed = {
            name: frozenset(
                each for each in self.union if self.current[name].get(each) != view.base.get(self.paths[each])
            )
            for name, view in views.items()
        }
        self.touched = self.changed[SideName.EXCHANGE] | self.changed[SideName.NEXTCLOUD]
        self.conflicts: dict[Element, SideName] = {}
        self.first_contact = not any(view.base for view in views.values())

    def _hashes(self, view: View) -> dict[Element, bytes]:
        return {each: self.prints.value(each, part.normal) for each, part in view.parts.items()}

    def current_hashes(self, name: SideName) -> dict[bytes, bytes]:
        """What stands on a side now, as a base."""
        return {self.paths[each]: value for each, value in self.current[name].items()}

    def decision(self) -> Decision:
        """Who wins each element, what that means for each side, and which bases hold at once."""
        outcome = self._outcome()
        writes = {
            target: write
            for target in SideName
            if target is not self.source and (write := self._write(target, outcome)) is not None
        }
        pending = {path for write in writes.values() for path in write.target}
        return Decision(
            {name: self._base(name, pending) for name in SideName},
            writes,
            self.conflicts,
            self.winner,
            self.first_contact,
        )

    # Who wins --------------------------------------------------------------------------------------------------------

    def _outcome(self) -> dict[Element, SideName]:
        """For each element that was changed and on which the sides differ: whose value shall stand."""
        outcome: dict[Element, SideName] = {}
        for unit in self._units():
            by_side = {name: [each for each in unit if each in self.changed[name]] for name in SideName}
            if all(by_side.values()):
                stands = dict.fromkeys(unit, self._winner_of(unit))
                self.conflicts.update(stands)
                outcome.update(stands)
            else:
                for name, changed in by_side.items():
                    outcome.update(dict.fromkeys(changed, name))
        return outcome

    def _winner_of(self, unit: Iterable[Element]) -> SideName:
        if self.source is None and self.first_contact:
            # Without a base an empty value never wins over a filled one.
            filled = {name: sum(each in view.parts for each in unit) for name, view in self.views.items()}
            if filled[self.winner] < filled[self.winner.other]:
                return self.winner.other
        return self.winner

    def _units(self) -> Iterable[list[Element]]:
        """The elements on which the sides differ, in the portions that are decided together."""
        open_elements = [each for each in self.union if not self._agreed(each)]
        whole_exceptions = {each[1] for each in open_elements if each[0] == EXCEPTIONS and len(each) == 2}
        units: dict[object, list[Element]] = defaultdict(list)
        for each in open_elements:
            units[self._unit_of(each, whole_exceptions)].append(each)
        return [unit for unit in units.values() if any(each in self.touched for each in unit)]

    def _unit_of(self, element: Element, whole_exceptions: set[str]) -> object:
        if element[0] != EXCEPTIONS:
            group = self.fields[element[0]].group
            return (_TIME, group) if group else element
        if element[1] in whole_exceptions:
            # Deleted here, edited there: the occurrence as a whole goes one way.
            return element[:2]
        group = self.fields[element[2]].group
        return (*element[:2], _TIME, group) if group else element

    def _agreed(self, element: Element) -> bool:
        """Whether the sides say the same: equal, or one holds just what it can hold of the other (rule 16)."""
        exchange, nextcloud = (self.views[name].normal(element) for name in SideName)
        if exchange == nextcloud:
            return True
        if element not in self.touched and element[0] != EXCEPTIONS:
            return True
        if self._alike(element):
            return True
        return any(self._holds_what_it_can(name, element) for name in SideName)

    def _alike(self, element: Element) -> bool:
        """Whether both sides have values that are the same to a person, as a picture and its recompressed copy."""
        alike = self.fields[element[0]].alike if len(element) == 1 else None
        values = [view.parts[element].value for view in self.views.values() if element in view.parts]
        return alike is not None and len(values) == 2 and alike(*values)

    def _holds_what_it_can(self, name: SideName, element: Element) -> bool:
        here, image = self.views[name], self._images[name]
        if self._keyed(element):
            if element in here.parts:
                return element in image and image[element].normal == here.normal(element)
            # Slots: the side lacks this member because it holds others of the same field, all that it has room for.
            members = [each for each in image if each[0] == element[0]]
            return element not in self.changed[name] and all(
                image[each].normal == here.normal(each) for each in members
            )
        return (image[element].normal if element in image else None) == here.normal(element)

    @cached_property
    def _images(self) -> Mapping[SideName, Mapping[Element, Part]]:
        """By side: what it would hold of the other side's item."""
        return {name: elements(view.project(self.views[name.other].item)) for name, view in self.views.items()}

    def _keyed(self, element: Element) -> bool:
        return element[0] != EXCEPTIONS and self.fields[element[0]].shape is Shape.KEYED

    # What that means for one side ------------------------------------------------------------------------------------

    def _write(self, target: SideName, outcome: Mapping[Element, SideName]) -> Write | None:
        here, there = self.views[target], self.views[target.other]
        barred = {name for name, each in self.fields.items() if each.read_only and target is SideName.EXCHANGE}
        wanted = {each for each, name in outcome.items() if name is target.other and each[0] not in barred}
        slots = {each[0] for each in self.touched if self._keyed(each) and each[0] not in barred}
        offered = {each for each in self.union if each[0] in slots and self._offered(each, target)}
        if not wanted and not offered:
            return None
        merged = with_elements(here.item, there.item, wanted | offered)
        held = here.project(merged)
        projected = elements(held)
        scope = wanted | offered | {each for each in projected if each[0] in slots}
        changed = frozenset(each for each in scope if self._differs(each, projected, here, wanted))
        if not changed:
            return None
        item = with_elements(here.item, held, changed)
        paths = {each: self.paths.get(each) or self.prints.path(each) for each in changed}
        return Write(
            item,
            changed,
            {paths[each]: self._hash(each, projected) for each in changed},
            {paths[each]: self.current[target.other].get(each) for each in changed},
            {paths[each]: self.current[target].get(each) for each in changed},
        )

    def _offered(self, element: Element, target: SideName) -> bool:
        """Whether a freed slot of the target may take this member, for which it had no room so far."""
        here, there = self.views[target], self.views[target.other]
        if element in self.touched or element in here.parts or element not in there.parts:
            return False
        # What is here in another form already (a label that this side does not know) is not offered again.
        return element not in self._images[target.other]

    def _differs(
        self, element: Element, projected: Mapping[Element, Part], here: View, wanted: Iterable[Element]
    ) -> bool:
        if element not in projected:
            return element in wanted and element in here.parts
        return projected[element].normal != here.normal(element)

    def _hash(self, element: Element, parts: Mapping[Element, Part]) -> bytes | None:
        return self.prints.value(element, parts[element].normal) if element in parts else None

    # The bases -------------------------------------------------------------------------------------------------------

    def _base(self, name: SideName, pending: set[bytes]) -> dict[bytes, bytes]:
        """What stands now, except where a write is pending or a one-way pairing looks away."""
        base = self.current_hashes(name)
        old = self.views[name].base
        kept = set(pending)
        if self.source is not None and name is not self.source:
            ignored = self.changed[name] - self.changed[self.source]
            kept |= {self.paths[each] for each in ignored if not self._agreed(each)}
        return moved(base, {path: old.get(path) for path in kept})
