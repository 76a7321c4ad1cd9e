"""Chaos: its histories, its broken engines, and one small run of the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.db import transaction

from lab.chaos.faults import Fault
from lab.chaos.generate import THEMES, history
from lab.chaos.lies import Lie
from lab.chaos.mutations import MUTATIONS, mutated
from lab.chaos.play import Played, play
from lab.chaos.steps import History, Incident, NoHistory, Step
from lab.environment import Place, make
from lab.process import REPOSITORY
from syncapp.items import Kind

CAUGHT = Path(__file__).with_name("caught")
"""By mutation, a history in which it shows, as ``manage.py chaos --mutation`` prints it."""


def played(made: History) -> Played:
    """Play a history; what it leaves behind is undone."""
    with transaction.atomic():
        result = play(made)
        transaction.set_rollback(True)
    return result


def test_a_seed_always_makes_the_same_history() -> None:
    assert history(7) == history(7)
    assert history(7) != history(8)


def test_a_history_is_printed_and_read_again() -> None:
    for seed in range(50):
        made = history(seed)
        assert History.from_json(json.loads(json.dumps(made.to_json()))) == made
    with pytest.raises(NoHistory):
        History.from_json({"kind": "event"})


def test_at_least_half_of_all_histories_act_inside_runs() -> None:
    assert sum(history(seed).acts_inside_runs for seed in range(1000)) >= 500


def test_everything_that_can_go_wrong_does_in_some_history() -> None:
    planned: Counter[object] = Counter()

    def count(incidents: tuple[Incident, ...]) -> None:
        for each in incidents:
            planned[each.name] += 1
            planned.update(each.given)
            count(each.inside)

    for seed in range(3000):
        for step in history(seed).steps:
            planned[step.name] += 1
            planned.update(step.given)
            count(step.inside)
    wanted = {*(each.value for each in Fault), *(each.value for each in Lie), "worker", "restore", "restore_ours"}
    wanted |= {"forget", "lose_tokens", "jump", "land", "decide", "replace", "recreate"}
    assert not wanted - planned.keys()


def test_a_history_of_each_theme_violates_nothing(db: None) -> None:
    for number, theme in enumerate(sorted(THEMES), 1):
        assert played(history(number, theme)).violations == ()


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_broken_engine_is_noticed(db: None, name: str) -> None:
    """One history each, made small, that the engine survives as it is and not as it is broken here."""
    small = History.from_json(json.loads((CAUGHT / f"{name}.json").read_text()))
    assert played(small).violations == ()
    with mutated(name):
        assert played(small).violations


def test_what_is_played_counts_its_faults_and_tells_its_story(db: None) -> None:
    crash = Incident("create.done", 0, "fault", ("crash",))
    result = played(History(Kind.EVENT, (Step("create", ("exchange", 1)), Step("sync", (), (crash,)))))
    assert result.faults == {"crash": 1}
    assert result.violations == ()
    assert "at create.done: fault ('crash',)" in result.story


def test_the_command_plays_histories_in_databases_of_their_own(tmp_path: Path) -> None:
    place = Place(tmp_path)
    make(place, {})
    command = [sys.executable, "manage.py", "chaos", "--runs", "6", "--seed", "1", "--processes", "2", "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, "ENV_FILE": str(place.env_file)},
                          capture_output=True, text=True, timeout=240)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["runs"], figures["violations"]) == (6, 0)
    assert figures["faults"] == sum(figures["by_fault"].values()) > 0
    assert figures["seconds"] > 0
    assert not list(tmp_path.glob("histories-*"))
