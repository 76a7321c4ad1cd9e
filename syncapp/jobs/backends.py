"""Which Exchange serves a mailbox: named by an account, told by autodiscover, or found by asking those there are.

A mailbox may move, from one's own servers to Microsoft 365 for one (docs/server-behaviour.md, section 4.5): when the
Exchange that had it knows it no more, the others are asked.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from syncapp.engine.lease import Lease
from syncapp.exchange import autodiscover
from syncapp.exchange.ews import side
from syncapp.jobs import accounts, sides
from syncapp.models import Enrollment, ServiceAccount
from syncapp.side import NoMailbox, NotAllowed, SideError, SideName

logger = logging.getLogger(__name__)

_ASK_SECONDS = 30.0
_SLOT_TAKEN = dt.timedelta(minutes=5)
"""How long a slot stays taken when its holder dies."""


def discover(mailbox: str, account: ServiceAccount) -> str:
    """The EWS address that autodiscover tells for a mailbox. Raises ``SideError``.

    Only for domains whose servers an admin trusts: an address that people may type themselves must not say to whom an
    account's password is sent.
    """
    domain = mailbox.rpartition("@")[2]
    try:
        if not domain or (domain not in settings.MAILBOX_DOMAINS and account.fits(mailbox) < 2):
            raise NotAllowed(
                "The servers of this mailbox's domain are not known to be trusted; name the domain in MAILBOX_DOMAINS, "
                "or in the Domains of a service account."
            )
        return autodiscover.find_ews(mailbox, _servers(mailbox, account), _trusted(domain, account))
    except SideError as error:
        error.side = SideName.EXCHANGE
        raise


def _servers(mailbox: str, account: ServiceAccount) -> list[str]:
    if settings.AUTODISCOVER_URL:
        return [settings.AUTODISCOVER_URL]
    online = account.auth_type == ServiceAccount.AuthType.OAUTH
    return [autodiscover.ONLINE] if online else autodiscover.servers_for(mailbox)


def _trusted(domain: str, account: ServiceAccount) -> autodiscover.Trusted:
    named = [domain, *settings.AUTODISCOVER_DOMAINS]
    if settings.AUTODISCOVER_URL:
        named.append(urlsplit(settings.AUTODISCOVER_URL).hostname or "")
    if account.auth_type == ServiceAccount.AuthType.OAUTH:
        named.append(urlsplit(autodiscover.ONLINE).hostname or "")
    return autodiscover.Trusted(named, settings.ALLOW_HTTP, str(settings.CA_FILE) if settings.CA_FILE else None)


def locate(lease: Lease, enrollment: Enrollment, account: ServiceAccount) -> None:
    """Find out where the mailbox is, for an account that does not say. Raises ``SideError`` and ``LeaseLost``."""
    if not account.endpoint:
        account.endpoint = discover(str(enrollment.mailbox), account)
        lease.put(exchange_url=account.endpoint)


def found_elsewhere(error: Exception, lease: Lease, enrollment: Enrollment, account: ServiceAccount) -> bool:
    """Whether an error means that the mailbox is gone from the account's Exchange, and another one has it.

    Whoever serves the enrollment next goes there. Raises ``LeaseLost``.
    """
    if not isinstance(error, NoMailbox) or error.side is not SideName.EXCHANGE:
        return False
    lease.renew()  # asking several takes a while
    found = _find_again(enrollment, account, lease.owner, timezone.now())
    if found is not None:
        lease.put(account_id=found.pk, exchange_url=found.endpoint)
    return found is not None


def _find_again(
    enrollment: Enrollment, gone_from: ServiceAccount, owner: str, now: dt.datetime
) -> ServiceAccount | None:
    """An account at another Exchange, which has the mailbox; with the ``endpoint`` that was found."""
    asked = {gone_from.endpoint}
    for account in accounts.free_elsewhere(enrollment, now):
        try:
            account.endpoint = account.endpoint or discover(str(enrollment.mailbox), account)
        except SideError as error:
            logger.info("enrollment %s: %s", enrollment.pk, type(error).__name__)
            continue
        if account.endpoint in asked:
            continue
        with accounts.hold(account, owner, now, now + _SLOT_TAKEN) as held:
            if held and _has(account, str(enrollment.mailbox)):
                return account
        if held:
            asked.add(account.endpoint)
    return None


def _has(account: ServiceAccount, mailbox: str) -> bool:
    service = replace(sides.service_of(account), request_seconds=_ASK_SECONDS)
    try:
        side.check_mailbox(service, mailbox)
    except SideError as error:
        logger.info("%s: %s", account.endpoint, type(error).__name__)
        return False
    return True
