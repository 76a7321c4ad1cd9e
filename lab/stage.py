"""The processes of a demo: both lab servers, the connector's web app and its workers, started and stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import process
from lab.environment import Place

_PATIENCE = 30.0


class StageBroke(RuntimeError):
    """A process of the demo did not start or ended by itself. The text is a sentence that says where to look."""


class Stage:
    """Everything that runs during a demo. Leaving the context ends all of it, workers before the servers."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._servers: dict[str, process.ServerProcess] = {}
        self._connector: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for child in reversed(self._connector.values()):
            _end(child)
        for server in self._servers.values():
            server.stop()

    def start_servers(self) -> None:
        """Start the lab Exchange and the lab Nextcloud on their data. Raises ``StageBroke``."""
        for name, port in (("exchange", self.place.ports.exchange), ("nextcloud", self.place.ports.nextcloud)):
            data = self.place.directory / f"{name}.sqlite3"
            try:
                self._servers[name] = process.start(f"lab.{name}", data, port=port, log=self._log(name))
            except process.ServerDidNotStart as error:
                raise StageBroke(f"The lab {name} did not start; {self._log(name)} says why.") from error

    def start_web(self) -> None:
        """Start the pages and wait until they answer. Raises ``StageBroke``."""
        bind = f"127.0.0.1:{self.place.ports.connector}"
        self._start("web", ["-m", "gunicorn", "connector_project.wsgi", "--bind", bind, "--threads", "4"])
        deadline = time.monotonic() + _PATIENCE
        while not _answers(self.place.connector_url):
            self.check()
            if time.monotonic() > deadline:
                raise StageBroke(f"The web app does not answer; {self._log('web')} says why.")
            time.sleep(0.1)

    def start_workers(self) -> int:
        """Start the workers; the number of their process group."""
        self._start("workers", ["manage.py", "qcluster"])
        return self._connector["workers"].pid

    def kill_workers(self) -> None:
        """End all workers at once, in the middle of whatever they do."""
        child = self._connector.pop("workers")
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def check(self) -> None:
        """Raises ``StageBroke`` when one of the processes has ended."""
        ended = [name for name, child in self._connector.items() if child.poll() is not None]
        ended += [name for name, server in self._servers.items() if not server.running]
        if ended:
            raise StageBroke(f"{ended[0]} ended by itself; {self._log(ended[0])} says why.")

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        with self._log(name).open("ab") as log:
            self._connector[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=process.REPOSITORY,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches the demo alone, which ends the others in order.
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self.place.directory / f"{name}.log"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE)
    # Whatever is left of its group: a cluster's workers outlive a parent that was killed.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
