"""Both sides against servers named in the environment (docs/testing.md); without the variables there are no such tests.

The accounts must be there for tests: what is written stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import exchangelib
import pytest
from exchangelib.protocol import FailFast

from syncapp.exchange.ews.connection import Connection
from syncapp.exchange.ews.posting import Account
from syncapp.exchange.ews.side import open_side as open_ews
from syncapp.items import Kind
from syncapp.nextcloud.homes import NEXTCLOUD_ROOT
from syncapp.side import Side
from tests.contract.servers import Server, make_collections
from tests.contract.suite import OpenSide, SideContract
from tests.contract.test_dav_servers import opener

SECOND = "contract-suite"
"""The folder beside the default one that is made so that there is somewhere to move to."""


def _nextcloud() -> Server:
    named = os.environ
    url = named["NEXTCLOUD_TEST_URL"].rstrip("/")
    login, password = named["NEXTCLOUD_TEST_USER"], named["NEXTCLOUD_TEST_PASSWORD"]
    return Server(url, NEXTCLOUD_ROOT, "personal", "contacts", login, password)


@pytest.fixture(scope="module")
def server() -> Server:
    """The Nextcloud that is named, with a second calendar and a second address book."""
    server = _nextcloud()
    homes = {}
    for kind in Kind:
        side = opener(server)(kind)
        homes[kind] = side.folders()[0].id.rstrip("/").rpartition("/")[0]
        side.close()
    calendar, book = (f"{homes[kind]}/{SECOND}/" for kind in (Kind.EVENT, Kind.CONTACT))
    make_collections(server.url, {calendar: SECOND}, {book: SECOND}, (server.login, server.password))
    return server


def _exchange() -> tuple[Account, str]:
    named = os.environ
    account = Account(named["EWS_TEST_URL"], named["EWS_TEST_USER"], named["EWS_TEST_PASSWORD"])
    return account, named["EWS_TEST_MAILBOX"]


@pytest.fixture(scope="module")
def account() -> Account:
    """The Exchange that is named; the mailbox has a second calendar and a second folder of contacts."""
    account, mailbox = _exchange()
    configuration = exchangelib.Configuration(
        service_endpoint=account.url,
        credentials=exchangelib.Credentials(account.username, account.password),
        auth_type=exchangelib.BASIC,
        retry_policy=FailFast(),
    )
    stranger = exchangelib.Account(
        mailbox, config=configuration, autodiscover=False, access_type=exchangelib.IMPERSONATION
    )
    for kind, parent in (("Calendar", stranger.calendar), ("Contacts", stranger.contacts)):
        if not any(each.name == SECOND for each in parent.children):
            getattr(exchangelib.folders, kind)(parent=parent, name=SECOND).save()
    exchangelib.close_connections()
    return account


if "NEXTCLOUD_TEST_URL" in os.environ:

    class TestNextcloud(SideContract):
        """Has a trash bin for calendars only."""

        bins = (Kind.EVENT,)

        @pytest.fixture
        def open_side(self, server: Server) -> OpenSide:
            return opener(server)


if "EWS_TEST_URL" in os.environ:

    class TestExchange(SideContract):
        """Exchange has no atomic create: the engine searches before it creates (docs/architecture.md, rule 12)."""

        create_checks_ids = False

        @pytest.fixture
        def open_side(self, account: Account) -> Iterator[OpenSide]:
            sides: list[Side] = []

            def opened(kind: Kind) -> Side:
                _, mailbox = _exchange()
                sides.append(open_ews(kind, Connection(account, mailbox), "Europe/Berlin"))
                return sides[-1]

            yield opened
            for each in sides:
                each.close()
