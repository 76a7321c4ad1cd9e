"""What a dry run announces, as a command prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from syncapp.words import action, field_names, sentence


def report(told: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a person: numbers first, then item by item. ``told`` is what ``jobs.preview.told`` answers."""
    at = parse_datetime(told["at"])
    assert at is not None
    yield f"As of {timezone.localtime(at):%Y-%m-%d %H:%M}. Nothing was written for this."
    done = list(_counted(told["counts"]))
    yield from done or ["Nothing would be done."]
    yield (
        f"Then {told['in_step']} items would be in step, {told['left']} would stay on one side (outside the window, or "
        f"on the target of a one-way pairing), and {told['pending']} would still wait for something."
    )
    yield from map(_item, told["items"])
    shown, all_of_them = len(told["items"]), sum(sum(each.values()) for each in told["counts"].values())
    if shown < all_of_them:
        yield f"... and {all_of_them - shown} more, of which only the numbers are kept."
    for problem in told["problems"]:
        label = f'"{problem["label"]}": ' if problem["label"] else ""
        yield " ".join(filter(None, (f"Problem: {label}{problem['text']}", problem["remedy"])))


def _counted(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for code, by_side in sorted(counts.items()):
        for side, number in sorted(by_side.items()):
            if action(code, side):
                yield f"  {number:>6}  {action(code, side)}"


def _item(item: Mapping[str, str]) -> str:
    """One line: what would be done to which item, with the fields."""
    line: Any = SimpleNamespace(**item)
    name = ", ".join(filter(None, (f'"{item["label"]}"' if item["label"] else "", item["begins"])))
    if not action(item["code"], item["side"]):
        return f"- {name}: {sentence(line)}" if name else f"- {sentence(line)}"
    fields = f": {', '.join(field_names(item['fields']))}" if item["fields"] else ""
    why = f" ({sentence(line)})" if item["note"] else ""
    return f"- {action(item['code'], item['side'])}  {item['kind']} {name}{fields}{why}"
