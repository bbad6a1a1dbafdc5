"""A real `runward serve` as a child process, with a folder of its own for state, configuration and sockets."""

import json
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from . import census
from .census import Process
from .client import Client
from .leaf_folders import leaf_folders, remove_leaves
from .leaks import nothing_left, short_folder
from .waiting import AT_LAST_S, until

SERVE = ["-P", "-m", "runward", "serve"]
AGENTS = Path(__file__).parent / "agents"
ORDINARY = Path(__file__).parent / "ordinary.py"
WITHHELD = Path(__file__).parent / "withheld.py"
LOG = "log"
START_S = 40.0  # all zygotes of a configuration, on a busy machine
NO_VARIABLES: Mapping[str, str] = {}
NOTHING: Mapping[str, int] = {}

Config = Mapping[str, Any]


def agent(file: str, attribute: str, **more: object) -> dict[str, object]:
    """The declaration of an agent in `support/agents/`."""
    return {"entrypoint": f"{AGENTS / file}.py:{attribute}", **more}


def _toml(config: Config, key: str = "") -> Iterator[str]:
    """Dotted keys, one a line; JSON's way to write a value is TOML's too."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _toml(value, f"{key}{name}.")
        else:
            yield f"{key}{name} = {_value(value)}\n"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def written(config: Config, folder: Path) -> Path:
    """A configuration file that says so, in that folder."""
    path = folder / "runward.toml"
    path.write_text("".join(_toml(config)))
    return path


class Server:
    """One server that runs, or ran. `key`: the operator's; None where it asks for none."""

    def __init__(
        self, process: "subprocess.Popen[str]", folder: Path, sockets: Path, key: str | None
    ) -> None:
        self.process = process
        self.pid = process.pid
        self.folder = folder
        self.url = ""
        self.sockets = sockets
        self._key = key

    @property
    def client(self) -> Client:
        """With the operator's key."""
        return Client(self.url, self._key)

    def with_key(self, key: str) -> Client:
        """With another key."""
        return Client(self.url, key)

    @property
    def log(self) -> str:
        """What it has said on stderr."""
        return (self.folder / LOG).read_text(errors="replace")

    def await_listening(self) -> None:
        """Return once it says where it listens."""
        line = self._line(START_S)
        said, _, self.url = line.strip().rpartition(" ")
        assert said == "runward: listening on", f"said {line!r}; log: {self.log}"

    def _line(self, within_s: float) -> str:
        """The next line of its stdout; empty once no process holds that open."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], within_s)
        assert ready, f"stdout neither said anything nor was closed in {within_s:g} s; log: {self.log}"
        return self.process.stdout.readline()

    # ── what it is made of ──────────────────────────────────────────────────────────────────────────────────────

    def members(self, role: str) -> list[Process]:
        """Its live processes of this role: supervisor, facade, zygote, warden or agent."""
        return [each for each in census.below(self.pid) if each.role == role]

    def member(self, title: str) -> Process:
        """The one process with this title, such as "supervisor" or "zygote echo"; waits for it to be there."""
        named = f"runward: {title}"
        return until(
            lambda: next((each for each in census.below(self.pid) if each.title == named), None),
            AT_LAST_S,
            f"a process {named!r}",
        )

    def holdings(self) -> dict[str, Counter[str]]:
        """The descriptors of root, supervisor and facades, less the two that each live zygote costs."""
        family = census.below(self.pid)
        own = {self.pid} | {each.pid for each in family if each.role == "supervisor"}
        # What a zygote has just forked bears its name, and a dead one too.
        zygotes = sum(each.role == "zygote" and each.parent in own and each.state != "Z" for each in family)
        held = {"runward: root": census.descriptors(self.pid)}
        for each in family:
            if each.role in ("supervisor", "facade"):
                held[each.title] = census.descriptors(each.pid)
            if each.role == "supervisor":
                held[each.title].subtract({"socket": zygotes, "pidfd": zygotes})
        return held

    def gained(self, before: dict[str, Counter[str]]) -> list[str]:
        """What its processes hold beyond the holdings of before."""
        now = self.holdings()
        more = {title: held - before.get(title, Counter()) for title, held in now.items()}
        return [f"{title}: {count} {kind}" for title, held in more.items() for kind, count in held.items()]

    @contextmanager
    def without_leftovers(self) -> Iterator[None]:
        """Afterwards no process of a run is there, and the server holds no descriptor that it did not before."""
        self.await_no_runs()
        before = self.holdings()
        yield
        self.await_no_runs()
        until(lambda: not self.gained(before), AT_LAST_S, lambda: f"the end of {self.gained(before)}")

    def await_no_runs(self) -> None:
        """Return once no process of any run is left."""
        until(
            lambda: not census.runs_below(self.pid),
            AT_LAST_S,
            lambda: f"the end of {[str(each) for each in census.runs_below(self.pid)]}",
        )

    @property
    def mailboxes(self) -> Path:
        """The folder of the sockets that its processes talk over: commands, runs, feed."""
        (folder,) = self.sockets.iterdir()
        return folder

    # ── its end ─────────────────────────────────────────────────────────────────────────────────────────────────

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def await_end(self) -> int:
        """Its exit code. By then nobody holds its stdout any more, so every process of it is gone."""
        try:
            code = self.process.wait(AT_LAST_S)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"the server did not end; log: {self.log}") from error
        assert self._line(AT_LAST_S) == ""
        return code

    def kill(self) -> None:
        """SIGKILL to its root. Returns once every process below that is dead too."""
        family = {each.pid for each in census.below(self.pid)}
        self.signal(signal.SIGKILL)
        self.await_end()

        def alive() -> list[str]:
            return [str(each) for each in census.processes() if each.pid in family and each.state != "Z"]

        until(lambda: not alive(), AT_LAST_S, lambda: f"the end of {alive()}")

    def stop(self) -> None:
        """End it as an operator does: by SIGTERM, with exit code 0 and no traceback, and nothing stays behind."""
        self.signal()
        code = self.await_end()
        assert code == 0, f"exit code {code}; log: {self.log}"
        assert "Traceback" not in self.log, self.log
        assert list(self.sockets.iterdir()) == [], "its runtime folder is still there"
        assert leaf_folders(self.folder / "state") == [], "cgroups of its runs are still there"

    def close(self) -> None:
        """Whatever happened: end it, and let go of it. After a test that failed it may still be there."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        remove_leaves(self.folder / "state")


