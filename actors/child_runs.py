"""Child runs as an agent sees them: `Run.spawn` and what it returns. Every name here is for any thread.

What the warden says of a child arrives in the control thread; whoever waits is woken from there. A wait in the main
thread is broken off by SIGTERM, as every wait is.
"""

import threading
from collections.abc import Callable, Generator
from itertools import count
from typing import Any, Generic, TypeVar

import msgspec

from .channel import to_json
from .messages.with_agent import ChildEnded, ChildRefused, ChildStarted
from .records import Usage

T = TypeVar("T")


class SpawnRefused(Exception):
    """No child run was started. `code` tells programs why, the message tells people."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class ChildEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended. `status`: "completed", "failed" or "cancelled"; `reason` as in the run object."""

    run_id: str
    status: str
    reason: str | None
    output: Any
    error: str | None
    usage: Usage

    @property
    def completed(self) -> bool:
        """Whether it came to its own end, with an output."""
        return self.status == "completed"


class Awaited(Generic[T]):
    """Something that will be said once: waited for by threads with `wait`, by coroutines with `await`."""

    def __init__(self) -> None:
        self._said = threading.Event()
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []
        self._value: T | Exception

    def say(self, value: T | Exception) -> None:
        """Called once, in the control thread."""
        with self._lock:
            self._value = value
            self._said.set()
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    @property
    def is_said(self) -> bool:
        """Whether a wait would be over at once."""
        return self._said.is_set()

    def wait(self, timeout_s: float | None = None) -> T:
        """What is said, or raised. TimeoutError: it was not in time."""
        if not self._said.wait(timeout_s):
            raise TimeoutError(f"not within {timeout_s:g} s")
        if isinstance(self._value, Exception):
            raise self._value
        return self._value

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio  # in an async agent it is there already

        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        def from_here() -> None:
            try:
                loop.call_soon_threadsafe(wake)
            except RuntimeError:
                pass  # the loop closed first: nobody waits any more

        with self._lock:
            is_said = self._said.is_set()
            if not is_said:
                self._wakers.append(from_here)
        if not is_said:
            yield from woken
        return self.wait(0)


class Child:
    """A run below this one: in a process of its own, with its own limits. It ends with this run at the latest."""

    def __init__(self, runs: "ChildRuns", run_id: str, agent: str, ended: Awaited[ChildEnd]) -> None:
        self.run_id = run_id
        self.agent = agent
        self._runs = runs
        self._ended = ended

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left."""
        return self._ended.is_said

    def wait(self, timeout_s: float | None = None) -> ChildEnd:
        """Block until it has ended, however that is. TimeoutError: it lives on."""
        return self._ended.wait(timeout_s)

    def __await__(self) -> Generator[Any, None, ChildEnd]:
        """The same, for coroutines: `end = await child`. Cancelled, only the waiting ends."""
        return self._ended.__await__()

    def stop(self) -> None:
        """Ask it to end: returns at once, `wait` tells of the end. Asked again, it is taken up a rung."""
        if not self.ended:
            self._runs.write({"stop_child": self.run_id})


class ChildRuns:
    """All children of a run, and those that were asked for. `send` writes a line to the warden."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._keys = count(1)
        self._asked: dict[str, Awaited[_Started]] = {}
        self._live: dict[str, Awaited[ChildEnd]] = {}

    def write(self, wish: dict[str, Any]) -> None:
        """TypeError or ValueError: it is no JSON."""
        self._send(to_json(wish) + b"\n")

    def spawn(self, agent: str, input: str, options: dict[str, Any]) -> Child:
        """Block until the journal has the run. Raises `SpawnRefused`."""
        return self._child(agent, self._ask(agent, input, options).wait())

    async def spawn_async(self, agent: str, input: str, options: dict[str, Any]) -> Child:
        """The same, for coroutines. Cancelled, the child may begin all the same, and ends with this run."""
        return self._child(agent, await self._ask(agent, input, options))

    def _ask(self, agent: str, input: str, options: dict[str, Any]) -> "Awaited[_Started]":
        key = str(next(self._keys))
        asked: Awaited[_Started] = Awaited()
        self._asked[key] = asked
        given = {name: value for name, value in options.items() if value is not None}
        try:
            self.write({"spawn": key, "agent": agent, "input": input, **given})
        except BaseException:
            self._asked.pop(key, None)
            raise
        return asked

    def _child(self, agent: str, started: "_Started") -> Child:
        return Child(self, started[0], agent, started[1])

    def hear(self, control: ChildStarted | ChildRefused | ChildEnded) -> None:
        """What the warden says. Called in the control thread."""
        match control:
            case ChildStarted(key, run_id):
                ended: Awaited[ChildEnd] = Awaited()
                self._live[run_id] = ended
                self._answer(key, (run_id, ended))
            case ChildRefused(key, code, why):
                self._answer(key, SpawnRefused(code, why))
            case ChildEnded():
                awaited = self._live.pop(control.run_id, None)
                if awaited is not None:
                    awaited.say(_end(control))

    def _answer(self, key: str, answer: "_Started | Exception") -> None:
        asked = self._asked.pop(key, None)
        if asked is not None:
            asked.say(answer)


_Started = tuple[str, Awaited[ChildEnd]]  # its id, and its end


def _end(control: ChildEnded) -> ChildEnd:
    return ChildEnd(
        run_id=control.run_id,
        status=control.status,
        reason=control.reason,
        output=msgspec.json.decode(control.output),
        error=control.error,
        usage=control.usage,
    )
