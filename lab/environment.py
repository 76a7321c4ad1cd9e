"""The directory of a demo: its own .env, the ports of its servers, its data. Nothing here touches the real ``.env``.

``use`` runs before Django reads its settings (manage.py): it names the demo's file in ``ENV_FILE``. Both are made on
first use and kept, so that a second start goes on where the first was.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.nextcloud.control import ADMIN, ADMIN_PASSWORD
from lab.process import REPOSITORY
from lab.scenario.people import DOMAIN, SERVICE_ACCOUNT, SHARED_SECRET

_VAR = REPOSITORY / "var"
_FIRST_PORT = 8800

BENCH: Mapping[str, str] = {"WORKERS": "2", "SYNC_INTERVAL": "86400", "REFRESH_INTERVAL": "86400"}
"""Two workers, who do nothing of their own accord: the bench says when."""

BENCH_ACCOUNTS: Mapping[str, str] = {
    **BENCH,
    "WORKERS": "4",
    "WINDOW_DAYS_BACK": "3650",
    "WINDOW_DAYS_AHEAD": "3650",
}
"""The same for the bench of service accounts: one worker for each of them, and no event that is left out."""


@dataclass(frozen=True)
class Ports:
    """Where the three servers of a demo listen on 127.0.0.1."""

    connector: int
    exchange: int
    nextcloud: int


@dataclass(frozen=True)
class Place:
    """The directory in which one demo lives."""

    directory: Path

    @property
    def env_file(self) -> Path:
        """The ``.env`` of the demo's connector."""
        return self.directory / ".env"

    @property
    def accounts_file(self) -> Path:
        """The demo's service accounts file."""
        return self.directory / "admins.json"

    @property
    def ports(self) -> Ports:
        """The ports that this demo was given when it was made."""
        return Ports(**json.loads((self.directory / "ports.json").read_text()))

    @property
    def exchange_url(self) -> str:
        """Where the lab Exchange listens."""
        return f"http://127.0.0.1:{self.ports.exchange}"

    @property
    def nextcloud_url(self) -> str:
        """Where the lab Nextcloud listens."""
        return f"http://127.0.0.1:{self.ports.nextcloud}"

    @property
    def connector_url(self) -> str:
        """Where the connector's pages are."""
        return f"http://127.0.0.1:{self.ports.connector}"


def current() -> Place:
    """The place whose ``.env`` this process reads."""
    return Place(Path(os.environ["ENV_FILE"]).parent)


def use(arguments: Sequence[str]) -> None:
    """Let this process read a demo's ``.env``, made if need be.

    ``demo --once`` and ``bench`` always begin anew, in directories of their own, so that they tell the same story every
    time. A test that names ENV_FILE keeps it.
    """
    if "ENV_FILE" in os.environ:
        return
    bench = arguments[:1] == ["bench"]
    once = arguments[:1] == ["demo"] and "--once" in arguments
    own = arguments[0] if arguments[:1] in (["bench"], ["chaos"], ["roundtrip"], ["fidelity"]) else ""
    place = Place(_VAR / (own or ("demo-once" if once else "demo")))
    if arguments[:1] == ["demo"] and _is_running(place):
        raise SystemExit(f"This demo is running already, in {place.directory}. Its pages: {place.connector_url}")
    if bench and _is_running(place):
        raise SystemExit(f"A bench is running already, in {place.directory}.")
    if once or bench:
        shutil.rmtree(place.directory, ignore_errors=True)
    if not place.env_file.exists():
        make(place, {} if not bench else BENCH_ACCOUNTS if "accounts" in arguments else BENCH)
    os.environ["ENV_FILE"] = str(place.env_file)


def _is_running(place: Place) -> bool:
    if not place.env_file.exists():
        return False
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", place.ports.exchange)) == 0


def make(place: Place, variables: Mapping[str, str]) -> None:
    """Make the directory of a place, with free ports; ``variables`` replace those of the demo's ``.env``."""
    place.directory.mkdir(parents=True, exist_ok=True)
    numbers = _free_ports(3)
    (place.directory / "ports.json").write_text(json.dumps(asdict(Ports(*numbers))))
    lines = [f"{name}={value}\n" for name, value in {**_variables(place), **variables}.items()]
    place.env_file.write_text("# Written by the demo; delete the directory to begin anew.\n" + "".join(lines))
    place.env_file.chmod(0o600)
    account = {"Name": "Lab", "Username": SERVICE_ACCOUNT.name, "Password": SERVICE_ACCOUNT.password}
    place.accounts_file.write_text(json.dumps([account]))
    place.accounts_file.chmod(0o600)


def _variables(place: Place) -> Mapping[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DATABASE_URL": f"sqlite:///{place.directory.resolve()}/connector.sqlite3",
        "NEXTCLOUD_URL": place.nextcloud_url,
        "NEXTCLOUD_ADMIN_USER": ADMIN,
        "NEXTCLOUD_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "SHARED_SECRET": SHARED_SECRET,
        "CONNECTOR_URL": place.connector_url,
        "EXCHANGE_URL": f"{place.exchange_url}/EWS/Exchange.asmx",
        "SERVICE_ACCOUNTS_FILE": str(place.accounts_file),
        "ALLOW_HTTP": "yes",
        "ADDRESSES_ARE_MANAGED": "yes",
        "MAILBOX_DOMAINS": DOMAIN,
        "SYNC_INTERVAL": "10",
        "REFRESH_INTERVAL": "10",
        "LOG_LEVEL": "WARNING",
    }


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in range(_FIRST_PORT, _FIRST_PORT + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit(f"No {count} free ports on 127.0.0.1 between {_FIRST_PORT} and {_FIRST_PORT + 199}.")
