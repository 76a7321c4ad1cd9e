"""Lab servers as processes: how one serves itself, and how tests and the demo start, wait for and stop it.

A server module calls ``run(create_app, ...)`` from its ``__main__``; whoever needs the server calls
``start("lab.exchange", data=path)`` and gets a ``ServerProcess``. The two halves agree on one line on standard
output, ``LISTENING http://127.0.0.1:PORT``, printed when connections are accepted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

ANNOUNCEMENT = "LISTENING "
THREADS = 16
REPOSITORY = Path(__file__).resolve().parent.parent


class ServerDidNotStart(RuntimeError):
    """A lab server ended, or said nothing, before it accepted connections; carries what it printed."""


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, create: Callable[[], Any], port: int, verbose: bool, certificate: Path | None) -> None:
        self._create = create
        self._port = port
        self._verbose = verbose
        self._certificate = str(certificate) if certificate else None
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"127.0.0.1:{self._port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "worker_connections": 1000,
            "keepalive": 75,
            "graceful_timeout": 2,
            "timeout": 0,
            "control_socket_disable": True,
            "loglevel": "info" if self._verbose else "error",
            "certfile": self._certificate,
            "keyfile": self._certificate,
            "post_worker_init": _announce,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return self._create()


def _announce(worker: Any) -> None:
    """Say where the server listens, once the worker has its app: an app that can't start never says it."""
    port = worker.sockets[0].getsockname()[1]
    scheme = "https" if worker.cfg.is_ssl else "http"
    sys.stdout.write(f"{ANNOUNCEMENT}{scheme}://127.0.0.1:{port}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """Ask this process to stop when whoever started it is gone (the pipe on standard input closes)."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 64):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="lab-parent-watch", daemon=True).start()


def run(
    create_app: Callable[[Path], Any],
    description: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Serve a WSGI app from the command line until told to stop; does not return normally.

    ``create_app`` gets the data file and is called in the one worker process. One process, because the fault plan
    and the recorded traffic live in its memory.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="port on 127.0.0.1; 0 picks a free one (default)",
    )
    parser.add_argument("--data", type=Path, required=True, help="SQLite file, created when missing")
    parser.add_argument("--certificate", type=Path, help="speak TLS with this key and certificate (one PEM file)")
    parser.add_argument("--verbose", action="store_true", help="log what gunicorn does")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    options = parser.parse_args(argv)
    options.data.parent.mkdir(parents=True, exist_ok=True)
    if options.end_with_parent:
        _end_with_parent()
    _Server(lambda: create_app(options.data), options.port, options.verbose, options.certificate).run()


class ServerProcess:
    """A running lab server. ``url`` has no trailing slash; ``port`` stays free for ``start(port=...)`` after a stop."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, data: Path) -> None:
        self._process = process
        self.url = url
        self.port = int(url.rsplit(":", 1)[1])
        self.data = data

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def stop(self, timeout: float = 10) -> None:
        """Let requests under way finish, then end; kills what is left after ``timeout`` seconds."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()

    def kill(self) -> None:
        """End at once, in the middle of whatever it does (master and worker)."""
        if self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    module: str,
    data: Path,
    port: int = 0,
    timeout: float = 30,
    log: Path | None = None,
    certificate: Path | None = None,
) -> ServerProcess:
    """Start ``python -m module`` and return when it accepts connections.

    The server ends with this process, whatever ends it. ``log`` receives its standard error (default: ours). With a
    ``certificate`` (and its key, in one PEM file) it speaks TLS. Raises ServerDidNotStart.
    """
    command = [
        sys.executable,
        "-m",
        module,
        "--port",
        str(port),
        "--data",
        str(data.resolve()),
        "--end-with-parent",
        *(["--certificate", str(certificate.resolve())] if certificate else []),
    ]
    with log.open("ab") if log else contextlib.nullcontext() as errors:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # A Ctrl-C meant for the demo must not end the servers before the workers that talk to them.
            start_new_session=True,
        )
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    said: list[str] = []
    while True:
        try:
            raw = lines.get(timeout=timeout)
        except queue.Empty:
            _give_up(process)
            raise ServerDidNotStart(f"{module} did not answer within {timeout:g} s: {said}") from None
        if raw is None:
            process.wait(timeout)
            _give_up(process)
            raise ServerDidNotStart(f"{module} ended with code {process.returncode}: {said}")
        line = raw.decode(errors="replace").rstrip()
        if line.startswith(ANNOUNCEMENT):
            return ServerProcess(process, line.removeprefix(ANNOUNCEMENT), data)
        said.append(line)


def _give_up(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _pump(stream: IO[bytes] | None, lines: queue.Queue[bytes | None]) -> None:
    """Hand on what a server prints; None at the end says that it has closed its output."""
    assert stream is not None
    # ValueError: stop() closed the pipe under us.
    with contextlib.suppress(ValueError):
        for line in stream:
            lines.put(line)
    lines.put(None)
