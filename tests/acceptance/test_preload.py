"""What `preload` gives to runs, and that no preload, however bad, costs the server or its agent more than itself."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Client
from ..support.server import Server, running

AGENT = """
import os, random, sys

def run(text):
    return getattr(sys.modules[__name__], text)()

def look():
    threads = len(os.listdir("/proc/self/task")) - 1  # one listens to the runtime
    return {"threads": threads, "pools": os.environ.get("OPENBLAS_NUM_THREADS"), "path": sys.path}

def when():
    known = "good" in sys.modules
    import good
    return [known, good.MADE_AT_NS]

def draw():
    import numpy
    return [random.random(), numpy.random.random(), "numpy.random" in sys.modules]
"""
MODULES = {
    "agent": AGENT,
    "good": "import time\nMADE_AT_NS = time.monotonic_ns()\nprint('printed at import')",
    "broken": "import good\nraise LookupError('the word')",
    "leaves": "import sys\nsys.exit('gone')",
    "exits": "import os\nos._exit(4)",
    "faults": "import ctypes\nctypes.string_at(0)",
    "threaded": (
        "import threading\nthreading.Thread(target=threading.Event().wait, name='beat', daemon=True).start()"
    ),
    "joined": "import threading\nthread = threading.Thread(target=id, args=(0,))\nthread.start()\nthread.join()",
    "fathers": "import subprocess\nsubprocess.Popen(['sleep', '3600'])",
    "opens": "import os\nFILE = open(os.devnull)",
    "hangs": "import threading\nthreading.Event().wait()",
}
TROUBLE = {
    "absent": "importing absent raised ModuleNotFoundError: No module named 'absent'",
    "broken": "importing broken raised LookupError: the word",
    "leaves": "importing leaves raised SystemExit: gone",
    "exits": "the import ended the process with code 4",
    "faults": "the import died of SIGSEGV",
    "threaded": "the import left threads running, which no run would have: beat",
    "fathers": "the import left 1 processes behind",
}
UNTROUBLED = ("good", "joined", "opens", "agent")


def _agent(*preload: str, **more: object) -> dict[str, object]:
    return {"entrypoint": "agent.py:run", "preload": list(preload), **more}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("preload")
    _write_modules(folder)
    agents = {name: _agent(name) for name in (*TROUBLE, *UNTROUBLED)}
    agents["none"] = _agent()
    agents["pools"] = _agent("good", env={"OPENBLAS_NUM_THREADS": "3"})
    if importlib.util.find_spec("numpy") is not None:
        agents["numpy"] = _agent("numpy")
    # All of them start at once, on a machine that may be busy.
    config = {"runs": {"builtin_agents": ["echo"], "start_timeout_s": 80.0}, "agents": agents}
    with running(folder, config) as server:
        yield server


@pytest.fixture
def client(house: Server) -> Client:
    return house.client


def _write_modules(folder: Path) -> None:
    for name, source in MODULES.items():
        (folder / f"{name}.py").write_text(source)


def _output(client: Client, name: str, text: str) -> Any:
    run = client.ended(client.start(name, text))
    assert run["status"] == "completed", run
    return run["output"]


def _listed(client: Client, name: str) -> Any:
    return next(each for each in client.ask("GET", "/v1/agents").json["data"] if each["name"] == name)


# ── what runs have of it ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_preloaded_module_is_imported_once_for_all_runs(client: Client) -> None:
    first, second = _output(client, "good", "when"), _output(client, "good", "when")
    assert first == second
    assert first[0] is True
    assert _listed(client, "good")["warnings"] == []


def test_without_preload_each_run_imports_for_itself(client: Client) -> None:
    first, second = _output(client, "none", "when"), _output(client, "none", "when")
    assert first != second
    assert first[0] is second[0] is False


def test_the_agents_own_file_may_be_preloaded(client: Client) -> None:
    assert _output(client, "agent", "look")["threads"] == 1
    assert _listed(client, "agent")["warnings"] == []


def test_what_a_module_prints_at_import_is_in_the_log_and_not_on_stdout(house: Server) -> None:
    _output(house.client, "good", "look")
    assert "printed at import" in house.log


def test_pools_of_threads_are_one_unless_the_agents_environment_says_otherwise(client: Client) -> None:
    assert _output(client, "good", "look")["pools"] == "1"
    assert _output(client, "pools", "look")["pools"] == "3"
    assert _output(client, "none", "look")["pools"] is None


def test_each_run_has_random_numbers_of_its_own(client: Client) -> None:
    pytest.importorskip("numpy")
    first, second = _output(client, "numpy", "draw"), _output(client, "numpy", "draw")
    assert _listed(client, "numpy")["warnings"] == []
    assert first[2] is second[2] is True
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_numpy_leaves_no_thread_behind(client: Client) -> None:
    pytest.importorskip("numpy")
    assert _output(client, "numpy", "look")["threads"] == 1


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TROUBLE)
def test_a_preload_that_makes_trouble_is_given_up_with_a_warning_and_its_agent_works(
    client: Client, name: str
) -> None:
    assert _output(client, name, "look")["threads"] == 1
    listed = _listed(client, name)
    assert listed["health"] == "ready"
    assert listed["warnings"] == [
        f"not preloaded: {name}, since {TROUBLE[name]}; each run now imports for itself"
    ]


def test_a_thread_that_was_joined_is_no_trouble(client: Client) -> None:
    _output(client, "joined", "look")
    assert _listed(client, "joined")["warnings"] == []


def test_a_file_that_stays_open_is_warned_of(client: Client) -> None:
    _output(client, "opens", "look")
    (warning,) = _listed(client, "opens")["warnings"]
    assert warning.startswith("preload left files open, which runs find closed: ")
    assert "(/dev/null)" in warning


def test_an_import_that_hangs_is_given_up_in_time_for_the_run_that_waits(tmp_path: Path) -> None:
    _write_modules(tmp_path)
    config = {"runs": {"start_timeout_s": 10.0}, "agents": {"hangs": _agent("hangs")}}
    with running(tmp_path, config) as server:
        assert _output(server.client, "hangs", "look")["threads"] == 1
        (warning,) = _listed(server.client, "hangs")["warnings"]
        assert "the import did not end within 5 s (half of runs.start_timeout_s)" in warning


def test_a_server_can_be_stopped_while_an_import_hangs(tmp_path: Path) -> None:
    _write_modules(tmp_path)
    with running(tmp_path, {"agents": {"hangs": _agent("hangs")}}) as server:
        server.member("zygote hangs")
        server.stop()
