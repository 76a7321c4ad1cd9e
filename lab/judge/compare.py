"""Two lists of what servers show, compared one by one and field by field, with the differences in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, fields
from typing import Any

from lab.judge.reading import Person, Shown


def differences(exchange: Sequence[Shown], nextcloud: Sequence[Shown]) -> list[str]:
    """How two calendars differ; an empty list when they show the same."""
    return _compare(
        exchange, nextcloud, lambda each: (each.start, each.title), lambda each: f"{each.title!r} at {each.start}"
    )


def person_differences(exchange: Sequence[Person], nextcloud: Sequence[Person]) -> list[str]:
    """How two address books differ."""
    return _compare(exchange, nextcloud, lambda each: each.name, lambda each: f"contact {each.name!r}")


def _compare(
    exchange: Sequence[Any],
    nextcloud: Sequence[Any],
    key: Callable[[Any], Hashable],
    name: Callable[[Any], str],
) -> list[str]:
    left, right = _by_key(exchange, key), _by_key(nextcloud, key)
    found: list[str] = []
    for each in sorted({*left, *right}, key=str):
        here, there = left.get(each, []), right.get(each, [])
        if len(here) != len(there):
            found.append(f"{name((here or there)[0])}: {len(here)} in Exchange, {len(there)} in Nextcloud")
            continue
        for one, other in zip(here, there, strict=True):
            found += [f"{name(one)}: {text}" for text in _fields(one, other)]
    return found


def _by_key(items: Sequence[Any], key: Callable[[Any], Hashable]) -> dict[Hashable, list[Any]]:
    """Items with the same key in an order that does not depend on where they came from."""
    groups: dict[Hashable, list[Any]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return {each: sorted(group, key=_order) for each, group in groups.items()}


def _order(item: Any) -> str:
    return str({name: _plain(value) for name, value in asdict(item).items()})


def _fields(one: Any, other: Any) -> list[str]:
    return [
        f"{field.name} is {_plain(getattr(one, field.name))!r} in Exchange, "
        f"{_plain(getattr(other, field.name))!r} in Nextcloud"
        for field in fields(one)
        if getattr(one, field.name) != getattr(other, field.name)
    ]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value
