"""`bin/check`: everything that can be checked about this checkout, in one command. CI runs the same.

A step that fails doesn't keep the next ones from running: one look shows all there is to mend.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from . import bootstrap, children
from .steps import STEPS, TYPES, Context, Outcome


@dataclass(frozen=True)
class Done:
    """A step that was run."""

    name: str
    outcome: Outcome
    took_s: float
    strict: bool  # a test that was left out counts as a failure

    @property
    def ok(self) -> bool:
        return self.outcome.ok and not (self.strict and self.outcome.report.left_out)


def main(checkout: str, argv: Sequence[str]) -> int:
    """Run the steps that `argv` names, or all; 0 when all went well, 1 when one did not, 130 on ctrl-C."""
    asked = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, ended)
    # `bin/check &` in a script inherits a SIGINT that is ignored, and so would the tests, which send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        extras = {"dev", "smollm", "fuzz"} if asked.slow else {"dev", "smollm"}
        python = bootstrap.ensure(checkout, extras)
        with tempfile.TemporaryDirectory(prefix="runward-check-") as scratch:
            context = Context(checkout, python, scratch, asked.slow, asked.fix)
            strict = os.environ.get("CI", "").lower() in {"1", "true"}
            began = time.monotonic()
            done = take_all([name for name in STEPS if name in (asked.steps or STEPS)], context, strict)
            took_s = time.monotonic() - began
    except KeyboardInterrupt:
        print("\nbin/check: interrupted", file=sys.stderr)
        return 130
    print(summary(done, took_s, asked.slow))
    return 0 if all(step.ok for step in done) else 1


def parser() -> argparse.ArgumentParser:
    told = "\n".join(f"  {name:8} {step.__doc__}" for name, step in STEPS.items())
    parser = argparse.ArgumentParser(
        prog="bin/check",
        description="Checks everything in this checkout. The steps, in order:\n" + told,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "steps", nargs="*", metavar="STEP", help="only these (default: all)", choices=[[], *STEPS]
    )
    parser.add_argument("--slow", action="store_true", help="run the slow tests as well")
    parser.add_argument("--fix", action="store_true", help="mend format and lint instead of complaining")
    return parser


def ended(*_: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


def take_all(names: Sequence[str], context: Context, strict: bool) -> list[Done]:
    """One after another; but the types are looked at beside the others, and told when those are done.

    Not beside the slow tests, of which some measure.
    """
    if "types" not in names or len(names) == 1 or context.slow:
        return [take(name, STEPS[name], context, strict) for name in names]
    with children.beside([context.python, *TYPES], context.checkout) as finish:
        others = [take(name, STEPS[name], context, strict) for name in names if name != "types"]
        return [*others, take("types", lambda _: Outcome(finish() == 0), context, strict)]


def take(name: str, step: Callable[[Context], Outcome], context: Context, strict: bool) -> Done:
    print(f"\n== {name} ==", flush=True)
    began = time.monotonic()
    outcome = step(context)
    done = Done(name, outcome, time.monotonic() - began, strict)
    print(f"-- {name}: {said(done)} in {done.took_s:.1f} s", flush=True)
    return done


def said(done: Done) -> str:
    if done.outcome.ok and not done.ok:
        return "FAILED (tests were left out, and CI must run all)"
    return "ok" if done.ok else "FAILED"


def summary(done: Sequence[Done], took_s: float, slow: bool) -> str:
    """What the last lines say: each step, what was left out and why, and the tests that passed and failed."""
    reports = [step.outcome.report for step in done]
    bad = sum(not step.ok for step in done)
    tested = "tests" in {step.name for step in done}
    return "\n".join(
        [
            "\n== summary ==",
            *(f"{step.name:8} {step.took_s:6.1f} s  {said(step)}" for step in done),
            *(f"left out: {test}" for report in reports for test in report.left_out),
            *(["left out: tests marked slow; --slow runs them"] if tested and not slow else []),
            f"{len(done) - bad} of {len(done)} steps ok in {took_s:.0f} s",
            f"{sum(r.passed for r in reports)} passed, {sum(r.failed for r in reports)} failed",
        ]
    )
