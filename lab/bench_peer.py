"""vdirsyncer, a peer: it copies the events of the bench between two accounts of the lab Nextcloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.bench_mix import Mix, write_events
from lab.environment import Place
from lab.nextcloud.remote import NextcloudControl
from lab.scenario.people import LabUser

VDIRSYNCER = Path(sys.executable).with_name("vdirsyncer")
_FULL = LabUser("peer-full", "peer-full", "peer-full@lab.example", "Peer", "peer-lab-password", "UTC")
_EMPTY = LabUser("peer-empty", "peer-empty", "peer-empty@lab.example", "Peer", "peer-lab-password", "UTC")


class PeerFailed(RuntimeError):
    """vdirsyncer did not do its work. The text says what it said."""


@dataclass(frozen=True)
class PeerResult:
    """What a first sync took, in seconds on the clock and of processor time."""

    items: int
    wall: float
    cpu: float


def prepare(place: Place, mix: Mix) -> None:
    """Two accounts, one with all events of the mix, the other empty; vdirsyncer knows both."""
    control = NextcloudControl(place.nextcloud_url)
    try:
        for user in (_FULL, _EMPTY):
            control.create_user(user.uid, user.password, login=user.login, email=user.email)
    finally:
        control.close()
    write_events(place, _FULL, mix)
    _config(place).write_text(_configuration(place))
    _run(place, "discover")


def copy(place: Place, mix: Mix) -> PeerResult:
    """The first sync. Raises ``PeerFailed`` also when not everything was copied."""
    result = _run(place, "sync")
    control = NextcloudControl(place.nextcloud_url)
    try:
        copied = sum(each["collection"] == "personal" for each in control.objects(_EMPTY.uid))
    finally:
        control.close()
    if copied != mix.event_count:
        raise PeerFailed(f"vdirsyncer copied {copied} of {mix.event_count} events; {_log(place)} may say why.")
    return PeerResult(copied, *result)


def _config(place: Place) -> Path:
    return place.directory / "vdirsyncer.conf"


def _log(place: Place) -> Path:
    return place.directory / "vdirsyncer.log"


def _configuration(place: Place) -> str:
    lines = [
        "[general]",
        f'status_path = "{place.directory}/vdirsyncer-status/"',
        "[pair bench]",
        'a = "full"',
        'b = "empty"',
        'collections = [["both", "personal", "personal"]]',
    ]
    for name, user in (("full", _FULL), ("empty", _EMPTY)):
        lines += [
            f"[storage {name}]",
            'type = "caldav"',
            f'url = "{place.nextcloud_url}/remote.php/dav/"',
            f'username = "{user.login}"',
            f"password = {json.dumps(user.password)}",
        ]
    return "\n".join(lines) + "\n"


def _run(place: Place, command: str) -> tuple[float, float]:
    """Run it to its end: seconds on the clock and of processor time. Raises ``PeerFailed``."""
    with _log(place).open("ab") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            [VDIRSYNCER, "-c", _config(place), command], stdin=subprocess.PIPE, stdout=log, stderr=log
        )
        assert process.stdin is not None
        process.stdin.write(b"y\n" * 10)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise PeerFailed(f"vdirsyncer {command} ended with code {process.returncode}; {_log(place)} says why.")
        return time.monotonic() - started, usage.ru_utime + usage.ru_stime
