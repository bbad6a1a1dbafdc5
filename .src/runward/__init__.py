"""Run AI agents that may crash, hang or misbehave, each in its own confined process.

Every process of the runtime imports this module first, so it is light: the public names are loaded when they are
first asked for. It must be readable by a Python that is too old for the rest, which is then told so.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # what typing's is: importing that costs more than all of this
if TYPE_CHECKING:
    from .actors.child_runs import Child, ChildEnd, SpawnRefused
    from .actors.embedded_server import Server, ServerFailed
    from .actors.errors import RunwardError
    from .actors.interruption import Interrupted
    from .actors.messages.answers import AgentInfo
    from .actors.run import Choice, Run, current_run
    from .actors.running import run
    from .http.api_async import AsyncClient, AsyncRunHandle
    from .http.api_client import Client, RunHandle
    from .http.api_errors import (
        AgentNotFound,
        ApiError,
        ClientError,
        Conflict,
        Forbidden,
        InvalidRequest,
        LimitReached,
        NotReady,
        RunEnded,
        RunNotFound,
        ServerUnreachable,
        Unauthorized,
        WaitTimeout,
    )
    from .http.api_results import RunCancelled, RunFailed, RunNotCompleted, RunTimedOut
    from .http.api_types import Event, RunInfo

_HOMES = {
    "AgentInfo": "actors.messages.answers",
    "AgentNotFound": "http.api_errors",
    "ApiError": "http.api_errors",
    "AsyncClient": "http.api_async",
    "AsyncRunHandle": "http.api_async",
    "Child": "actors.child_runs",
    "ChildEnd": "actors.child_runs",
    "Choice": "actors.run",
    "Client": "http.api_client",
    "ClientError": "http.api_errors",
    "Conflict": "http.api_errors",
    "Event": "http.api_types",
    "Forbidden": "http.api_errors",
    "Interrupted": "actors.interruption",
    "InvalidRequest": "http.api_errors",
    "LimitReached": "http.api_errors",
    "NotReady": "http.api_errors",
    "Run": "actors.run",
    "RunCancelled": "http.api_results",
    "RunEnded": "http.api_errors",
    "RunFailed": "http.api_results",
    "RunHandle": "http.api_client",
    "RunInfo": "http.api_types",
    "RunNotCompleted": "http.api_results",
    "RunNotFound": "http.api_errors",
    "RunTimedOut": "http.api_results",
    "RunwardError": "actors.errors",
    "Server": "actors.embedded_server",
    "ServerFailed": "actors.embedded_server",
    "ServerUnreachable": "http.api_errors",
    "SpawnRefused": "actors.child_runs",
    "Unauthorized": "http.api_errors",
    "WaitTimeout": "http.api_errors",
    "current_run": "actors.run",
    "run": "actors.running",
}

__all__ = [
    "AgentInfo",
    "AgentNotFound",
    "ApiError",
    "AsyncClient",
    "AsyncRunHandle",
    "Child",
    "ChildEnd",
    "Choice",
    "Client",
    "ClientError",
    "Conflict",
    "Event",
    "Forbidden",
    "Interrupted",
    "InvalidRequest",
    "LimitReached",
    "NotReady",
    "Run",
    "RunCancelled",
    "RunEnded",
    "RunFailed",
    "RunHandle",
    "RunInfo",
    "RunNotCompleted",
    "RunNotFound",
    "RunTimedOut",
    "RunwardError",
    "Server",
    "ServerFailed",
    "ServerUnreachable",
    "SpawnRefused",
    "Unauthorized",
    "WaitTimeout",
    "__version__",
    "current_run",
    "run",
]

if not TYPE_CHECKING:  # else every misspelt name would seem to exist

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module 'runward' has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        return found

    def __dir__():
        return sorted({*globals(), *_HOMES})
