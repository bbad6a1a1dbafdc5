"""A server of one's own, for notebooks and tests: `with runward.Server(agents={"shout": str.upper}) as server:`."""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from ..http.api_client import Client
from . import callables, embedding
from .errors import RunwardError
from .server_process import ServerProcess, environment

#: A callable, an entrypoint, or the agent's keys as in a file, with `callable` for one (or for its packed bytes).
Agent = Callable[..., Any] | str | Mapping[str, Any]

START_S = 60.0
STOP_S = 30.0  # more than the graces of the runs that still live, unless they are configured otherwise
AT_ONCE_S = 10.0
UNPACKS = "runward.actors.callables"
NOTHING: Mapping[str, Any] = {}


class ServerFailed(RunwardError):
    """The embedded server did not start, or did not end as it should. `exit_code`: None if it had to be killed."""

    def __init__(self, what: str, exit_code: int | None, said: str) -> None:
        super().__init__(f"the embedded server {what}: {said or 'it said nothing'}")
        self.exit_code = exit_code


class Server:
    """A real server as a child process, on a free port of this machine, with a key of its own.

    `config`: a configuration file (default: none, not even the user's). `settings`: sections as in one, or dotted
    keys, over it. `agents`: name → a callable defined anywhere, an entrypoint, or the agent's keys. `state`: a
    folder that is kept (default: a temporary one). Use it as a context manager, or `start` and `stop` it. Leaving
    stops its runs, gives them their grace, and raises ServerFailed if it does not end well; left by an exception,
    there is no grace. It ends with this process, whatever becomes of that. One thread at a time.
    """

    def __init__(
        self,
        *,
        config: str | Path | None = None,
        settings: Mapping[str, Any] = NOTHING,
        agents: Mapping[str, Agent] = NOTHING,
        state: str | Path | None = None,
        timeout_s: float = START_S,
    ) -> None:
        """`timeout_s`: how long it may take to start. Raises NotShippable for a callable that can't be sent."""
        self._config = os.devnull if config is None else os.path.abspath(config)
        self._settings = dict(settings)
        self._state = None if state is None else os.path.abspath(state)
        self._timeout_s = timeout_s
        self._agents = {name: _keys_of(agent) for name, agent in agents.items()}
        self._callables = {
            name: keys.pop("callable") for name, keys in self._agents.items() if "callable" in keys
        }
        self._folder = ""
        self._key = ""
        self._process: ServerProcess | None = None

    def __repr__(self) -> str:
        return f"<runward.Server {self._process.url if self._process else 'not started'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        code, said = self.stop(at_once=kind is not None)
        if kind is None and code != 0:
            raise ServerFailed("had to be killed" if code is None else f"ended with code {code}", code, said)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._running().url

    @property
    def key(self) -> str:
        """An operator's key for it."""
        self._running()
        return self._key

    @property
    def pid(self) -> int:
        """Of its root process."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.alive

    @property
    def log(self) -> str:
        """The last lines of what it has said."""
        return self._running().said

    @property
    def client(self) -> Client:
        """A client of it. For asyncio: `AsyncClient(server.url, server.key)`."""
        return Client(self.url, self.key)

    def start(self) -> None:
        """Start it; it listens then. Blocks about a second. Raises ServerFailed."""
        if self._process is not None:
            raise RuntimeError("the server was started before")
        self._folder = tempfile.mkdtemp(prefix="runward-embedded-")
        try:
            self._process = self._spawn()
            if not self._process.settled.wait(self._timeout_s):
                raise ServerFailed(f"did not start within {self._timeout_s:g} s", None, self._process.said)
            if not self._process.url:
                code = self._process.wait()
                raise ServerFailed(f"did not start (code {code})", code, self._process.said)
        except BaseException:
            self.stop(at_once=True)
            raise

    def stop(self, at_once: bool = False) -> tuple[int | None, str]:
        """End it; its exit code (None: it had to be killed) and last words. Nothing of it is left then.

        Its runs have the grace of the configuration, or none. Once it was stopped this does nothing.
        """
        process, self._process = self._process, None
        code: int | None = 0
        said = ""
        try:
            if process is not None:
                code, said = _ended(process, at_once), process.said
        finally:
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
        return code, said

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("the server is not running; use it as a context manager, or start it")
        return self._process

    def _spawn(self) -> ServerProcess:
        self._key = f"rw_{secrets.token_urlsafe(32)}"
        owner_fd = os.pidfd_open(os.getpid())
        sent_fd = embedding.send(
            embedding.Embedding(
                key=self._key,
                settings=self._flags(),
                callables=self._callables,
                owner_fd=owner_fd,
                folder=self._folder,
            )
        )
        words = ["--config", self._config, "--embedded", str(sent_fd)]
        try:
            # Sockets in our folder: they go with it, even if the server could not take them away.
            surroundings = environment() | {"XDG_RUNTIME_DIR": self._folder}
            return ServerProcess(words, surroundings, inherited=(owner_fd, sent_fd))
        finally:
            os.close(owner_fd)
            os.close(sent_fd)

    def _flags(self) -> dict[str, Any]:
        state = self._state or f"{self._folder}/state"
        own = {"http.host": "127.0.0.1", "http.port": 0, "state.dir": state}
        return own | self._settings | ({"agents": self._agents} if self._agents else {})


def _ended(process: ServerProcess, at_once: bool) -> int | None:
    """The exit code; None if it took a kill. Also when ctrl-C cuts the wait short it is gone afterwards."""
    code = None
    try:
        process.signal(signal.SIGINT)  # not SIGTERM, which drains first
        if at_once:
            process.signal(signal.SIGTERM)  # a second wish, and not the same number, which might count once
        code = process.wait(AT_ONCE_S if at_once else STOP_S)
        if code is None:
            process.signal(signal.SIGTERM)
            code = process.wait(AT_ONCE_S)
    finally:
        if process.alive:
            process.signal(signal.SIGKILL)
            process.wait(AT_ONCE_S)
    return code


def _keys_of(agent: Agent) -> dict[str, Any]:
    """An agent's keys as a configuration file has them, and `callable`, packed."""
    if isinstance(agent, str):
        return {"entrypoint": agent}
    if not isinstance(agent, Mapping):
        agent = {"callable": agent}
    keys = dict(agent)
    if "callable" in keys:
        target = keys["callable"]
        keys["callable"] = target if isinstance(target, bytes) else callables.packed(target)
        # Ours, and trusted, so it is imported once, before the fork.
        keys["preload"] = [UNPACKS, *keys.get("preload", ())]
        paths = dict(keys.get("paths", {}))
        keys["paths"] = paths | {"readable": [*paths.get("readable", ()), *_own_modules()]}
    return keys


def _own_modules() -> list[str]:
    """Where modules of the callable's may be that are not the interpreter's."""
    own = (folder for folder in callables.module_path() if os.path.isdir(folder))
    return [folder for folder in own if not Path(folder).is_relative_to(sys.prefix)]
