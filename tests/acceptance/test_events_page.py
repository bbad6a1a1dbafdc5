"""`docs/events.md`: the client on it follows a run as it stands."""

from collections.abc import Iterator

import pytest

from ..support import pages
from ..support.server import Server, running

PAGE = pages.Page("events.md")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("events")
    PAGE.write_files(folder)
    with running(folder) as server:
        yield server


@pytest.mark.parametrize("console", PAGE.consoles, ids=lambda console: f"line-{console.line}")
def test_commands_print_what_the_page_says(house: Server, console: pages.Block) -> None:
    pages.check(house, console)


def test_frames_look_as_the_page_says(house: Server) -> None:
    """Line by line, but for the numbers and the ids."""
    run_id = house.client.start("echo", "hello")
    with house.client.stream(run_id) as stream:
        frames = stream.rest()
        assert stream.retry == ["1000"]
        assert stream.comments[-1] == "stream closed"
    assert [frame.id for frame in frames] == ["1", "2", "3", "4"]
    assert [list(frame.event) for frame in frames] == [
        ["run_id", "seq", "event", "timestamp", *more]
        for more in (["position"], ["attempt", "pid", "agent"], ["delta"], ["output", "usage"])
    ]
    assert all(frame.more == [] for frame in frames)
