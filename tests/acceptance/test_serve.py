"""`runward serve` beside another server, and what it must refuse: with exit code 78 and words that help."""

import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from ..bin.screens import at_screen
from ..support import census
from ..support.client import Client
from ..support.server import refused, running
from ..support.waiting import AT_LAST_S, until

REFUSED = 78


def test_a_second_server_on_the_same_state_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        code, said = refused(tmp_path, {"auth": {"mode": "none"}})
        assert code == REFUSED
        assert str(tmp_path / "state") in said
        assert f"pid {first.pid}" in said
        assert "Traceback" not in said
        assert first.client.ended(first.client.start("echo", "unharmed"))["output"] == "unharmed"


def test_a_port_that_is_taken_is_refused_and_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = refused(tmp_path, {"http": {"port": port}})
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said
    assert "Traceback" not in said
    assert code == REFUSED


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"runs": {"max_alive": 1}}, "max_alive"),
        ({"rnus": {"max_live": 1}}, "rnus"),
        ({"runs": {"max_live": "many"}}, "max_live"),
        ({"http": {"host": "0.0.0.0"}, "auth": {"mode": "none"}}, "auth.mode"),
        ({"agents": {"nothing": {"description": "does nothing"}}}, "agents.nothing"),
        ({"containment": {"kill": "subreaper", "require": ["kill>=K3"]}}, "kill>=K3"),
    ],
    ids=["unknown key", "unknown section", "wrong type", "open to others", "no entrypoint", "containment"],
)
def test_what_is_configured_wrong_is_refused_by_name_and_nothing_is_started(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    code, said = refused(tmp_path, config)
    assert code == REFUSED
    assert told in said
    assert "Traceback" not in said


def test_commands_of_the_same_user_and_of_nobody_else_find_address_and_key_in_the_state_folder(
    tmp_path: Path,
) -> None:
    note, key = tmp_path / "state" / "server.json", tmp_path / "state" / "key"
    with running(tmp_path, {"auth": {"mode": "key"}}) as server:
        assert server.url in note.read_text()
        for file in (note, key):
            assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, os.getuid())
        assert server.client.is_healthy()
        assert server.client.ask("GET", "/v1/runs").status == 401
        assert server.with_key(key.read_text().strip()).ask("GET", "/v1/runs").status == 200
    assert not note.exists()


def test_the_link_that_serve_prints_logs_in_once_also_after_a_facade_died(tmp_path: Path) -> None:
    with at_screen(["serve", "--port", "0", "--state", str(tmp_path / "state")], {}) as screen:
        shown = screen.await_showing("listening on")
        ((url, token),) = re.findall(r"console: (\S+)/#token=(\S+) ", shown)
        client = Client(url)
        assert client.ask("POST", "/v1/session", {"token": f"{token}x"}).status == 401
        assert client.ask("POST", "/v1/session", {"token": token}).json["role"] == "operate"
        assert client.ask("POST", "/v1/session", {"token": token}).status == 401
        facade = facade_below(screen.command.process.pid)
        os.kill(facade, signal.SIGKILL)
        until(
            lambda: facade_below(screen.command.process.pid) not in (0, facade), AT_LAST_S, "another facade"
        )
        assert until(client.is_healthy, AT_LAST_S, "its answer")
        assert client.ask("POST", "/v1/session", {"token": token}).status == 401
        screen.press("\x03")
        assert screen.await_end() == 0


def facade_below(root: int) -> int:
    """The pid of its facade; 0: there is none."""
    return next((each.pid for each in census.below(root) if each.title == "runward: facade 1"), 0)


@pytest.mark.parametrize("mode", ["none", "key"])
def test_a_log_is_told_of_the_console_without_a_token(tmp_path: Path, mode: str) -> None:
    with running(tmp_path, {"auth": {"mode": mode}}) as server:
        assert f'"console: {server.url}/"' in server.log
        assert "token" not in server.log
        assert Client(server.url).ask("GET", "/").status == 200
