"""Logging: to stderr, as lines or as JSON; libraries that would log content or addresses are kept quiet."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; a traceback goes along as text."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configuration(*, level: str, as_json: bool) -> dict[str, Any]:
    """The value of Django's LOGGING."""
    formatter = (
        {"()": JsonFormatter} if as_json else {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # exchangelib logs whole requests and answers at ERROR (docs/server-behaviour.md, section 6.4).
            "exchangelib": {"level": "CRITICAL"},
            # One line per request, with people's names in the path.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            # Several lines per task.
            "django-q": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
        },
    }
