"""Debian's Chromium without a window, driven by Playwright; tests that need it are skipped where there is none.

Playwright keeps a loop of its own running in the thread that uses it, so these tests are no coroutines, and a browser
is opened and closed within one module.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from . import census
from .waiting import AT_LAST_S, until

FLAGS = [
    "--no-sandbox",  # which Chromium refuses to have where root runs it
    "--disable-dev-shm-usage",
    "--disable-breakpad",  # its reporter would outlive it
    "--disable-background-networking",
    "--disable-gpu",
]
DEADLINE_MS = (
    20_000.0  # for what normally takes some milliseconds, on a machine that is busy with something else
)


@dataclass
class Watched:
    """A page, and what a user does not see of it. `outside`: what it asked of others than `origin`."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def assert_quiet(self) -> None:
        """Nothing went wrong, and nobody else was asked for anything."""
        assert self.complaints == []
        assert self.outside == []

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def see(self, request: Request) -> None:
        asked = urlsplit(request.url)
        if asked.scheme != "data" and f"{asked.scheme}://{asked.netloc}" != self.origin:
            self.outside.append(request.url)


@contextmanager
def chromium(**options: Any) -> Iterator[Browser]:
    """A browser, until the block ends; the test is skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    expect.set_options(timeout=DEADLINE_MS)
    before = {each.pid for each in census.below(os.getpid())}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, **options)
        try:
            yield browser
        finally:
            browser.close()
    until(lambda: not _left(before), AT_LAST_S, lambda: f"the end of {_left(before)}")


def _left(before: set[int]) -> list[str]:
    """What is there of the browser, or of Playwright, which drives it."""
    family = [each for each in census.below(os.getpid()) if each.pid not in before and each.state != "Z"]
    return [each.title for each in family if "chrom" in each.title or "playwright" in each.title]


@contextmanager
def watched(browser: Browser, origin: str, **options: Any) -> Iterator[Watched]:
    """A new page of a user with no past, whose complaints and requests are written down. Nothing is opened yet.

    `options` are those of a Playwright context, such as `viewport` and `color_scheme`.
    """
    context: BrowserContext = browser.new_context(**options)
    try:
        context.set_default_timeout(DEADLINE_MS)
        page = context.new_page()
        seen = Watched(page, origin)
        page.on("console", seen.hear)
        page.on("pageerror", lambda error: seen.complaints.append(f"uncaught: {error}"))
        page.on("request", seen.see)
        yield seen
    finally:
        context.close()
