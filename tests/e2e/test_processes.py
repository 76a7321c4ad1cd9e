"""The real processes, configured by their environment alone: gunicorn, qcluster and both labs."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from connector_project.env import BASE_DIR
from lab.nextcloud.control import ADMIN, ADMIN_PASSWORD
from lab.scenario.people import SHARED_SECRET
from lab.seed import EWS_PATH
from tests.e2e.conftest import ANNA, BEN, Servers, Town
from tests.e2e.outside import Database, new_database

PATIENCE = 150.0


class Connector:
    """A connector with a database of its own, as its processes see it."""

    def __init__(self, servers: Servers, folder: Path, database: Database) -> None:
        self.count = database.count
        self._log = folder / "connector.log"
        self._running: list[subprocess.Popen[bytes]] = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "of these tests " * 3,
            "ENCRYPTION_KEY": base64.b64encode(os.urandom(32)).decode(),
            "NEXTCLOUD_URL": servers.nextcloud.url,
            "NEXTCLOUD_ADMIN_USER": ADMIN,
            "NEXTCLOUD_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "SHARED_SECRET": SHARED_SECRET,
            "EXCHANGE_URL": servers.exchange.url + EWS_PATH,
            "SERVICE_ACCOUNTS_FILE": str(folder / "admins.json"),
            "ALLOW_HTTP": "yes",
            "ADDRESSES_ARE_MANAGED": "yes",
            "DATABASE_URL": database.url,
            "SYNC_INTERVAL": "2",
            "REFRESH_INTERVAL": "5",
        }

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run([sys.executable, "manage.py", *arguments], cwd=BASE_DIR, env=self.environment,
                              capture_output=True, text=True, timeout=PATIENCE)  # fmt: skip

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that ends with the test."""
        with self._log.open("ab") as log:
            process = subprocess.Popen([sys.executable, *command], cwd=BASE_DIR, env=self.environment,
                                       stdout=log, stderr=log, start_new_session=True)  # fmt: skip
        self._running.append(process)
        return process

    def end(self) -> None:
        """End whatever still runs, workers of a killed parent included."""
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def log(self) -> str:
        """What the processes said."""
        return self._log.read_text()


@pytest.fixture
def town(servers: Servers, tmp_path: Path) -> Iterator[Town]:
    """Two people in both labs."""
    made = Town(servers, tmp_path / "admins.json")
    yield made
    made.close()


@pytest.fixture
def connector(servers: Servers, town: Town, tmp_path: Path) -> Iterator[Connector]:
    """A connector whose database is ready and whose processes are not started yet."""
    with new_database(tmp_path) as database:
        made = Connector(servers, tmp_path, database)
        assert made.manage("migrate", "-v0").returncode == 0
        yield made
        made.end()


def wait_for(what: str, happened: Callable[[], bool], connector: Connector) -> None:
    """Wait until something has happened; the log says what did instead."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s\n{connector.log()[-3000:]}"
        time.sleep(0.3)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether the pages are there."""
    try:
        return httpx.get(url, follow_redirects=True).status_code == 200
    except httpx.TransportError:
        return False


def test_an_edit_on_either_side_arrives_on_the_other_and_workers_end_in_order(town: Town, connector: Connector) -> None:
    town.create(ANNA, "From before")
    port = free_port()
    connector.start("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1")
    workers = connector.start("manage.py", "qcluster")
    wait_for("the pages answer", lambda: answers(f"http://127.0.0.1:{port}/"), connector)
    wait_for("the first sync", lambda: "From before" in town.titles(ANNA), connector)
    wait_for("both people", lambda: connector.count("syncapp_enrollment", "last_success IS NOT NULL") == 2, connector)

    town.create(BEN, "In Nextcloud")
    town.create(ANNA, "In Exchange", "exchange")
    wait_for("an edit in Nextcloud", lambda: "In Nextcloud" in town.titles(BEN), connector)
    wait_for("an edit in Exchange", lambda: "In Exchange" in town.titles(ANNA, "nextcloud"), connector)
    healthy = connector.manage("health")
    assert healthy.returncode == 0, healthy.stderr
    assert connector.count("syncapp_problem", "1=1") == 0
    assert connector.count("django_q_task", "1=1") == 0

    workers.terminate()
    assert workers.wait(PATIENCE) == 0
    assert connector.count("syncapp_run", "outcome = ''") == 0
    assert connector.count("syncapp_enrollment", "lease_owner <> ''") == 0
    assert connector.count("syncapp_accountslot", "owner <> ''") == 0
    assert connector.count("syncapp_heartbeat", "owner <> ''") == 0
    said = connector.log()
    assert "Traceback" not in said
    assert "In Exchange" not in said
    assert ANNA.email not in said


def test_workers_killed_in_the_middle_of_a_first_sync_lose_and_double_nothing(town: Town, connector: Connector) -> None:
    titles = [f"Event {number}" for number in range(120)]
    for title in titles:
        town.create(ANNA, title, "nextcloud" if title.endswith(("0", "2", "4", "6", "8")) else "exchange")
    # However fast the connector is: after the first batch it waits, and what it asked for is done when it is dead.
    town.control("faults", operation="CreateItem", skip=1, delay=20)
    workers = connector.start("manage.py", "qcluster")
    both = "exchange_digest IS NOT NULL AND nextcloud_digest IS NOT NULL"
    wait_for("the first items", lambda: connector.count("syncapp_link", both) > 0, connector)
    os.killpg(workers.pid, signal.SIGKILL)
    workers.wait()
    done = "first_sync_done_at IS NOT NULL AND nextcloud_uid = 'anna'"
    assert connector.count("syncapp_enrollment", done) == 0

    # The new start sees that the holders of places and slots are gone. For the lease it waits as long as a last request
    # may take, one minute.
    connector.start("manage.py", "qcluster")
    wait_for("Anna's sync after the crash", lambda: connector.count("syncapp_enrollment", done) == 1, connector)
    assert everything_is_there(town, titles)
    assert connector.count("syncapp_problem", "1=1") == 0
    hers = "enrollment_id = (SELECT id FROM syncapp_enrollment WHERE nextcloud_uid = 'anna')"
    assert connector.count("syncapp_run", f"outcome = 'lost' AND {hers}") == 1


def everything_is_there(town: Town, titles: list[str]) -> bool:
    """Whether both of Anna's calendars hold each title; each once, at any time."""
    found = [town.titles(ANNA, "exchange"), town.titles(ANNA, "nextcloud")]
    for shown in found:
        assert len(shown) == len(set(shown)), "an item was doubled"
    return all(set(shown) == set(titles) for shown in found)
