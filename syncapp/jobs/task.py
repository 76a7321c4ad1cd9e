"""What every task has in common: it takes ids, returns nothing and never raises."""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def describe(error: BaseException) -> str:
    """An error for the log: its class and where it arose. Its text may hold personal content and is left out."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"


def task(work: Callable[P, None]) -> Callable[P, None]:
    """Keep what goes wrong out of the queue, which stores exceptions with their texts in clear.

    docs/server-behaviour.md, section 6.2.
    """
    logger = logging.getLogger(work.__module__)

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except Exception as error:  # the boundary to django-q2: whatever it is must not be pickled
            logger.error("%s failed: %s", work.__name__, describe(error))

    return run
