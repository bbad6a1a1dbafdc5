"""The facade process: HTTP on one side, the supervisor's mailbox and journal on the other.

It holds nothing that can't be lost. If it dies, root starts another on the same listening socket and clients
come again; if root dies, it ends.
"""

import asyncio
import logging
import signal
import socket
import time
from pathlib import Path

from ..actors import birth, server_log, wire
from ..actors.errors import BadMessage, RunwardError, StateFolderUnusable
from ..actors.journal.reader import Reader
from ..actors.mailbox import KeyPair, Post
from ..actors.messages.answers import Pong
from ..actors.messages.commands import Ping
from ..actors.messages.with_root import Ready, ShutDown
from ..actors.roles import LINK_NOTE, FacadeStart
from ..config.sections import Settings
from . import auditing, metrics
from .auth import Keys, OneTimeToken, Sessions
from .changes import Changes
from .context import Facade
from .ended_runs import EndedRuns
from .feeds import Feeds
from .figures import FacadeFigures
from .kept_keys import KeptKeys
from .link import Link, new_id
from .presence import Presence
from .serving import Serving
from .traces import Traces
from .webhooks import Deliverer

PING_TIMEOUT_S = 1.0
CHECK_JOURNAL_S = 0.1
SPARE_DESCRIPTORS = 64  # beside one for each connection


def begin(birth_fd: int) -> None:
    """Be what was spawned with a `FacadeStart`."""
    main(birth.born_with(birth_fd, FacadeStart))


def main(start: FacadeStart) -> None:
    """Be a facade until root says `ShutDown`, dies, or SIGTERM comes."""
    birth.begin_role(f"facade {start.index}", (start.listen_fd, start.control_fd))
    server_log.begin(f"facade {start.index}", start.settings.log.format)
    logging.getLogger().addHandler(auditing.ToServerLog())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for root, which then tells us
    birth.allow_descriptors(start.settings.http.max_connections + SPARE_DESCRIPTORS)
    birth.settle_memory()
    asyncio.run(serve(start))


async def serve(start: FacadeStart) -> None:
    """The same, in this process and loop."""
    control = Control(start.control_fd)
    post = Post(start.settings.events.max_message_bytes)
    keys = KeyPair(start.keys.public, start.keys.secret)
    link = Link(post, start.paths, keys, start.server_key)
    try:
        life = asyncio.ensure_future(_live(start, control, link))
        end = asyncio.ensure_future(control.ended.wait())
        await asyncio.wait((life, end), return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        if not control.ended.is_set():
            life.result()  # it only returns by raising
        life.cancel()
        await asyncio.wait((life,))
    finally:
        link.close()
        post.close()
        control.close()


async def _live(start: FacadeStart, control: "Control", link: Link) -> None:
    journal = await _journal(Path(start.state_dir))
    listener = socket.socket(fileno=start.listen_fd)
    facade = _facade(start, link, journal, listener.getsockname()[1])
    link.listen(facade.feeds.hear, facade.feeds.flush, facade.changes.hear)
    checking = asyncio.ensure_future(_keep_checking(facade, start))
    serving = Serving(facade, listener)
    try:
        await serving.start()
        await _supervisor_answers(link)
        control.say_ready()
        await checking
    finally:
        checking.cancel()
        await serving.stop(control.grace_s)
        if facade.traces is not None:
            await facade.traces.close()
        journal.close()


async def _keep_checking(facade: Facade, start: FacadeStart) -> None:
    async with asyncio.TaskGroup() as checks:
        checks.create_task(metrics.keep_reporting(facade))
        checks.create_task(facade.feeds.keep_checking())
        checks.create_task(facade.changes.keep_checking())
        checks.create_task(facade.presence.keep_checking())
        if start.webhook_secrets:
            checks.create_task(Deliverer(facade, start.webhook_secrets).keep_delivering())
        if facade.traces is not None and start.index == 1:
            checks.create_task(EndedRuns(facade, facade.traces).keep_telling())


def _facade(start: FacadeStart, link: Link, journal: Reader, port: int) -> Facade:
    settings = start.settings
    kept = KeptKeys(start.state_dir, auditing.keys_changed)
    kept.now()  # so that it is seen what changes from now on
    keys = Keys(start.api_keys, kept)
    return Facade(
        settings=settings,
        state_dir=start.state_dir,
        link=link,
        feeds=Feeds(link, journal, settings.events.tail_bytes, time.monotonic),
        changes=Changes(link, journal),
        journal=journal,
        keys=keys,
        presence=Presence(keys),
        sessions=Sessions(start.cookie_secret, settings.auth.session_s, keys, time.time),
        token=OneTimeToken(
            start.link_token_hash, Path(start.state_dir, LINK_NOTE), settings.auth.link_s, time.time
        ),
        cookie=f"runward_{port}",  # cookies don't know ports, and there may be two servers on this machine
        report=start.report,
        figures=FacadeFigures(start.index, start.starts),
        clock=time.monotonic,
        traces=_traces(settings),
    )


def _traces(settings: Settings) -> Traces | None:
    """Who makes them. Imported late: the library takes 0.2 s, and need not be there."""
    if not settings.telemetry.traces:
        return None
    from .tracing import Tracing

    return Tracing(settings.telemetry.endpoint, settings.trace_variables)


async def _journal(folder: Path) -> Reader:
    """The journal, as soon as the supervisor has made it; at once if there is one from an earlier start."""
    while True:
        try:
            return Reader(folder)
        except StateFolderUnusable:
            await asyncio.sleep(CHECK_JOURNAL_S)


async def _supervisor_answers(link: Link) -> None:
    while True:
        try:
            await link.ask(Ping(new_id()), Pong, PING_TIMEOUT_S)
            return
        except RunwardError:
            await asyncio.sleep(CHECK_JOURNAL_S)


class Control:
    """The line to root. `ended` is set when this facade is to go."""

    def __init__(self, control_fd: int) -> None:
        self.ended = asyncio.Event()
        self.grace_s = 0.0  # once it is ended
        self._socket = socket.socket(fileno=control_fd)
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control_fd, self._hear)
        self._loop.add_signal_handler(signal.SIGTERM, self.ended.set)

    def say_ready(self) -> None:
        """Tell root that we serve."""
        try:
            self._socket.send(wire.encode(Ready()))
        except OSError:
            self.ended.set()  # nobody is there

    def close(self) -> None:
        """Hang up."""
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_signal_handler(signal.SIGTERM)
        self._socket.close()

    def _hear(self) -> None:
        try:
            body = self._socket.recv(4096)
            message = wire.to_role.decode(body) if body else None
            if isinstance(message, ShutDown):
                self.grace_s = message.grace_s
            elif message is not None:
                return
        except (BlockingIOError, InterruptedError, BadMessage):
            return
        except OSError:
            pass
        self.ended.set()
