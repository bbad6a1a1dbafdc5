"""`runward wait`: until runs are over."""

import time
from typing import Annotated

from ..http.api_errors import WaitTimeout
from . import describing, options
from .arguments import Option
from .naming import find_all
from .outcome import CommandError, ExitCode, code_of, print_json
from .server import connect


def wait(
    run_ids: options.RunIds,
    timeout: Annotated[
        float | None, Option(min=0, metavar="SECONDS", help="Give up after so long; the runs go on.")
    ] = None,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Wait until runs are over, one after the other, and print their receipts. Ends with the code of the first
    that did not complete.
    """
    client = connect(url, state)
    give_up = None if timeout is None else time.monotonic() + timeout
    code = ExitCode.DONE
    for run in find_all(client, run_ids):
        left_s = None if give_up is None else max(give_up - time.monotonic(), 0.001)
        try:
            ended = run if run.ended else client.wait(run.run_id, left_s)
        except WaitTimeout as error:
            raise CommandError(
                f"{run.run_id} has not ended in {timeout:g} s; it goes on", code="timeout"
            ) from error
        if as_json:
            print_json(ended.document())
        else:
            print(describing.receipt(ended), flush=True)
        code = code or code_of(ended.status)
    return code
