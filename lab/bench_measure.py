"""What the bench measures: processor time and memory of a process group (Linux), and what the lab servers count."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.environment import Place

_TICKS = os.sysconf("SC_CLK_TCK")
_GROUP, _TIMES = 4, slice(13, 17)
"""Positions in /proc/PID/stat: process group; user and system time, own and of children waited for (proc(5))."""


def _members(group: int) -> Iterator[tuple[Path, list[str]]]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile; its parent has its time
        # The second field is a name in brackets, which may hold blanks.
        fields = ["", "", *text.rpartition(")")[2].split()]
        if int(fields[_GROUP]) == group:
            yield process, fields


def cpu_seconds(group: int) -> float:
    """The processor time of all processes of a group, of those that ended and were waited for, too."""
    return sum(sum(map(int, fields[_TIMES])) for _, fields in _members(group)) / _TICKS


def peak_megabytes(group: int) -> float:
    """The most memory that any living process of a group has had resident, pages shared with others included."""
    return max((_peak(process) for process, _ in _members(group)), default=0.0)


def _peak(process: Path) -> float:
    try:
        lines = (process / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


@dataclass(frozen=True)
class Reading:
    """All meters at one moment, or what they gained between two."""

    wall: float
    cpu: float
    exchange_requests: int
    nextcloud_requests: int
    exchange_busy: float
    nextcloud_busy: float
    exchange_served: float = 0.0
    nextcloud_served: float = 0.0

    @property
    def requests(self) -> int:
        """Requests to both servers."""
        return self.exchange_requests + self.nextcloud_requests

    @property
    def processors_own(self) -> float:
        """The processor time of the busier lab: one process that does one thing at a time."""
        return max(self.exchange_busy, self.nextcloud_busy)

    @property
    def servers_own(self) -> float:
        """The least time in which servers with answer times could have done it, all their slots used, both at once."""
        return max(self.exchange_served, self.nextcloud_served)

    def since(self, before: Reading) -> Reading:
        """What has been gained."""
        return Reading(
            self.wall - before.wall,
            self.cpu - before.cpu,
            self.exchange_requests - before.exchange_requests,
            self.nextcloud_requests - before.nextcloud_requests,
            self.exchange_busy - before.exchange_busy,
            self.nextcloud_busy - before.nextcloud_busy,
            self.exchange_served - before.exchange_served,
            self.nextcloud_served - before.nextcloud_served,
        )


def read(place: Place, group: int) -> Reading:
    """Read the meters of both servers and of the processes of ``group``. Raises httpx errors."""
    exchange, nextcloud = (
        httpx.get(f"{url}/lab/stats").raise_for_status().json() for url in (place.exchange_url, place.nextcloud_url)
    )
    return Reading(
        time.monotonic(),
        cpu_seconds(group),
        exchange["requests"],
        nextcloud["requests"],
        exchange["busy_seconds"],
        nextcloud["busy_seconds"],
        exchange["server_seconds"] / max(1, exchange["slots"]),
        nextcloud["server_seconds"] / max(1, nextcloud["slots"]),
    )


ANSWER_TIMES = {
    # A Nextcloud on two cores (docs/server-behaviour.md, section 3.3): 35 PUTs a second on one connection, 66 on two.
    "nextcloud": {
        "slots": 2,
        "seconds": {"PUT": 0.030, "DELETE": 0.030, "REPORT": 0.026, "PROPFIND": 0.035, "*": 0.020},
    },
    # No figures of an Exchange were measured; those of gromox (section 5): 500 items in one to two seconds.
    "exchange": {
        "slots": 2,
        "seconds": {"*": 0.020},
        "per_item": {"GetItem": 0.003, "CreateItem": 0.003, "UpdateItem": 0.003, "DeleteItem": 0.003},
    },
}
"""How long real servers take: so do the labs while time on the clock is compared with the servers' own."""


@contextmanager
def answer_times(place: Place) -> Iterator[None]:
    """Let the labs take as long as real servers inside. Raises httpx errors."""
    for name, url in (("exchange", place.exchange_url), ("nextcloud", place.nextcloud_url)):
        httpx.put(f"{url}/lab/pace", json=ANSWER_TIMES[name]).raise_for_status()
    yield
    for url in (place.exchange_url, place.nextcloud_url):
        httpx.put(f"{url}/lab/pace", json={}).raise_for_status()
