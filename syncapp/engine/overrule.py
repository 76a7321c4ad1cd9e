"""Overrule: an admin refused what one side did; what the other side says stands, as if a person had said it there.

Nothing is written or stored here. Only what is known of the agreement moves, and the next decision does the rest.
"""

from __future__ import annotations

from syncapp.engine.case import Case
from syncapp.engine.decide import Write, moved
from syncapp.items.fingerprint import Base
from syncapp.side import Object, SideName

_NEVER_SAID = bytes(8)
"""What no normal form hashes to: next to it whatever stands there, or does not, has changed."""


def overrule(case: Case, name: SideName, write: Write) -> None:
    """``write`` shall not be done on side ``name``: what it would have changed there is taken for an edit there.

    The other side's version of that counts as agreed, so that it is overwritten, and kept in history.
    """
    here, there = case.side(name), case.side(name.other)
    now = case.hashes(name.other)
    there.base = Base(moved(case.base(name.other), {path: now.get(path) for path in write.target})).pack()
    here.base = Base(moved(case.base(name), dict.fromkeys(write.target, _NEVER_SAID))).pack()


def stand_over(case: Case, name: SideName, found: Object) -> None:
    """A new item stands over what lay in the bin of side ``name``, which says nothing that anybody wants."""
    there = case.prints.item(found.item)
    case.side(name).base = Base(there).pack()
    case.side(name.other).base = Base(dict.fromkeys(there, _NEVER_SAID)).pack()
