"""The Nextcloud side against DAV servers that are not Nextcloud, so that it speaks the standards and not a dialect."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from syncapp.items import Kind
from syncapp.nextcloud.side import Account, NextcloudSide
from tests.contract import servers
from tests.contract.servers import Server
from tests.contract.suite import OpenSide, SideContract


def opener(server: Server) -> OpenSide:
    """How a side is opened on a server."""

    def open_side(kind: Kind) -> NextcloudSide:
        folder = server.calendar if kind is Kind.EVENT else server.book
        return NextcloudSide(kind, Account(server.url, server.login, server.password, folder, server.root))

    return open_side


@pytest.fixture(scope="module")
def xandikos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.xandikos(tmp_path_factory.mktemp("xandikos")) as server:
        yield server


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture(scope="module")
def cyrus() -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(servers.cyrus())
        except servers.NotInstalled as absent:
            pytest.skip(f"not run: {absent}")
        yield server


class TestXandikos(SideContract):
    """Keeps what it is given, two cards with one UID too; has no trash bin."""

    bins = ()
    unique_uids = (Kind.EVENT,)

    @pytest.fixture
    def open_side(self, xandikos: Server) -> OpenSide:
        return opener(xandikos)


class TestRadicale(SideContract):
    """Writes everything anew; has no trash bin."""

    bins = ()

    @pytest.fixture
    def open_side(self, radicale: Server) -> OpenSide:
        return opener(radicale)


class TestCyrus(SideContract):
    """Has tokens and pages of its own making, and takes two cards with one UID; has no trash bin."""

    bins = ()
    unique_uids = (Kind.EVENT,)

    @pytest.fixture
    def open_side(self, cyrus: Server) -> OpenSide:
        return opener(cyrus)
