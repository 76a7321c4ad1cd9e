"""The bench: its mix, its meters, its table, and one small run of the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from lab import bench_measure, bench_mix
from lab.bench_accounts import Speed
from lab.bench_measure import Reading
from lab.bench_peer import PeerResult
from lab.bench_report import GOALS, Figures, table
from lab.environment import BENCH, BENCH_ACCOUNTS, Place, make
from lab.process import REPOSITORY
from lab.scenario.plans import Placement

DAY = date(2026, 3, 2)
FIRST = Reading(
    wall=20.0, cpu=4.0, exchange_requests=100, nextcloud_requests=300, exchange_busy=8.0, nextcloud_busy=10.0
)
FIGURES = Figures(
    items=3000,
    problems=0,
    first=FIRST,
    first_items=2000,
    idle=Reading(10.0, 0.3, 60, 40, 0.0, 0.0),
    looks=50,
    rest=Reading(5.0, 0.05, 0, 0, 0.0, 0.0),
    worker_peak_mb=100.0,
    peer=PeerResult(items=1000, wall=20.0, cpu=2.5),
    paced=Reading(15.0, 1.0, 30, 200, 1.0, 1.0, exchange_served=4.0, nextcloud_served=10.0),
)


def test_the_mix_is_as_promised_and_the_same_every_time() -> None:
    mix = bench_mix.plan(1.0, DAY)
    events = [event for user in mix.users for event in mix.events[user]]
    contacts = [contact for user in mix.users for contact in mix.contacts[user]]
    assert (len(events), len(contacts), mix.items) == (2000, 1000, 3000)
    assert sum(event.rule is not None for event in events) == 500
    assert 100 < sum(bool(event.changed or event.deleted) for event in events) < 300
    assert sum(contact.photo is not None for contact in contacts) == 200
    assert len({event.uid for event in events}) == 2000
    for plans in (events, contacts, [event for event in events if event.rule]):
        placed = [plan.placement for plan in plans]
        both = sum(each in (Placement.BOTH, Placement.TWIN) for each in placed)
        assert abs(placed.count(Placement.EXCHANGE) - placed.count(Placement.NEXTCLOUD)) <= 0.15 * len(placed)
        assert 0.02 * len(placed) <= both <= 0.12 * len(placed)
    assert bench_mix.plan(1.0, DAY) == mix


def test_a_share_of_the_mix_has_something_for_everybody() -> None:
    mix = bench_mix.plan(0.001, DAY)
    assert all(mix.events[user] and mix.contacts[user] for user in mix.users)


def test_processor_time_counts_children_that_have_ended() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert bench_measure.cpu_seconds(parent.pid) >= 0.3
        assert 1 < bench_measure.peak_megabytes(parent.pid) < 1000
        parent.communicate(b"\n")
    assert bench_measure.cpu_seconds(parent.pid) == 0


def test_figures_are_per_item_and_leave_out_what_resting_workers_take() -> None:
    figures = FIGURES.to_json()
    assert figures["items_per_second"] == 100
    assert figures["cpu_ms_per_item"] == 2
    assert figures["requests_per_item"] == 0.2
    assert figures["wall_over_server_time"] == 1.5  # 15 s, of which the busier server needed 10
    assert figures["wall_over_lab_processor"] == 2
    assert figures["idle_cpu_ms_per_collection"] == 4  # 300 ms less 10 s at 10 ms each, over 50 looks
    assert figures["idle_requests"] == 2
    assert figures["vdirsyncer_wall_ratio"] == 0.5
    assert figures["vdirsyncer_cpu_ratio"] == 0.8


def test_the_table_says_which_goals_were_missed() -> None:
    slow = replace(FIGURES, paced=replace(FIGURES.paced, wall=16.0))
    assert sum("MISSED" in line for line in table(slow)) == 3
    better = replace(FIGURES, first=replace(FIRST, cpu=1.0), idle=replace(FIGURES.idle, cpu=0.15))
    lines = table(better)
    assert sum("met" in line for line in lines) == len(GOALS)
    assert not any("MISSED" in line for line in lines)


def bench(place: Place, *arguments: str) -> dict[str, float]:
    """The figures that a small bench ends with."""
    result = subprocess.run(
        [sys.executable, "manage.py", "bench", *arguments, "--json", "--scale", "0.01"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "ENV_FILE": str(place.env_file)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    figures: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return figures


def test_a_small_bench_ends_with_one_object_of_figures(tmp_path: Path) -> None:
    place = Place(tmp_path / "bench")
    make(place, BENCH)
    started = time.time()
    figures = bench(place)
    assert figures["items"] == bench_mix.plan(0.01).items
    assert figures["problems"] == 0
    for name in (
        *("items_per_second", "cpu_ms_per_item", "requests_per_item", "idle_requests", "worker_peak_mb"),
        *("wall_over_server_time", "vdirsyncer_wall_ratio", "vdirsyncer_cpu_ratio"),
    ):
        assert figures[name] > 0, name
    assert figures["idle_cpu_ms_per_collection"] >= 0
    assert figures["seconds"] < time.time() - started


def test_more_accounts_are_measured_against_one(tmp_path: Path) -> None:
    place = Place(tmp_path / "bench")
    make(place, BENCH_ACCOUNTS)
    figures = bench(place, "accounts")
    assert figures["problems"] == 0
    assert figures["speedup_2"] > 0
    assert figures["speedup_4"] > 0


def test_a_speedup_is_the_ratio_of_items_in_a_second() -> None:
    speed = Speed(seconds={1: 40.0, 2: 20.0, 4: 10.0}, items={1: 100, 2: 100, 4: 80})
    figures = speed.to_json()
    assert (figures["speedup_2"], figures["speedup_4"], figures["items_per_second_4"]) == (2.0, 3.2, 8.0)
    assert any("3.20" in line for line in speed.table())
