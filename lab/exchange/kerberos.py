"""Kerberos over HTTP (SPNEGO, RFC 4559), where a keytab says which service this is (KRB5_KTNAME)."""

from __future__ import annotations

import base64
import binascii
import os


def offered() -> bool:
    """Whether there is a keytab."""
    return "KRB5_KTNAME" in os.environ


def principal(encoded: str) -> str | None:
    """Whose ticket it is, as name@REALM; None if it is none for this service."""
    import gssapi

    try:
        context = gssapi.SecurityContext(usage="accept")
        context.step(base64.b64decode(encoded, validate=True))
    except (gssapi.exceptions.GSSError, binascii.Error):
        return None
    return str(context.initiator_name) if context.complete else None
