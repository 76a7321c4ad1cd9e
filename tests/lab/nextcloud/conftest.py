"""A lab Nextcloud process for the tests of this folder, emptied before each test, with one account in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.nextcloud.remote import NextcloudControl
from lab.process import ServerProcess, start
from tests.lab.nextcloud.client import Dav


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One process for all tests."""
    data: Path = tmp_path_factory.mktemp("lab-nextcloud") / "nextcloud.sqlite3"
    with start("lab.nextcloud", data) as process:
        yield process


@pytest.fixture
def control(server: ServerProcess) -> Iterator[NextcloudControl]:
    """The server's control addresses; the server has been emptied."""
    remote = NextcloudControl(server.url)
    remote.reset()
    yield remote
    remote.close()


@pytest.fixture
def anna(control: NextcloudControl) -> Iterator[Dav]:
    """An account whose login name is not its uid, and a client that is logged in as it."""
    control.create_user("anna-uid", "anna's password", login="anna", email="anna@lab.example", display_name="Anna Berg")
    with Dav(control.url, "anna", "anna's password", "anna-uid") as client:
        yield client
