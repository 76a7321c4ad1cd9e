"""Microsoft's schema as the judge of everything that goes over the wire (README of the schema's directory)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from syncapp.exchange.ews.xml import Element

REPOSITORY = Path(__file__).parents[3]
DIRECTORY = Path(os.environ.get("EWS_SCHEMA_DIR") or REPOSITORY.parent / "shared" / "ews-schema")


@cache
def _schema() -> etree.XMLSchema:
    path = DIRECTORY / "messages.xsd"
    if not path.exists():
        pytest.skip(
            "not run: set EWS_SCHEMA_DIR to a directory with messages.xsd and types.xsd "
            "(from the public repository OfficeDev/Interop-TestSuites)"
        )
    return etree.XMLSchema(etree.parse(str(path)))


def assert_valid(body: Element) -> None:
    """``body`` is what stands in a SOAP body."""
    schema = _schema()
    # A copy stands alone, as the schema's global elements do.
    alone = etree.fromstring(etree.tostring(body))
    assert schema.validate(alone), f"{schema.error_log}\n{etree.tostring(alone, pretty_print=True).decode()[:4000]}"
