"""DAV servers as processes of their own: each listens on a free port and ends with its test run.

Every function is a context manager that gives a ``Server``: where it is, and one account with two calendars and two
address books. A server that is not installed raises NotInstalled, which says what brings it.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

LOGIN, PASSWORD = "anna", "not-a-secret"
STARTED_IN = 30.0


class NotInstalled(Exception):
    """The server is not on this machine; the message is the command that brings it."""


@dataclass(frozen=True)
class Server:
    """A running server. ``root`` is a DAV path from which an account can be discovered, "" for /.well-known/."""

    url: str
    root: str
    calendar: str
    book: str
    login: str = LOGIN
    password: str = PASSWORD


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], url: str, log: Path, cwd: Path | None = None) -> Iterator[None]:
    """Keep a command running until the block is left; its output goes into a file. Waits until ``url`` answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd)
        try:
            _wait_for(url, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTED_IN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.request("OPTIONS", url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")


_CALENDAR = (
    '<c:mkcalendar xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>'
    "<d:displayname>{name}</d:displayname><c:supported-calendar-component-set>"
    '<c:comp name="VEVENT"/></c:supported-calendar-component-set></d:prop></d:set></c:mkcalendar>'
)
_BOOK = (
    '<d:mkcol xmlns:d="DAV:" xmlns:card="urn:ietf:params:xml:ns:carddav"><d:set><d:prop><d:resourcetype>'
    "<d:collection/><card:addressbook/></d:resourcetype><d:displayname>{name}</d:displayname>"
    "</d:prop></d:set></d:mkcol>"
)


def make_collections(url: str, calendars: dict[str, str], books: dict[str, str]) -> None:
    """Create calendars and address books: names by path."""
    headers = {"Content-Type": "application/xml; charset=utf-8"}
    with httpx.Client(base_url=url, auth=(LOGIN, PASSWORD), trust_env=False, headers=headers) as client:
        for method, body, wanted in (("MKCALENDAR", _CALENDAR, calendars), ("MKCOL", _BOOK, books)):
            for path, name in wanted.items():
                answer = client.request(method, path, content=body.format(name=name).encode())
                assert answer.status_code in (201, 403, 405), (method, path, answer.status_code, answer.text)


@contextlib.contextmanager
def xandikos(data: Path) -> Iterator[Server]:
    """Xandikos: keeps objects as they are given, in git."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "xandikos", "serve", "-d", str(data / "dav"), "-l", "127.0.0.1", "-p", str(port)]
    command += ["--current-user-principal", f"/{LOGIN}/", "--defaults", "--no-detect-systemd"]
    with running(command, url, data / "log"):
        make_collections(
            url,
            {f"/{LOGIN}/calendars/calendar/": "Calendar", f"/{LOGIN}/calendars/second/": "Second"},
            {f"/{LOGIN}/contacts/addressbook/": "Contacts", f"/{LOGIN}/contacts/second/": "Second"},
        )
        yield Server(url, "/", "calendar", "addressbook")


@contextlib.contextmanager
def radicale(data: Path) -> Iterator[Server]:
    """Radicale: writes objects anew, so that what is read is not what was written."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    users = data / "users"
    users.write_text(f"{LOGIN}:{PASSWORD}\n")
    command = [sys.executable, "-m", "radicale", "--config", "", "--server-hosts", f"127.0.0.1:{port}"]
    command += ["--storage-filesystem-folder", str(data / "dav"), "--auth-type", "htpasswd"]
    command += ["--auth-htpasswd-filename", str(users), "--auth-htpasswd-encryption", "plain"]
    with running(command, url, data / "log"):
        make_collections(
            url,
            {f"/{LOGIN}/calendar/": "Calendar", f"/{LOGIN}/second/": "Second"},
            {f"/{LOGIN}/contacts/": "Contacts", f"/{LOGIN}/more/": "More"},
        )
        yield Server(url, "", "calendar", "contacts")


CYRUS = Path("/usr/lib/cyrus/bin")


@contextlib.contextmanager
def cyrus(data: Path) -> Iterator[Server]:
    """Cyrus IMAP's httpd, under its own master, without root where the tests run without."""
    if not (CYRUS / "httpd").exists() or (shutil.which("cyrmaster") is None and not (CYRUS / "master").exists()):
        raise NotInstalled("apt-get install cyrus-caldav")
    raise NotInstalled("apt-get install cyrus-caldav")
    yield
