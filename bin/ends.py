"""Runs that are followed to their ends, several at once; each rung on the way is told as it is reached."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..http.api_client import Client
from ..http.api_types import RunInfo
from .terminal import say

if TYPE_CHECKING:
    from queue import SimpleQueue

AT_ONCE = 16  # connections; more runs are followed as others end, which delays none of them

Told = Callable[[str, str], object]


def await_ends(client: Client, runs: Sequence[RunInfo], told: Told) -> Iterator[RunInfo]:
    """Each run as it is after its end, in the order of their ends. `told`: run id and rung, in any thread.

    `runs`: as they were before their stop. Raises what a client raises. Ctrl-C leaves at once.
    """
    if len(runs) == 1:
        yield _followed(client, runs[0], told)
        return
    # Imported late: who stops one run has no use for them, and no time.
    import threading
    from queue import SimpleQueue

    waiting: SimpleQueue[RunInfo | None] = SimpleQueue()
    ended: SimpleQueue[RunInfo | Exception] = SimpleQueue()
    for run in runs:
        waiting.put(run)
    for _ in range(min(AT_ONCE, len(runs))):
        waiting.put(None)
        # A daemon: ctrl-C must not wait for runs.
        threading.Thread(target=_follow_all, args=(client, waiting, ended, told), daemon=True).start()
    for _ in runs:
        end = ended.get()
        if isinstance(end, Exception):
            raise end
        yield end


def _follow_all(
    client: Client,
    waiting: "SimpleQueue[RunInfo | None]",
    ended: "SimpleQueue[RunInfo | Exception]",
    told: Told,
) -> None:
    while (run := waiting.get()) is not None:
        try:
            ended.put(_followed(client, run, told))
        except Exception as error:  # noqa: BLE001  # raised in the thread that waits
            ended.put(error)


def _followed(client: Client, run: RunInfo, told: Told) -> RunInfo:
    if run.rung:
        told(run.run_id, run.rung)
    for event in client.stream(run.run_id, run.last_seq, on_loss=lambda why: say(f"{why}; trying again")):
        if event.event == "run.stopping":
            told(run.run_id, str(event.fields.get("mode")))
    return client.get(run.run_id)
