"""What the operator trusts, imported once in the zygote before any fork, and what each fork then owes to that.

Nothing may come of it but modules: a thread would be missing in every run, with the locks that it held. A preload
that makes trouble is given up, since an agent can always import for itself; see docs/preload.md.
"""

import contextlib
import importlib
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from typing import NamedTuple

from ..config.sections import AgentSpec
from .containment.reaping import children, host_pid
from .containment.throwaway import tried

# A pool of threads is made while numpy is imported, one for each CPU, unless one of these says otherwise.
_POOL_SIZES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SETTLING_S = 0.5  # a thread that has been joined is not gone at once


class Preloaded(NamedTuple):
    """`trouble`: why this process must not be forked, or None. `warnings`: what the operator should know."""

    trouble: str | None = None
    warnings: tuple[str, ...] = ()


def preload(spec: AgentSpec) -> Preloaded:
    """Import what is named. Raises nothing; an import may still end the process, or never return."""
    if not spec.preload:
        return Preloaded()
    for name in _POOL_SIZES:
        os.environ.setdefault(name, "1")
    before = set(_open_files())
    with _beside_the_agent(spec), _nothing_on_stdout():
        trouble = _import(spec.preload) or _left_running()
    left = sorted(set(_open_files()) - before)
    return Preloaded(
        trouble, (f"preload left files open, which runs find closed: {', '.join(left)}",) if left else ()
    )


def compile_ours(entrypoint: str) -> None:
    """Have the bytecode of an agent that comes with runward on disk, as installed code has. Nothing is run.

    Inside the walls no run can write it, so each would compile the module anew, for milliseconds and 0.4 MiB.
    """
    module = entrypoint.rpartition(":")[0]
    if module.startswith("runward."):
        tried(partial(_compile, module))  # not in the image, where it would leave gaps


def _compile(module: str) -> None:
    spec = importlib.util.find_spec(module)
    if spec is not None and isinstance(spec.loader, SourceFileLoader):
        spec.loader.get_code(module)


def is_foreign(spec: AgentSpec) -> bool:
    """Whether modules that are not ours are preloaded."""
    return any(not module.startswith("runward.") for module in spec.preload)


def reseed() -> None:
    """In the agent's process: random numbers of its own.

    Generators that a preloaded module made for itself are out of reach, and the same in every run.
    """
    if (plain := sys.modules.get("random")) is not None:
        plain.seed()  # `os.fork` would have seen to that, but not every agent is forked by it
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _import(modules: Iterable[str]) -> str | None:
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001  # sys.exit in a module must not end the zygote
            return f"importing {module} raised {type(error).__name__}: {error}"
    return None


def _left_running() -> str | None:
    """What an import left that is no module; processes are ended, since nobody else would."""
    if pids := children(host_pid()):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return f"the import left {len(pids)} processes behind"
    deadline = time.monotonic() + _SETTLING_S
    while (count := len(os.listdir("/proc/self/task")) - 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    if not count:
        return None
    names = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    native = [f"{count - len(names)} of native code"] if count > len(names) else []
    return f"the import left threads running, which no run would have: {', '.join(names + native)}"


@contextlib.contextmanager
def _beside_the_agent(spec: AgentSpec) -> Iterator[None]:
    """Look for modules first where the agent's own process will (see `entrypoints.load`)."""
    known = list(sys.path)
    file = spec.entrypoint.rpartition(":")[0]
    folder = os.path.dirname(file) if file.endswith(".py") else ""
    sys.path[:0] = [each for each in (folder, spec.import_root) if each]
    try:
        yield
    finally:
        sys.path[:] = known


@contextlib.contextmanager
def _nothing_on_stdout() -> Iterator[None]:
    """The server's stdout says where it listens, and nothing else: what an import prints goes to stderr."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # the import may have put something else there
            sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _open_files() -> Iterator[str]:
    """Each descriptor above stdio and what it leads to, but for the one that looks."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) > 2:
                yield f"{name} ({os.readlink(f'/proc/self/fd/{name}')})"
