"""What `bin/check` does, step by step. A step prints what it finds and returns how it went.

To add one: a function here, and its name in STEPS.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from .children import run, run_side_by_side
from .reports import Report, read_report

NO_TESTS = Report()


@dataclass(frozen=True)
class Context:
    """Where the steps work and how they were asked to."""

    checkout: str
    python: str  # of the checkout's .venv
    scratch: str  # a folder that goes away with the last step
    slow: bool
    fix: bool

    def runs(self, *command: str) -> bool:
        """Whether it ended well, started in the checkout."""
        return run(command, self.checkout) == 0


@dataclass(frozen=True)
class Outcome:
    ok: bool
    report: Report = NO_TESTS


def format_(context: Context) -> Outcome:
    """Is everything in the one format? With --fix: put it there."""
    return Outcome(context.runs(context.python, "-m", "ruff", "format", *([] if context.fix else ["--diff"])))


def lint(context: Context) -> Outcome:
    """Mistakes that can be seen without running. With --fix: mend those that can be."""
    return Outcome(
        context.runs(
            context.python,
            "-m",
            "ruff",
            "check",
            "--output-format=concise",
            *(["--fix"] if context.fix else []),
        )
    )


def types(context: Context) -> Outcome:
    """Strict types of the package and its tests."""
    return Outcome(context.runs(context.python, *TYPES))


# One process that only computes. The other steps, each by itself, leave it the time of a processor and more.
TYPES = ("-m", "mypy")


def tests(context: Context) -> Outcome:
    """The tests, layout and wheel included; without --slow in five processes, for much of the time is waited for."""
    if context.slow:  # among which are measurements, and they want the machine for themselves
        return pytest(context, {"tests": ["tests"]})
    others = [f"--ignore={folder}" for folder in chain(*APART.values())]
    return pytest(context, {"parts": ["tests", *others], **APART})


# Each takes about as long as what is left. Where time is only waited for, the others have the processors.
APART = {
    "acceptance": ["tests/acceptance"],
    "tree": ["tests/tree"],
    "hostile": ["tests/hostile", "tests/chaos", "tests/soak", "tests/layout"],
    "faults": ["tests/faults", "tests/bin", "tests/embedding"],
}


def pytest(context: Context, runs: dict[str, list[str]]) -> Outcome:
    """These runs of pytest, each with its name and arguments, side by side.

    The first is seen as it goes, the others when all have ended.
    """
    reports = [os.path.join(context.scratch, f"{name}.xml") for name in runs]
    command = [context.python, "-m", "pytest", "-q", *(["--slow"] if context.slow else [])]
    command += ["-o", "junit_family=xunit1"]  # the one that has room for the figures a test records
    commands = [
        [*command, f"--junitxml={path}", *which] for path, which in zip(reports, runs.values(), strict=True)
    ]
    with ExitStack() as files:
        outputs = [files.enter_context(tempfile.TemporaryFile()) for _ in commands[1:]]
        try:
            codes = run_side_by_side(zip(commands, [None, *outputs], strict=True), context.checkout)
        finally:
            for output in outputs:
                output.seek(0)
                print(output.read().decode(errors="replace"), end="", flush=True)
    if not all(map(os.path.exists, reports)):  # one died too early
        codes.append(1)
    found = [read_report(path) for path in reports if os.path.exists(path)]
    return Outcome(not any(codes), sum(found, NO_TESTS))


STEPS: dict[str, Callable[[Context], Outcome]] = {
    "format": format_,
    "lint": lint,
    "types": types,
    "tests": tests,
}
