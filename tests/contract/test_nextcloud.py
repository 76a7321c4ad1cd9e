"""The Nextcloud side against the lab's Nextcloud, and what its traffic must always be like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.nextcloud.remote import NextcloudControl
from lab.process import start
from syncapp.items import Kind
from tests.contract.servers import LOGIN, PASSWORD, Server, make_collections
from tests.contract.suite import OpenSide, SideContract
from tests.contract.test_dav_servers import opener

UID = "anna-uid"


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NextcloudControl]:
    """A lab Nextcloud with one account; what was sent to it is judged when all tests are done."""
    with start("lab.nextcloud", tmp_path_factory.mktemp("lab") / "nextcloud.sqlite3") as process:
        control = NextcloudControl(process.url)
        control.create_user(UID, PASSWORD, login=LOGIN, email="anna@lab.example", display_name="Anna Berg")
        home = f"{process.url}/remote.php/dav"
        make_collections(
            home, {f"/calendars/{UID}/second/": "Second"}, {f"/addressbooks/users/{UID}/second/": "Second"}
        )
        control.clear_traffic()
        yield control
        control.close()


class TestLabNextcloud(SideContract):
    """Has a trash bin for calendars only; the login name is not the account's name."""

    bins = (Kind.EVENT,)
    tells_whole = True

    @pytest.fixture
    def open_side(self, control: NextcloudControl) -> Iterator[OpenSide]:
        control.clear_traffic()
        yield opener(Server(control.url, "/remote.php/dav/", "personal", "contacts"))
        for each in control.traffic():
            if each["method"] not in ("PROPFIND", "REPORT", "GET"):
                silent = (each["headers"].get("x-nc-scheduling"), each["headers"].get("schedule-reply"))
                assert silent == ("false", "F"), each["method"]
        assert control.mail() == []
