"""How a worker learns that it shall come to an end: the current slice is finished, no other begins.

django-q2 tells its workers nothing while they work. The mark lies in memory shared with the processes that are forked
after this module is imported: the process that gets the signal sets it (``manage.py qcluster``), workers look at it.
"""

from __future__ import annotations

import multiprocessing
import os
from ctypes import c_bool

_wanted = multiprocessing.RawValue(c_bool, False)


def request() -> None:
    """Ask every worker to stop soon. Safe in a signal handler: no lock is taken."""
    _wanted.value = True


class Stopping:
    """Looked at by one worker between its slices. A worker whose parent is gone stops, too: nobody guards it."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def requested(self) -> bool:
        """Whether to come to an end."""
        return bool(_wanted.value) or os.getppid() != self._parent
