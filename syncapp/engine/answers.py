"""What an answer to a write means for its item, and what concerns more than that."""

from __future__ import annotations

from collections.abc import Iterable

from syncapp.engine.case import Case
from syncapp.engine.work import Work, title_of
from syncapp.side import (
    AlreadyThere,
    ChangedMeanwhile,
    Gone,
    Refused,
    SideError,
    SideName,
    Unreadable,
    WriteResult,
    Written,
)

OF_ONE_ITEM = (Refused, Unreadable, AlreadyThere)
"""Errors that are a problem of the one item."""
DECIDE_AGAIN = (ChangedMeanwhile, Gone)
"""Errors that say that the decision rested on something that is no longer so."""


def complete(result: WriteResult) -> bool:
    """Whether everything was written."""
    return isinstance(result, Written) and result.problem is None and not result.unwritten


def not_written(work: Work, name: SideName, case: Case, result: SideError) -> None:
    """Note what kept an item from being written; what concerns more than it leaves the intent. In a transaction."""
    if isinstance(result, OF_ONE_ITEM):
        case.intent = None
        item = next(iter(case.objects.values())).item
        code = "refused" if isinstance(result, Refused) else "not-possible"
        work.journal.fail(case.link, code, str(result), label=title_of(item), side=name)
        work.failed(case.link)
    elif isinstance(result, DECIDE_AGAIN):
        case.intent = None
        work.journal.note("changed-meanwhile", case.link, name)


def of_more(results: Iterable[WriteResult]) -> SideError | None:
    """The first error that concerns more than one item. The intents of such items stay: they may have been done."""
    for result in results:
        if isinstance(result, SideError) and not isinstance(result, (*OF_ONE_ITEM, *DECIDE_AGAIN)):
            return result
    return None
