"""NTLM over HTTP (MS-NTHT): the handshake signs in a connection, and proves the password without sending it."""

from __future__ import annotations

import base64
import binascii
import os
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import spnego
from spnego.exceptions import SpnegoError

from lab.exchange.records import Account


@dataclass(frozen=True)
class Proof:
    """Who claims to ask, and whether the answer to the challenge was right."""

    name: str
    right: bool


class Handshakes:
    """The connections that are signed in, or on the way. One in a process: spnego reads passwords from one file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"ntlm-{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._under_way: WeakKeyDictionary[Any, spnego.ContextProxy] = WeakKeyDictionary()
        self._signed_in: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def account_of(self, connection: Any) -> str | None:
        """Who has signed in on a connection."""
        return self._signed_in.get(connection) if connection is not None else None

    def forget(self, connection: Any) -> None:
        """Nobody is signed in on it any more."""
        self._signed_in.pop(connection, None)
        self._under_way.pop(connection, None)

    def step(self, connection: Any, encoded: str, accounts: Iterable[Account]) -> bytes | Proof:
        """The challenge to a first message, the outcome for the answer to it."""
        try:
            token = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return Proof("", right=False)
        with self._lock:
            if (started := self._under_way.pop(connection, None)) is None:
                return self._challenge(connection, token, accounts)
            return self._verify(connection, started, token)

    def _challenge(self, connection: Any, token: bytes, accounts: Iterable[Account]) -> bytes | Proof:
        self._write(accounts)
        context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        try:
            challenge = context.step(token)
        except (SpnegoError, ValueError):
            return Proof("", right=False)
        self._under_way[connection] = context
        return challenge or b""

    def _verify(self, connection: Any, context: spnego.ContextProxy, token: bytes) -> Proof:
        try:
            context.step(token)
        except (SpnegoError, ValueError):
            return Proof(_claimed(token), right=False)
        name = str(context.client_principal).removeprefix("\\")
        self._signed_in[connection] = name
        return Proof(name, right=True)

    def _write(self, accounts: Iterable[Account]) -> None:
        lines = []
        for account in accounts:
            domain, _, user = account.name.rpartition("\\")
            lines.append(f"{domain}:{user}:{account.password}\n")
        self._file.write_text("".join(lines))
        self._file.chmod(0o600)
        os.environ["NTLM_USER_FILE"] = str(self._file)


def _claimed(token: bytes) -> str:
    """The name in an AUTHENTICATE_MESSAGE (MS-NLMP section 2.2.1.3)."""
    fields = []
    for at in (28, 36):
        length, begin = int.from_bytes(token[at : at + 2], "little"), int.from_bytes(token[at + 4 : at + 8], "little")
        fields.append(token[begin : begin + length].decode("utf-16-le", errors="replace"))
    return "\\".join(field for field in fields if field)
