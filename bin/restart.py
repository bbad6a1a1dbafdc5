"""`runward restart` and `runward reload`: a server of this machine goes on with the code and settings of now, and its
runs with it.

They are the same act: what a live server does by is replaced as a whole, after a rehearsal (decision 0023). `reload`
is for who changed settings, and tells which of them are other than before.
"""

import json
import signal
import time
from collections.abc import Mapping
from typing import Any

from ..http import api_address
from . import options
from .local_server import LocalServer
from .outcome import CommandError, ExitCode, print_json
from .terminal import one_line, whisper

PATIENCE_S = 90.0  # a rehearsal, a supervisor and the facades, each in the time that it has at the most
LOOK_S = 0.05

Settings = Mapping[str, tuple[Any, str]]


def restart(as_json: options.Json = False, state: options.State = None) -> int:
    """Have the server here go on with the code and the settings of now. Its runs live on, and nobody is refused."""
    with LocalServer(state) as server:
        _go_on(server)
        if as_json:
            print_json({"restarted": True, "pid": server.pid})
        else:
            whisper(f"the server (pid {server.pid}) goes on with the code and the settings of now")
    return ExitCode.DONE


def reload(as_json: options.Json = False, state: options.State = None) -> int:
    """Have the server here go on with the settings of now, and tell which changed. Its runs live on."""
    with LocalServer(state) as server:
        before = api_address.noted_settings(server.folder)
        _go_on(server)
        changed = changes(before, api_address.noted_settings(server.folder))
    if as_json:
        print_json({"reloaded": True, "changed": changed})
        return ExitCode.DONE
    for each in changed:
        print(
            one_line(
                f"{each['key']} = {_text(each['after'])}  # was {_text(each['before'])}; {each['source']}"
            )
        )
    if not changed:
        whisper("no setting is other than before (values that are not shown are not compared)")
    return ExitCode.DONE


def changes(before: Settings, after: Settings) -> list[dict[str, Any]]:
    """What is other than before; None stands for a setting that is not there. Pure."""
    return [
        {
            "key": key,
            "before": before.get(key, (None, ""))[0],
            "after": after.get(key, (None, ""))[0],
            "source": after.get(key, (None, "gone"))[1],
        }
        for key in sorted({*before, *after})
        if before.get(key, (None, ""))[0] != after.get(key, (None, ""))[0]
    ]


def _go_on(server: LocalServer) -> None:
    """Returns once all is new. Raises CommandError where it is not, and goes on as it was."""
    before, _ = api_address.noted_restarts(server.folder)
    server.tell(signal.SIGUSR2)
    give_up = time.monotonic() + PATIENCE_S
    while (restarts := api_address.noted_restarts(server.folder))[0] == before:
        if server.has_ended(LOOK_S):
            raise CommandError(f"the server (pid {server.pid}) has ended; see its log")
        if time.monotonic() > give_up:
            raise CommandError(f"the server (pid {server.pid}) does not say what came of it; see its log")
    if restarts[1] is not None:
        message = f"not restarted, and all goes on as it was: {restarts[1]}"
        raise CommandError(message, ExitCode.REFUSED, "refused")


def _text(value: Any) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
