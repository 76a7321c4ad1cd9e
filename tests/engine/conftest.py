"""What the engine's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab.chaos.town import Town


@pytest.fixture
def town(db: None) -> Town:
    """An enrolled person with empty folders on both sides."""
    from lab.chaos.town import Town

    return Town()
