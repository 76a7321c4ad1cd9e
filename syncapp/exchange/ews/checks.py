"""One thing at a time of what it takes to use a mailbox: each returns when it is well, or raises what is not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from syncapp.exchange.ews import operations
from syncapp.exchange.ews.connection import Connection, open_sessions, plain_sessions, proxy_for
from syncapp.exchange.ews.landmarks import BIN, DEFAULT_FOLDER, ROOT, folder_id
from syncapp.exchange.ews.native import item_id
from syncapp.exchange.ews.posting import Account, Authentication
from syncapp.exchange.tokens import Tokens
from syncapp.items.values import Kind
from syncapp.side import LoginFailed, NoMailbox, NotAllowed, Refused, SideError, Unreachable

_NOBODY = "nobody@mailbox.invalid"
_TITLE = "Test of the connector; may be deleted"


def resolve(account: Account) -> str:
    """The server has an address; which one, or which proxy is asked instead. Raises ``Unreachable``."""
    if proxy := proxy_for(account.url):
        return f"the proxy {urlsplit(proxy).hostname}"
    host = urlsplit(account.url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"The name {host} has no address.") from None
    return ", ".join(dict.fromkeys(str(each[4][0]) for each in found))


def connect(account: Account) -> None:
    """EWS answers there, and its certificate is trusted. Nobody signs in. Raises ``Unreachable`` and others."""
    sessions = plain_sessions(replace(account, authentication=Authentication.OAUTH))
    try:
        # That it wants to know who asks is the answer of an EWS that works.
        with contextlib.suppress(LoginFailed):
            sessions.visit(_NOBODY).post(b"")
    finally:
        sessions.close()


def token(account: Account) -> None:
    """The application gets a token. Raises ``LoginFailed``, ``NoToken``, ``Throttled``."""
    Tokens(account.application).token()


def sign_in(account: Account, mailbox: str) -> None:
    """The login is accepted; whether the account may act for ``mailbox`` ("" for nobody) is another question."""
    with contextlib.suppress(NoMailbox, NotAllowed):
        act_for(account, mailbox or _NOBODY)


def act_for(account: Account, mailbox: str) -> None:
    """The account may act for the mailbox. Raises ``NotAllowed``, ``NoMailbox`` and others."""
    _first_problem(_folders(account, mailbox, [ROOT]))


def read_folders(account: Account, mailbox: str) -> None:
    """Its calendar and its contacts can be read. Raises ``NotAllowed``, ``Gone`` and others."""
    _first_problem(_folders(account, mailbox, list(DEFAULT_FOLDER.values())))


def write(account: Account, mailbox: str) -> None:
    """A draft can be created and removed for good: in the bin, where no sync and hardly anybody looks."""
    sessions = open_sessions(account)
    try:
        connection = Connection(account, mailbox, sessions)
        [bin_] = operations.get_folders(connection, [operations.distinguished(BIN)])
        if isinstance(bin_, SideError):
            raise bin_
        made = operations.create_draft(connection, folder_id(bin_), _TITLE)
        if isinstance(made, SideError):
            raise made
        [problem] = operations.delete_items(connection, Kind.CONTACT, [item_id(made)[0]], forever=True)
        if problem is not None:
            raise Refused(f'What was written could not be removed; it is called "{_TITLE}". {problem}')
    finally:
        sessions.close()


def _folders(account: Account, mailbox: str, names: Sequence[str]) -> list[operations.Answer]:
    sessions = open_sessions(account)
    try:
        connection = Connection(account, mailbox, sessions)
        return operations.get_folders(connection, [operations.distinguished(name) for name in names])
    finally:
        sessions.close()


def _first_problem(answers: Sequence[operations.Answer]) -> None:
    for answer in answers:
        if isinstance(answer, SideError):
            raise answer
