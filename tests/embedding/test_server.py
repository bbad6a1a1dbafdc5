"""A server of one's own: what it runs, who knows its key, and that nothing of it is left, however its owner ends."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import runward
from runward import AsyncClient, Server, ServerFailed, ServerUnreachable
from runward.actors.embedded_server import Agent

from ..support import census
from ..support.client import Client as PlainClient
from ..support.waiting import AT_LAST_S, until

OWNER = Path(__file__).with_name("owner.py")
GRACES = {"interrupt_grace_s": 0.2, "terminate_grace_s": 0.2}


def shout(text: str) -> str:
    return text.upper()


def test_it_runs_callables_and_entrypoints_beside_the_built_in_agents() -> None:
    suffix = "!"
    agents: dict[str, Agent] = {
        "shout": shout,
        "lambda": lambda text: text + suffix,
        "count": "runward.actors.builtin:count",
        "slow": {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0.0}},
        "loud": {"callable": shout, "description": "shouts", "env": {"SOME": "thing"}},
    }
    with Server(agents=agents, settings={"runs": GRACES, "limits.pids": 0}) as server:
        client = server.client
        assert client.start("hi", "shout").result(20) == "HI"
        assert client.start("hi", "lambda").result(20) == "hi!"
        assert client.start("hi", "loud").result(20) == "HI"
        assert client.start("1", "count").result(20) == "1\n"
        assert client.start("2", "slow").result(20) == "1\n2\n"
        assert client.start("hi").result(20) == "hi"
        described = {agent.name: agent.description for agent in client.agents()}
        assert described["loud"] == "shouts"
        assert asyncio.run(asked_for_health(server))
        pid = server.pid
    assert not server.alive
    assert pid not in [process.pid for process in census.processes()]
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.client


async def asked_for_health(server: Server) -> bool:
    async with AsyncClient(server.url, server.key) as client:
        return await client.health() and bool(await client.agents())


def test_a_callable_that_does_bad_things_when_it_is_unpacked_does_them_inside_the_walls() -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os._exit, (7,)

        def __call__(self, text: str) -> str:
            return text

    with Server(agents={"trap": Trap()}) as server:
        with pytest.raises(runward.RunFailed) as failed:
            server.client.start("x", "trap").result(20)
        assert failed.value.exit.code == 7
        assert server.client.start("still", "echo").result(20) == "still"


def test_its_key_is_in_no_argument_environment_or_file(temporary: Path) -> None:
    with Server() as server:
        key = server.key.encode()
        family = [server.pid, *(process.pid for process in census.below(server.pid))]
        for pid in [os.getpid(), *family]:
            for name in ("cmdline", "environ"):
                assert key not in Path(f"/proc/{pid}/{name}").read_bytes()
        held = [file for file in temporary.rglob("*") if file.is_file() and key in file.read_bytes()]
        assert not held
        assert (temporary.stat().st_mode & 0o777, *modes(temporary)) == (0o700, {0o700})
        assert "rw_" not in repr(server) + repr(server.client)
        assert PlainClient(server.url, "wrong").ask("GET", "/v1/runs").status == 401


def modes(folder: Path) -> Iterator[set[int]]:
    """Of the folders in it."""
    yield {each.stat().st_mode & 0o777 for each in folder.iterdir()}


def test_nobody_can_hand_it_a_callable_over_http() -> None:
    with Server() as server:
        client = PlainClient(server.url, server.key)
        answer = client.ask("POST", "/v1/runs", {"input": "x", "callable": "gASV", "entrypoint": "os:getcwd"})
        assert answer.headers["Runward-Ignored"] == "callable, entrypoint"
        assert client.ended(answer.json["run_id"])["output"] == "x"


def test_a_state_folder_that_is_given_is_kept_and_found_again(tmp_path: Path) -> None:
    with Server(state=tmp_path / "state") as server:
        run_id = server.client.start("x", "echo").run_id
        server.client.wait(run_id, 20)
    with Server(state=tmp_path / "state") as server:
        assert server.client.get(run_id).output == "x"


def test_a_configuration_file_is_read_and_settings_go_over_it(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        '[runs]\nbuiltin_agents = ["echo", "count"]\n[agents.mine]\nentrypoint = "mine.py:agent"\n'
    )
    (tmp_path / "mine.py").write_text("def agent(text):\n    return 'mine'\n")
    with Server(config=config, settings={"runs.builtin_agents": ["echo"]}) as server:
        assert {agent.name for agent in server.client.agents()} == {"echo", "mine"}
        assert server.client.start("x", "mine").result(20) == "mine"


def test_one_that_can_not_start_says_why() -> None:
    with (
        pytest.raises(ServerFailed, match=r"runs\.max_live") as failed,
        Server(settings={"runs": {"max_live": -1}}),
    ):
        pass
    assert failed.value.exit_code == 78


def test_one_that_was_killed_is_told_at_the_end() -> None:
    server = Server()
    server.start()
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not server.alive, AT_LAST_S, "the end of the server")
    with pytest.raises(ServerUnreachable):
        server.client.health()
    with pytest.raises(ServerFailed, match="ended with code -9"):
        server.__exit__(None, None, None)


def test_left_by_an_exception_it_gives_no_grace() -> None:
    settings = {"runs": {"interrupt_grace_s": 3600.0, "terminate_grace_s": 3600.0}}
    with pytest.raises(ZeroDivisionError):
        leave_by_an_exception(settings)


def leave_by_an_exception(settings: dict[str, dict[str, float]]) -> None:
    with Server(settings=settings) as server:
        run = server.client.start("x", "spin")
        next(event for event in run.stream() if event.text)
        _ = 1 / 0


def test_it_outlives_the_thread_that_started_it() -> None:
    server = Server()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    assert server.client.start("x", "echo").result(20) == "x"
    assert server.stop()[0] == 0


@contextmanager
def owner(how: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A process in a session of its own, as a notebook's kernel is, and the pid of the server that it embeds."""
    command = [sys.executable, "-P", str(OWNER), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, "the owner ended before its server ran"
        yield process, int(said)
        process.kill()


def test_an_owner_that_is_killed_leaves_nothing() -> None:
    with owner("wait") as (process, server_pid):
        family = [server_pid, *(each.pid for each in census.below(server_pid))]
        assert len(family) >= 5  # root, supervisor, facade, zygote, warden, agent
        process.kill()
        until(lambda: not alive(family), AT_LAST_S, lambda: f"the end of {alive(family)}")


def alive(pids: list[int]) -> list[str]:
    """Those that have not ended."""
    return [str(each) for each in census.processes() if each.pid in pids and each.state != "Z"]


def test_ctrl_c_in_a_notebook_ends_the_server_in_order() -> None:
    with owner("wait") as (process, _):
        os.killpg(process.pid, signal.SIGINT)  # as Jupyter interrupts a kernel, and a terminal its foreground
        assert process.wait(30) == -signal.SIGINT


def test_an_owner_that_leaves_the_block_gives_its_runs_their_grace_and_no_more() -> None:
    with owner("leave") as (process, _):
        assert process.wait(30) == 0