@contextmanager
def running(
    folder: Path,
    config: Config | None = None,
    key: str | None = None,
    variables: Mapping[str, str] = NO_VARIABLES,
    group: int | None = None,
    user: int | None = None,
    python: str = sys.executable,
    without: Mapping[str, int] = NOTHING,
    cgroup: Path | None = None,
) -> Iterator[Server]:
    """A server with its state in `folder`, until the block ends; it is stopped and its traces are looked for.

    `variables` are added to its environment; `group` is the one that it runs as. `user`: for tests that root runs,
    an ordinary one, whose the folder becomes. `python`: another one, see `overlay.py`. `without`: calls of the
    kernel that it does not have, and what they answer. `cgroup`: where it starts. A block that ended the server
    itself, and waited for it, has judged its exit code. Spares are kept only where the configuration says so: most
    tests count processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = config or {}
    if given.get("containment", {}).get("kill") == "uid":
        folder.chmod(
            folder.stat().st_mode | 0o055
        )  # what agents are declared in their runs' own users must read
    usual = {
        "auth": {"mode": "key" if key else "none"},
        "runs": {"drain_s": 0, "spares": 0, **given.get("runs", {})},
    }
    with nothing_left(), short_folder() as sockets, (folder / LOG).open("a") as log:
        command = _command(folder, {**usual, **{k: v for k, v in given.items() if k != "runs"}}, python)
        if without:
            command = _without(without, command)
        process = subprocess.Popen(
            command if user is None else _as_user(user, command, folder, sockets),
            preexec_fn=None if cgroup is None else partial(_enter, str(cgroup / "cgroup.procs")),
            env=_environment(sockets) | ({"RUNWARD_API_KEY": key} if key else {}) | dict(variables),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            group=group,
        )
        server = Server(process, folder, sockets, key)
        with closing(server):
            server.await_listening()
            yield server
            if process.returncode is None:
                server.stop()


def refused(
    folder: Path, config: Config, python: str = sys.executable, without: Mapping[str, int] = NOTHING
) -> tuple[int, str]:
    """Exit code and stderr of a server that can't start."""
    return _refused(folder, _without(without, _command(folder, config, python)), NO_VARIABLES)


def started(folder: Path, *flags: str, variables: Mapping[str, str] = NO_VARIABLES) -> tuple[int, str]:
    """The same of a server without a configuration but for these flags and variables."""
    command = [sys.executable, *SERVE, "--port", "0", "--state", str(folder / "state"), *flags]
    return _refused(folder, command, variables)


def _refused(folder: Path, command: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
    with short_folder() as sockets:
        ended = subprocess.run(
            command,
            env=_environment(sockets) | dict(variables),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        assert ended.stdout == ""
        assert list(sockets.iterdir()) == []
    return ended.returncode, ended.stderr


def _command(folder: Path, config: Config, python: str) -> list[str]:
    path = written(config, folder)
    port = [] if "port" in config.get("http", {}) else ["--port", "0"]
    return [python, *SERVE, *port, "--state", str(folder / "state"), "--config", str(path)]


def _as_user(user: int, command: list[str], *own: Path) -> list[str]:
    """The command as `ordinary.py` runs it."""
    for folder in own:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
    needed = [*map(str, own), sys.prefix, sys.base_prefix, str(Path(__file__).parents[2])]
    return [sys.executable, "-P", str(ORDINARY), str(user), *needed, "--", *command]


def _without(calls: Mapping[str, int], command: list[str]) -> list[str]:
    """The command as `withheld.py` runs it."""
    denied = [f"{name}={number}" for name, number in calls.items()]
    return [sys.executable, "-P", str(WITHHELD), *denied, "--", *command] if denied else command


def _enter(processes: str) -> None:
    """In a process that was just forked: move to this cgroup."""
    with open(processes, "w") as file:
        file.write("0")


def _environment(sockets: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("RUNWARD_", "XDG_"))}
    return kept | {"TMPDIR": str(sockets)}
