"""Says at the end which tests were not run and what brings them; with EVERYTHING_RUNS set, that is a failure."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest


def _reasons(terminal: Any) -> Counter[str]:
    skipped = terminal.stats.get("skipped", [])
    return Counter(
        report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr) for report in skipped
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per reason, with the number of tests that it kept from running."""
    for reason, count in _reasons(terminalreporter).items():
        terminalreporter.write_line(f"{count} not run: {reason.removeprefix('Skipped: ').removeprefix('not run: ')}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that had to be complete and was not."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("EVERYTHING_RUNS") and terminal is not None and _reasons(terminal):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
