"""Processes that must not start say why, in sentences, and end with an exit code; never with a traceback."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector_project.env import BASE_DIR
from tests.connector_project.test_env import MINIMAL

GUNICORN = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"]


def manage(*arguments: str) -> list[str]:
    """A command line of manage.py."""
    return [sys.executable, "manage.py", *arguments]


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a process of the connector with exactly these variables."""
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **variables}
    return subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, str]:
    """A configuration whose database exists and is up to date."""
    variables = MINIMAL | {"DATABASE_URL": f"sqlite:///{tmp_path}/connector.sqlite3"}
    assert run(manage("migrate", "-v0"), **variables).returncode == 0
    return variables


@pytest.mark.parametrize("command", [GUNICORN, manage("qcluster"), manage("migrate"), manage("health")])
def test_a_wrong_configuration_ends_every_process_in_sentences(command: list[str]) -> None:
    ended = run(command, **(MINIMAL | {"NEXTCLOUD_URL": "nowhere"}))
    assert ended.returncode == 2
    assert "- NEXTCLOUD_URL is not an address" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("command", [GUNICORN, manage("qcluster"), manage("refresh"), manage("health")])
def test_another_encryption_key_ends_every_process_in_a_sentence(
    command: list[str], configured: dict[str, str]
) -> None:
    assert "No worker has ever run" in run(manage("health"), **configured).stderr  # this key made the canary
    ended = run(command, **(configured | {"ENCRYPTION_KEY": base64.b64encode(b"x" * 32).decode()}))
    assert ended.returncode == 1
    assert "ENCRYPTION_KEY is not the key" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_a_rotated_key_starts_with_the_old_one_named(configured: dict[str, str]) -> None:
    run(manage("health"), **configured)
    rotated = {
        "ENCRYPTION_KEY": base64.b64encode(b"x" * 32).decode(),
        "ENCRYPTION_KEYS_OLD": configured["ENCRYPTION_KEY"],
    }
    assert "No worker has ever run" in run(manage("health"), **(configured | rotated)).stderr


@pytest.mark.parametrize("command", [GUNICORN, manage("qcluster")])
def test_a_database_without_tables_is_named(command: list[str], tmp_path: Path) -> None:
    ended = run(command, **(MINIMAL | {"DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}))
    assert ended.returncode == 1
    assert "manage.py migrate" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_does_not_answer_is_named() -> None:
    ended = run(manage("health"), **(MINIMAL | {"DATABASE_URL": "postgres://me:secret-word@127.0.0.1:9/connector"}))
    assert ended.returncode == 1
    assert "DATABASE_URL does not answer" in ended.stderr
    assert "secret-word" not in ended.stderr
    assert "Traceback" not in ended.stderr
