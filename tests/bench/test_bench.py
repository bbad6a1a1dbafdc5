"""`runward bench` as a real process: small, for its shape and not its figures."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCH = [sys.executable, "-P", "-m", "runward", "bench"]


def bench(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    process = subprocess.Popen(
        [*BENCH, *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = process.communicate(timeout=50)
    except BaseException:
        process.terminate()  # not kill: it has servers to end
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="module")
def quick_trivial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = bench("--quick", "--only", "trivial", "--json", cwd=tmp_path_factory.mktemp("cwd"))
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_document_says_what_was_measured_on_what(quick_trivial: dict[str, Any]) -> None:
    assert quick_trivial["object"] == "bench"
    assert quick_trivial["quick"] is True
    assert set(quick_trivial["machine"]) == {"cpus", "kernel", "machine", "python", "load"}
    assert quick_trivial["problems"] == []


def test_a_figure_stands_beside_its_targets(quick_trivial: dict[str, Any]) -> None:
    line = next(
        line for line in quick_trivial["figures"] if (line["figure"], line["server"]) == ("p50", "full")
    )
    assert (line["row"], line["unit"], line["first"], line["then"]) == ("trivial", "ms", 15, 6)
    assert line["value"] > 0
    assert line["reaches"] in ("then", "first", "miss")


def test_cpu_time_is_told_by_role(quick_trivial: dict[str, Any]) -> None:
    details = quick_trivial["details"]
    line = next(line for line in details if (line["kind"], line["server"]) == ("cpu_ms", "full"))
    assert {"root", "supervisor", "facade", "zygote", "client", "ours"} <= set(line["parts"])


def test_an_unknown_row_is_refused_by_name(tmp_path: Path) -> None:
    done = bench("--only", "trivail", cwd=tmp_path)
    assert done.returncode == 2
    assert "trivail" in done.stderr


def test_the_rows_can_be_listed(tmp_path: Path) -> None:
    done = bench("--list", cwd=tmp_path)
    assert done.returncode == 0
    assert "trivial" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        "parallel",
        "flood",
        "streams",
        "fanout",
        "burns",
        "stops",
        "kills",
        "bombs",
        "commands",
        "idle",
        "growth",
    ],
)
def test_every_row_can_be_measured(row: str, tmp_path: Path) -> None:
    done = bench("--quick", "--only", row, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert {line["row"] for line in document["figures"]} == {row}
    assert document["problems"] == []


def test_ctrl_c_ends_the_servers_as_well(tmp_path: Path) -> None:
    """All of them hold the bench's stderr: it ends with the last."""
    process = subprocess.Popen(
        [*BENCH, "--only", "idle", "--json"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr
        _await(lambda: bool(list(tmp_path.glob("runward-bench-*/full/state/server.json"))))
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(30) == 130
    assert not list(tmp_path.glob("runward-bench-*"))


def _await(condition: Callable[[], bool], deadline_s: float = 40.0) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, "the server never came up"
        time.sleep(0.02)
