"""The factory of sides, and the question whether a server works at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from lab.nextcloud.remote import NextcloudControl
from lab.process import start
from syncapp.items import Kind
from syncapp.jobs import probe, sides
from syncapp.models import Enrollment, ServiceAccount
from syncapp.side import NotAllowed, SideName
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
    assert probe.exchange(f"{url}/EWS/Exchange.asmx") is probe.Health.DOWN


def test_a_server_without_ews_is_no_exchange(nextcloud: NextcloudControl) -> None:
    assert probe.exchange(f"{nextcloud.url}/EWS/Exchange.asmx") is probe.Health.DOWN
