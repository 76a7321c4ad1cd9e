"""Whose fault it is: one plain request without credentials tells a server that is down from one person's trouble."""

from __future__ import annotations

import ssl
from enum import StrEnum

import httpx
from django.conf import settings

from syncapp.exchange import tls
from syncapp.models import ServiceAccount

_SECONDS = 10.0
_MOST_BYTES = 65_536


class Health(StrEnum):
    """What a server says about itself."""

    UP = "up"
    MAINTENANCE = "maintenance"
    DOWN = "down"


def _get(url: str, trust: ssl.SSLContext | None) -> tuple[int, bytes] | None:
    """Status and the beginning of the answer; None without an answer. Redirects are not followed."""
    try:
        with httpx.stream("GET", url, timeout=_SECONDS, verify=trust or True) as answer:
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    break
            return answer.status_code, body
    except httpx.HTTPError:
        return None


def nextcloud() -> Health:
    """Ask ``/status.php``, which answers in maintenance mode, too (docs/server-behaviour.md, section 3.2.16)."""
    answer = _get(f"{settings.NEXTCLOUD_URL}/status.php", tls.context(_authorities(), ""))
    if answer is None or answer[0] >= 500:
        return Health.DOWN
    return Health.MAINTENANCE if b'"maintenance":true' in answer[1].replace(b" ", b"") else Health.UP


def exchange(account: ServiceAccount) -> Health:
    """Ask the EWS endpoint: a server that works answers 401, or whatever else is not an error of its own."""
    answer = _get(account.endpoint, tls.context(_authorities(), account.fingerprint))
    return Health.DOWN if answer is None or answer[0] in {404, 429} or answer[0] >= 500 else Health.UP


def _authorities() -> str:
    return str(settings.CA_FILE) if settings.CA_FILE else ""
