"""Builds both sides of an enrollment for the engine, and notes on every error which side it came from.

A worker keeps its connections between two people. One to Nextcloud belongs to nobody, because each request says who
asks; the cookies are those of a person's token. One to Exchange belongs to a service account, because NTLM signs in the
connection; the cookies are those of a mailbox, and end with the visit.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

from django.conf import settings

from syncapp.exchange.ews import connection, posting, side
from syncapp.http import Connections, Limits
from syncapp.items import Item, Kind
from syncapp.jobs.kept import Kept
from syncapp.models import Enrollment, ServiceAccount
from syncapp.nextcloud.codecs import CODECS
from syncapp.nextcloud.side import Account, NextcloudSide
from syncapp.side import Side, SideError, SideName, SidesOf

EWS_SECONDS = 120.0
"""The longest that one request to Exchange may take; leases outlast it (docs/architecture.md, rule 21)."""

_EXCHANGE_IDLE_SECONDS = 30.0
"""IIS ends a connection that was idle for two minutes; we want to be the first."""
_ACCOUNTS, _PEOPLE = 32, 2000

_sessions: Kept[posting.Sessions] = Kept(_ACCOUNTS)
_servers: Kept[Connections] = Kept(_ACCOUNTS)
_people: Kept[Connections] = Kept(_PEOPLE)

Build = Callable[[Enrollment, ServiceAccount], list[SidesOf]]
"""``build``, or what tests put in its place."""


def build(enrollment: Enrollment, account: ServiceAccount) -> list[SidesOf]:
    """Both sides for each kind of item. Opens no connection; the caller closes the sides."""
    service = service_of(account)
    sessions = _sessions.get(service, lambda: connection.open_sessions(service))
    ews = connection.Connection(service, str(enrollment.mailbox), sessions)
    exchange = side.open_sides(ews, settings.TIME_ZONE)
    nextcloud = _kept_connections(enrollment)
    folders = {Kind.EVENT: enrollment.calendar, Kind.CONTACT: enrollment.address_book}
    return [
        SidesOf(
            kind,
            exchange=named(exchange[kind]),
            nextcloud=named(NextcloudSide(kind, _dav_account(enrollment, folder), nextcloud)),
        )
        for kind, folder in folders.items()
    ]


def close(built: Sequence[SidesOf]) -> None:
    """Let go of the connections of both sides."""
    for of in built:
        of.exchange.close()
        of.nextcloud.close()


def service_of(account: ServiceAccount) -> posting.Account:
    """A service account as the side knows it."""
    return posting.Account(
        url=account.endpoint,
        username=account.username,
        password=str(account.password),
        authentication=posting.Authentication(account.auth_type),
        ca_file=str(settings.CA_FILE) if settings.CA_FILE else None,
        request_seconds=EWS_SECONDS,
        fingerprint=account.fingerprint,
        certificate=str(account.certificate),
        authority=account.authority,
        tenant=account.tenant,
    )


def _dav_account(enrollment: Enrollment, folder: str) -> Account:
    return Account(settings.NEXTCLOUD_URL, enrollment.nextcloud_login, str(enrollment.token), folder)


def _kept_connections(enrollment: Enrollment) -> Connections:
    server = (settings.NEXTCLOUD_URL, str(settings.CA_FILE))
    shared = _servers.get(server, nextcloud_connections)
    return _people.get((*server, enrollment.nextcloud_login, str(enrollment.token)), shared.borrow)


def close_unused() -> None:
    """Close the connections that have been idle for a while. Called while nobody is served."""
    _sessions.close_unused(_EXCHANGE_IDLE_SECONDS)
    _servers.close_unused(Limits.idle)


def close_all() -> None:
    """Close all connections that are kept. Called while nobody is served."""
    _sessions.close_unused(0.0)
    _servers.close_unused(0.0)


def _forget() -> None:
    for each in (_sessions, _servers, _people):
        each.forget()


os.register_at_fork(after_in_child=_forget)


def nextcloud_connections() -> Connections:
    """Connections to Nextcloud that trust CA_FILE, or the usual authorities without one."""
    return Connections(settings.NEXTCLOUD_URL, _authorities(str(settings.CA_FILE)) if settings.CA_FILE else None)


@cache
def _authorities(file: str) -> ssl.SSLContext:
    """Read once: that takes longer than a look at a person's items."""
    return ssl.create_default_context(cafile=file)


def unpack(name: SideName, kind: Kind, packed: bytes) -> Item:
    """The item in an object as history keeps it; no server is asked. Raises ``Unreadable``."""
    if name is SideName.EXCHANGE:
        return side.unpack(kind, packed, settings.TIME_ZONE)
    return CODECS[kind].parse(packed).item


class _Named:
    """A side whose errors say which side it was: what has to be done about them differs."""

    def __init__(self, side: Side) -> None:
        self._side = side

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._side, name)
        return self._naming(value) if callable(value) else value

    def _naming(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except SideError as error:
                error.side = self._side.name
                raise

        return call


def named(side: Side) -> Side:
    """The same side; the errors that it raises carry its name."""
    return cast("Side", _Named(side))
