"""A lab Nextcloud process for the tests of this folder, emptied before each test, with one account in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab.nextcloud.remote import NextcloudControl
from lab.process import ServerProcess, start
from syncapp.items import Kind
from syncapp.nextcloud.side import Account, NextcloudSide

UID, LOGIN, PASSWORD = "anna-uid", "anna", "anna's password"

OpenSide = Callable[..., NextcloudSide]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start("lab.nextcloud", tmp_path_factory.mktemp("nextcloud-side") / "nextcloud.sqlite3") as process:
        yield process


@pytest.fixture
def control(server: ServerProcess) -> Iterator[NextcloudControl]:
    remote = NextcloudControl(server.url)
    remote.reset()
    remote.create_user(UID, PASSWORD, login=LOGIN, email="anna@lab.example", display_name="Anna Berg")
    yield remote
    remote.maintenance(False)
    remote.compression("off")
    remote.close()


@pytest.fixture
def open_side(control: NextcloudControl) -> Iterator[OpenSide]:
    """A function that opens a side on the account; all are closed afterwards."""
    opened: list[NextcloudSide] = []

    def open_side(kind: Kind = Kind.EVENT, password: str = PASSWORD) -> NextcloudSide:
        folder = "personal" if kind is Kind.EVENT else "contacts"
        opened.append(NextcloudSide(kind, Account(control.url, LOGIN, password, folder)))
        return opened[-1]

    yield open_side
    for each in opened:
        each.close()
