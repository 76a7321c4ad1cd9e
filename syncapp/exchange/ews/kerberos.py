"""Kerberos: a ticket for the service account, with which requests sign in (SPNEGO, RFC 4559).

The packages for it come with the extra ``kerberos``, because they need the headers of Kerberos to be built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests.auth import AuthBase

from syncapp.side import LoginFailed, NoToken

_SPNEGO = "1.3.6.1.5.5.2"
_RENEW_SECONDS = 600

_WRONG_PASSWORD = "Kerberos does not accept the password of the service account."  # noqa: S105 - a sentence
_REASONS: Mapping[str, str] = {
    "not found in Kerberos database": "Kerberos knows no such service account (its name is wanted as svc@EXAMPLE.ORG).",
    "credentials have been revoked": "The service account is locked or disabled, or has expired.",
    "Password has expired": "The password of the service account has expired.",
    "Preauthentication failed": _WRONG_PASSWORD,
    "Decrypt integrity check failed": _WRONG_PASSWORD,
    "Clock skew too great": "Kerberos does not accept the clock of this machine: it is off by over five minutes.",
}
"""By what MIT's library says: errors that several mechanisms have are numbered anew in each process."""


class Kerberos(AuthBase):
    """Signs in requests with a ticket, which is got when there is none that lives long enough."""

    def __init__(self, username: str, password: str, *, bound: bool) -> None:
        """With ``bound`` the login counts for this TLS connection alone (RFC 5929), which Exchange may insist on."""
        self._username = username
        self._password = password
        self._bound = bound
        self._ticket: Any = None
        self._signs: Any = None

    def __call__(self, request: Any) -> Any:
        """See ``AuthBase``. Raises ``LoginFailed`` and ``NoToken``."""
        if self._ticket is None or not _lives(self._ticket):
            self._ticket = _new_ticket(self._username, self._password)
            self._signs = self._signing()
        return self._signs(request)

    def _signing(self) -> Any:
        from gssapi import OID
        from requests_gssapi import HTTPSPNEGOAuth

        binding = "tls-server-end-point" if self._bound else None
        return HTTPSPNEGOAuth(creds=self._ticket, mech=OID.from_int_seq(_SPNEGO), channel_bindings=binding)


def _lives(ticket: Any) -> bool:
    from gssapi.exceptions import GSSError

    try:
        return bool(ticket.lifetime > _RENEW_SECONDS)
    except GSSError:
        return False


def _new_ticket(username: str, password: str) -> Any:
    try:
        import gssapi
        from gssapi.raw import acquire_cred_with_password
    except ImportError:
        raise NoToken("Kerberos needs more packages (docs/exchange-onpremises.md): uv sync --extra kerberos") from None
    try:
        name = gssapi.Name(username, gssapi.NameType.user)
        mechs = [gssapi.OID.from_int_seq(_SPNEGO)]
        got = acquire_cred_with_password(name, password.encode(), mechs=mechs, usage="initiate")
        return gssapi.Credentials(got.creds)
    except gssapi.exceptions.GSSError as error:
        text = str(error)
        for words, sentence in _REASONS.items():
            if words in text:
                raise LoginFailed(sentence) from None
        raise NoToken("There is no Kerberos ticket for the service account: its realm does not answer.") from None
