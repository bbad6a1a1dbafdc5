"""`ps`, `events`, `stop`, `kill`, and what every command does with an error."""

import json
import os
import re
from pathlib import Path

import pytest

from runward.bin.main import main

from .conftest import RunCommand
from .fake_server import KEY, FakeServer
from .processes import free_port


def test_ps_lists_what_lives_and_with_all_what_ended(fake: FakeServer, runward: RunCommand) -> None:
    for number in range(3):
        fake.add(f"run_{number}", "spin")
    fake.add("run_over", "crash")
    shown = runward("ps").out.splitlines()
    header = "ID AGENT STATUS AGE CPU RSS PROCS EVENTS/S LAST EVENT RUNG"
    assert " ".join(shown[0].split()) == header
    assert sorted(line.split()[0] for line in shown[1:]) == ["run_0", "run_1", "run_2"]
    assert "run_over  crash  failed (signal)" in runward("ps", "--all").out
    assert [run["run_id"] for run in runward("ps", "--agent", "crash", "-a", "--json").document["data"]] == [
        "run_over"
    ]
    assert runward("ps", "--status", "failed", "--json").document["object"] == "list"


def test_ps_of_nothing_is_its_header(runward: RunCommand) -> None:
    assert len(runward("ps").out.splitlines()) == 1


