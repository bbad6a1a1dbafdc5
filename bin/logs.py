"""`runward logs`: what a run wrote to stdout and stderr."""

import sys
from typing import Annotated, Literal

from . import options
from .arguments import Option
from .naming import find
from .outcome import ExitCode, print_json
from .server import connect
from .terminal import Output


def logs(
    run_id: options.RunId,
    follow: Annotated[bool, Option("--follow", "-f", help="Wait for more until the run ends.")] = False,
    stream: Annotated[Literal["stdout", "stderr"] | None, Option(help="Only this one.")] = None,
    tail: Annotated[int | None, Option("--tail", "-n", min=0, help="Only the last N lines of each.")] = None,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Print what a run wrote to stdout and stderr. Leaving with ctrl-C doesn't touch the run."""
    client = connect(url, state)
    run = find(client, run_id)
    texts = client.logs(run.run_id, stream=stream, tail=tail, follow=follow)
    if as_json:
        for text in texts if follow else ("".join(texts),):
            print_json({"run_id": run.run_id, "text": text})
        return ExitCode.DONE
    output = Output()
    for text in texts:
        output.write(text)
    if sys.stdout.isatty():
        output.end_line()
    return ExitCode.DONE
