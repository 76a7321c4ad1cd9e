"""What a round trip found, counted, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.roundtrip.crossing import Crossing
from lab.roundtrip.kinds import MASTER, Reading

_TOLD_BY_MOMENTS = ("start", "end", "clock")
"""What a series does not say as a field: the moments at which it happens are compared instead."""

Same = Callable[[str, str, str], bool]
"""Whether two values of a field are the same: ``kinds.Judge.same``."""

Difference = tuple[str, str, str, str]
"""Part, field, before, after."""


def differences(before: Reading, after: Reading, same: Same) -> Iterator[tuple[str, str, str, str, bool]]:
    """Every field that ``before`` or ``after`` has, with both values, and whether they are the same.

    Of an exception that ``after`` has none of, times are not compared here: the moments of the series show them.
    """
    for part, name, value in before.values():
        if part != MASTER and part not in after.parts and name in (*_TOLD_BY_MOMENTS, "deleted"):
            continue
        other = after.value(part, name)
        if not other and part == MASTER and name in _TOLD_BY_MOMENTS:
            continue
        yield part, name, value, other, same(name, value, other)
    for part, name, value in after.values():
        if part in before.parts and name not in before.parts[part] and name not in _TOLD_BY_MOMENTS:
            yield part, name, "", value, False


@dataclass
class Way:
    """How the fields of items fared on one way: by name how many were present, kept and changed."""

    fields: Mapping[str, str]
    same: Same
    present: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def add(self, before: Reading, after: Reading) -> list[Difference]:
        """Count an item; what changed in it among the fields that Exchange can represent."""
        changed = []
        for part, name, value, other, same in differences(before, after, self.same):
            self.present[name] += 1
            self.kept[name] += same
            if not same and (name in self.fields or not self.fields):
                changed.append((part, name, value, other))
        return changed

    def share(self, *, only_representable: bool) -> float:
        """Percent of fields that were kept."""
        names = [each for each in self.present if not only_representable or each in self.fields]
        return percent(sum(self.kept[each] for each in names), sum(self.present[each] for each in names))


def percent(part: int, whole: int) -> float:
    """To two digits, rounded down, so that 100 means all; all of nothing is 100."""
    return int(10_000 * part / whole) / 100 if whole else 100.0


class Report:
    """The counts of one run."""

    def __init__(self, kind: str, fields: Mapping[str, str], same: Same) -> None:
        self.kind = kind
        self.files = 0
        self.items = 0
        self.reasons: dict[str, Counter[str]] = {name: Counter() for name in ("unreadable", "refused", "crashed")}
        self.out_and_back = Way(fields, same)
        self.reverse = Way({}, same)
        self._fields = fields
        self._crossed = self._equal = self._stable = self._edited = self._untouched = 0
        self.failing: list[str] = []
        """One line for each thing that is not as it should be."""

    def add_file(self) -> None:
        """A file was looked at."""
        self.files += 1

    def add(self, one: Crossing) -> None:
        """Count an item that has been put through."""
        self.items += 1
        where = f"{one.file} #{one.number}"
        if one.verdict:
            self.reasons[one.verdict][one.reason] += 1
            self.failing.append(f"{where}: {one.verdict}: {one.reason}")
            if one.trace:
                self.failing.append(one.trace)
            return
        assert one.before is not None
        assert one.after is not None
        assert one.exchange is not None
        assert one.exchange_again is not None
        self._crossed += 1
        changed = self.out_and_back.add(one.before, one.after)
        self.failing += [f"{where}: {_words(each)}" for each in changed]
        again = self.reverse.add(one.exchange, one.exchange_again)
        self.failing += [f"{where}: Exchange again: {_words(each)}" for each in again]
        self._equal += one.moments_equal
        if not one.moments_equal:
            self.failing.append(f"{where}: occurrences: {one.moments_differ}")
        if one.lost is not None:
            self._edited += 1
            self._untouched += not one.lost
            self.failing += [f"{where}: an edit of something else took away {each[:300]!r}" for each in one.lost]
        self._stable += not one.unstable
        if one.unstable:
            self.failing.append(f"{where}: a second look writes {', '.join(one.unstable)}")

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        way = self.out_and_back
        return {
            "kind": self.kind,
            "files": self.files,
            "items": self.items,
            **{verdict: sum(reasons.values()) for verdict, reasons in self.reasons.items()},
            "retention": way.share(only_representable=True),
            "retention_all": way.share(only_representable=False),
            "occurrences_equal": percent(self._equal, self._crossed),
            "stable": percent(self._stable, self._crossed),
            **({"untouched": percent(self._untouched, self._edited)} if self._edited else {}),
            "reverse_retention": self.reverse.share(only_representable=False),
            "reasons": {verdict: dict(reasons.most_common()) for verdict, reasons in self.reasons.items()},
            "fields": {
                name: {"present": way.present[name], "kept": way.kept[name], "representable": name in self._fields}
                for name in sorted(way.present)
            },
        }

    def lines(self) -> Iterator[str]:
        """The report for people."""
        way = self.out_and_back
        yield f"{'Field':42} {'present':>8} {'kept':>8} {'changed':>8}"
        others = sorted(each for each in way.present if each not in self._fields)
        for name in [*(each for each in self._fields if way.present[each]), *others]:
            present, kept = way.present[name], way.kept[name]
            label = self._fields.get(name, f"({name})")
            yield f"{label[:42]:42} {present:8} {kept:8} {present - kept:8}"
        yield "Fields in brackets have no place in Exchange; they stay in Nextcloud, and no fresh calendar has them."
        for verdict, reasons in self.reasons.items():
            if reasons:
                yield ""
                yield f"{verdict.capitalize()}: {sum(reasons.values())}"
                yield from (f"  {count:5}  {reason}" for reason, count in reasons.most_common())
        figures = self.to_json()
        yield ""
        if self._edited:
            yield f"{figures['untouched']:g} % are as they were, but for what somebody then edited in Exchange."
        yield (
            f"{self.files} files, {self.items} items: {figures['retention']:g} % of what Exchange can represent is "
            f"kept ({figures['retention_all']:g} % of all), {figures['occurrences_equal']:g} % happen when they did, "
            f"{figures['stable']:g} % are at rest after one crossing; from Exchange and back "
            f"{figures['reverse_retention']:g} % is kept."
        )


def _words(difference: Difference) -> str:
    part, name, before, after = difference
    return f"{part + ' ' if part else ''}{name}: {before[:300]!r} became {after[:300]!r}"
