"""A Kerberos realm of its own: Debian's key distribution center, for one test run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

REALM = "LAB.EXAMPLE"
_PATIENCE = 20.0
_PATH = f"{os.environ['PATH']}:/usr/sbin"


def what_is_missing() -> str:
    """What brings a realm to this machine; "" when all is there."""
    if not all(shutil.which(each, path=_PATH) for each in ("krb5kdc", "kdb5_util", "kadmin.local")):
        return "apt-get install krb5-kdc krb5-admin-server"
    if importlib.util.find_spec("requests_gssapi") is None:
        return "apt-get install libkrb5-dev gcc, then uv sync --extra kerberos"
    return ""


@dataclass(frozen=True)
class Realm:
    """A running realm; ``config`` and ``keytab`` are what clients and the service need."""

    folder: Path

    @property
    def config(self) -> Path:
        """For KRB5_CONFIG."""
        return self.folder / "krb5.conf"

    @property
    def keytab(self) -> Path:
        """For KRB5_KTNAME: the key of the service HTTP on 127.0.0.1."""
        return self.folder / "service.keytab"

    def administer(self, command: str) -> None:
        """Change something in the realm."""
        subprocess.run(
            ["kadmin.local", "-r", REALM, "-q", command], env=_environment(self.folder), check=True, capture_output=True
        )


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "PATH": _PATH,
    }


@contextmanager
def realm(folder: Path) -> Iterator[Realm]:
    """A realm that knows the service HTTP/127.0.0.1, until the block is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
        " dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
        f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
    )
    (folder / "kdc.conf").write_text(
        f'[kdcdefaults]\n kdc_listen = ""\n kdc_tcp_listen = "127.0.0.1:{port}"\n[realms]\n {REALM} = {{\n'
        f"  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n  acl_file = {folder}/acl\n }}\n"
    )
    environment = _environment(folder)
    command = ["kdb5_util", "create", "-s", "-r", REALM, "-P", "master"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    made = Realm(folder)
    made.administer("addprinc -randkey HTTP/127.0.0.1")
    made.administer(f"ktadd -k {made.keytab} HTTP/127.0.0.1")
    with (folder / "kdc.log").open("wb") as log:
        process = subprocess.Popen(["krb5kdc", "-n", "-r", REALM], env=environment, stdout=log, stderr=log)
    try:
        _await(port)
        yield made
    finally:
        process.terminate()
        process.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the key distribution center does not listen")
