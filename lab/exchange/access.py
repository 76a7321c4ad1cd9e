"""Who asks: Basic, NTLM, Kerberos, bearer tokens; accounts that are locked after failed logins, or have expired.

A server that refuses does not say why: wrong, expired and locked all get the same 401, as from IIS.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.exchange import kerberos
from lab.exchange.ntlm import Handshakes
from lab.exchange.oauth import Directory
from lab.exchange.records import Account
from lab.exchange.soap import SoapFault
from lab.exchange.store import Store

_CHALLENGES = (
    ("WWW-Authenticate", 'Basic realm="lab Exchange"'),
    ("WWW-Authenticate", "NTLM"),
    ("WWW-Authenticate", 'Bearer realm="lab Exchange"'),
    *((("WWW-Authenticate", "Negotiate"),) if kerberos.offered() else ()),
)


@dataclass(frozen=True)
class Refusal:
    """The headers of a 401."""

    headers: tuple[tuple[str, str], ...] = _CHALLENGES


class Access:
    """Logins of one server; safe to share between threads. What was failed and locked ends with the process."""

    def __init__(self, store: Store, directory: Directory, folder: Path) -> None:
        self._store = store
        self._directory = directory
        self._handshakes = Handshakes(folder)
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._locked: dict[str, float] = {}
        self._expired: set[str] = set()
        self._most_failures: int | None = None
        self._seconds = 0.0
        self._most_requests: int | None = None
        self._under_way: Counter[str] = Counter()

    # controls

    def lock_after(self, failures: int | None, seconds: float) -> None:
        """Lock an account for ``seconds`` after so many failed logins in a row; None: never. Nobody is locked now."""
        with self._lock:
            self._most_failures, self._seconds = failures, seconds
            self._failures.clear()
            self._locked.clear()

    def expire(self, name: str, *, expired: bool) -> None:
        """Let the password of an account be too old, or not any more."""
        with self._lock:
            (self._expired.add if expired else self._expired.discard)(name.lower())

    def limit(self, requests: int | None) -> None:
        """Let each account have so many requests at a time; None: any number."""
        with self._lock:
            self._most_requests = requests

    def to_json(self) -> dict[str, Any]:
        """Failed logins in a row and locked accounts, by name."""
        with self._lock:
            locked = [name for name, until in self._locked.items() if until > time.monotonic()]
            return {"failures": dict(self._failures), "locked": locked}

    def reset(self) -> None:
        """Everybody may log in again."""
        self.lock_after(None, 0)
        self.limit(None)
        with self._lock:
            self._expired.clear()

    # requests

    def account(self, environ: Mapping[str, Any]) -> Account | Refusal:
        """Whose request it is."""
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic(given)
            case "ntlm":
                return self._ntlm(environ["gunicorn.socket"], given)
            case "negotiate" if kerberos.offered():
                name = kerberos.principal(given)
                return (name and self._stored(name)) or Refusal()
            case "bearer":
                return self._directory.account(given) or Refusal()
        signed_in = self._handshakes.account_of(environ.get("gunicorn.socket"))
        return (signed_in and self._stored(signed_in)) or Refusal()

    @contextmanager
    def at_work(self, account: Account) -> Iterator[None]:
        """A request of an account under way. Raises SoapFault for one too many."""
        with self._lock:
            if self._most_requests is not None and self._under_way[account.name] >= self._most_requests:
                raise SoapFault(
                    "ErrorExceededConnectionCount", "You have exceeded the available concurrent connections."
                )
            self._under_way[account.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[account.name] -= 1

    def _stored(self, name: str) -> Account | None:
        with self._store.lock:
            return self._store.account(name)

    def _basic(self, encoded: str) -> Account | Refusal:
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Refusal()
        account = self._stored(name)
        right = account is not None and hmac.compare_digest(account.password.encode(), password.encode())
        return account if account is not None and self._admitted(name, right) else Refusal()

    def _ntlm(self, connection: Any, token: str) -> Account | Refusal:
        with self._store.lock:
            accounts = self._store.accounts()
        answer = self._handshakes.step(connection, token, accounts)
        if isinstance(answer, bytes):
            return Refusal((("WWW-Authenticate", f"NTLM {base64.b64encode(answer).decode()}"),))
        account = self._stored(answer.name)
        if account is not None and self._admitted(answer.name, answer.right):
            return account
        self._handshakes.forget(connection)
        return Refusal()

    def _admitted(self, name: str, right: bool) -> bool:
        """Whether a login counts: locked and expired accounts fail with the right password, too."""
        key = name.lower()
        with self._lock:
            if self._locked.get(key, 0.0) > time.monotonic():
                return False
            if right and key not in self._expired:
                self._failures.pop(key, None)
                return True
            self._failures[key] += 1
            if self._most_failures is not None and self._failures[key] >= self._most_failures:
                self._locked[key] = time.monotonic() + self._seconds
            return False
