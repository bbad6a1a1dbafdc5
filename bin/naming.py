"""Which run a person means by the beginning of an id."""

from collections.abc import Sequence

from ..http.api_client import Client
from ..http.api_errors import RunNotFound
from ..http.api_types import RunInfo
from .outcome import CommandError, ExitCode

SHOWN = 5


def find_all(client: Client, texts: Sequence[str]) -> list[RunInfo]:
    """The runs that are meant, each once, in this order; see `find`."""
    return list({run.run_id: run for run in (find(client, text) for text in texts)}.values())


def find(client: Client, text: str) -> RunInfo:
    """The run with this id, or the only one whose id begins so (with `run_` or without).

    Raises CommandError where there is none, or more than one.
    """
    try:
        return client.get(text)
    except RunNotFound:
        pass  # so it is a beginning
    beginnings = (text, f"run_{text}")
    found = [run for run in client.list() if run.run_id.startswith(beginnings)]
    if len(found) != 1:
        raise _unclear(text, [run.run_id for run in found])
    return found[0]


def _unclear(text: str, ids: list[str]) -> CommandError:
    if not ids:
        return CommandError(
            f"no run has an id that begins with {text!r}; `runward ps --all` lists them", code="run_not_found"
        )
    some = ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
    return CommandError(f"{len(ids)} runs begin with {text!r}: {some}", ExitCode.USAGE, "ambiguous")
