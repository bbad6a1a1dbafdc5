"""`runward doctor`: one page, or the same as JSON; what it tells is what a server here would find."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runward.bin.outcome import ExitCode

from ..support.server import running
from ..support.withheld import __file__ as WITHHELD

PARTS = ("Runs are killed by K", "Limits", "Walls", "Tried here")
ENOSYS = 38


def doctor(*flags: str, without: str = "", config: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """The command, in a process of its own; `without`: what is withheld from it, see `withheld.py`."""
    command = [sys.executable, "-P", "-m", "runward", "doctor", *flags]
    if config is not None:
        command += ["--config", str(config)]
    if without:
        command = [sys.executable, "-P", WITHHELD, without, "--", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def told(*flags: str, **more: Any) -> Any:
    return json.loads(doctor("--json", *flags, **more).stdout)


def test_it_is_one_page_for_people() -> None:
    ended = doctor()
    assert (ended.returncode, ended.stderr) == (ExitCode.DONE, "")
    lines = ended.stdout.splitlines()
    assert len(lines) < 80
    for part in PARTS:
        assert any(line.startswith(part) for line in lines), part
    assert any(line.split()[:1] == ["pid_namespace"] for line in lines)


def test_for_programs_it_is_one_document() -> None:
    ended = doctor("--json")
    assert (ended.returncode, ended.stderr) == (ExitCode.DONE, "")
    document = json.loads(ended.stdout)
    assert len(ended.stdout.splitlines()) == 1
    assert document["kill"] in {rung["level"] for rung in document["rungs"] if rung["works"]}
    assert document["unmet"] == []
    for mechanism in document["mechanisms"]:
        assert (mechanism["error"] is None) == mechanism["works"]


def test_what_is_withheld_is_told_with_the_kernels_word_and_what_would_help() -> None:
    document = told(without=f"clone3={ENOSYS}")
    assert document["kill"] == ("K2" if os.geteuid() == 0 else "K1")
    [refused] = [each for each in document["mechanisms"] if each["name"] == "pid_namespace"]
    assert (refused["works"], "ENOSYS" in refused["error"]) == (False, True)
    assert any("seccomp" in line for line in document["advice"])
    assert "nothing of a run outlives its stop" in document["promise"]
    page = doctor(without=f"clone3={ENOSYS}").stdout
    assert "What an administrator could do" in page
    assert "Function not implemented (ENOSYS" in page


def test_settings_that_could_not_be_had_here_are_told_as_such(tmp_path: Path) -> None:
    config = tmp_path / "runward.toml"
    config.write_text('[containment]\nrequire = ["kill>=K3", "memory"]\n')
    ended = doctor("--json", without=f"clone3={ENOSYS}", config=config)
    assert ended.returncode == ExitCode.REFUSED
    unmet = json.loads(ended.stdout)["unmet"]
    assert any(line.startswith("kill>=K3 (") for line in unmet)
    config.write_text('[containment]\nkill = "pidns"\n')
    ended = doctor(without=f"clone3={ENOSYS}", config=config)
    assert ended.returncode == ExitCode.REFUSED
    assert "A server with these settings would not start" in ended.stdout
    assert "containment.kill = 'pidns' can't be had here" in ended.stdout


def test_a_configuration_that_is_wrong_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "runward.toml"
    config.write_text("[containment]\nkil = 1\n")
    ended = doctor(config=config)
    assert ended.returncode == ExitCode.REFUSED
    assert "containment.kil" in ended.stderr


def test_a_server_here_tells_the_same(tmp_path: Path) -> None:
    def without_times(document: Any) -> Any:
        for mechanism in document["mechanisms"]:
            del mechanism["took_ms"]
        return document

    with running(tmp_path) as server:
        answer = server.client.ask("GET", "/health/detailed")
        assert answer.status == 200
        theirs = answer.json
    assert theirs["status"] == "ok"
    assert without_times(theirs["containment"]) == without_times(told())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount cgroups read-only")
def test_cgroups_that_are_read_only_are_told_and_how_to_get_them() -> None:
    document = told(without="cgroups=30")
    assert document["kill"] in ("K3", "K1-")
    [line] = [line for line in document["advice"] if line.startswith("cgroup kill: ")]
    assert "read-only" in line
    limits = {each["axis"]: each for each in document["limits"]}
    assert limits["memory_bytes"]["by"] == "warden"
    assert "EROFS" in limits["memory_bytes"]["why"]
