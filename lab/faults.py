"""A plan of faults: which requests of a lab server go wrong, when, and how.

A fault is set over HTTP as a JSON object (``POST /lab/faults``, one or a list). It has three parts:

*which requests*  ``operation`` (an EWS operation such as ``CreateItem``, or a DAV method such as ``PUT``; a list
                  means any of them), ``user`` (mailbox address or account name), ``path`` (glob on the URL path),
                  ``client`` (glob on the User-Agent header); what is left out matches everything
*when*            ``skip`` matching requests pass first (default 0), then ``times`` are struck (default 1, ``null``
                  means for ever)
*what happens*    ``delay`` seconds before the work; then one of
                  ``status`` (with ``headers``, ``body``): this HTTP answer, no work done;
                  ``code`` (with ``as``: ``fault`` or ``response``, and ``values``): an EWS error, no work done;
                  ``drop``: ``before`` the work or ``after`` it (the answer is lost);
                  ``truncate``: the work is done, only so many bytes of the answer are sent

The plan lives in the memory of its server process and ends with it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


class BadFault(ValueError):
    """The JSON handed to ``/lab/faults`` does not describe a fault; the message says which part."""


@dataclass(frozen=True)
class Fault:
    """One line of the plan; see the module docstring for the meaning of the fields."""

    operations: frozenset[str] = frozenset()
    user: str | None = None
    path: str | None = None
    client: str | None = None
    skip: int = 0
    times: int | None = 1
    delay: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    code: str | None = None
    code_as: Literal["fault", "response"] = "response"
    values: Mapping[str, str] = field(default_factory=dict)
    drop: Literal["before", "after"] | None = None
    truncate: int | None = None

    def matches(self, operation: str, users: Iterable[str], path: str, client: str = "") -> bool:
        """Whether a request is one that this fault is about; names are compared without case."""
        if self.operations and operation.lower() not in self.operations:
            return False
        if self.user is not None and self.user.lower() not in {user.lower() for user in users}:
            return False
        if self.client is not None and not fnmatch.fnmatchcase(client, self.client):
            return False
        return self.path is None or fnmatch.fnmatchcase(path, self.path)

    @classmethod
    def from_json(cls, data: object) -> Fault:
        """Read one fault; raises BadFault naming the part that can't be understood."""
        if not isinstance(data, dict):
            raise BadFault("a fault is a JSON object")
        values: dict[str, Any] = dict(data)
        operation = values.pop("operation", [])
        names = [operation] if isinstance(operation, str) else operation
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadFault("operation: a name or a list of names")
        code_as = values.pop("as", "response")
        if code_as not in ("fault", "response"):
            raise BadFault("as: fault or response")
        for name, kinds in _KINDS.items():
            if name in values and not isinstance(values[name], kinds):
                raise BadFault(f"{name}: unusable value {values[name]!r}")
        if values.get("drop") not in (None, "before", "after"):
            raise BadFault("drop: before or after")
        unknown = set(values) - set(_KINDS)
        if unknown:
            raise BadFault(f"unknown: {', '.join(sorted(unknown))}")
        return cls(
            operations=frozenset(name.lower() for name in names),
            code_as=code_as,
            **values,
        )

    def to_json(self) -> dict[str, Any]:
        """The fault as it may be sent again."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in _KINDS}
        shown["headers"] = dict(self.headers)
        shown["values"] = dict(self.values)
        return {"operation": sorted(self.operations), "as": self.code_as, **shown}


_KINDS: dict[str, tuple[type, ...]] = {
    "user": (str, type(None)),
    "path": (str, type(None)),
    "client": (str, type(None)),
    "skip": (int,),
    "times": (int, type(None)),
    "delay": (int, float),
    "status": (int, type(None)),
    "headers": (dict,),
    "body": (str,),
    "code": (str, type(None)),
    "values": (dict,),
    "drop": (str, type(None)),
    "truncate": (int, type(None)),
}


@dataclass
class _Line:
    number: int
    fault: Fault
    seen: int = 0
    struck: int = 0


class FaultPlan:
    """The faults of one server, asked once per request; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._numbers = itertools.count(1)

    def add(self, fault: Fault) -> int:
        """Append a fault; returns the number by which it can be removed."""
        with self._lock:
            line = _Line(next(self._numbers), fault)
            self._lines.append(line)
            return line.number

    def add_json(self, data: object) -> list[int]:
        """Append one fault or a list of faults, all or none; raises BadFault."""
        faults = [Fault.from_json(entry) for entry in (data if isinstance(data, list) else [data])]
        return [self.add(fault) for fault in faults]

    def replace_json(self, data: object) -> list[int]:
        """Make these faults the whole plan; raises BadFault and then keeps the old plan."""
        faults = [Fault.from_json(entry) for entry in (data if isinstance(data, list) else [data])]
        self.clear()
        return [self.add(fault) for fault in faults]

    def clear(self, number: int | None = None) -> None:
        """Remove one fault, or all of them."""
        with self._lock:
            self._lines = [line for line in self._lines if number is not None and line.number != number]

    def to_json(self) -> list[dict[str, Any]]:
        """The plan with, for each fault, how many requests matched (``seen``) and were ``struck``."""
        with self._lock:
            return [
                {
                    "number": line.number,
                    "seen": line.seen,
                    "struck": line.struck,
                    **line.fault.to_json(),
                }
                for line in self._lines
            ]

    def strike(self, operation: str, users: Iterable[str], path: str, client: str = "") -> Fault | None:
        """The fault that this request meets, if any; every matching fault counts it, the first due one wins."""
        people = list(users)
        with self._lock:
            winner: _Line | None = None
            for line in self._lines:
                if not line.fault.matches(operation, people, path, client):
                    continue
                line.seen += 1
                spent = line.fault.times is not None and line.struck >= line.fault.times
                if winner is None and line.seen > line.fault.skip and not spent:
                    winner = line
                    line.struck += 1
            return winner.fault if winner else None


def wait_out(fault: Fault) -> None:
    """Let the fault's delay pass, in the thread that serves the request."""
    if fault.delay > 0:
        time.sleep(fault.delay)


def cut_connection(environ: Mapping[str, Any]) -> None:
    """Close the client's connection under gunicorn: whatever is written afterwards goes nowhere."""
    connection: socket.socket = environ["gunicorn.socket"]
    # An error here means that the client was faster: the connection is gone, which is what was wanted.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def send_truncated(environ: Mapping[str, Any], head: bytes, body: bytes, length: int) -> None:
    """Send an answer's head and the first ``length`` bytes of its body, then close the connection.

    ``head`` is the complete status line and header block; its Content-Length should speak of the whole body, so
    that the client can notice what is missing.
    """
    connection: socket.socket = environ["gunicorn.socket"]
    # A client that left before the answer leaves nothing to truncate.
    with contextlib.suppress(OSError):
        connection.sendall(head + body[:length])
    cut_connection(environ)
