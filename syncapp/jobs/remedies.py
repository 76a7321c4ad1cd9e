"""What an admin can do about a service account that does not work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from urllib.parse import urlsplit

from syncapp.models import ServiceAccount

_MEANWHILE = "Until then other accounts do its work, if there are any. Find out more with: manage.py accounts test"
_PASSWORD = (
    "Check in the directory that the account is neither locked nor disabled and that its password has not expired; "
    f"then check user name and password where the account is listed. {_MEANWHILE}"
)
LOGIN: Mapping[str, str] = {
    ServiceAccount.AuthType.BASIC.value: _PASSWORD,
    ServiceAccount.AuthType.NTLM.value: _PASSWORD,
    ServiceAccount.AuthType.KERBEROS.value: _PASSWORD,
    ServiceAccount.AuthType.OAUTH.value: "Check the application in the Microsoft Entra admin center: its client secret "
    "or certificate, and its permission full_access_as_app with admin consent; then AppId, TenantId and ClientSecret "
    f"or Certificate where the account is listed. {_MEANWHILE}",
}
"""About a failed login, by the way to sign in."""

_TICKETS = (
    "Check that /etc/krb5.conf names the realm of the account, that this machine can reach its domain controllers, and "
    "that the account's name is written as svc@EXAMPLE.ORG."
)
_AUTHORITY = (
    "Check that this machine can reach the Authority of the account (https://login.microsoftonline.com), through a "
    "proxy if need be (HTTPS_PROXY)."
)


def tokens(auth_type: str) -> str:
    """About an account that gets no token, or no ticket."""
    return _TICKETS if auth_type == ServiceAccount.AuthType.KERBEROS else _AUTHORITY


TRUST = (
    "If the server's certificate is one of your own authority, name that in CA_FILE; if it is self-signed, write its "
    "SHA-256 fingerprint into the account's Fingerprint, after comparing it on the server itself. If it was renewed, "
    "the pinned fingerprint has to be renewed, too."
)
NAMES = "Check the Endpoint of the account (or EXCHANGE_URL) for a misspelling, and the name servers of this machine."
REACH = (
    "Check that the server runs, that the Endpoint of the account (or EXCHANGE_URL) is right and ends with "
    "/EWS/Exchange.asmx, and that no firewall stands between; a proxy is named by HTTPS_PROXY."
)
_ROLE = (
    "In the Exchange Management Shell: New-ManagementRoleAssignment -Role ApplicationImpersonation -User ACCOUNT; a "
    "new assignment may take an hour to work. If all of EWS is refused, look at Set-CASMailbox -EwsEnabled."
)
RIGHTS: Mapping[str, str] = {
    ServiceAccount.AuthType.BASIC.value: _ROLE,
    ServiceAccount.AuthType.NTLM.value: _ROLE,
    ServiceAccount.AuthType.KERBEROS.value: _ROLE,
    ServiceAccount.AuthType.OAUTH.value: "Give the application the permission full_access_as_app with admin consent, "
    "or the role Application EWS.AccessAsApp for this mailbox; a new one may take an hour to work.",
}
"""About a login that may not act for a mailbox, by the way to sign in."""
MAILBOX = (
    "Check the address of the mailbox (its primary one is wanted), and that it is at this Exchange; one at another "
    "needs an account there."
)
BUSY = "Exchange is busy. Try again in some minutes."

EWS_ENDS = dt.date(2027, 4, 1)
"""When Microsoft switches EWS off in Exchange Online for everybody (docs/server-behaviour.md, section 4.1)."""
_ONLINE = ("outlook.office365.com", "outlook.office.com")


def ending(url: str, today: dt.date) -> str:
    """What to say about the end of EWS at this address; "" where it has none."""
    if (urlsplit(url).hostname or "") not in _ONLINE:
        return ""
    left = (EWS_ENDS - today).days
    if left <= 0:
        return "Microsoft has switched EWS off in Exchange Online on 1 April 2027."
    return (
        "Microsoft is switching EWS off in Exchange Online: since 1 October 2026 for tenants without an allow list, on "
        f"1 April 2027 for all, in {left} days."
    )
