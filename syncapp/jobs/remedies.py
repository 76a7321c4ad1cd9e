"""What an admin can do about a service account that does not work."""

from __future__ import annotations

from collections.abc import Mapping

from syncapp.models import ServiceAccount

_MEANWHILE = "Until then other accounts do its work, if there are any. Find out more with: manage.py accounts test"
_PASSWORD = (
    "Check in the directory that the account is neither locked nor disabled and that its password has not expired; "
    f"then check user name and password where the account is listed. {_MEANWHILE}"
)
LOGIN: Mapping[str, str] = {
    ServiceAccount.AuthType.BASIC.value: _PASSWORD,
    ServiceAccount.AuthType.NTLM.value: _PASSWORD,
    ServiceAccount.AuthType.OAUTH.value: "Check the application in the Microsoft Entra admin center: its client secret "
    "or certificate, and its permission full_access_as_app with admin consent; then AppId, TenantId and ClientSecret "
    f"or Certificate where the account is listed. {_MEANWHILE}",
}
"""About a failed login, by the way to sign in."""

TOKENS = (
    "Check that this machine can reach the Authority of the account (https://login.microsoftonline.com), through a "
    "proxy if need be (HTTPS_PROXY)."
)
TRUST = (
    "If the server's certificate is one of your own authority, name that in CA_FILE; if it is self-signed, write its "
    "SHA-256 fingerprint into the account's Fingerprint, after comparing it on the server itself. If it was renewed, "
    "the pinned fingerprint has to be renewed, too."
)
