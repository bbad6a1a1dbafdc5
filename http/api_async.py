"""The client for asyncio. Method for method as `api_client.Client`, whose words hold here too."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, Unpack

from ..actors.messages.answers import AgentInfo
from ..actors.messages.base import StopMode
from . import api_calls
from .api_address import find
from .api_async_events import AsyncEventStream
from .api_async_transport import AsyncTransport
from .api_errors import ApiError, ServerUnreachable, WaitTimeout
from .api_following import PATIENCE_S, Following, ignore
from .api_results import output_of
from .api_types import Event, FileInfo, FilePage, Input, RunFilters, RunInfo, StartOptions, StopFilters


class AsyncClient:
    """One server, seen with one key; for one event loop. `async with` it, or `await close()` in the end.

    Server and key are found as `Client` finds them. Reads of the state folder, where they are needed, block.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        state: str | Path | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self._transport = AsyncTransport(find(url, key, None if state is None else Path(state)), timeout_s)

    def __repr__(self) -> str:
        return f"<runward.AsyncClient {self.url}>"

    @property
    def url(self) -> str:
        """The server's, without a slash at its end."""
        return self._transport.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._transport.close()

    async def start(
        self,
        input: Input,
        agent: str | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[StartOptions],
    ) -> "AsyncRunHandle":
        """Start a run; it is in the journal by then. With an idempotency key a repeated start is the same run."""
        call = api_calls.start(input, agent, idempotency_key, options)
        return AsyncRunHandle(self, (await self._transport.ask(call)).run_id)

    async def get(self, run_id: str) -> RunInfo:
        """The run as it is now."""
        return await self._transport.ask(api_calls.get(run_id))

    def stream(
        self,
        run_id: str,
        after: int = 0,
        *,
        patience_s: float = PATIENCE_S,
        timeout_s: float | None = None,
        on_loss: Callable[[str], None] = ignore,
    ) -> AsyncEventStream:
        """The run's events after number `after`, to its end; a lost connection is made again."""
        path = f"{api_calls.run_path(run_id)}/events"
        return AsyncEventStream(self._transport, path, after, patience_s, timeout_s, on_loss)

    async def events(self, run_id: str, after: int = 0) -> tuple[Event, ...]:
        """The events after number `after` that there are now; does not wait for more."""
        last = (await self.get(run_id)).last_seq
        events: tuple[Event, ...] = ()
        if last > after:
            async with self.stream(run_id, after) as stream:
                events = tuple([event async for event in _up_to(last, stream)])
        return events

    async def wait(self, run_id: str, timeout_s: float | None = None) -> RunInfo:
        """The run, once it is over. Raises WaitTimeout if that takes longer; the run goes on then."""
        try:
            async with asyncio.timeout(timeout_s):
                run = await self._get_surely(run_id)
                if run.ended:
                    return run
                async with self.stream(run_id, run.last_seq) as stream:
                    async for _ in stream:
                        pass
                return await self._get_surely(run_id)
        except TimeoutError as error:
            raise WaitTimeout(f"{run_id} has not ended within {timeout_s} s; it goes on") from error

    async def _get_surely(self, run_id: str) -> RunInfo:
        patience = Following(self.url)
        while True:
            try:
                return await self.get(run_id)
            except (ServerUnreachable, ApiError) as error:
                await asyncio.sleep(patience.lost(error))

    async def stop(
        self,
        run_id: str,
        *,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
        wait: bool = False,
        timeout_s: float | None = None,
    ) -> RunInfo:
        """Ask for the run's end, beginning at the rung `mode`; the run as it is then, with `wait` once it is over."""
        await self.ask_stop(run_id, mode=mode, grace_s=grace_s, reason=reason)
        return await (self.wait(run_id, timeout_s) if wait else self.get(run_id))

    async def ask_stop(
        self,
        run_id: str,
        *,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
    ) -> None:
        """As `stop`, and nothing more: one request."""
        await self._transport.ask(api_calls.stop(run_id, mode, grace_s, reason))

    async def kill(
        self, run_id: str, *, reason: str | None = None, wait: bool = False, timeout_s: float | None = None
    ) -> RunInfo:
        """Ask for the run's end with no grace at all; otherwise as `stop`."""
        await self.ask_kill(run_id, reason=reason)
        return await (self.wait(run_id, timeout_s) if wait else self.get(run_id))

    async def ask_kill(self, run_id: str, *, reason: str | None = None) -> None:
        """As `kill`, and nothing more: one request."""
        await self._transport.ask(api_calls.kill(run_id, reason))

    async def stop_all(
        self,
        *,
        mode: StopMode | None = None,
        grace_s: float | None = None,
        reason: str | None = None,
        **filters: Unpack[StopFilters],
    ) -> tuple[str, ...]:
        """Ask for the end of every run that matches all filters, of every run there is without one; their ids."""
        call = api_calls.stop_all(filters, mode, grace_s, reason)
        return tuple((await self._transport.ask(call)).stopping)

    async def approve(
        self,
        run_id: str,
        choice: str,
        *,
        request_id: str | None = None,
        all: bool = False,
        note: str | None = None,
    ) -> int:
        """Answer what the run asks a person. How many requests that was."""
        call = api_calls.approve(run_id, choice, request_id, all, note)
        return (await self._transport.ask(call)).resolved

    async def steer(self, run_id: str, text: str) -> None:
        """Give a live run guidance. Raises Conflict unless the agent's process took it, for which it has 2 s."""
        await self._transport.ask(api_calls.steer(run_id, text))

    async def files(self, run_id: str) -> FilePage:
        """The files that the run keeps, if its agent is declared with `work_folder = "keep"`."""
        return await self._transport.ask(api_calls.files(run_id))

    async def fetch(self, file: FileInfo, into: BinaryIO) -> None:
        """Write what is in a file that a run keeps, blocking as `into` does. Raises ServerUnreachable."""
        async with self._transport.open("GET", file.href) as reply:
            if reply.status not in api_calls.OPENED:
                raise api_calls.refusal(self.url, reply.status, reply.retry_after, await reply.read())
            while block := await reply.read_some(self._transport.timeout_s):
                into.write(block)

    async def stack(self, run_id: str) -> str:
        """Where a live run's agent is in its Python code, also when it hangs: untrusted text. Takes up to 6 s."""
        path = f"{api_calls.run_path(run_id)}/stack"
        return "".join([part async for part in self._transport.text(path, silence_s=30.0)])

    def logs(
        self,
        run_id: str,
        *,
        stream: Literal["stdout", "stderr"] | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> AsyncGenerator[str, None]:
        """What the run wrote, as it comes: untrusted text. `stream`: that one alone; `tail`: its last lines only.

        With `follow` it lasts until the run is over; else it is what there is now. Who leaves early should
        `await aclose()`.
        """
        path = api_calls.logs_path(run_id, stream, tail, follow)
        return self._transport.text(path, silence_s=None if follow else 30.0)

    async def agents(self) -> tuple[AgentInfo, ...]:
        """The agents that the server declares."""
        return tuple((await self._transport.ask(api_calls.agents())).data)

    async def health(self, timeout_s: float | None = None) -> bool:
        """Whether the server says that it works; needs no key."""
        return (await self._transport.ask(api_calls.health(), timeout_s)).status == "ok"

    async def list(self, **filters: Unpack[RunFilters]) -> AsyncIterator[RunInfo]:
        """Every run that matches, newest first; pages are fetched as they are needed."""
        before = None
        while True:
            page = await self._transport.ask(api_calls.page(filters, before))
            for run in page.data:
                yield run
            before = page.next
            if not (page.has_more and before):
                return


async def _up_to(last: int, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield event
        if event.seq >= last:
            return


class AsyncRunHandle:
    """One run on one server: the client's methods with the id filled in. Keeps no connection."""

    def __init__(self, client: AsyncClient, run_id: str) -> None:
        self.run_id = run_id
        self._client = client

    def __repr__(self) -> str:
        return f"<run {self.run_id} at {self._client.url}>"

    async def get(self) -> RunInfo:
        """The run as it is now."""
        return await self._client.get(self.run_id)

    def stream(self, after: int = 0, *, timeout_s: float | None = None) -> AsyncEventStream:
        """Its events, to its end; see `AsyncClient.stream`."""
        return self._client.stream(self.run_id, after, timeout_s=timeout_s)

    async def wait(self, timeout_s: float | None = None) -> RunInfo:
        """The run, once it is over."""
        return await self._client.wait(self.run_id, timeout_s)

    async def result(self, timeout_s: float | None = None) -> Any:
        """Its output, once it is over. Raises RunFailed, RunCancelled, or WaitTimeout."""
        return output_of(await self.wait(timeout_s))

    async def stop(
        self, *, grace_s: float | None = None, wait: bool = False, timeout_s: float | None = None
    ) -> RunInfo:
        """Ask for its end; see `AsyncClient.stop`."""
        return await self._client.stop(self.run_id, grace_s=grace_s, wait=wait, timeout_s=timeout_s)

    async def kill(self, *, wait: bool = False, timeout_s: float | None = None) -> RunInfo:
        """Ask for its end with no grace at all."""
        return await self._client.kill(self.run_id, wait=wait, timeout_s=timeout_s)

    async def approve(self, choice: str, *, request_id: str | None = None, note: str | None = None) -> int:
        """Answer what it asks; see `Client.approve`."""
        return await self._client.approve(self.run_id, choice, request_id=request_id, note=note)

    async def steer(self, text: str) -> None:
        """Give it guidance; see `Client.steer`."""
        await self._client.steer(self.run_id, text)
