"""What an operator asks and does, in this process against one real server."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from runward.bin.main import main

from ..support.client import BrokenOff
from ..support.server import Server, running
from .conftest import Ended

WRITES = "import sys\n\ndef writes(text):\n    print('out')\n    print('err', file=sys.stderr)\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("operating")
    (folder / "writes.py").write_text(WRITES)
    agents = {
        "writes": {"entrypoint": "writes.py:writes"},
        "count": {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0.05}},
    }
    runs = {"interrupt_grace_s": 0.1, "terminate_grace_s": 0.1}
    with running(folder, {"agents": agents, "runs": runs, "auth": {"mode": "key"}}) as server:
        yield server


class Operator:
    """Types commands."""

    def __init__(self, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self.state = server.folder / "state"
        self.client = server.with_key((self.state / "key").read_text().strip())
        self._capsys = capsys

    def __call__(self, *words: str, expecting: int = 0) -> Ended:
        code = main([*words, "--state", str(self.state)])
        said = Ended(code, *self._capsys.readouterr())
        assert said.code == expecting, said
        return said

    def json(self, *words: str, expecting: int = 0) -> Any:
        return self(*words, "--json", expecting=expecting).document

    def begun(self, agent: str, **more: object) -> str:
        return self.client.begun(agent, "x", **more)


@pytest.fixture
def runward(house: Server, capsys: pytest.CaptureFixture[str]) -> Iterator[Operator]:
    operator = Operator(house, capsys)
    with house.without_leftovers():
        yield operator
        operator("kill", "--all")


def test_runs_are_ended_by_what_they_have_in_common(runward: Operator) -> None:
    spins = {runward.begun("spin"), runward.begun("spin")}
    counts, alone = runward.begun("count", session_id="s1"), runward.begun("count")
    ended = runward("kill", "--agent", "spin", "--json").lines
    assert ({run["run_id"] for run in ended}, {run["reason"] for run in ended}) == (spins, {"killed"})
    assert runward("stop", "--session", "s1").out.startswith(f"{counts} cancelled (")
    assert runward.json("inspect", alone)["status"] == "running"
    assert runward.json("stop", "--all", "--mode", "kill")["run_id"] == alone
    nobody = runward("stop", "--all")
    assert (nobody.out, nobody.err) == ("", "no run that lives matches\n")


def test_the_ladder_is_told_rung_by_rung(runward: Operator) -> None:
    run_id = runward.begun("spin")
    said = runward("stop", run_id)
    rungs = [line.split() for line in said.err.splitlines()]
    assert [(words[0], words[-1]) for words in rungs] == [
        (run_id, rung) for rung in ("interrupt", "terminate", "kill")
    ]
    seconds = [float(words[1]) for words in rungs]
    assert seconds[1] >= 0.1
    assert seconds[2] >= 0.2
    assert "ended by the kill rung in" in said.out
    assert "; no survivors" in said.out


def test_a_live_run_is_looked_into(runward: Operator) -> None:
    run_id = runward.begun("spin")
    assert (
        "has not ended in 0.05 s; it goes on" in runward("wait", run_id, "--timeout", "0.05", expecting=1).err
    )
    assert "in spin" in runward("stack", run_id).out
    assert "in spin" in runward.json("stack", run_id)["stack"]
    facts = dict(line.split(None, 1) for line in runward("inspect", run_id).out.splitlines())
    assert (facts["run"], facts["agent"], facts["status"], facts["processes"]) == (
        run_id,
        "spin",
        "running",
        "2",
    )


def test_an_ended_run_is_looked_into(runward: Operator) -> None:
    run_id = runward("run", "crash", "segfault", "--detach").out.strip()
    assert runward("wait", run_id, expecting=1).out.startswith(f"{run_id} failed (signal); SIGSEGV")
    shown = runward("inspect", run_id).out
    assert re.search(rf"^run +{run_id}\nagent +crash\nstatus +failed \(signal\)\n", shown)
    assert re.search(r"^receipt +.*proof: ", shown, re.MULTILINE)
    assert "\nstderr, its end\n  Fatal Python error: Segmentation fault\n" in shown
    assert runward.json("stack", run_id, expecting=1)["error"]["code"] == "run_not_live"


def test_waiting_ends_with_the_code_of_the_first_that_did_not_complete(runward: Operator) -> None:
    well = runward("run", "echo", "x", "--detach").out.strip()
    stopped = runward.begun("spin")
    runward("kill", stopped)
    assert runward.json("wait", well)["status"] == "completed"
    assert len(runward("wait", well, stopped, "--json", expecting=3).lines) == 2


def test_what_a_run_wrote_is_printed_and_followed_to_its_end(runward: Operator) -> None:
    run_id = runward("run", "writes", "x", "--detach").out.strip()
    assert runward("logs", run_id, "-f").out.splitlines() == ["out", "==> stderr <==", "err"]
    assert runward("logs", run_id, "--stream", "stderr").out == "err\n"
    assert runward.json("logs", run_id, "--stream", "stdout", "--tail", "1") == {
        "run_id": run_id,
        "text": "out\n",
    }


def test_agents_are_listed(runward: Operator) -> None:
    rows = {line.split()[0]: line.split() for line in runward("agents").out.splitlines()}
    assert rows["AGENT"][:4] == ["AGENT", "KIND", "HEALTH", "LIVE"]
    assert rows["spin"][3] == "0"
    assert {"pids=64", "file_bytes=1.0G"} <= set(rows["spin"])
    assert {each["name"] for each in runward.json("agents")["data"]} >= {"echo", "spin", "count"}


# ── keys ────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_counts_from_its_making_to_its_revocation(runward: Operator) -> None:
    made = runward("keys", "create", "ann")
    ann = runward.server.with_key(made.out.strip())
    assert "shown only now" in made.err
    run_id = ann.begun("count")
    assert [run["run_id"] for run in ann.ask("GET", "/v1/runs").json["data"]] == [run_id]
    assert ann.ask("GET", "/health/detailed").status == 403
    runward("keys", "revoke", "ann", "--yes")
    assert ann.ask("GET", "/v1/runs").status == 401
    assert runward.client.run(run_id)["status"] == "running"


def test_a_stream_that_is_open_is_cut_when_its_key_is_revoked(runward: Operator) -> None:
    run_id = runward.begun("count")
    reader = runward.server.with_key(runward("keys", "create", "reader", "--role", "read").out.strip())
    with runward.client.stream(run_id) as stays, reader.stream(run_id) as stream:
        stream.until("message.delta")
        runward("keys", "revoke", "reader")
        with pytest.raises(BrokenOff):
            stream.until("run.completed")
        runward("kill", run_id)
        stays.until("run.cancelled")


def test_a_key_may_do_what_its_role_may(runward: Operator) -> None:
    run_id = runward.begun("count")
    for name, role, may_stop in (("reader", "read", False), ("chief", "operate", True)):
        made = runward.json("keys", "create", name, "--role", role)
        assert (made["name"], made["role"]) == (name, role)
        client = runward.server.with_key(made["key"])
        assert client.run(run_id)["run_id"] == run_id
        assert client.stop(run_id).status == (200 if may_stop else 403)
        runward("keys", "revoke", name, "--yes")


def test_keys_are_listed_and_only_their_hashes_are_kept(runward: Operator) -> None:
    key = runward("keys", "create", "bob", "--role", "operate").out.strip()
    kept = runward.state / "keys.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert all(key not in path.read_text() for path in runward.state.glob("key*"))
    assert runward("keys", "list").out.splitlines()[1].split()[:2] == ["bob", "operate"]
    assert [each["name"] for each in runward.json("keys", "list")["data"]] == ["bob"]
    assert runward.json("keys", "create", "bob", expecting=1)["error"]["code"] == "key_taken"
    runward("keys", "revoke", "bob")
    assert runward.json("keys", "revoke", "bob", expecting=1)["error"]["code"] == "key_not_found"
    assert runward.json("keys", "list")["data"] == []


def test_a_file_of_keys_that_cannot_be_read_lets_nobody_in(runward: Operator) -> None:
    key = runward("keys", "create", "eve").out.strip()
    kept = runward.state / "keys.json"
    good = kept.read_text()
    kept.write_text(good.replace("sha256:", "md5:"))
    assert runward.server.with_key(key).ask("GET", "/v1/runs").status == 401
    assert "can't be read" in runward("keys", "list", expecting=1).err
    kept.write_text(good)
    assert runward.server.with_key(key).ask("GET", "/v1/runs").status == 200
    runward("keys", "revoke", "eve")


# ── settings ────────────────────────────────────────────────────────────────────────────────────


def test_the_settings_of_the_live_server_are_shown(runward: Operator) -> None:
    rows = {each["key"]: each for each in runward.json("config", "show", "--live")["data"]}
    assert rows["http.port"]["source"] == "flag http.port"
    assert rows["agents.count.options.interval_s"]["value"] == 0.05
    assert "runs.interrupt_grace_s = 0.1  # file " in runward("config", "show", "--live").out


@pytest.mark.slow
def test_settings_are_reloaded_and_what_changed_is_told_while_runs_go_on(runward: Operator) -> None:
    run_id = runward.begun("count")
    path = runward.server.folder / "runward.toml"
    path.write_text(path.read_text() + 'runs.max_live = 9\nagents.late.entrypoint = "writes.py:writes"\n')
    changed = {each["key"]: each["after"] for each in runward.json("reload")["changed"]}
    assert changed["runs.max_live"] == 9
    assert {key.split(".")[1] for key in changed} == {"max_live", "late"}
    assert runward.client.run(run_id)["status"] == "running"
    assert runward("run", "late", "x").err == ""
    path.write_text("runs.max_live = -1\n")
    refused = runward("reload", expecting=78)
    assert "not restarted, and all goes on as it was" in refused.err
    assert "runs.max_live" in refused.err
    assert runward.client.is_healthy()
