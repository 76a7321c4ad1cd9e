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

_FREE = "(slot.owner = '' OR slot.until IS NULL OR slot.until < %s)"
_ALL = f"""
SELECT account.*, COUNT(slot.id) AS slots,
MIN(CASE WHEN {_FREE} THEN slot.id END) AS slot, SUM(CASE WHEN {_FREE} THEN 1 ELSE 0 END) AS free,
CASE WHEN account.rests_until > %s THEN 1
WHEN CASE account.endpoint WHEN '' THEN %s ELSE account.endpoint END
    IN (SELECT server FROM syncapp_serverrest WHERE until > %s) THEN 1 ELSE 0 END AS rests
FROM syncapp_serviceaccount account LEFT JOIN syncapp_accountslot slot ON slot.account_id = account.id
GROUP BY account.id ORDER BY account.id
"""  # noqa: S608 - no value in it
_TAKE = """
UPDATE syncapp_accountslot SET owner = %s, until = %s
WHERE id = %s AND (owner = '' OR until IS NULL OR until < %s)
"""
_GIVE_BACK = "UPDATE syncapp_accountslot SET owner = '', until = NULL WHERE id = %s AND owner = %s"


def _all(now: dt.datetime, discovered: str = "") -> list[ServiceAccount]:
    """Every account, with a free ``slot``, how many are ``free`` of how many ``slots``, and whether it ``rests``.

    It rests with its server, too; ``discovered`` is the server of accounts without an endpoint.
    """
    return statements.read(ServiceAccount, _ALL, (now, now, now, discovered, now))


def _ready(account: ServiceAccount) -> bool:
    """Whether it can serve somebody now. One that failed is tried by one worker at a time, lest it gets locked."""
    facts = vars(account)
    if not account.enabled or facts["rests"] or not facts["free"]:
        return False
    return not account.failures or facts["free"] == facts["slots"]


def usable(now: dt.datetime, enrollment: Enrollment | None = None) -> list[ServiceAccount]:
    """The accounts that may be used now, for an enrollment: best first, each with a free ``slot``.

    Those meant for the mailbox and no others; among these, those at the Exchange that served it last. Before all others
    comes the account that served it last, whose connection and caches are warm at the server; then whoever has the most
    free slots.
    """
    found = _all(now, enrollment.exchange_url if enrollment else "")
    if enrollment is not None:
        found = _meant_for(enrollment, found)
    last = enrollment.account_id if enrollment else None
    return sorted(filter(_ready, found), key=lambda each: (each.pk != last, -vars(each)["free"], each.pk))


def _meant_for(enrollment: Enrollment, accounts: Sequence[ServiceAccount]) -> list[ServiceAccount]:
    mailbox = str(enrollment.mailbox)
    fits = {each.pk: each.fits(mailbox) for each in accounts if each.enabled}
    best = max(fits.values(), default=0)
    meant = [each for each in accounts if best and fits.get(each.pk) == best]
    # A mailbox that has been served is known to live at that account's Exchange, whoever is meant for it besides.
    last = next((each for each in accounts if each.pk == enrollment.account_id), None)
    there = [each for each in accounts if last and each.endpoint == last.endpoint and fits.get(each.pk)]
    return [each for each in there if each in meant] or there or meant


def free_elsewhere(enrollment: Enrollment, now: dt.datetime) -> list[ServiceAccount]:
    """The accounts that may be used now for an enrollment wherever its mailbox is; those meant for it come first."""
    mailbox = str(enrollment.mailbox)
    found = [each for each in _all(now) if _ready(each) and each.fits(mailbox)]
    return sorted(found, key=lambda each: (-each.fits(mailbox), each.pk))


def unable(now: dt.datetime) -> list[int] | None:
    """The accounts whose people nobody can serve now, for every account beside them rests or is busy; None: all are."""
    found = _all(now)
    able = {(each.endpoint, each.domains) for each in found if _ready(each)}
    # Whoever was with an account that is used no more goes to another one, wherever that is.
    waiting = {(each.endpoint, each.domains) for each in found if each.enabled} - able
    return [each.pk for each in found if (each.endpoint, each.domains) in waiting] if able else None


@contextmanager
def slot_for(enrollment: Enrollment, owner: str, now: dt.datetime, seconds: float) -> Iterator[ServiceAccount | None]:
    """Hold one connection's worth of an account while the body runs; None when no account has one.

    An account without an endpoint comes with the one that is known for the mailbox. ``seconds`` is how long a slot
    stays taken when its holder dies.
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
    while found := usable(now, enrollment):
        for account in found:
            if slot := _take(account, owner, now, until):
                account.endpoint = account.endpoint or enrollment.exchange_url
                return account, slot
    return None, 0


@contextmanager
def hold(account: ServiceAccount, owner: str, now: dt.datetime, until: dt.datetime) -> Iterator[bool]:
    """Hold the free slot of an account as ``usable`` gave it, while the body runs; False when somebody was faster."""
    slot = _take(account, owner, now, until)
    try:
        yield bool(slot)
    finally:
        if slot:
            statements.change(_GIVE_BACK, (slot, owner))


def _take(account: ServiceAccount, owner: str, now: dt.datetime, until: dt.datetime) -> int:
    slot = int(vars(account)["slot"])
    return slot if statements.change(_TAKE, (owner, until, slot, now)) else 0
