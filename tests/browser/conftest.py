"""A real browser in front of the web app: Debian's chromium, driven by Playwright.

``pytest tests/browser --screenshots`` also writes pictures of the pages, to be looked at by people.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.adminui import build

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")


ROOT = Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when pytest is started on tests/browser."""
    parser.addoption(
        "--screenshots",
        action="store_true",
        help="write pictures of the pages: the overview into docs/images/, all into var/pictures/",
    )


@pytest.fixture(scope="session")
def chromium(django_db_setup: None, live_server: LiveServer) -> Iterator[Browser]:
    """One browser for all tests. It goes before the server does, so that no connection is open then.

    The server looks when it starts what sort of database there is, so that one has to be there first.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("not run: apt-get install -y chromium")
    with sync_playwright() as playwright:
        # The synchronous API runs a loop in this thread; Django would take its own synchronous tests for a mistake.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids="-".join)
def look(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each width with each scheme."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def browser_page(chromium: Browser, live_server: LiveServer, look: tuple[str, str]) -> Iterator[Page]:
    """A fresh page on the app. What the browser complains about (scripts, policy, missing files) fails the test."""
    cache.clear()
    width, height = WIDTHS[look[0]]
    scheme: Any = look[1]
    context = chromium.new_context(
        base_url=live_server.url, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(10_000)
    yield page
    page.goto("about:blank")  # no request may be under way when the database is emptied
    context.close()
    assert complaints == []


@pytest.fixture
def signed_in(browser_page: Page, transactional_db: None, picture: Any) -> Page:
    """The overview, after an administrator signed in through the form."""
    build.admin()
    browser_page.goto("/")
    picture(browser_page, "sign-in")
    browser_page.get_by_label("Username").fill("ada")
    browser_page.get_by_label("Password").fill(build.PASSWORD)
    browser_page.get_by_role("button", name="Sign in").click()
    browser_page.wait_for_url(re.compile(r":\d+/$"))
    return browser_page


@pytest.fixture
def picture(request: pytest.FixtureRequest, look: tuple[str, str]) -> Any:
    """Write var/pictures/NAME-WIDTH-SCHEME.png when pictures are asked for, the README's into docs/images/, too."""

    def take(page: Page, name: str) -> None:
        if request.config.getoption("--screenshots", default=False):
            file = ROOT / "var" / "pictures" / f"{name}-{look[0]}-{look[1]}.png"
            page.screenshot(path=file, full_page=True, animations="disabled")
            if (name, look) == ("overview", ("desktop", "light")):
                shutil.copy(file, ROOT / "docs" / "images" / "overview.png")

    return take
