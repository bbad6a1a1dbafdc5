"""`command` agents: any program, told and heard by JSON lines, ended and judged by its exit. On both kill rungs."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ..support.client import Client, Json
from ..support.rungs import RUNGS, skip_unless_held
from ..support.server import Server, running
from ..support.waiting import AT_LAST_S
from .test_endings import _says as says

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"
GRACE_S = 0.3
DISPOSITIONS = """
read -r _
printf '{"output": "%s"}\\n' "$(sed -n 's/^Sig\\(Ign\\|Blk\\):\t//p' /proc/self/status | tr '\\n' ' ')"
"""
OF_THE_C_LIBRARY = 0x180000000  # signals 32 and 33, which nobody else can set
ALLOWED = {
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "TZ",
    "HOME",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
}
LONGEST_EVENT = 100_000


def _program(*arguments: str, **more: object) -> dict[str, object]:
    return {"command": [sys.executable, "-I", f"{PROGRAMS}/acting.py", *arguments], **more}


@pytest.fixture(scope="module", params=RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


@pytest.fixture(scope="module")
def house(rung: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "plain.txt").write_text("not a program")
    script = folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(script.stat().st_mode | 0o111)
    agents = {
        "act": _program("one", "two words", options={"colour": "red"}, env={"OWN": "mine"}),
        "nowhere": {"command": ["no-such-program-anywhere"]},
        "plain": {"command": ["./plain.txt"]},
        "script": {"command": ["./script"]},
        "dispositions": {"command": ["sh", "-c", DISPOSITIONS]},
    }
    config = {
        "containment": {"kill": rung},
        "events": {"max_event_bytes": LONGEST_EVENT},
        "runs": {"interrupt_grace_s": GRACE_S, "terminate_grace_s": GRACE_S, "builtin_agents": ["echo"]},
        "agents": agents,
    }
    with running(folder, config, variables={"SECRET": "of the operator"}) as server:
        server.client.ended(server.client.start("act", "talks"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _ended(client: Client, text: str, name: str = "act", **more: object) -> Json:
    return client.ended(client.start(name, text, **more))


# ── what a program is given ───────────────────────────────────────────────────────────────────────────────────────


def test_the_first_line_on_stdin_is_the_start(client: Client) -> None:
    given = {"instructions": "be brief", "session_id": "s1", "model": "m1", "metadata": {"k": "v"}}
    body = [{"role": "user", "content": "hi"}, {"role": "user", "content": "looks"}]
    run = client.ended(
        client.ask("POST", "/v1/runs", {"agent": "act", "input": body, **given}).json["run_id"]
    )
    start = run["output"]["start"]
    assert start == {
        "control": "start",
        "run_id": run["run_id"],
        "input": "looks",
        "history": body[:1],
        "options": {"colour": "red"},
        **given,
    }


def test_a_long_input_comes_whole(client: Client) -> None:
    assert _ended(client, "measures " + "x" * 900_000)["output"] == 900_000


def test_a_program_has_its_arguments_three_descriptors_and_a_clean_environment(
    client: Client, rung: str
) -> None:
    seen = _ended(client, "looks")["output"]
    assert seen["argv"] == ["one", "two words"]
    assert set(seen["descriptors"]) == {0, 1, 2}
    assert seen["environment"].pop("OWN") == "mine"
    assert "SECRET" not in seen["environment"]
    own_user = {"USER", "LOGNAME"} if rung == "uid" else set[str]()
    assert (
        set(seen["environment"]) <= ALLOWED | {"LC_CTYPE"} | own_user
    )  # the first of which Python sets itself


def test_a_program_ignores_no_signal_and_blocks_none(client: Client) -> None:
    sets = _ended(client, "go", "dispositions")["output"].split()
    assert [int(text, 16) & ~OF_THE_C_LIBRARY for text in sets] == [0, 0]


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_deltas_joined_are_the_output_of_a_program_that_names_none(client: Client) -> None:
    run = _ended(client, "talks one two three")
    assert (run["status"], run["output"]) == ("completed", "onetwothree")
    events = [each["event"] for each in client.events(run["run_id"])]
    said = ["message.delta"] * 3 + ["reasoning.delta", "tool.started"]
    assert events == ["run.queued", "run.started", *said, "run.completed"]


def test_the_last_result_is_the_output(client: Client) -> None:
    run = _ended(client, "changes_its_mind")
    assert run["output"] == {"the": "last"}
    assert run["usage"] == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize(
    ("line", "output"), [('{"output": 7}', 7), ('{"event": "message.delta", "delta": "b"}', "ab")]
)
def test_a_last_line_needs_no_newline(client: Client, line: str, output: object) -> None:
    assert _ended(client, f"ends_without_newline {line}")["output"] == output


def test_what_is_no_event_and_no_result_is_refused_noted_in_the_log_and_not_fatal(client: Client) -> None:
    run = _ended(client, "chatters")
    assert (run["status"], run["output"]) == ("completed", "good")
    log = run["exit"]["stderr_tail"]
    assert "a line on stdout was refused: not JSON" in log
    assert "not a JSON object" in log
    assert "belong to the runtime" in log
    assert "by its exit code, not by a claim" in log
    assert "not a result: Object contains unknown field `surprise`" in log


def test_too_many_deltas_are_no_output_but_events_all_the_same(client: Client) -> None:
    run = _ended(client, f"floods {2**19}")
    assert (run["status"], run["output"]) == ("completed", None)
    deltas = [each for each in client.events(run["run_id"]) if each["event"] == "message.delta"]
    assert len(deltas) == 2**19 // 1024


def test_a_result_that_is_too_long_is_refused(client: Client) -> None:
    run = _ended(client, f"says_much {LONGEST_EVENT}")
    assert (run["status"], run["output"]) == ("completed", None)
    assert f"longer than {LONGEST_EVENT} bytes" in run["exit"]["stderr_tail"]


# ── how it ends ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [1, 3, 255])
def test_an_exit_code_is_the_reason_and_stderr_the_log(client: Client, code: int) -> None:
    run = _ended(client, f"exits {code}")
    assert says(run) == ("failed", "exit_code", code, None, None)
    assert run["error"] == f"exited with code {code}"
    assert run["exit"]["stderr_tail"] == "on stderr before the end\n"


def test_a_signal_is_the_reason(client: Client) -> None:
    run = _ended(client, f"dies {signal.SIGSEGV:d}")
    assert says(run) == ("failed", "signal", None, "SIGSEGV", None)
    assert run["error"] == "ended by SIGSEGV"


def test_a_program_that_closes_its_ends_early_is_judged_by_its_exit(client: Client) -> None:
    run = _ended(client, "runs_ahead")
    assert (run["status"], run["output"]) == ("completed", "said before")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "can't start 'no-such-program-anywhere': No such file or directory (errno 2)"),
        ("plain", "Permission denied (errno 13)"),
        ("script", "the interpreter in its first line was not found: No such file or directory (errno 2)"),
    ],
)
def test_a_program_that_cannot_be_started_is_named_and_the_server_lives(
    client: Client, name: str, words: str
) -> None:
    run = _ended(client, "go", name)
    assert (run["status"], run["reason"]) == ("failed", "start_failed")
    assert words in run["error"]
    assert _ended(client, "still here", "echo")["output"] == "still here"


# ── how it is stopped ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_interrupt_is_a_line_on_stdin(client: Client) -> None:
    run = client.stopped(client.begun("act", "obeys"), grace_s=AT_LAST_S)
    assert says(run) == ("cancelled", "interrupted", 0, None, "interrupt")
    assert run["output"] == {"control": "interrupt", "message": "Stop requested via API"}


def test_sigterm_goes_to_the_program_that_did_not_hear(client: Client) -> None:
    run = client.stopped(client.begun("act", "deaf"))
    assert says(run) == ("cancelled", "terminated", None, "SIGTERM", "terminate")
    assert run["output"] == "ready"


def test_a_program_may_tidy_up_on_sigterm(client: Client) -> None:
    run = client.stopped(client.begun("act", "tidies"), mode="terminate", grace_s=AT_LAST_S)
    assert says(run) == ("cancelled", "terminated", 0, None, "terminate")
    assert run["output"] == "tidied"


def test_a_program_that_ignores_all_of_it_is_killed(client: Client) -> None:
    run = client.stopped(client.begun("act", "stubborn"))
    assert says(run) == ("cancelled", "killed", None, "SIGKILL", "kill")


def test_what_a_program_leaves_behind_dies_with_it(client: Client) -> None:
    seconds = f"3600.{uuid4().int % 10**9}"
    run = _ended(client, f"fathers {seconds}")
    assert run["status"] == "completed"
    lines = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdecimal()]
    assert not [path for path in lines if path.exists() and seconds.encode() in path.read_bytes()]


# ── what is told of it ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_of_agents_names_the_program_and_the_kind(client: Client) -> None:
    listed = {each["name"]: each for each in client.ask("GET", "/v1/agents").json["data"]}
    assert listed["nowhere"]["kind"] == "command"
    assert listed["act"]["entrypoint"] == sys.executable
    assert "two words" not in json.dumps(listed["act"])
