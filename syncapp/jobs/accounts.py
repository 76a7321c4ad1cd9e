"""Service accounts: those of the file, which of them serves whom, and the slots that bound their use."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from syncapp.models import AccountSlot, Enrollment, ServiceAccount, statements

# The file ----------------------------------------------------------------------------------------------------------


class WrongFile(Exception):
    """The service accounts file can't be used. ``str()`` is a sentence for the admin."""


@dataclass(frozen=True)
class Listed:
    """One entry of the file."""

    name: str
    endpoint: str
    auth_type: str
    username: str
    password: str
    max_connections: int


_KEYS = {"Name", "Endpoint", "AuthType", "Username", "Password", "MaxConnections"}
_MOST_BYTES = 1_000_000


def read_file(path: Path) -> list[Listed]:
    """The accounts in the file; none when there is no file. Raises ``WrongFile``."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WrongFile(f"{path.name} is too large to be a list of service accounts.")
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WrongFile(f"{path.name} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise WrongFile(f"{path.name} is not valid JSON.") from error
    if not isinstance(entries, list):
        raise WrongFile(f'{path.name} must hold a list: [{{"Username": "...", "Password": "..."}}].')
    found = [_listed(path.name, number, entry) for number, entry in enumerate(entries, start=1)]
    names = [account.name for account in found]
    for name in names:
        if names.count(name) > 1:
            raise WrongFile(f'{path.name} names the account "{name}" more than once; give each a Name of its own.')
    return found


def _listed(file: str, number: int, entry: Any) -> Listed:
    place = f"Entry {number} of {file}"
    if not isinstance(entry, dict):
        raise WrongFile(f"{place} is not an object in curly brackets.")
    if unknown := sorted(set(entry) - _KEYS):
        raise WrongFile(
            f'{place} has a key "{unknown[0]}" that means nothing here; known are {", ".join(sorted(_KEYS))}.'
        )
    for key in ("Username", "Password"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise WrongFile(f"{place} has no {key}.")
    endpoint = str(entry.get("Endpoint") or settings.EXCHANGE_URL)
    _check_endpoint(place, endpoint)
    auth_type = str(entry.get("AuthType") or ServiceAccount.AuthType.BASIC).lower()
    if auth_type not in ServiceAccount.AuthType.values:
        raise WrongFile(f"{place} has an AuthType that is neither basic nor ntlm.")
    connections = entry.get("MaxConnections", 8)
    if not isinstance(connections, int) or not 1 <= connections <= 100:
        raise WrongFile(f"{place} has a MaxConnections that is not a number from 1 to 100.")
    name = str(entry.get("Name") or entry["Username"])
    return Listed(name, endpoint, auth_type, entry["Username"], entry["Password"], connections)


def _check_endpoint(place: str, endpoint: str) -> None:
    if not endpoint:
        raise WrongFile(f"{place} has no Endpoint, and EXCHANGE_URL in .env is empty, too.")
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongFile(f"{place} has an Endpoint that is not an address beginning with https://.")
    if parts.scheme == "http" and not settings.ALLOW_HTTP:
        raise WrongFile(f"{place} has an Endpoint that begins with http://, which would send the password in clear.")


@transaction.atomic
def import_accounts(listed: list[Listed]) -> None:
    """Make the accounts of origin "file" those that are listed; one that is no longer listed is switched off.

    A new password or endpoint ends the account's rest: it is tried at once.
    """
    origin = ServiceAccount.Origin.FILE
    for entry in listed:
        account = ServiceAccount.objects.filter(name=entry.name).first() or ServiceAccount(name=entry.name)
        values = {
            "endpoint": entry.endpoint,
            "auth_type": entry.auth_type,
            "username": entry.username,
            "password": entry.password,
            "max_connections": entry.max_connections,
            "origin": origin,
            "enabled": True,
        }
        changed = account.pk is None or any(getattr(account, key) != value for key, value in values.items())
        if changed:
            for key, value in values.items():
                setattr(account, key, value)
            account.rests_until, account.failures = None, 0
            account.save()
            make_slots(account)
    ServiceAccount.objects.filter(origin=origin).exclude(name__in=[entry.name for entry in listed]).update(
        enabled=False
    )


def make_slots(account: ServiceAccount) -> None:
    """As many slots as the account may have connections."""
    account.slots.filter(number__gt=account.max_connections).delete()
    there = set(account.slots.values_list("number", flat=True))
    AccountSlot.objects.bulk_create(
        AccountSlot(account=account, number=number)
        for number in range(1, account.max_connections + 1)
        if number not in there
    )


# Choice ------------------------------------------------------------------------------------------------------------

_USABLE = """
SELECT account.*, MIN(slot.id) AS slot
FROM syncapp_serviceaccount account JOIN syncapp_accountslot slot ON slot.account_id = account.id
WHERE (slot.owner = '' OR slot.until IS NULL OR slot.until < %s)
AND account.enabled AND (account.rests_until IS NULL OR account.rests_until <= %s)
AND account.endpoint NOT IN (SELECT server FROM syncapp_serverrest WHERE until > %s)
GROUP BY account.id ORDER BY CASE account.id WHEN %s THEN 0 ELSE 1 END, COUNT(*) DESC, account.id
"""
_TAKE = """
UPDATE syncapp_accountslot SET owner = %s, until = %s
WHERE id = %s AND (owner = '' OR until IS NULL OR until < %s)
"""
_GIVE_BACK = "UPDATE syncapp_accountslot SET owner = '', until = NULL WHERE id = %s AND owner = %s"


def usable(now: dt.datetime, last: int | None = None) -> list[ServiceAccount]:
    """The accounts that may be used now, those with the most free slots first; ``slot`` is a free one.

    Before all others comes the account that served ``last``: its connection and caches are warm at the server.
    """
    # No account has the key 0.
    return statements.read(ServiceAccount, _USABLE, (now, now, now, last or 0))


@contextmanager
def slot_for(enrollment: Enrollment, owner: str, now: dt.datetime, seconds: float) -> Iterator[ServiceAccount | None]:
    """Hold one connection's worth of an account while the body runs; None when no account has one.

    ``seconds`` is how long a slot stays taken when its holder dies.
    """
    account, taken = _take_slot(enrollment, owner, now, now + dt.timedelta(seconds=seconds))
    try:
        yield account
    finally:
        if taken:
            statements.change(_GIVE_BACK, (taken, owner))


def _take_slot(
    enrollment: Enrollment, owner: str, now: dt.datetime, until: dt.datetime
) -> tuple[ServiceAccount | None, int]:
    """An account and the slot that was taken of it. Whoever is too late for a slot looks for another one."""
    while found := usable(now, enrollment.account_id):
        for account in found:
            slot = int(vars(account)["slot"])
            if statements.change(_TAKE, (owner, until, slot, now)):
                return account, slot
    return None, 0
