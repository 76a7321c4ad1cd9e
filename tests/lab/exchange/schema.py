"""Microsoft's EWS schema as the judge of what went over the wire (docs: EWS_SCHEMA_DIR in CONTRIBUTING or README)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
MISSING = "not run: Microsoft's EWS schema; set EWS_SCHEMA_DIR (public source: github.com/OfficeDev/Interop-TestSuites)"


def directory() -> Path:
    """Where the schema is looked for."""
    default = Path(__file__).resolve().parents[4] / "shared" / "ews-schema"
    return Path(os.environ.get("EWS_SCHEMA_DIR", default))


@lru_cache(maxsize=1)
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(directory() / "messages.xsd"))


def available() -> bool:
    """Whether the schema is on this machine."""
    return (directory() / "messages.xsd").exists()


def require() -> None:
    """Report the test as not run where there is no schema."""
    if not available():
        pytest.skip(MISSING)


def complaints(exchanged: dict[str, Any]) -> list[str]:
    """What is wrong with one recorded exchange: its request and its answer, without SOAP faults."""
    found: list[str] = []
    if not exchanged["operation"]:
        return found
    for side in ("request", "response"):
        text = exchanged[side]
        if not text.startswith("<"):
            continue
        body = etree.fromstring(text.encode()).find(f"{SOAP}Body")
        assert body is not None
        if body[0].tag == f"{SOAP}Fault" or _schema().validate(body[0]):
            continue
        found.append(f"{exchanged['operation']} {side}: {_schema().error_log}")
    return found
