"""Service accounts: what changes them, which of them serves whom, and the slots that bound their use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from django.db import transaction

from syncapp.jobs.accounts_file import Listed
from syncapp.models import AccountSlot, Enrollment, ServiceAccount, statements

# Changes -----------------------------------------------------------------------------------------------------------


_FILE = ServiceAccount.Origin.FILE


class ReadOnly(Exception):
    """An account of the file is changed there and nowhere else."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The account "{name}" comes from the service accounts file; change it there.')


class SecretNeeded(Exception):
    """Where an account's secret is sent, and as what, changes only for somebody who knows it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'To change where or how the account "{name}" signs in, give its password, client secret or certificate '
            "again."
        )


_DECIDES_WHERE_SECRETS_GO = frozenset(
    {"endpoint", "auth_type", "username", "tenant", "authority", "fingerprint", "domains"}
)


def change(account: ServiceAccount, values: Mapping[str, object], *, by: ServiceAccount.Origin) -> None:
    """Write what differs, stored for the first time or not. Raises ``ReadOnly`` and ``SecretNeeded``.

    A change ends the account's rest: it is tried at once.
    """
    if account.pk and account.origin == _FILE != by:
        raise ReadOnly(account.name)
    changed = {key for key, value in values.items() if account.pk is None or getattr(account, key) != value}
    if not changed:
        return
    if changed & _DECIDES_WHERE_SECRETS_GO and not (values.get("password") or values.get("certificate")):
        raise SecretNeeded(account.name)
    for key, value in values.items():
        setattr(account, key, value)
    account.origin = by
    account.rests_until, account.failures = None, 0
    account.save()
    make_slots(account)


@transaction.atomic
def import_accounts(listed: Sequence[Listed]) -> None:
    """Make the accounts of origin "file" those that are listed; one that is no longer listed is disabled.

    One that an admin has switched off stays so.
    """
    known = {account.name: account for account in ServiceAccount.objects.all()}
    for entry in listed:
        account = known.get(entry.name) or ServiceAccount(name=entry.name)
        change(account, asdict(entry) | {"origin": _FILE, "enabled": not account.switched_off}, by=_FILE)
    names = [entry.name for entry in listed]
    ServiceAccount.objects.filter(origin=_FILE).exclude(name__in=names).update(enabled=False)


def switch(account: ServiceAccount, *, on: bool) -> None:
    """Use an account, or do not. Who is served by it is served by others, if there are any."""
    values: dict[str, object] = {"enabled": on, "switched_off": not on}
    if on:
        values |= {"rests_until": None, "failures": 0}
    ServiceAccount.objects.filter(pk=account.pk).update(**values)


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
