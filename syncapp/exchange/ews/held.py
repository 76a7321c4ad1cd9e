"""Items that are their own projection: known as such, so that what was projected is not projected again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from syncapp.items import Item

AnyItem = TypeVar("AnyItem", bound=Item)

_HELD = "_held_by_exchange"
"""Where an item keeps for which home it is its own projection; no field, so no part of its value."""


def projected(item: AnyItem, home: str, project: Callable[[AnyItem, str], AnyItem]) -> AnyItem:
    """What ``project`` makes of ``item`` for a ``home``; the item itself, with all that is known of it, where that is
    the same. Projecting twice changes nothing, and items never change."""
    if vars(item).get(_HELD) == home:
        return item
    found = project(item, home)
    if found == item:
        found = item
    vars(found)[_HELD] = home
    return found
