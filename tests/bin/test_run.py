"""`runward run` in one process, against the fake server."""

import io
import sys

import pytest

from .conftest import RunCommand
from .fake_server import FakeRun, FakeServer


def test_the_agents_words_are_stdout_and_the_exit_code_says_done(runward: RunCommand) -> None:
    ended = runward("run", "echo", "hello")
    assert (ended.code, ended.out, ended.err) == (0, "hello\n", "")


def test_a_run_that_failed_is_1_and_says_why_with_its_receipt(runward: RunCommand) -> None:
    ended = runward("run", "crash", "now")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "stderr: boom",
        "runward: the agent died of SIGSEGV",
        "runward: run_0000 failed (signal); SIGSEGV; proof: pidns; no survivors",
    ]


def test_a_run_that_somebody_stopped_is_3(fake: FakeServer, runward: RunCommand) -> None:
    fake.agents["spin"] = lambda run: fake.stop(run, "kill")
    ended = runward("run", "spin", "x")
    assert ended.code == 3
    assert "ended by the kill rung in 3.1 ms; proof: pidns; no survivors" in ended.err


def test_json_is_the_final_run_object_and_nothing_else(runward: RunCommand) -> None:
    ended = runward("run", "echo", "hello", "--json")
    assert ended.document["status"] == "completed"
    assert ended.document["output"] == "hello"
    assert ended.err == ""


def test_the_output_is_printed_where_no_delta_told_it(fake: FakeServer, runward: RunCommand) -> None:
    fake.agents["echo"] = lambda run: run.emit("run.completed", output={"answer": 42}, usage={})
    assert runward("run", "echo", "x").out == '{\n  "answer": 42\n}\n'


def test_what_is_no_output_goes_to_stderr(fake: FakeServer, runward: RunCommand) -> None:
    def agent(run: FakeRun) -> None:
        run.emit("reasoning.delta", delta="hm\x1b[31m")
        run.emit("tool.started", tool="search", preview="cats")
        run.emit("run.completed", output="done", usage={})

    fake.agents["echo"] = agent
    ended = runward("run", "echo", "x")
    assert ended.out == "done\n"
    assert 'tool.started  tool="search" preview="cats"' in ended.err
    assert "\x1b" not in ended.err


def test_detach_prints_the_id_and_does_not_follow(fake: FakeServer, runward: RunCommand) -> None:
    assert runward("run", "spin", "x", "--detach").out == "run_0000\n"
    assert runward("run", "spin", "x", "--detach", "--json").document == {
        "run_id": "run_0001",
        "status": "started",
    }
    assert not fake.resumed_from


def test_every_option_reaches_the_server(fake: FakeServer, runward: RunCommand) -> None:
    options = ["--session", "s", "--on-conflict", "interrupt", "--history", "--priority", "-5"]
    options += ["--instructions", "be kind", "--metadata", "a=b=c", "--limit", "wall_s=1.5"]
    runward("run", "echo", "hi", *options, "--limit", "memory_bytes=1e9", "--detach")
    assert fake.runs["run_0000"].body == {
        "agent": "echo",
        "input": "hi",
        "session_id": "s",
        "on_conflict": "interrupt",
        "history": "session",
        "priority": -5,
        "instructions": "be kind",
        "metadata": {"a": "b=c"},
        "limits": {"wall_s": 1.5, "memory_bytes": 1_000_000_000},
    }


@pytest.mark.parametrize("words", [["-"], []])
def test_the_input_comes_from_stdin_where_asked(
    words: list[str], runward: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("grüße".encode())))
    assert runward("run", "echo", *words).out == "grüße\n"


def test_input_that_is_no_text_is_wrong_usage(runward: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    ended = runward("run", "echo", "-")
    assert ended.code == 2
    assert "not UTF-8" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["echo", ""], "`input`"),
        (["nobody", "hi"], "no agent of that name"),
        (["echo", "hi", "--limit", "wall_s=soon"], "'soon' is not a number"),
        (["echo", "hi", "--limit", "wall_s"], "not NAME=VALUE"),
        (["echo", "hi", "--metadata", "=x"], "not NAME=VALUE"),
        (["echo", "hi", "--on-conflict", "overtake"], "overtake"),
        ([], "required: AGENT"),
    ],
)
def test_wrong_usage_is_2_and_says_what(words: list[str], said: str, runward: RunCommand) -> None:
    ended = runward("run", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_stream_that_breaks_off_is_resumed_and_nothing_is_said_twice(
    fake: FakeServer, runward: RunCommand
) -> None:
    def agent(run: FakeRun) -> None:
        for number in range(5):
            run.emit("message.delta", delta=f"{number} ")
        run.emit("run.completed", output="", usage={})

    fake.agents["echo"] = agent
    fake.cut_after = [2, 0, 3]
    ended = runward("run", "echo", "x")
    assert (ended.code, ended.out) == (0, "0 1 2 3 4 \n")
    assert fake.resumed_from == [0, 2, 2, 5]
    assert ended.err.count("trying again") == 3
