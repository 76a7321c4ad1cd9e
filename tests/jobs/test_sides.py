"""The factory of sides, and the question whether a server works at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from connector_project.env import BASE_DIR
from lab.nextcloud.remote import NextcloudControl
from lab.process import start
from syncapp.items import Kind
from syncapp.jobs import probe, sides
from syncapp.models import Enrollment, ServiceAccount
from syncapp.side import NotAllowed, SideName, SidesOf
from tests.jobs.fakes import FakeSide


def test_both_sides_of_both_kinds_are_built_without_a_connection() -> None:
    person = Enrollment(nextcloud_uid="a", nextcloud_login="a", token="t", mailbox="a@example.org")
    account = ServiceAccount(name="s", endpoint="http://127.0.0.1:9/EWS", username="s", password="p", auth_type="ntlm")
    built = sides.build(person, account)
    assert [of.kind for of in built] == [Kind.EVENT, Kind.CONTACT]
    for of in built:
        assert (of.exchange.name, of.nextcloud.name) == (SideName.EXCHANGE, SideName.NEXTCLOUD)
        of.exchange.close()
        of.nextcloud.close()


def test_people_share_connections_but_neither_cookies_nor_mailbox(settings: Settings) -> None:
    settings.NEXTCLOUD_URL = "http://127.0.0.1:10"
    account = ServiceAccount(name="s", endpoint="http://127.0.0.1:9/EWS", username="s", password="p")

    def built(**values: str) -> tuple[Any, Any]:
        fields = {"nextcloud_login": "a", "token": "t", "mailbox": "a@example.org"} | values
        [of, other] = sides.build(Enrollment(**fields), account)
        assert transport(other) is transport(of), "one session at Nextcloud for both kinds"
        return of.exchange.connection, transport(of)  # type: ignore[attr-defined]

    def transport(of: SidesOf) -> Any:
        return of.nextcloud._client._transport  # type: ignore[attr-defined]

    (ada, at_first), (ada_again, again), (ben, other), (_, new_token) = (
        built(), built(), built(nextcloud_login="b", mailbox="b@example.org"), built(token="new")
    )  # fmt: skip
    assert again is at_first
    assert len({id(each) for each in (at_first, other, new_token)}) == 3
    assert len({id(each._idle) for each in (at_first, other, new_token)}) == 1
    assert ada._sessions is ada_again._sessions is ben._sessions
    assert ada._visit is not ada_again._visit
    account.password = "changed"
    assert built()[0]._sessions is not ada._sessions


_FORKING = """
import os, django
django.setup()
from syncapp.jobs import sides
from syncapp.models import Enrollment, ServiceAccount
account = ServiceAccount(name="s", endpoint="http://127.0.0.1:9/EWS", username="s", password="p")
sides.build(Enrollment(nextcloud_login="a", token="t", mailbox="a@example.org"), account)
kept = lambda: [len(each._things) for each in (sides._sessions, sides._servers, sides._people)]
assert kept() == [1, 1, 1]
child = os.fork()
if child == 0:
    os._exit(sum(kept()))
assert os.waitpid(child, 0)[1] == 0
assert kept() == [1, 1, 1]
"""


def test_a_forked_process_begins_without_connections() -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", _FORKING], cwd=BASE_DIR, env=environment, check=True)


def test_an_error_says_which_side_it_came_from() -> None:
    fake = FakeSide(SideName.NEXTCLOUD, Kind.EVENT, error=NotAllowed("no"))
    side = sides.named(fake)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed) as caught:
        side.folders()
    assert caught.value.side is SideName.NEXTCLOUD


def test_an_own_authority_is_trusted_in_place_of_the_usual_ones(settings: Settings, tmp_path: Path) -> None:
    settings.CA_FILE = tmp_path / "ca.pem"
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(OSError, match=r"certificate|PEM|SSL"):
        sides.nextcloud_connections()
    settings.CA_FILE = None
    sides.nextcloud_connections().close()


@pytest.fixture(scope="module")
def nextcloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NextcloudControl]:
    """A running lab Nextcloud."""
    with start("lab.nextcloud", tmp_path_factory.mktemp("lab") / "nextcloud.sqlite3") as process:
        control = NextcloudControl(process.url)
        yield control
        control.close()


def test_a_server_that_works_is_up(nextcloud: NextcloudControl, settings: Settings) -> None:
    settings.NEXTCLOUD_URL = nextcloud.url
    assert probe.nextcloud() is probe.Health.UP


def test_maintenance_is_told_from_being_down(nextcloud: NextcloudControl, settings: Settings) -> None:
    settings.NEXTCLOUD_URL = nextcloud.url
    nextcloud.maintenance(on=True)
    health = probe.nextcloud()
    nextcloud.maintenance(on=False)
    assert health is probe.Health.MAINTENANCE


def test_a_port_on_which_nobody_listens_is_down(settings: Settings) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings.NEXTCLOUD_URL = url
    assert probe.nextcloud() is probe.Health.DOWN
    assert probe.exchange(ServiceAccount(endpoint=f"{url}/EWS/Exchange.asmx")) is probe.Health.DOWN


def test_a_server_without_ews_is_no_exchange(nextcloud: NextcloudControl) -> None:
    assert probe.exchange(ServiceAccount(endpoint=f"{nextcloud.url}/EWS/Exchange.asmx")) is probe.Health.DOWN
