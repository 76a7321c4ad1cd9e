"""Lab servers as processes: started, waited for, stopped, and never left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lab.process import REPOSITORY, ServerDidNotStart, start


def alive(url: str) -> bool:
    """Whether a server answers."""
    try:
        return bool(httpx.get(f"{url}/lab/health").json() == {"ok": True})
    except httpx.TransportError:
        return False


def test_it_answers_once_it_is_started(tmp_path: Path) -> None:
    with start("lab.exchange", tmp_path / "exchange.db") as server:
        assert alive(server.url)
    assert not alive(server.url)
    assert not server.running


def test_it_keeps_its_data_and_port_over_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "exchange.db"
    first = start("lab.exchange", data)
    httpx.post(f"{first.url}/lab/mailboxes", json={"address": "ada@lab.example"}).raise_for_status()
    first.kill()
    with start("lab.exchange", data, port=first.port) as second:
        assert second.url == first.url
        assert httpx.get(f"{second.url}/lab/mailboxes").json()[0]["address"] == "ada@lab.example"


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    script = (
        "import os, pathlib\nfrom lab.process import start\n"
        f"print(start('lab.exchange', pathlib.Path({str(tmp_path / 'exchange.db')!r})).url, flush=True)\nos._exit(1)"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    url = said.stdout.strip()
    for _ in range(200):
        if not alive(url):
            break
    assert not alive(url)


def test_it_says_why_a_server_did_not_start(tmp_path: Path) -> None:
    with pytest.raises(ServerDidNotStart, match="ended with code"):
        start("lab.exchange", tmp_path, log=tmp_path / "log")
