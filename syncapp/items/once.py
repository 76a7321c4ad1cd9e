"""Values that are found when they are asked for, and only once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")


class once(Generic[_Value]):  # a decorator, as functools.cached_property is
    """``functools.cached_property`` as it is from Python 3.12 on: without the lock, which costs more than most values.

    Two threads that ask at the same moment may both find the value out.
    """

    def __init__(self, find: Callable[[Any], _Value]) -> None:
        self._find = find
        self.__doc__ = find.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> _Value:
        # What stands in __dict__ under the same name comes first from then on.
        value = instance.__dict__[self._name] = self._find(instance)
        return value
