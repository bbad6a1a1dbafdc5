"""`runward stack`: where a live run's agent is in its code."""

from . import options
from .naming import find
from .outcome import ExitCode, print_json
from .server import connect
from .terminal import tame


def stack(
    run_id: options.RunId,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Print the Python stacks of all threads of a live run's agent, also when it hangs."""
    client = connect(url, state)
    run = find(client, run_id)
    text = client.stack(run.run_id)
    if as_json:
        print_json({"run_id": run.run_id, "stack": text})
    else:
        print(tame(text).rstrip("\n"))
    return ExitCode.DONE
