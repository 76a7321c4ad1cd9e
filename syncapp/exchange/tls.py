"""Whom we believe to be the server: one that authorities vouch for, or the one whose certificate an admin has pinned.

One of both is always checked; there is no way to switch that off.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter


class OtherCertificate(ssl.SSLCertVerificationError):
    """The server has another certificate than the pinned one."""


class _Pinned(ssl.SSLContext):
    """Nobody has to vouch for the certificate, but it must be this one. Nothing is sent before that is known."""

    fingerprint = ""

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """See ``ssl.SSLContext``. Raises ``OtherCertificate``."""
        sock = super().wrap_socket(*args, **kwargs)
        if hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest() != self.fingerprint:
            sock.close()
            raise OtherCertificate("another certificate than the pinned one")
        return sock


def context(authorities: str, fingerprint: str) -> ssl.SSLContext | None:
    """What connections check: the pinned SHA-256 ``fingerprint`` if there is one (small hexadecimal digits).

    Otherwise the ``authorities`` in a file or directory; None for the usual ones.
    """
    if fingerprint:
        pinned = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
        pinned.check_hostname, pinned.verify_mode = False, ssl.CERT_NONE
        pinned.fingerprint = fingerprint
        return pinned
    if not authorities:
        return None
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)


class PinnedAdapter(HTTPAdapter):
    """The same for requests, whose own way of checking is told to ask nobody else (``verify=False``)."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__(pool_connections=1, pool_maxsize=1, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """See ``HTTPAdapter``."""
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self._fingerprint)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """See ``HTTPAdapter``."""
        return super().proxy_manager_for(*args, **kwargs, assert_fingerprint=self._fingerprint)