def test_events_are_told_one_a_line(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_1")
    ended = runward("events", "run_1")
    assert ended.code == 0
    assert ended.out.splitlines()[2] == '     3     +2.000s  message.delta  delta="hi"'
    assert [event["seq"] for event in runward("events", "run_1", "--json").lines] == [1, 2, 3, 4]
    assert [event["seq"] for event in runward("events", "run_1", "--after", "3", "--json").lines] == [4]


def test_events_without_following_end_where_the_run_stands(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_1", "spin")
    assert [e["seq"] for e in runward("events", "run_1", "--no-follow", "--json").lines] == [1, 2]
    assert runward("events", "run_1", "--no-follow", "--after", "2").out == ""


def test_an_escape_sequence_of_an_agent_is_shown_and_not_obeyed(
    fake: FakeServer, runward: RunCommand
) -> None:
    fake.add("run_1", text="\x1b]0;owned\x07\n\x9b31m")
    assert "\x1b" not in runward("events", "run_1").out


def test_the_beginning_of_an_id_is_enough_where_only_one_run_has_it(
    fake: FakeServer, runward: RunCommand
) -> None:
    for name in ("run_aa1", "run_aa2", "run_ab"):
        fake.add(name)
    assert runward("events", "ab", "--json").lines[0]["run_id"] == "run_ab"
    assert runward("events", "run_aa2", "--json").lines[0]["run_id"] == "run_aa2"
    ambiguous = runward("events", "aa")
    assert ambiguous.code == 2
    assert "2 runs begin with 'aa': run_aa2, run_aa1" in ambiguous.err
    unknown = runward("events", "zz", "--json")
    assert unknown.code == 1
    assert unknown.document["error"]["code"] == "run_not_found"


def test_stop_waits_for_the_end_and_prints_the_receipt(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_1", "spin")
    fake.add("run_2", "spin")
    words = ["stop", "run_1", "run_2", "--mode", "terminate", "--grace", "0.5", "--reason", "enough"]
    ended = runward(*words)
    assert ended.code == 0
    assert sorted(ended.out.splitlines())[0] == (
        "run_1 cancelled (terminated); SIGKILL; ended by the terminate rung in 3.1 ms; "
        "proof: pidns; no survivors"
    )
    assert re.search(r"run_1 +0\.\d\d s  terminate", ended.err)
    wishes = {"mode": "terminate", "grace_s": 0.5, "reason": "enough"}
    assert ("POST", "/v1/runs/run_2/stop", wishes) in fake.asked


def test_all_are_asked_to_stop_before_any_is_waited_for(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_1", "spin")
    fake.add("run_2", "spin")
    runward("kill", "run_1", "run_2")
    paths = [path for _, path, _ in fake.asked]
    assert paths.index("/v1/runs/run_2/kill") < paths.index("/v1/runs/run_1/events")


def test_a_run_that_is_named_by_its_whole_id_is_asked_before_it_is_looked_at(
    fake: FakeServer, runward: RunCommand
) -> None:
    fake.add("run_1", "spin")
    runward("stop", "run_1", "--grace", "0")
    assert fake.asked[0] == ("POST", "/v1/runs/run_1/stop", {"grace_s": 0.0})
    assert [path for method, path, _ in fake.asked if method == "POST"] == ["/v1/runs/run_1/stop"]


def test_kill_as_json_is_the_run_object(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_1", "spin")
    ended = runward("kill", "run_1", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["exit"]["rung"] == "kill"


def test_a_run_that_had_ended_before_is_told_and_is_no_failure(fake: FakeServer, runward: RunCommand) -> None:
    fake.add("run_1")
    ended = runward("stop", "run_1")
    assert (ended.code, ended.out) == (0, "run_1 completed; it had ended before\n")


def test_a_survivor_makes_the_command_fail_and_is_named(fake: FakeServer, runward: RunCommand) -> None:
    run = fake.add("run_1", "spin")
    run.emit("run.cancelled", reason="kill_stuck", exit={"proof": "none", "survivors": [77, 78]})
    ended = runward("kill", "run_1")
    assert ended.code == 1
    assert "STILL ALIVE: 77, 78" in ended.out


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "invalid_value", 2),
        (401, "invalid_api_key", 1),
        (403, "forbidden", 1),
        (429, "queue_full", 1),
        (503, "supervisor_unreachable", 4),
        (507, "no_room", 1),
    ],
)
def test_each_refusal_has_its_exit_code_and_its_words(
    status: int, code: str, exit_code: int, fake: FakeServer, runward: RunCommand
) -> None:
    error = {"message": "No, because", "code": code, "type": "t", "param": None}
    fake.refusals = [(status, {"error": error}, {})] * 2
    for_people = runward("ps", "--all")
    assert (for_people.code, for_people.out) == (exit_code, "")
    assert for_people.err.startswith("runward: No, because")
    for_programs = runward("ps", "--all", "--json")
    assert for_programs.code == exit_code
    assert for_programs.document == {"error": error}


@pytest.mark.parametrize(
    "command", [["ps"], ["run", "echo", "hi"], ["events", "x"], ["stop", "x"], ["kill", "x"]]
)
def test_no_server_is_4_and_the_message_says_what_to_do(command: list[str], runward: RunCommand) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ended = runward(*command, url=url)
    assert ended.code == 4
    assert f"no runward answers at {url} (connection refused)" in ended.err
    assert "runward serve" in ended.err


def test_a_wrong_key_says_where_the_right_one_is_looked_for(runward: RunCommand) -> None:
    assert "RUNWARD_API_KEY" in runward("ps", key="wrong").err


@pytest.mark.parametrize(("key", "url"), [("a b", None), ("k", "nonsense")])
def test_a_key_or_url_that_can_be_none_is_wrong_usage(key: str, url: str | None, runward: RunCommand) -> None:
    assert runward("ps", key=key, url=url).code == 2


def test_the_key_leaves_the_environment(runward: RunCommand) -> None:
    runward("ps")
    assert "RUNWARD_API_KEY" not in os.environ


def test_the_local_server_is_found_by_its_state_folder(
    fake: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state" / "runward"
    folder.mkdir(parents=True)
    (folder / "server.json").write_text(json.dumps({"url": fake.url, "pid": 1}))
    (folder / "key").write_text(f"{KEY}\n")
    assert main(["ps"]) == 0
    folder.rename(tmp_path / "elsewhere")
    assert main(["ps", "--state", str(tmp_path / "elsewhere")]) == 0
    (tmp_path / "runward.toml").write_text('[state]\ndir = "elsewhere"\n')
    assert main(["ps"]) == 0


def test_a_slip_in_the_configuration_does_not_keep_client_commands_from_working(
    fake: FakeServer, tmp_path: Path, runward: RunCommand
) -> None:
    (tmp_path / "runward.toml").write_text("not toml")
    assert runward("ps").code == 0


@pytest.mark.parametrize("words", [["nonsense"], ["ps", "--nonsense"], ["stop"], ["events"]])
def test_wrong_usage_is_2(words: list[str], runward: RunCommand) -> None:
    ended = runward(*words)
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize(
    "words", [["--version"], ["-V"], ["--help"], ["run", "--help"], ["--version", "--help"]]
)
def test_version_and_help_are_no_failure(words: list[str], runward: RunCommand) -> None:
    assert runward(*words).code == 0


@pytest.mark.parametrize("words", [[], ["--all", "--agent", "spin"], ["run_1", "--all"]])
def test_a_stop_says_which_runs_in_one_way(words: list[str], fake: FakeServer, runward: RunCommand) -> None:
    ended = runward("stop", *words, "--json")
    assert (ended.code, ended.document["error"]["code"], fake.asked) == (2, "usage", [])


@pytest.mark.parametrize("name", ["local", "no spaces", "(anyone)", "x" * 65])
def test_some_names_are_no_names_of_keys(name: str, tmp_path: Path, runward: RunCommand) -> None:
    ended = runward("keys", "create", name, "--state", str(tmp_path), "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "usage")
    assert not list(tmp_path.glob("keys*"))
