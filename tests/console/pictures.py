"""Makes the pictures of the console in docs/pictures: python -m tests.console.pictures [FOLDER]

Not a test, though it uses what tests use: a real server, whose runs do something, in a real browser.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from ..support.browser import chromium, watched
from ..support.client import Client
from ..support.server import Server, agent, running
from ..support.waiting import until
from .seat import KEY, Seat

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
WATCHED_S = 40.0  # so that lines of memory and CPU have something to show
AGENTS = {name: agent("showing", name) for name in ("researcher", "gardener", "indexer", "busy")}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 1.5,
    "is_mobile": True,
}


def main(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, _housed(Path(home)) as server:
        _history(server.client)
        runs = _work(server.client)
        with chromium() as browser:
            with _seated(browser, server, color_scheme="light", **DESKTOP) as seat:
                _watch(seat)
                _picture(seat, folder / "console-list.png")
                seat.open(runs["gardener"])
                _picture(seat, folder / "console-light.png")
            with _seated(browser, server, color_scheme="dark", **DESKTOP) as seat:
                _watch(seat)
                seat.open(runs["researcher"])
                _picture(seat, folder / "console-dark.png")
                seat.open(runs["spin"])
                seat.press("Kill")
                seat.page.get_by_role("dialog").get_by_role("button", name="Kill").click()
                expect(seat.receipt).to_be_visible()
                seat.show("Ended")
                _picture(seat, folder / "console-receipt.png")
            with _seated(browser, server, color_scheme="light", **PHONE) as seat:
                _watch(seat, 6)
                _picture(seat, folder / "console-phone.png")
                seat.open(runs["researcher"])
                _picture(seat, folder / "console-phone-run.png")
        server.client.ask("POST", "/v1/runs/stop", {"all": True, "mode": "kill"})
        server.await_no_runs()


@contextmanager
def _housed(home: Path) -> Iterator[Server]:
    home.chmod(0o755)  # a run of root's has a user of its own, who must come to his work folder
    with running(home, {"agents": AGENTS}, KEY) as server:
        yield server


def _history(client: Client) -> None:
    """Runs that ended, each in its own way."""
    for name, text in (
        ("echo", "Three of the four mirrors answer within a second."),
        ("crash", "segfault"),
        ("crash", "exception"),
        ("echo", "The report is in the shared folder."),
    ):
        client.ended(client.start(name, text))
    client.ended(client.start("count", "for ever", limits={"wall_s": 1.0}))
    client.stopped(client.begun("count", "for ever"))


def _work(client: Client) -> dict[str, str]:
    """Live runs, by their agents."""
    names = [
        "busy",
        "indexer",
        "researcher",
        "hog",
        "spin",
        "researcher",
        "gardener",
        "indexer",
        "researcher",
    ]
    text = {"researcher": "the memory of the crawler", "hog": "90"}
    return {name: client.begun(name, text.get(name, "go")) for name in names}


@contextmanager
def _seated(browser: Browser, server: Server, **options: Any) -> Iterator[Seat]:
    with watched(browser, server.url, **options) as page:
        seat = Seat(page, server)
        seat.log_in()
        yield seat
        page.assert_quiet()


def _watch(seat: Seat, for_s: float = WATCHED_S) -> None:
    """Let the page see the runs for a while."""
    began = seat.page.evaluate("performance.now()")
    until(lambda: seat.page.evaluate("performance.now()") > began + for_s * 1000, for_s + 60, "time")


def _picture(seat: Seat, file: Path) -> None:
    seat.page.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 1500)))")
    seat.page.screenshot(path=file)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
