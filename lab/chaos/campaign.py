"""Many histories at once: in processes of their own, each with a database of its own, which is emptied before each one.

Replays need the same order of sets everywhere, so that the processes are started with ``PYTHONHASHSEED=0``.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

_CHUNK = 5
"""Histories per task."""


@dataclass(frozen=True)
class Result:
    """How the history of a seed ended."""

    seed: int
    faults: Counter[str]
    inside: int
    violations: tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """A violation, made as small as it gets: the history as JSON, what it violates, and its story."""

    history: dict[str, Any]
    violations: tuple[str, ...]
    story: str


class Campaign:
    """The processes. ``mutation`` names a deliberately broken engine, "" the real one."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def results(self, seeds: Sequence[int], mutation: str = "", theme: str | None = None) -> Iterator[Result]:
        """The results of these seeds, as they come; who wants no more of them leaves."""
        waiting: set[Future[list[Result]]] = {
            self._pool.submit(_play, seeds[at : at + _CHUNK], theme, mutation) for at in range(0, len(seeds), _CHUNK)
        }
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            for each in waiting:
                each.cancel()

    def smaller(self, seed: int, mutation: str = "", theme: str | None = None) -> Broken:
        """The history of a seed, of which nothing can be left out without losing its violation."""
        return self._pool.submit(_smaller, seed, theme, mutation).result()

    def replay(self, history: Any, mutation: str = "") -> Broken:
        """A history that was printed. Raises ``NoHistory``."""
        return self._pool.submit(_replay, history, mutation).result()


@contextmanager
def campaign(processes: int, directory: Path) -> Iterator[Campaign]:
    """So many processes, with so many databases, which are removed in the end.

    SQLite files lie in ``directory``; where the settings name PostgreSQL, databases are made there.
    """
    from django.db import connection

    os.environ["PYTHONHASHSEED"] = "0"
    context = get_context("spawn")
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(directory / f"histories-{os.getpid()}.sqlite3")
    else:
        connection.settings_dict["TEST"]["NAME"] = f"chaos_{os.getpid()}"
    make = connection.creation
    make.create_test_db(verbosity=0, autoclobber=True)
    connection.close()  # a copy of a file lacks what SQLite has not put there yet
    clones = [str(number) for number in range(1, processes + 1)]
    try:
        for each in clones:
            make.clone_test_db(each, verbosity=0, autoclobber=True)
        names = context.SimpleQueue()
        for each in clones:
            names.put(make.get_test_db_clone_settings(each)["NAME"])
        with ProcessPoolExecutor(processes, context, _begin, (names,)) as pool:
            try:
                yield Campaign(pool)
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        for each in clones:
            make.destroy_test_db(suffix=each, verbosity=0, keepdb=False)
        make.destroy_test_db(old_database_name=name, verbosity=0)


# In each process -----------------------------------------------------------------------------------------------------


def _begin(names: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    from django.db import connection

    connection.settings_dict["NAME"] = names.get()
    # What is loaded by now stays; searching it for garbage takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(50_000)


def _end_with_parent() -> None:
    """Whoever started this process may be killed: then nobody wants its results."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _play(seeds: Sequence[int], theme: str | None, mutation: str) -> list[Result]:
    from lab.chaos.generate import history
    from lab.chaos.mutations import mutated
    from lab.chaos.play import play

    results = []
    with mutated(mutation):
        for seed in seeds:
            played = play(history(seed, theme))
            results.append(Result(seed, played.faults, played.inside, played.violations))
    return results


def _smaller(seed: int, theme: str | None, mutation: str) -> Broken:
    from lab.chaos.generate import history
    from lab.chaos.mutations import mutated
    from lab.chaos.play import play, shrunk

    whole = history(seed, theme)
    with mutated(mutation):
        small = shrunk(whole, play(whole).sort)
        played = play(small)
    return Broken(small.to_json(), played.violations, played.story)


def _replay(data: Any, mutation: str) -> Broken:
    from lab.chaos.mutations import mutated
    from lab.chaos.play import play
    from lab.chaos.steps import History

    history = History.from_json(data)
    with mutated(mutation):
        played = play(history)
    return Broken(history.to_json(), played.violations, played.story)
