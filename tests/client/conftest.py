"""The fake server of `tests/bin`, and a client of it; no test finds the server of whoever runs it."""

import pytest

from runward.http.api_client import Client

from ..bin.conftest import _own_folders, fake
from ..bin.fake_server import KEY, FakeServer

__all__ = ["_own_folders", "fake"]


@pytest.fixture
def client(fake: FakeServer) -> Client:
    return Client(fake.url, KEY, timeout_s=5)
