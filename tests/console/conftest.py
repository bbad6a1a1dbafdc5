"""A server, a browser, and a logged-in page of which nothing may be heard but what it shows."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from ..support.browser import chromium, watched
from ..support.server import Server, agent, running
from .seat import KEY, Seat

AGENTS = {
    "use": agent("using", "use"),
    "asks": agent("asking", "ask"),
    "talk": agent("asking", "Talk"),
    "parent": agent("spawning", "parent", spawn=["sleeper"]),
    "sleeper": agent("spawning", "sleeper"),
    "keeps": agent("keeping", "keep", work_folder="keep"),
    "leaves": agent("keeping", "leave", work_folder="keep"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with agents that hang, ask and count."""
    with running(tmp_path_factory.mktemp("console"), {"agents": AGENTS}, KEY) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a module; its processes are gone with it."""
    with chromium() as started:
        yield started


@pytest.fixture
def seat(house: Server, browser: Browser) -> Iterator[Seat]:
    """Somebody who logged in with the operator's key; after the test no run is live."""
    with watched(browser, house.url, viewport={"width": 1440, "height": 900}) as page:
        seat = Seat(page, house)
        seat.log_in()
        yield seat
        page.assert_quiet()
    house.client.ask("POST", "/v1/runs/stop", {"all": True, "mode": "kill"})
    house.await_no_runs()
