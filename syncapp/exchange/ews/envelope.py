"""The SOAP envelope of a request: exchangelib's, with its version and impersonation headers."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from exchangelib import Identity
from exchangelib.services.common import EWSService
from exchangelib.util import create_element
from exchangelib.version import EXCHANGE_2013_SP1

from syncapp.exchange.ews.markup import Markup, t

_GAP = "Request"
"""The name of the element that stands where the request is to be."""
_SOMEBODY = "somebody@mailbox.invalid"
"""Stands where the mailbox is to be."""


def enveloped(request: Markup, mailbox: str, windows_zone: str) -> bytes:
    """A request about a mailbox; where it names no zone, the server is to count in ``windows_zone``."""
    before, after = _around(windows_zone)
    return b"".join((before.replace(_address(_SOMEBODY), _address(mailbox)), request.encode(), after))


def _address(mailbox: str) -> bytes:
    return t("PrimarySmtpAddress", mailbox).encode()


@cache
def _around(windows_zone: str) -> tuple[bytes, bytes]:
    """What stands before and after a request. But for the mailbox it is always the same, so it is built once."""
    built = _Envelope(windows_zone).wrap(
        content=create_element(f"m:{_GAP}"), api_version=EXCHANGE_2013_SP1.api_version()
    )
    before, _, after = built.partition(f"<m:{_GAP}/>".encode())
    return before, after


class _Envelope(EWSService):  # type: ignore[misc]  # exchangelib has no types
    """exchangelib's envelope, for nobody in particular."""

    def __init__(self, windows_zone: str) -> None:
        super().__init__(protocol=None)
        self._windows_zone = windows_zone

    @property
    def _account_to_impersonate(self) -> Identity:
        return Identity(primary_smtp_address=_SOMEBODY)

    @property
    def _timezone(self) -> SimpleNamespace:
        # All that the envelope wants of exchangelib's own zones, whose table is older than ours.
        return SimpleNamespace(ms_id=self._windows_zone)
