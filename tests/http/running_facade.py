"""A facade in the test's own loop, on a real port, with a root that the test plays."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from runward.actors import wire
from runward.actors.containment.findings import Found, Tried
from runward.actors.containment.reporting import report
from runward.actors.messages.with_root import Ready
from runward.actors.roles import LINK_NOTE, ApiKey, FacadeStart
from runward.config.settings import AuthSettings, EventsSettings, HttpSettings, Settings, defaults
from runward.http import app

from .fake_supervisor import FakeSupervisor

DEADLINE_S = 10.0
TOKEN = "one-time token"
REPORT = report(Found(rung="pidns", tried={"pid_namespace": Tried()}))
KEYS = {"alice": "run", "bob": "run", "eve": "read", "olga": "operate"}


def key_of(name: str) -> str:
    """The key that goes by this name."""
    return f"key of {name}"


def hash_of(secret: str) -> str:
    """As the configuration has it."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


def settings(
    http: dict[str, Any] | None = None,
    auth: dict[str, Any] | None = None,
    events: dict[str, Any] | None = None,
    command_timeout_s: float = 5.0,
) -> Settings:
    """The defaults, but for these."""
    base = defaults()
    supervision = msgspec.structs.replace(base.supervision, command_timeout_s=command_timeout_s)
    return msgspec.structs.replace(
        base,
        http=HttpSettings(**(http or {})),
        auth=AuthSettings(**(auth or {})),
        events=EventsSettings(**(events or {})),
        supervision=supervision,
    )


def birth(
    supervisor: FakeSupervisor, settings: Settings, listener: socket.socket, control: socket.socket
) -> FacadeStart:
    """What root would give a facade; the sockets are its own from now on."""
    (supervisor.folder / LINK_NOTE).touch()
    return FacadeStart(
        settings=settings,
        index=1,
        listen_fd=listener.detach(),
        control_fd=control.detach(),
        paths=supervisor.paths,
        state_dir=str(supervisor.folder),
        keys=supervisor.facade_pair,
        server_key=supervisor.keys.public,
        api_keys=[ApiKey(name, role, hash_of(key_of(name))) for name, role in KEYS.items()],
        cookie_secret=b"a secret of the server's own, 32+",
        link_token_hash=hash_of(TOKEN),
        report=REPORT,
    )


class Running:
    """A facade that serves. `port` is where; `control` is root's end of the line."""

    def __init__(self, port: int, control: socket.socket, task: "asyncio.Task[None]") -> None:
        self.port = port
        self.control = control
        self.task = task

    def session(self, name: str | None = "olga", **options: Any) -> aiohttp.ClientSession:
        """A client with this name's key; None: without one."""
        headers = {} if name is None else {"Authorization": f"Bearer {key_of(name)}"}
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        base = f"http://127.0.0.1:{self.port}"
        return aiohttp.ClientSession(
            base, headers=headers | options.pop("headers", {}), timeout=timeout, **options
        )

    async def ask(self, method: str, path: str, name: str | None = "olga", **options: Any) -> "Answer":
        """One request on a connection of its own."""
        async with self.session(name) as session, session.request(method, path, **options) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def raw(self, request: bytes) -> bytes:
        """Whatever comes back for these bytes, until the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(DEADLINE_S):
                return await reader.read()
        finally:
            writer.close()


class Answer:
    """A response that was read to its end."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """Of an error."""
        code: str = self.json["error"]["code"]
        return code


@asynccontextmanager
async def running(supervisor: FakeSupervisor, settings: Settings) -> AsyncIterator[Running]:
    """A facade, from ready to the end of its task."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    control, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.setblocking(False)
    task = asyncio.ensure_future(app.serve(birth(supervisor, settings, listener, its_end)))
    try:
        async with asyncio.timeout(DEADLINE_S):
            said = await asyncio.get_running_loop().sock_recv(control, 4096)
        assert wire.from_role.decode(said) == Ready()
        yield Running(port, control, task)
    finally:
        control.close()
        async with asyncio.timeout(DEADLINE_S):
            await task
