"""What may go wrong inside a run, besides people: which faults there are, where they make sense, what they do."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from lab.chaos.moments import Moment
from lab.chaos.wire import WRITES, Crash, DatabaseFailed, Late, When
from syncapp.side import (
    AlreadyThere,
    ChangedMeanwhile,
    Gone,
    LoginFailed,
    NoMailbox,
    NotAllowed,
    Refused,
    Throttled,
    Unreachable,
    Unreadable,
)


class Fault(StrEnum):
    """Each is raised at one moment, by the server, the network, the database, or the end of our process."""

    CRASH = "crash"
    DATABASE = "database"
    """The database fails: just before a commit, or after it, when nobody can know any more."""
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    SERVER_BUSY = "server-busy"
    LOGIN_FAILED = "login-failed"
    NOT_ALLOWED = "not-allowed"
    NO_MAILBOX = "no-mailbox"
    LATE = "late"
    """The request stays on its way and lands another day."""
    ALREADY_THERE = "already-there"
    CHANGED = "changed"
    GONE = "gone"
    REFUSED = "refused"
    UNREADABLE = "unreadable"

    def fits(self, moment: Moment) -> bool:
        """Whether this can happen at that moment."""
        return _FITS[self](moment)

    def strike(self) -> None:
        """Raise what it is."""
        raise _RAISED[self]()


def _of_call(moment: Moment) -> bool:
    return moment.call is not None


def _of_item(*names: str) -> Callable[[Moment], bool]:
    """Just before or after the work on one object: what the server says when it says no, or no longer knows why."""

    def fits(moment: Moment) -> bool:
        return moment.call is not None and moment.call.name in names and moment.when in (When.ITEM, When.DONE)

    return fits


def _at(when: When, *names: str) -> Callable[[Moment], bool]:
    return lambda moment: moment.call is not None and moment.call.name in names and moment.when is when


_FITS: dict[Fault, Callable[[Moment], bool]] = {
    Fault.CRASH: lambda _: True,
    Fault.DATABASE: lambda moment: moment.call is None,
    Fault.UNREACHABLE: _of_call,
    Fault.THROTTLED: _of_call,
    Fault.SERVER_BUSY: _of_call,
    Fault.LOGIN_FAILED: _of_call,
    Fault.NOT_ALLOWED: _of_call,
    Fault.NO_MAILBOX: _of_call,
    Fault.LATE: _at(When.ITEM, *WRITES),
    Fault.ALREADY_THERE: _of_item("create", "move", "restore"),
    Fault.CHANGED: _of_item("update", "delete", "move"),
    Fault.GONE: _of_item("update", "delete", "move", "restore"),
    Fault.REFUSED: _of_item(*WRITES),
    Fault.UNREADABLE: _at(When.ITEM, "read"),
}
_RAISED: dict[Fault, Callable[[], BaseException]] = {
    Fault.CRASH: Crash,
    Fault.DATABASE: lambda: DatabaseFailed("the connection is gone"),
    Fault.UNREACHABLE: lambda: Unreachable("no answer"),
    Fault.THROTTLED: lambda: Throttled(30),
    Fault.SERVER_BUSY: lambda: Throttled(30, whole_server=True),
    Fault.LOGIN_FAILED: lambda: LoginFailed("the password is wrong"),
    Fault.NOT_ALLOWED: lambda: NotAllowed("impersonation is denied"),
    Fault.NO_MAILBOX: lambda: NoMailbox("there is no such mailbox"),
    Fault.LATE: Late,
    Fault.ALREADY_THERE: lambda: AlreadyThere("it is there"),
    Fault.CHANGED: lambda: ChangedMeanwhile("somebody wrote in between"),
    Fault.GONE: lambda: Gone("it is not there"),
    Fault.REFUSED: lambda: Refused("this is not taken"),
    Fault.UNREADABLE: lambda: Unreadable("the object is broken"),
}
