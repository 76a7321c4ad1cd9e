"""DAV servers as processes of their own: each listens on a free port and ends with its test run.

Every function is a context manager that gives a ``Server``: where it is, and one account with two calendars and two
address books. A server that is not installed raises NotInstalled, which says what brings it.
"""

from __future__ import annotations

import contextlib
import imaplib
import os
import pwd
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
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
def running(command: list[str], url: str, log: Path, variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Keep a command running until the block is left; its output goes into a file. Waits until ``url`` answers."""
    with log.open("wb") as output:
        environment = {**os.environ, **(variables or {})}
        # A session of its own: Cyrus's master ends by ending its whole process group.
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
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


def make_collections(
    url: str, calendars: dict[str, str], books: dict[str, str], login: tuple[str, str] = (LOGIN, PASSWORD)
) -> None:
    """Create calendars and address books: names by path. Those that are there stay as they are."""
    headers = {"Content-Type": "application/xml; charset=utf-8"}
    with httpx.Client(base_url=url, auth=login, trust_env=False, headers=headers) as client:
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


# Cyrus -----------------------------------------------------------------------------------------------------------

CYRUS = Path("/usr/lib/cyrus/bin")
CYRUS_PACKAGES = "apt-get install --no-install-recommends cyrus-caldav cyrus-imapd"
_ADMIN = "admin"

_IMAPD_CONF = """\
configdirectory: {data}/conf
partition-default: {data}/mail
defaultpartition: default
proc_path: {data}/proc
mboxname_lockpath: {data}/lock
httpmodules: caldav carddav
caldav_allowscheduling: off
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {data}/mux
sasl_mech_list: PLAIN
allowplaintext: yes
unixhierarchysep: yes
admins: admin
"""
_CYRUS_CONF = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {data}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {data}/imapd.conf" listen="127.0.0.1:{imap_port}" prefork=1
  http cmd="{bin}/httpd -C {data}/imapd.conf" listen="127.0.0.1:{port}" prefork=2
}}
"""


@contextlib.contextmanager
def cyrus() -> Iterator[Server]:
    """Cyrus IMAP's httpd under its own master: as the user ``cyrus`` for root, else as whoever runs the tests."""
    if not all((CYRUS / name).exists() for name in ("master", "httpd", "imapd")):
        raise NotInstalled(CYRUS_PACKAGES)
    # Sockets have short paths, and Cyrus's own user must be able to get there: both rule pytest's directories out.
    with tempfile.TemporaryDirectory(prefix="cyrus-") as name:
        data = Path(name)
        port, imap_port = free_port(), free_port()
        (data / "imapd.conf").write_text(_IMAPD_CONF.format(data=data))
        (data / "cyrus.conf").write_text(_CYRUS_CONF.format(data=data, bin=CYRUS, port=port, imap_port=imap_port))
        for folder in ("conf", "mail", "proc", "lock"):
            (data / folder).mkdir()
        user = pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            user = "cyrus"
            for each in (data, *data.iterdir()):
                shutil.chown(each, user)
        command = [str(CYRUS / "master"), "-C", f"{data}/imapd.conf", "-M", f"{data}/cyrus.conf"]
        command += ["-p", f"{data}/master.pid", "-D"]
        url = f"http://127.0.0.1:{port}"
        with _believing_everybody(data / "mux"), running(command, url, data / "log", {"CYRUS_USER": user}):
            with imaplib.IMAP4("127.0.0.1", imap_port) as imap:
                imap.login(_ADMIN, PASSWORD)
                imap.create(f"user/{LOGIN}")
            make_collections(
                url,
                {f"/dav/calendars/user/{LOGIN}/second/": "Second"},
                {f"/dav/addressbooks/user/{LOGIN}/second/": "Second"},
            )
            yield Server(url, "/dav/", "Default", "Default")


@contextlib.contextmanager
def _believing_everybody(path: Path) -> Iterator[None]:
    """A saslauthd that takes every password for right: logins are not what is tested here."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _ in ("login", "password", "service", "realm"):
                (length,) = struct.unpack("!H", self.rfile.read(2))
                self.rfile.read(length)
            self.wfile.write(struct.pack("!H", 2) + b"OK")

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        path.chmod(0o777)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
