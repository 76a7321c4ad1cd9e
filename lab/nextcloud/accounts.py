"""Accounts, their passwords, and who may log in.

Everybody on one address is locked out after eleven failed logins (docs/server-behaviour.md, "Nextcloud DAV").
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import string
import time
from collections import defaultdict
from dataclasses import dataclass

from lab.nextcloud.store import Store
from lab.nextcloud.wire import Refusal, Request

MAX_FAILURES = 10
FAILURE_WINDOW = 30 * 60
TOKEN_LENGTH = 72
TOKEN_CHARACTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Account:
    """One account; ``login`` may differ from ``uid`` (LDAP), ``email`` may be missing."""

    uid: str
    login: str
    email: str | None
    display_name: str
    groups: tuple[str, ...]
    enabled: bool

    @property
    def is_admin(self) -> bool:
        """Member of the group ``admin``."""
        return "admin" in self.groups


def load(store: Store, uid: str) -> Account | None:
    """The account with this uid."""
    row = store.row("SELECT * FROM account WHERE uid = ?", uid)
    if row is None:
        return None
    return Account(
        row["uid"],
        row["login"],
        row["email"],
        row["display_name"],
        tuple(json.loads(row["groups"])),
        bool(row["enabled"]),
    )


def all_accounts(store: Store) -> list[Account]:
    """Every account, oldest first."""
    rows = store.rows("SELECT uid FROM account ORDER BY id")
    return [account for row in rows if (account := load(store, row["uid"])) is not None]


def new_app_password(store: Store, uid: str, name: str, token: str | None = None) -> str:
    """Create an app password, as the consent app and the login flow do: 72 letters and digits."""
    token = token or "".join(secrets.choice(TOKEN_CHARACTERS) for _ in range(TOKEN_LENGTH))
    store.run("INSERT OR REPLACE INTO app_password VALUES (?, ?, ?)", token, uid, name)
    return token


class Doorkeeper:
    """Checks HTTP Basic logins and counts failures per client address; lives as long as the process."""

    def __init__(self) -> None:
        self._failures: dict[str, list[float]] = defaultdict(list)

    def forgive(self) -> None:
        """Forget all failed logins."""
        self._failures.clear()

    def failures(self) -> dict[str, int]:
        """How many failed logins are remembered, per address."""
        return {address: len(times) for address, times in self._failures.items() if times}

    def admit(self, store: Store, request: Request) -> Account:
        """The account that a request logs in as; raises Refusal (401, 429, or 503 for a disabled account)."""
        now = time.monotonic()
        recent = [at for at in self._failures[request.address] if now - at < FAILURE_WINDOW]
        self._failures[request.address] = recent
        if len(recent) > MAX_FAILURES:
            raise Refusal(429, "OCA\\DAV\\Connector\\Sabre\\Exception\\TooManyRequests", "")
        bearer = _bearer(request.header("authorization"))
        credentials = _basic(request.header("authorization"))
        if credentials is None and bearer is None:
            raise _not_logged_in("No public access to this resource., No 'Authorization: Basic' header found.")
        account = self._bearer_of(store, bearer) if credentials is None else self._check(store, *credentials)
        if account is None:
            recent.append(now)
            raise _not_logged_in("Username or password was incorrect")
        if not account.enabled:
            raise Refusal(503, "Sabre\\DAV\\Exception\\ServiceUnavailable", "Account disabled")
        return account

    @staticmethod
    def _bearer_of(store: Store, token: str | None) -> Account | None:
        """Whose OAuth2 token it is."""
        row = store.row("SELECT uid FROM app_password WHERE token = ?", token)
        return None if row is None else load(store, row["uid"])

    @staticmethod
    def _check(store: Store, name: str, password: str) -> Account | None:
        """A password goes with login name, uid or address; an app password with the login name only."""
        row = store.row(
            "SELECT uid FROM account WHERE password = ?1 AND password != ''"
            " AND (login = ?2 OR uid = ?2 OR email = ?2)"
            " UNION SELECT account.uid FROM account JOIN app_password USING (uid) WHERE token = ?1 AND login = ?2",
            password,
            name,
        )
        return None if row is None else load(store, row["uid"])


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _bearer(header: str) -> str | None:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def password_of(request: Request) -> str:
    """The password, app password or token that a request logs in with."""
    header = request.header("authorization")
    credentials = _basic(header)
    return credentials[1] if credentials else _bearer(header) or ""


def _not_logged_in(message: str) -> Refusal:
    return Refusal(401, "Sabre\\DAV\\Exception\\NotAuthenticated", message)


def login_name(request: Request) -> str | None:
    """The name that a request logs in with, right or wrong."""
    credentials = _basic(request.header("authorization"))
    return None if credentials is None else credentials[0]
