"""What the tests of processes, sockets and loops share: the assurance that they leave nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.actors.mailbox import KeyPair
from tests.support import leaks

from . import posts


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fail if a process, thread or descriptor is there after the test that was not there before it."""
    with leaks.nothing_left():
        yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[posts.Server]:
    """An inbox and a feed in `tmp_path`."""
    made = posts.Server(tmp_path)
    yield made
    made.close()


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[posts.Connect]:
    """Makes clients of the server, and closes them."""
    made: list[posts.Client] = []

    def connected(keys: KeyPair, server_key: bytes = posts.SERVER.public) -> posts.Client:
        made.append(posts.Client(tmp_path, keys, server_key))
        return made[-1]

    yield connected
    for client in made:
        client.close()
