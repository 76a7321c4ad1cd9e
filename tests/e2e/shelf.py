"""Servers that several processes share without HTTP: the in-memory ones of the engine's tests, kept in files.

Each person has a house: one small Exchange and one small Nextcloud, in a file that is locked and loaded for each call.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from lab.chaos.people import Person
from lab.chaos.server import ExchangeServer, NextcloudServer, Server, Stored
from lab.chaos.side import MemorySide
from lab.chaos.wire import Call, Wire
from syncapp.items import Kind
from syncapp.side import SideName

KIND = Kind.EVENT
PATIENCE = 120.0
_PAUSE = 0.02


@dataclass
class House:
    """One person's servers, as they are while the file is open."""

    exchange: ExchangeServer = field(default_factory=ExchangeServer)
    nextcloud: NextcloudServer = field(default_factory=NextcloudServer)

    def server(self, name: SideName) -> Server:
        """One of the two."""
        return self.exchange if name is SideName.EXCHANGE else self.nextcloud

    def person(self, name: SideName) -> Person:
        """Whoever sits at one side."""
        return Person(self.server(name))

    def living(self, name: SideName) -> list[Stored]:
        """What is there, outside the bin."""
        return self.server(name).living()


class Shelf:
    """The file of one house. ``folders`` are the ids of its only calendar on each side."""

    def __init__(self, path: Path, uid: str) -> None:
        self._path = path / f"{uid}.house"
        self.folders = {SideName.EXCHANGE: f"calendar-of-{uid}", SideName.NEXTCLOUD: f"/calendars/{uid}/personal/"}
        with self.open() as house:
            for name, folder in self.folders.items():
                if folder not in house.server(name).state.folders:
                    house.server(name).add_folder(folder, KIND, default=True)

    @contextmanager
    def open(self) -> Iterator[House]:
        """The house, for this process alone; what is done in it is there for the next one."""
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            house = House()
            file.seek(0)
            if stored := file.read():
                for name, (state, number) in pickle.loads(stored).items():
                    house.server(name).state = state
                    house.server(name)._numbers = count(number)
            yield house
            servers = {name: house.server(name) for name in SideName}
            kept = {name: (server.state, next(server._numbers)) for name, server in servers.items()}
            file.truncate(0)
            file.write(pickle.dumps(kept))

    def side(self, name: SideName, gate: Gate) -> SharedSide:
        """A fresh client of one server, which stops at ``gate`` where somebody asked for it."""
        return SharedSide(self, name, gate)


class SharedSide(MemorySide):
    """The in-memory side over a server in a file."""

    def __init__(self, shelf: Shelf, name: SideName, gate: Gate) -> None:
        super().__init__(House().server(name), KIND, Wire())
        self._shelf, self._gate = shelf, gate

    @contextmanager
    def _call(self, name: str, *ids: str) -> Iterator[Call]:
        self._gate.pass_through(f"{self.name} {name}")
        with self._shelf.open() as house:
            self.server = house.server(self.name)
            with super()._call(name, *ids) as call:
                yield call


class Gate:
    """Where one process waits in the middle of a call until another lets it go on."""

    def __init__(self, folder: Path) -> None:
        self._asked, self._waiting = folder / "gate.asked", folder / "gate.waiting"
        self._opened = folder / "gate.opened"

    # The side of the test

    def close(self, call: str) -> None:
        """Ask the first process that comes to this call ("exchange create") to wait before it is carried out."""
        self._opened.unlink(missing_ok=True)
        self._waiting.unlink(missing_ok=True)
        self._asked.with_suffix(".new").write_text(call)
        self._asked.with_suffix(".new").rename(self._asked)

    def waiting(self) -> int:
        """The process that waits, 0 when nobody does."""
        return int(self._waiting.read_text() or 0) if self._waiting.exists() else 0

    def open(self) -> None:
        """Let it go on."""
        self._opened.touch()

    # The side of the worker

    def pass_through(self, call: str) -> None:
        """Wait if this is the call that was asked for, and nobody waits yet."""
        try:
            if self._asked.read_text() != call:
                return
            taken = self._asked.with_name(f"gate.taken.{os.getpid()}")
            self._asked.rename(taken)
        except FileNotFoundError:
            return
        taken.write_text(str(os.getpid()))
        taken.rename(self._waiting)
        deadline = time.monotonic() + PATIENCE
        while not self._opened.exists() and time.monotonic() < deadline:
            time.sleep(_PAUSE)


@dataclass(frozen=True)
class Stay:
    """The time between which a worker was at work on an enrollment with an account; monotonic nanoseconds."""

    enrollment: int
    account: int
    begin: int
    end: int


class Observer:
    """Where workers write down when they begin and end with an enrollment, under the machine's monotonic clock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "observed"

    def note(self, what: str, visit: str, enrollment: int, account: int) -> None:
        """Write one line; short lines of several processes do not mix."""
        line = f"{what} {visit} {enrollment} {account} {time.monotonic_ns()}\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def stays(self) -> list[Stay]:
        """What was seen; somebody who never ended is there until now."""
        begun: dict[str, tuple[int, int, int]] = {}
        ended: dict[str, int] = {}
        for line in self._path.read_text().splitlines():
            what, visit, enrollment, account, at = line.split()
            if what == "begin":
                begun[visit] = (int(enrollment), int(account), int(at))
            else:
                ended[visit] = int(at)
        return [Stay(*about, ended.get(visit, time.monotonic_ns())) for visit, about in begun.items()]

    def most_at_one_enrollment(self) -> int:
        """How many workers were at most at work on one enrollment at the same time."""
        stays = self.stays()
        served = {each.enrollment for each in stays}
        return max(_most([each for each in stays if each.enrollment == pk]) for pk in served)

    def most_with_account(self, account: int) -> int:
        """How many workers were at most at work with an account at the same time."""
        return _most([each for each in self.stays() if each.account == account])


def _most(stays: list[Stay]) -> int:
    # Where one ends at the very moment at which another begins, the end counts first.
    moments = sorted([(each.begin, 1) for each in stays] + [(each.end, -1) for each in stays])
    present = most = 0
    for _, step in moments:
        present += step
        most = max(most, present)
    return most
