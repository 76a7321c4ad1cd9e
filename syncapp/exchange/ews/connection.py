"""One mailbox seen with one service account: requests out, response messages in, every failure a ``SideError``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from requests.utils import get_environ_proxies, select_proxy

from syncapp.exchange.ews.envelope import enveloped
from syncapp.exchange.ews.errors import error_of_fault
from syncapp.exchange.ews.markup import Markup
from syncapp.exchange.ews.posting import Account, Authentication, ConnectionLost, Sessions, WithTokens
from syncapp.exchange.ews.signed import Signed
from syncapp.exchange.ews.straight import Straight
from syncapp.exchange.ews.xml import MESSAGES, SOAP, Element, NotXml, parse
from syncapp.exchange.tokens import Tokens
from syncapp.items.values import Kind
from syncapp.side import Refused, Unreachable


def open_sessions(account: Account) -> Sessions:
    """The connections of an account: straight to Exchange, but where only exchangelib knows the way. Opens none yet."""
    sessions = plain_sessions(account)
    if account.authentication is Authentication.OAUTH:
        return WithTokens(sessions, Tokens(account.application))
    return sessions


def plain_sessions(account: Account) -> Sessions:
    """The same without tokens: with OAuth nobody signs in."""
    with requests.Session() as session:
        authorities = session.merge_environment_settings(account.url, {}, None, account.ca_file, None)["verify"]
    signs_connections = account.authentication in (Authentication.NTLM, Authentication.KERBEROS)
    if signs_connections or proxy_for(account.url):
        return Signed(account)
    return Straight(account, authorities if isinstance(authorities, str) else "")


def proxy_for(url: str) -> str:
    """The proxy that the environment names for an address, "" for none."""
    return select_proxy(url, get_environ_proxies(url)) or ""


class Connection:
    """The way to one mailbox. Cookies and connections are kept until ``close``; the same thread uses it throughout.

    ``sessions`` are those of the account where they shall outlive this; whoever made them closes them.
    """

    def __init__(self, account: Account, mailbox: str, sessions: Sessions | None = None) -> None:
        self.account = account
        self.mailbox = mailbox
        self._clock = ""
        self.windows_zone = "UTC"
        """The zone in which the server counts where a request names none: days of an all-day occurrence, for one."""
        self.lists_to_find: set[Kind] = set()
        """Kinds of items that the server could not search for by our ids."""
        self._sessions = sessions or open_sessions(account)
        self._shared = sessions is not None
        self._visit = self._sessions.visit(mailbox)

    @property
    def server_time(self) -> datetime:
        """The server's clock in its last answer, to the second; ours where it names none."""
        try:
            return parsedate_to_datetime(self._clock).astimezone(UTC)
        except ValueError:
            return datetime.now(UTC)

    def ask(self, request: Markup) -> list[Element]:
        """Send a request that changes nothing; the response messages, errors of single items included.

        A kept connection that the server had closed meanwhile is no news: the request is repeated at once, one time.
        Raises ``Throttled``, ``Unreachable``, ``NotAllowed``, ``LoginFailed``, ``NoMailbox``, and what a fault means.
        """
        try:
            return self._send(request)
        except ConnectionLost:
            return self._send(request)
        except Refused as problem:
            raise not_understood(problem) from None

    def tell(self, request: Markup) -> list[Element]:
        """Send a request that changes something; as ``ask``, but never repeated: it may have been done."""
        return self._send(request)

    def close(self) -> None:
        """Let go of the connections."""
        if not self._shared:
            self._sessions.close()

    def _send(self, request: Markup) -> list[Element]:
        content, self._clock = self._visit.post(enveloped(request, self.mailbox, self.windows_zone))
        return _messages(request, content)


def _operation_of(request: Markup) -> str:
    return re.split("[ />]", request.removeprefix("<m:"), maxsplit=1)[0]


def _messages(request: Markup, content: bytes) -> list[Element]:
    try:
        envelope = parse(content)
    except NotXml:
        raise Unreachable("What answers at the address of Exchange does not speak EWS.") from None
    body = envelope.find(f"{{{SOAP}}}Body")
    if body is None or not len(body):
        raise Unreachable("What answers at the address of Exchange does not speak EWS.")
    fault = body.find(f"{{{SOAP}}}Fault")
    if fault is not None:
        raise error_of_fault(fault)
    found = body[0].find(f"{{{MESSAGES}}}ResponseMessages")
    if found is None:
        raise Unreachable(f"Exchange answered {_operation_of(request)} with something else.")
    return [each for each in found if isinstance(each.tag, str)]


def not_understood(problem: Refused) -> Unreachable:
    """The error of a question that was refused: there is no item to blame, so it is the server that can't be used."""
    return Unreachable(f"{problem} It was asked a question that other servers answer.")
