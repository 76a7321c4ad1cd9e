"""The moments at which the engine's state becomes lasting: a test may let the process die just before or just after.

Tests run inside a transaction of their own, so that ``COMMIT`` itself is never seen: the outermost ``atomic`` block of
the engine stands for it, and every statement that writes outside of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from unittest import mock

from django.db import connection
from django.db.transaction import Atomic


class Edge(StrEnum):
    """The two sides of a commit."""

    BEFORE = "before"
    AFTER = "after"


@contextmanager
def watching(meet: Callable[[Edge], object]) -> Iterator[None]:
    """Call ``meet`` before and after each commit inside; what it raises before one undoes what was to be committed."""
    enter, leave = Atomic.__enter__, Atomic.__exit__
    depth = 0

    def on_enter(self: Any) -> None:
        nonlocal depth
        # Without the tests' own transaction this one would be the outermost, and could be undone by itself.
        self.savepoint = self.savepoint or not depth
        enter(self)
        depth += 1

    def on_exit(self: Any, kind: Any, error: Any, trace: Any) -> None:
        nonlocal depth
        depth -= 1
        if depth or kind is not None:
            leave(self, kind, error, trace)
            return
        try:
            meet(Edge.BEFORE)
        except BaseException as death:
            leave(self, type(death), death, death.__traceback__)
            raise
        leave(self, None, None, None)
        meet(Edge.AFTER)

    def on_execute(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if depth or sql.lstrip()[:6].upper() not in ("UPDATE", "INSERT", "DELETE"):
            return execute(sql, params, many, context)
        meet(Edge.BEFORE)
        result = execute(sql, params, many, context)
        meet(Edge.AFTER)
        return result

    with (
        mock.patch.object(Atomic, "__enter__", on_enter),
        mock.patch.object(Atomic, "__exit__", on_exit),
        connection.execute_wrapper(on_execute),
    ):
        yield
