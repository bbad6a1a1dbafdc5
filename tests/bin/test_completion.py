"""What a shell is told at a TAB, and that bash understands what it is told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runward.bin.commands import MODULES, commands
from runward.bin.completion import joined
from runward.bin.main import main

from .conftest import RunCommand
from .fake_server import KEY, FakeServer
from .screens import at_screen


def offered(runward: RunCommand, *words: str) -> list[str]:
    return runward("complete", *words).out.split()


def test_commands_are_completed(runward: RunCommand) -> None:
    assert set(offered(runward, "st")) == {"stack", "stop", "steer"}
    assert set(offered(runward, "")) == {*MODULES, "--help", "--version"}
    assert offered(runward, "keys", "") == ["create", "list", "revoke"]
    assert offered(runward, "nobody", "") == []
    assert offered(runward, "keys", "nobody", "") == []


def test_options_and_what_they_may_be_are_completed(runward: RunCommand) -> None:
    assert offered(runward, "stop", "--m") == ["--mode"]
    assert offered(runward, "stop", "--mode", "") == ["interrupt", "terminate", "kill"]
    assert offered(runward, "keys", "create", "ann", "--role", "r") == ["run", "read"]
    assert offered(runward, "completion", "z") == ["zsh"]
    assert "--estate" not in offered(runward, "serve", "--")


def test_ids_of_runs_are_completed_those_that_live_first(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_old")
    fake.add("run_live", "spin")
    fake.add("run_new")
    assert offered(runward, "stop", "run_") == ["run_live", "run_new", "run_old"]
    assert offered(runward, "stop", "run_live", "run_n") == ["run_new"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[FakeServer, Path]]:
    """A second server, and the state folder that it noted its URL in."""
    with FakeServer() as server:
        folder = tmp_path / "another place"
        folder.mkdir()
        (folder / "server.json").write_text(json.dumps({"url": server.url, "pid": 1}))
        yield server, folder


def test_the_server_that_the_line_names_is_asked(
    fake: FakeServer,
    elsewhere: tuple[FakeServer, Path],
    runward: RunCommand,
) -> None:
    fake.add("run_here")
    other, _ = elsewhere
    other.add("run_there")
    for words in (["--url", other.url], [f"--url={other.url}"], ["--url", f"'{other.url}'"]):
        assert offered(runward, "stop", *words, "run_") == ["run_there"]
        assert offered(runward, "stop", "--yes", *words, "--grace", "3", "run_") == ["run_there"]
    assert offered(runward, "stop", "--url", fake.url, "--url", other.url, "run_") == ["run_there"]
    assert offered(runward, "stop", "--url", "http://127.0.0.1:9", "run_") == []
    assert offered(runward, "stop", "--url", "no url", "run_") == []
    assert offered(runward, "stop", "--url", "'open", "run_") == []
    assert offered(runward, "stop", "run_") == ["run_here"]


def test_the_state_folder_that_the_line_names_is_looked_into(
    elsewhere: tuple[FakeServer, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other, folder = elsewhere
    other.add("run_there")
    monkeypatch.setenv("HOME", str(folder.parent))

    def offered(*words: str) -> list[str]:
        monkeypatch.setenv("RUNWARD_API_KEY", KEY)  # a command takes it out
        assert main(["complete", *words]) == 0
        return capsys.readouterr().out.split()

    assert offered("stop", "run_") == []
    for typed in (
        str(folder).replace(" ", "\\ "),
        f'"{folder}"',
        "~/another\\ place",
        "$HOME/another\\ place",
    ):
        assert offered("stop", "--state", typed, "run_") == ["run_there"]
        assert offered("stop", f"--state={typed}", "run_") == ["run_there"]
    monkeypatch.setenv("RUNWARD_STATE_DIR", str(folder))
    assert offered("stop", "run_") == ["run_there"]


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["stop", "run"], ["stop", "run"]),
        (
            ["stop", "--url", "http", ":", "//here", ":", "80", "run"],
            ["stop", "--url", "http://here:80", "run"],
        ),
        (["stop", "--url", "=", "http", ":", "//here", ""], ["stop", "--url=http://here", ""]),
        (["stop", "--mode", "=", "k"], ["stop", "--mode=", "k"]),
        (["stop", "--mode", "="], ["stop", "--mode=", ""]),
        ([], []),
    ],
)
def test_what_bash_takes_apart_is_put_together(words: list[str], typed: list[str]) -> None:
    assert joined(words) == typed


def test_without_a_server_there_is_nothing_to_offer_and_no_word(runward: RunCommand) -> None:
    ended = runward("complete", "stop", "run", url="http://127.0.0.1:9")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_every_command_can_be_completed(runward: RunCommand) -> None:
    for name in commands():
        assert "--help" in offered(runward, *name.split(), "--")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_it_can_read(shell: str, runward: RunCommand, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(runward("completion", shell).out)
    assert "runward complete " in script.read_text()
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(script)], check=True, timeout=30)


def test_bash_completes_with_it(fake: FakeServer, tmp_path: Path, runward: RunCommand) -> None:
    fake.add("run_live", "spin")
    program = tmp_path / "runward"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m runward "$@"\n')
    program.chmod(0o755)
    script = runward("completion", "bash").out
    asked = (
        f'{script}\nCOMP_WORDS=(runward stop --yes run_); COMP_CWORD=3; _runward; echo "${{COMPREPLY[@]}}"'
    )
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RUNWARD_URL": fake.url,
        "RUNWARD_API_KEY": KEY,
    }
    answered = subprocess.run(
        ["bash", "-c", asked],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert answered.stdout == "run_live\n"


def test_somebody_at_bash_is_offered_what_the_server_on_the_line_has(
    fake: FakeServer, elsewhere: tuple[FakeServer, Path], tmp_path: Path, runward: RunCommand
) -> None:
    fake.add("run_here")
    other, _ = elsewhere
    other.add("run_there")
    program = tmp_path / "runward"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m runward "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(runward("completion", "bash").out)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RUNWARD_URL": fake.url,
        "RUNWARD_API_KEY": KEY,
        "PS1": "at your service ",
        "HISTFILE": "/dev/null",
    }
    with at_screen([], environment, ["bash", "--norc", "--noprofile", "-i"]) as screen:
        screen.press(f"source {tmp_path}/script; printf 'it is %s\\n' read\n")
        screen.await_showing("it is read")
        for typed, completed in {
            "stop run_": "stop run_here",
            f"stop --url {other.url} run_": f"stop --url {other.url} run_there",
            f"stop --url={other.url} run_": f"stop --url={other.url} run_there",
            "stop --mode=k": "stop --mode=kill",
            "stop --mode k": "stop --mode kill",
        }.items():
            screen.press(f"runward {typed}\t")
            screen.await_showing(f"service runward {completed}")
            screen.press("\x15")  # the line is taken back
            screen.await_showing("service", without=completed)
        screen.press("exit\n")
        assert screen.await_end() == 0
