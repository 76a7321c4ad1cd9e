"""Where the EWS of a mailbox is: autodiscover V2, which needs no login (Exchange 2016 CU3 and later, Exchange Online).

https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli describes the older ways; none of these is
tried, because they send the account's password to whichever server the mail domain names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

import requests

from syncapp.side import NoMailbox, SideError, Unreachable, Untrusted

ONLINE = "https://outlook.office365.com"
_PATH = "/autodiscover/autodiscover.json/v1.0/"
_SECONDS = 20.0
_MOST_BYTES = 100_000
_MOST_HOPS = 5


@dataclass(frozen=True)
class Trusted:
    """Whom to believe: servers named in ``domains`` or below them, over TLS, but with ``http`` (the lab) without, too.

    ``ca_file`` as in ``posting.Account``.
    """

    domains: Sequence[str]
    http: bool = False
    ca_file: str | None = None

    def covers(self, url: str) -> bool:
        """Whether something may be asked of, or sent to, the server in this address."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        named = any(host == domain or host.endswith(f".{domain}") for domain in self.domains)
        return named and (parts.scheme == "https" or (self.http and parts.scheme == "http"))


def servers_for(address: str) -> list[str]:
    """Whom to ask about a mailbox when nobody was named: the usual names in its domain."""
    domain = address.rpartition("@")[2]
    return [f"https://autodiscover.{domain}", f"https://{domain}"]


def find_ews(address: str, servers: Sequence[str], trusted: Trusted) -> str:
    """The EWS address of a mailbox, as the first server says that knows it.

    Raises ``NoMailbox`` when a server says that there is none, else what kept the last one from answering.
    """
    problem: SideError = Unreachable("There is no autodiscover server to ask.")
    for server in servers:
        try:
            return _ask(f"{server}{_PATH}{quote(address, safe='@')}?Protocol=EWS", trusted)
        except NoMailbox:
            raise
        except Unreachable as error:
            problem = error
    raise problem


def _ask(url: str, trusted: Trusted) -> str:
    for _ in range(_MOST_HOPS):
        host = urlsplit(url).hostname
        if not trusted.covers(url):
            raise Unreachable(
                f"Autodiscover leads to {host}, which is not trusted: only https, and only servers in the mailbox's "
                "domain or those that AUTODISCOVER_DOMAINS names."
            )
        status, location, body = _get(url, trusted)
        if status in (301, 302, 303, 307, 308) and location:
            url = urljoin(url, location)
            continue
        if status == 404 and b"ErrorCode" in body:
            raise NoMailbox("Autodiscover knows no mailbox with this address.")
        found = _url_in(body) if status == 200 else ""
        if not found:
            raise Unreachable(f"{host} does not answer autodiscover (status {status}).")
        if not trusted.covers(found):
            return _ask(found, trusted)  # which says what is the matter with it
        return found
    raise Unreachable("Autodiscover leads in circles.")


def _get(url: str, trusted: Trusted) -> tuple[int, str, bytes]:
    host = urlsplit(url).hostname
    try:
        with requests.get(
            url, timeout=_SECONDS, verify=trusted.ca_file or True, allow_redirects=False, stream=True
        ) as answer:
            body = answer.raw.read(_MOST_BYTES, decode_content=True)
            return answer.status_code, answer.headers.get("Location", ""), body
    except requests.exceptions.SSLError:
        raise Untrusted(f"No secure connection to {host} for autodiscover: its certificate is not trusted.") from None
    except (requests.RequestException, OSError) as problem:
        raise Unreachable(f"{host} can't be reached for autodiscover ({type(problem).__name__}).") from None


def _url_in(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    url = answer.get("Url") if isinstance(answer, dict) else ""
    return url if isinstance(url, str) else ""
