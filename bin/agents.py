"""`runward agents`: the agents that a server declares."""

import msgspec

from ..actors.messages.answers import AgentInfo
from . import describing, options
from .columns import columns
from .outcome import ExitCode, print_json
from .server import connect
from .terminal import one_line, whisper

HEADER = ("AGENT", "KIND", "HEALTH", "LIVE", "NETWORK", "RESTART", "KILL", "LIMITS", "DESCRIPTION")


def agents(
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """List the agents of a server: what they are, how they stand, what they may use."""
    found = connect(url, state).agents()
    if as_json:
        print_json({"object": "list", "data": [msgspec.to_builtins(agent) for agent in found]})
        return ExitCode.DONE
    print("\n".join(columns([HEADER, *map(_row, found)], right=(3,))))
    for agent in found:
        for warning in agent.warnings:
            whisper(f"{agent.name}: {warning}")
    return ExitCode.DONE


def _row(agent: AgentInfo) -> tuple[str, ...]:
    limits = " ".join(describing.limit(name, value) for name, value in agent.limits.items())
    cells = (
        agent.name,
        agent.kind,
        agent.health,
        agent.live_runs,
        agent.network,
        agent.restart,
        agent.containment.kill,
        limits,
        agent.description,
    )
    return tuple("-" if cell in (None, "") else one_line(str(cell)) for cell in cells)
