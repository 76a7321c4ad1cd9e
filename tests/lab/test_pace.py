"""Answer times: what they are read from, and that a server keeps to them."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest.mock import ANY

import httpx
import pytest

from lab import process
from lab.pace import BadPace, Pace, Times


@pytest.mark.parametrize(
    "data",
    [[], {"slots": 0}, {"slots": "2"}, {"slots": 1, "seconds": {"PUT": -1}}, {"slots": 1, "seconds": 3}, {"speed": 1}],
)
def test_what_is_no_answer_time_is_refused(data: object) -> None:
    with pytest.raises(BadPace):
        Times.from_json(data)


def test_an_operation_has_its_own_time_or_that_of_all_others() -> None:
    times = Times.from_json({"slots": 2, "seconds": {"GetItem": 0.5, "*": 0.1}, "per_item": {"GetItem": 0.01}})
    assert times is not None
    assert times.of("GetItem", 10) == pytest.approx(0.6)
    assert times.of("FindItem", 10) == pytest.approx(0.1)
    assert Times.from_json({}) is None


def test_no_more_requests_are_worked_on_than_there_are_slots() -> None:
    pace = Pace()
    pace.set_json({"slots": 2})
    inside, waiting = threading.Semaphore(0), threading.Event()

    def request() -> None:
        with pace.work("PUT"):
            inside.release()
            waiting.wait(10)

    requests = [threading.Thread(target=request) for _ in range(3)]
    for each in requests:
        each.start()
    assert inside.acquire(timeout=10)
    assert inside.acquire(timeout=10)
    assert not inside.acquire(timeout=0.1)
    waiting.set()
    assert inside.acquire(timeout=10)
    for each in requests:
        each.join()
    assert pace.to_json()["slots"] == 2


def test_nextcloud_counts_the_time_that_it_takes(tmp_path: Path) -> None:
    with process.start("lab.nextcloud", tmp_path / "lab.sqlite3") as server:
        httpx.put(f"{server.url}/lab/pace", json={"slots": 1, "seconds": {"*": 0.05}}).raise_for_status()
        httpx.get(f"{server.url}/status.php").raise_for_status()
        stats = httpx.get(f"{server.url}/lab/stats").json()
        assert stats["slots"] == 1
        assert stats["server_seconds"] >= 0.05
        assert httpx.put(f"{server.url}/lab/pace", json={"slots": 0}).status_code == 400
        httpx.put(f"{server.url}/lab/pace", json={}).raise_for_status()
        httpx.get(f"{server.url}/status.php").raise_for_status()
        assert httpx.get(f"{server.url}/lab/stats").json() == stats | {"slots": 0, "requests": 2, "busy_seconds": ANY}
