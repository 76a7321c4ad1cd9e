"""What tests of pages share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.adminui import build


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def admin(db: None) -> User:
    """An administrator."""
    return build.admin()


@pytest.fixture
def page(admin: User) -> Client:
    """A browser in which an administrator has signed in."""
    client = Client()
    client.force_login(admin)
    return client
