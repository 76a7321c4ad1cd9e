"""A server that is a function: what ``DavClient`` sends is handed to it, and what it returns is the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncapp.http import Reply


@dataclass(frozen=True)
class Request:
    """What was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


Respond = Callable[[Request], Reply]


@dataclass(frozen=True)
class Pretended:
    """A ``Transport`` that reaches no server."""

    respond: Respond

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        return self.respond(Request(method, path, headers, body))

    def close(self) -> None:
        pass


def reply(status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """An answer; the names of its headers are in small letters."""
    return Reply(status, content, headers or {})
