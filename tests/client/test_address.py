"""How a client finds its server and its key."""

import json
from pathlib import Path

import pytest

from runward.http.api_address import Address, find

KEY = "the-key"


def key_of(address: Address) -> str | None:
    return address.headers.get("Authorization", "").removeprefix("Bearer ") or None


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a server on this machine."""
    folder = tmp_path / "state" / "runward"  # where XDG_STATE_HOME leads to
    folder.mkdir(parents=True)
    (folder / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:1234", "pid": 1}))
    (folder / "key").write_text(f"{KEY}\n")
    return folder


def test_what_is_given_is_taken(state: Path) -> None:
    address = find("http://localhost:1/", "mine", state)
    assert (address.url, key_of(address)) == ("http://localhost:1", "mine")


def test_the_server_of_this_user_is_found_with_its_key(state: Path) -> None:
    for address in (find(None, None, None, {}), find(None, None, state, {})):
        assert (address.url, key_of(address)) == ("http://127.0.0.1:1234", KEY)


def test_the_environment_comes_before_the_state_folder_of_this_user_and_after_one_that_is_named(
    state: Path,
) -> None:
    environ = {"RUNWARD_URL": "http://127.0.0.1:5", "RUNWARD_API_KEY": " theirs "}
    address = find(None, None, None, environ)
    assert (address.url, key_of(address)) == ("http://127.0.0.1:5", "theirs")
    assert find(None, None, state, environ).url == "http://127.0.0.1:1234"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://192.0.2.1:1", False),
        ("http://localhost.example", False),
    ],
)
def test_the_local_key_is_sent_to_a_server_on_this_machine_only(url: str, sent: bool, state: Path) -> None:
    assert (key_of(find(url, None, state, {})) == KEY) is sent


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"url": 5}'])
def test_a_note_that_makes_no_sense_is_passed_over(text: str, state: Path) -> None:
    (state / "server.json").write_text(text)
    assert find(None, None, state, {}).url == "http://127.0.0.1:8642"
