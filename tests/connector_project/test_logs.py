"""What is logged, and what never is."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from django.conf import settings
from django.test import Client

from connector_project.logs import JsonFormatter, configuration
from connector_project.security import POLICY


def test_a_json_line_holds_what_a_line_holds() -> None:
    record = logging.LogRecord("syncapp.jobs", logging.WARNING, __file__, 1, "run %s done", (7,), None)
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "syncapp.jobs", "run 7 done")
    assert line["at"].endswith("+00:00")


def test_a_traceback_stays_on_one_json_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert "ValueError: broken" in json.loads(text)["traceback"]


@pytest.mark.parametrize("name", ["exchangelib", "httpx", "httpcore"])
def test_libraries_that_log_what_people_wrote_or_asked_for_are_quiet(name: str) -> None:
    loggers = configuration(level="INFO", as_json=False)["loggers"]
    assert logging.getLevelName(loggers[name]["level"]) > logging.INFO
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.mark.django_db
def test_every_page_forbids_what_is_not_ours() -> None:
    answer = Client().get("/", follow=True)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_neither_the_admin_site_nor_pickled_tasks_can_be_reached() -> None:
    # Its pages for django-q2's tasks would unpickle what the database holds.
    assert "django.contrib.admin" not in settings.INSTALLED_APPS
