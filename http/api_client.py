"""A client of the runs API, blocking, on the standard library alone: what the command line talks with."""

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, Unpack

from ..actors.messages.answers import AgentInfo
from ..actors.messages.base import StopMode
from . import api_calls
from .api_address import find
from .api_errors import ApiError, ServerUnreachable
from .api_events import EventStream
from .api_following import PATIENCE_S, Following, ignore
from .api_results import output_of
from .api_transport import Transport
from .api_types import Event, FileInfo, FilePage, Input, RunFilters, RunInfo, StartOptions, StopFilters


class Client:
    """One server, seen with one key. May be used by many threads: each request has a connection of its own.

    Without `url` and `key` they are found as the command line finds them: RUNWARD_URL and RUNWARD_API_KEY, else
    what the server of this user left in its state folder (`state`). `timeout_s`: how long the server may be silent.
    Methods raise ServerUnreachable when no answer came and an ApiError when it is no. ValueError: no URL, no key.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        state: str | Path | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self._transport = Transport(find(url, key, None if state is None else Path(state)), timeout_s)

    def __repr__(self) -> str:
        return f"<runward.Client {self.url}>"

    @property
    def url(self) -> str:
        """The server's, without a slash at its end."""
        return self._transport.url

    def start(
        self,
        input: Input,
        agent: str | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[StartOptions],
    ) -> "RunHandle":
        """Start a run; it is in the journal by then. With an idempotency key a repeated start is the same run."""
        call = api_calls.start(input, agent, idempotency_key, options)
        return RunHandle(self, self._transport.ask(call).run_id)

    def get(self, run_id: str) -> RunInfo:
        """The run as it is now."""
        return self._transport.ask(api_calls.get(run_id))

    def stream(
        self,
        run_id: str,
        after: int = 0,
        *,
        patience_s: float = PATIENCE_S,
        timeout_s: float | None = None,
        on_loss: Callable[[str], None] = ignore,
    ) -> EventStream:
        """The run's events after number `after`, to its end; a lost connection is made again. See EventStream."""
        path = f"{api_calls.run_path(run_id)}/events"
        return EventStream(self._transport, path, after, patience_s, timeout_s, on_loss)

    def events(self, run_id: str, after: int = 0) -> tuple[Event, ...]:
        """The events after number `after` that there are now; does not wait for more."""
        last = self.get(run_id).last_seq
        events: tuple[Event, ...] = ()
        if last > after:
            with self.stream(run_id, after) as stream:
                events = tuple(_up_to(last, stream))
        return events

    def wait(self, run_id: str, timeout_s: float | None = None) -> RunInfo:
        """The run, once it is over. Raises WaitTimeout if that takes longer; the run goes on then.

        As `stream` it outlives a server that is gone for a while.
        """
        run = self._get_surely(run_id, timeout_s)
        if run.ended:
            return run
        for _ in self.stream(run_id, run.last_seq, timeout_s=timeout_s):
            pass
        return self._get_surely(run_id, None)

    def _get_surely(self, run_id: str, timeout_s: float | None) -> RunInfo:
        patience = Following(self.url, timeout_s=timeout_s)
        while True:
            try:
                return self.get(run_id)
            except (ServerUnreachable, ApiError) as error:
                time.sleep(patience.lost(error))

    def stop(
        self,
        run_id: str,
        *,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
        wait: bool = False,
        timeout_s: float | None = None,
    ) -> RunInfo:
        """Ask for the run's end, beginning at the rung `mode`; the wish is then in the journal.

        Returns the run: with `wait` once it is over (WaitTimeout after `timeout_s`), else as it is, often still
        stopping. A second stop moves to the next rung. Raises RunEnded for a run that is over.
        """
        self.ask_stop(run_id, mode=mode, grace_s=grace_s, reason=reason)
        return self.wait(run_id, timeout_s) if wait else self.get(run_id)

    def ask_stop(
        self,
        run_id: str,
        *,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
    ) -> None:
        """As `stop`, and nothing more: one request."""
        self._transport.ask(api_calls.stop(run_id, mode, grace_s, reason))

    def kill(
        self, run_id: str, *, reason: str | None = None, wait: bool = False, timeout_s: float | None = None
    ) -> RunInfo:
        """Ask for the run's end with no grace at all; otherwise as `stop`."""
        self.ask_kill(run_id, reason=reason)
        return self.wait(run_id, timeout_s) if wait else self.get(run_id)

    def approve(
        self,
        run_id: str,
        choice: str,
        *,
        request_id: str | None = None,
        all: bool = False,
        note: str | None = None,
    ) -> int:
        """Answer what the run asks a person: `choice` is once, session, always or deny. How many requests that was.

        The oldest request, unless it is named, or all of them are meant; `note` is for the agent. Raises Conflict
        where the run asks nothing (any more), InvalidRequest for a choice that it does not offer.
        """
        return self._transport.ask(api_calls.approve(run_id, choice, request_id, all, note)).resolved

    def steer(self, run_id: str, text: str) -> None:
        """Give a live run guidance. Raises Conflict unless the agent's process took it, for which it has 2 s."""
        self._transport.ask(api_calls.steer(run_id, text))

    def files(self, run_id: str) -> FilePage:
        """The files that the run keeps, if its agent is declared with `work_folder = "keep"`."""
        return self._transport.ask(api_calls.files(run_id))

    def fetch(self, file: FileInfo, into: BinaryIO) -> None:
        """Write what is in a file that a run keeps. Raises ServerUnreachable if it broke off."""
        with self._transport.open("GET", file.href) as reply:
            if reply.status not in api_calls.OPENED:
                raise api_calls.refusal(self.url, reply.status, reply.retry_after, reply.read())
            while block := reply.read_some(self._transport.timeout_s):
                into.write(block)
            if not reply.is_whole:
                raise ServerUnreachable(self.url, f"{file.path} broke off")

    def ask_kill(self, run_id: str, *, reason: str | None = None) -> None:
        """As `kill`, and nothing more: one request."""
        self._transport.ask(api_calls.kill(run_id, reason))

    def stop_all(
        self,
        *,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
        **filters: Unpack[StopFilters],
    ) -> tuple[str, ...]:
        """Ask for the end of every run that matches all filters, of every run there is without one; their ids.

        All the wishes are then in the journal. A grace of 0 with the mode "kill" is no grace at all.
        """
        return tuple(self._transport.ask(api_calls.stop_all(filters, mode, grace_s, reason)).stopping)

    def stack(self, run_id: str) -> str:
        """Where a live run's agent is in its Python code, also when it hangs: untrusted text. Blocks up to 6 s."""
        return "".join(self._transport.text(f"{api_calls.run_path(run_id)}/stack", silence_s=30.0))

    def logs(
        self,
        run_id: str,
        *,
        stream: Literal["stdout", "stderr"] | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Generator[str, None, None]:
        """What the run wrote, as it comes: untrusted text. `stream`: that one alone; `tail`: its last lines only.

        With `follow` it blocks until the run is over; else it is what there is now.
        """
        path = api_calls.logs_path(run_id, stream, tail, follow)
        return self._transport.text(path, silence_s=None if follow else 30.0)

    def agents(self) -> tuple[AgentInfo, ...]:
        """The agents that the server declares."""
        return tuple(self._transport.ask(api_calls.agents()).data)

    def health(self, timeout_s: float | None = None) -> bool:
        """Whether the server says that it works; needs no key."""
        return self._transport.ask(api_calls.health(), timeout_s).status == "ok"

    def list(self, **filters: Unpack[RunFilters]) -> Iterator[RunInfo]:
        """Every run that matches, newest first; pages are fetched as they are needed."""
        before = None
        while True:
            page = self._transport.ask(api_calls.page(filters, before))
            yield from page.data
            before = page.next
            if not (page.has_more and before):
                return


def _up_to(last: int, events: Iterator[Event]) -> Iterator[Event]:
    for event in events:
        yield event
        if event.seq >= last:
            return


class RunHandle:
    """One run on one server: the client's methods with the id filled in. Keeps no connection."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.run_id = run_id
        self._client = client

    def __repr__(self) -> str:
        return f"<run {self.run_id} at {self._client.url}>"

    def get(self) -> RunInfo:
        """The run as it is now."""
        return self._client.get(self.run_id)

    def stream(self, after: int = 0, *, timeout_s: float | None = None) -> EventStream:
        """Its events, to its end; see `Client.stream`."""
        return self._client.stream(self.run_id, after, timeout_s=timeout_s)

    def wait(self, timeout_s: float | None = None) -> RunInfo:
        """The run, once it is over."""
        return self._client.wait(self.run_id, timeout_s)

    def result(self, timeout_s: float | None = None) -> Any:
        """Its output, once it is over. Raises RunFailed, RunCancelled, or WaitTimeout."""
        return output_of(self.wait(timeout_s))

    def stop(
        self, *, grace_s: float | None = None, wait: bool = False, timeout_s: float | None = None
    ) -> RunInfo:
        """Ask for its end; see `Client.stop`."""
        return self._client.stop(self.run_id, grace_s=grace_s, wait=wait, timeout_s=timeout_s)

    def kill(self, *, wait: bool = False, timeout_s: float | None = None) -> RunInfo:
        """Ask for its end with no grace at all."""
        return self._client.kill(self.run_id, wait=wait, timeout_s=timeout_s)

    def approve(self, choice: str, *, request_id: str | None = None, note: str | None = None) -> int:
        """Answer what it asks; see `Client.approve`."""
        return self._client.approve(self.run_id, choice, request_id=request_id, note=note)

    def steer(self, text: str) -> None:
        """Give it guidance; see `Client.steer`."""
        self._client.steer(self.run_id, text)
