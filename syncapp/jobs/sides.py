"""Builds both sides of an enrollment for the engine, and notes on every error which side it came from."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from django.conf import settings

from syncapp.exchange.ews import connection, side
from syncapp.items import Kind
from syncapp.models import Enrollment, ServiceAccount
from syncapp.nextcloud.http import Connections
from syncapp.nextcloud.side import Account, NextcloudSide
from syncapp.side import Side, SideError, SidesOf

EWS_SECONDS = 60.0
"""The longest that one request to Exchange may take; leases outlast it (docs/architecture.md, rule 21)."""

_AUTHENTICATION = {
    ServiceAccount.AuthType.BASIC.value: connection.Authentication.BASIC,
    ServiceAccount.AuthType.NTLM.value: connection.Authentication.NTLM,
}


def build(enrollment: Enrollment, account: ServiceAccount) -> list[SidesOf]:
    """Both sides for each kind of item. Opens no connection; the caller closes the sides."""
    ews = connection.Connection(
        connection.Account(
            url=account.endpoint,
            username=account.username,
            password=str(account.password),
            authentication=_AUTHENTICATION[account.auth_type],
            ca_file=str(settings.CA_FILE) if settings.CA_FILE else None,
            request_seconds=EWS_SECONDS,
        ),
        str(enrollment.mailbox),
    )
    exchange = side.open_sides(ews, settings.TIME_ZONE)
    folders = {Kind.EVENT: enrollment.calendar, Kind.CONTACT: enrollment.address_book}
    return [
        SidesOf(
            kind,
            exchange=named(exchange[kind]),
            nextcloud=named(NextcloudSide(kind, _dav_account(enrollment, folder), nextcloud_connections())),
        )
        for kind, folder in folders.items()
    ]


def _dav_account(enrollment: Enrollment, folder: str) -> Account:
    return Account(settings.NEXTCLOUD_URL, enrollment.nextcloud_login, str(enrollment.token), folder)


def nextcloud_connections() -> Connections:
    """Connections to Nextcloud that trust CA_FILE, or the usual authorities without one."""
    return Connections(settings.NEXTCLOUD_URL, _authorities(str(settings.CA_FILE)) if settings.CA_FILE else None)


@cache
def _authorities(file: str) -> ssl.SSLContext:
    """Read once: that takes longer than a look at a person's items."""
    return ssl.create_default_context(cafile=file)


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
