"""The figures of a bench, their goals, and the table that shows both."""

from __future__ import annotations

from dataclasses import dataclass

from lab.bench_measure import Reading
from lab.bench_peer import PeerResult

GOALS = {
    "cpu_ms_per_item": 1.0,
    "idle_cpu_ms_per_collection": 2.0,
    "idle_requests": 2.0,
    "worker_peak_mb": 120.0,
    "wall_over_server_time": 1.5,
}
"""The most that each of these figures shall be, to one decimal."""

_WORDS = {
    "items_per_second": "items per second, first sync",
    "cpu_ms_per_item": "processor time of the workers per item, ms",
    "requests_per_item": "requests per item",
    "wall_over_server_time": "time on the clock ÷ the servers' own, at real answer times",
    "worker_peak_mb": "most memory of a worker, MB",
    "idle_cpu_ms_per_collection": "processor time per quiet collection, ms",
    "idle_requests": "requests per quiet collection",
    "rest_cpu_ms_per_second": "processor time of the workers at rest, ms/s",
    "vdirsyncer_wall_ratio": "time on the clock per item ÷ vdirsyncer's",
    "vdirsyncer_cpu_ratio": "processor time per item ÷ vdirsyncer's",
}


@dataclass(frozen=True)
class Figures:
    """What was measured: the ``first`` sync, ``looks`` at quiet collections (``idle``), workers at ``rest``, a peer,
    and a first sync with servers that take their time (``paced``)."""

    items: int
    problems: int
    first: Reading
    first_items: int
    idle: Reading
    looks: int
    rest: Reading
    worker_peak_mb: float
    peer: PeerResult
    paced: Reading

    def to_json(self) -> dict[str, float]:
        """Every figure by its name; docs/performance.md says what each of them means."""
        first, peer, items = self.first, self.peer, self.first_items
        at_rest = self.rest.cpu / self.rest.wall
        looking = max(0.0, self.idle.cpu - at_rest * self.idle.wall)
        figures = {
            "items": items,
            "problems": self.problems,
            "seconds": first.wall,
            "items_per_second": items / first.wall,
            "cpu_ms_per_item": 1000 * first.cpu / items,
            "requests_per_item": first.requests / items,
            "exchange_requests": first.exchange_requests,
            "nextcloud_requests": first.nextcloud_requests,
            "exchange_busy_seconds": first.exchange_busy,
            "nextcloud_busy_seconds": first.nextcloud_busy,
            "wall_over_server_time": self.paced.wall / self.paced.servers_own,
            "wall_over_lab_processor": first.wall / first.processors_own,
            "worker_peak_mb": self.worker_peak_mb,
            "idle_cpu_ms_per_collection": 1000 * looking / max(1, self.looks),
            "idle_requests": self.idle.requests / max(1, self.looks),
            "rest_cpu_ms_per_second": 1000 * at_rest,
            "vdirsyncer_cpu_ms_per_item": 1000 * peer.cpu / peer.items,
            "vdirsyncer_items_per_second": peer.items / peer.wall,
            "vdirsyncer_wall_ratio": (first.wall / items) / (peer.wall / peer.items),
            "vdirsyncer_cpu_ratio": (first.cpu / items) / (peer.cpu / peer.items),
        }
        return {name: round(value, 3) for name, value in figures.items()}


def table(figures: Figures) -> list[str]:
    """The figures in words, with their goals."""
    values = figures.to_json()
    lines = ["", f"  {'':52} {'measured':>10}  {'goal':>8}"]
    for name, words in _WORDS.items():
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"  ≤ {goal:>5g}  {'met' if round(values[name], 1) <= goal else 'MISSED'}"
        lines.append(f"  {words:52} {values[name]:10.2f}{verdict}")
    return [*lines, ""]
