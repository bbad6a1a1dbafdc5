"""What a shell is told at a TAB, and that bash understands what it is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runward.bin.commands import MODULES, commands

from .conftest import RunCommand
from .fake_server import KEY, FakeServer


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
