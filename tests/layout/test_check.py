"""`bin/check`: what its summary says, what counts as a failure, and that it leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import psutil
import pytest

from runward.bin.checkout import bootstrap, check, children, steps
from runward.bin.checkout.reports import Report, read_report
from runward.bin.checkout.steps import STEPS, Context, Outcome

CHECKOUT = Path(__file__).parents[2]
TESTS = """
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.fixture
def broken(): raise ValueError
def test_errs(broken): pass
@pytest.mark.skip(reason="no model here")
def test_skipped(): pass
@pytest.mark.xfail
def test_expected_to_fail(): assert False
"""


def test_the_report_counts_and_names_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "test_all.py").write_text(TESTS)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert read_report(str(report)) == Report(1, 2, ("test_all.test_skipped: no model here",))


def test_runs_side_by_side_are_both_seen_and_counted_together(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_one.py").write_text(TESTS)
    (tmp_path / "test_two.py").write_text("def test_passes(): pass")
    context = Context(str(tmp_path), sys.executable, str(tmp_path), slow=False, fix=False)
    outcome = steps.pytest(context, {"one": ["test_one.py"], "two": ["test_two.py"]})
    assert outcome == Outcome(False, Report(2, 2, ("test_one.test_skipped: no model here",)))
    assert "1 failed" in (told := capfd.readouterr().out)
    assert "\n1 passed" in told
    assert steps.pytest(context, {"two": ["test_two.py"]}) == Outcome(True, Report(1, 0))


def test_a_run_that_dies_before_its_report_fails_the_step_and_the_other_counts(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("import os\nos._exit(0)")
    (tmp_path / "test_two.py").write_text("def test_passes(): pass")
    context = Context(str(tmp_path), sys.executable, str(tmp_path), slow=False, fix=False)
    assert steps.pytest(context, {"one": ["test_one.py"], "two": ["test_two.py"]}) == Outcome(
        False, Report(1)
    )


def test_the_folders_that_have_a_run_of_their_own_are_there() -> None:
    assert [folder for folder in chain(*steps.APART.values()) if not (CHECKOUT / folder).is_dir()] == []


def done(name: str, ok: bool, *left_out: str, strict: bool = False) -> check.Done:
    return check.Done(name, Outcome(ok, Report(3, 0 if ok else 1, left_out)), 1.5, strict)


def test_the_summary_ends_with_the_tests_that_passed_and_failed() -> None:
    lines = check.summary(
        [done("lint", True), done("tests", False, "t.x: no model")], took_s=3.0, slow=False
    ).splitlines()
    assert lines[-1] == "6 passed, 1 failed"
    assert "left out: t.x: no model" in lines
    assert "1 of 2 steps ok in 3 s" in lines


def test_a_test_that_was_left_out_fails_the_step_under_ci_only() -> None:
    assert done("tests", True, "t.x: no model").ok
    assert not done("tests", True, "t.x: no model", strict=True).ok


def test_every_step_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check.main("/", ["--help"])
    told = capsys.readouterr().out
    assert all(step.__doc__ and step.__doc__ in told for step in STEPS.values())


def test_a_step_that_fails_does_not_keep_the_next_one_from_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fine(context: Context) -> Outcome:
        return Outcome(True)

    def bad(context: Context) -> Outcome:
        return Outcome(False)

    monkeypatch.setattr(check, "STEPS", {"first": bad, "second": fine})
    monkeypatch.setattr(bootstrap, "ensure", lambda checkout, extras: "python")
    assert check.main("/", []) == 1
    assert "1 of 2 steps ok" in capsys.readouterr().out
    assert check.main("/", ["second"]) == 0


def test_in_the_background_of_a_script_the_tests_can_be_interrupted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def step(context: Context) -> Outcome:
        return Outcome(signal.getsignal(signal.SIGINT) != signal.SIG_IGN)

    monkeypatch.setattr(check, "STEPS", {"step": step})
    monkeypatch.setattr(bootstrap, "ensure", lambda checkout, extras: "python")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert check.main("/", []) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(children, "GRACE_S", 0.1)
    deaf = f"trap '' INT; sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(subprocess.TimeoutExpired):
        children.run_side_by_side([(["sh", "-c", deaf], None)], str(tmp_path), timeout_s=0.3)
    grandchild = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while psutil.pid_exists(grandchild) and psutil.Process(grandchild).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the grandchild lives"


def test_all_that_run_side_by_side_are_ended_when_one_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(children, "GRACE_S", 0.1)
    commands = [["sh", "-c", f"trap '' INT; echo $$ > {tmp_path}/{name}; sleep 60"] for name in "ab"]
    with pytest.raises(subprocess.TimeoutExpired):
        children.run_side_by_side([(command, None) for command in commands], str(tmp_path), timeout_s=0.5)
    assert not [name for name in "ab" if psutil.pid_exists(int((tmp_path / name).read_text()))]


def test_what_runs_beside_yields_to_the_others_and_is_seen_when_they_are_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = "import os, sys; sys.stdin.read(); print(os.nice(0)); sys.exit(3)"
    with children.beside([sys.executable, "-c", said], str(tmp_path)) as finish:
        children.run(["echo", "another step"], str(tmp_path))
        assert finish() == 3
    assert capfd.readouterr().out.splitlines() == [
        "another step",
        str(min(os.nice(0) + children.YIELDING, 19)),
    ]


def test_what_runs_beside_a_step_that_is_interrupted_is_ended(tmp_path: Path) -> None:
    def interrupted(deaf: list[str]) -> None:
        with children.beside(deaf, str(tmp_path)):
            while not (tmp_path / "pid").exists():
                assert time.monotonic() < deadline, "it has not begun"
            raise KeyboardInterrupt

    deadline = time.monotonic() + 20
    with pytest.raises(KeyboardInterrupt):
        interrupted(["sh", "-c", f"echo $$ > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/pid; sleep 60"])
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(("types_code", "code"), [(0, 0), (1, 1)])
def test_types_are_looked_at_beside_the_other_steps_and_count(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], types_code: int, code: int
) -> None:
    looks = ("-c", f"print('looked'); raise SystemExit({types_code})")
    monkeypatch.setattr(check, "TYPES", looks)
    monkeypatch.setattr(check, "STEPS", {"types": steps.types, "other": lambda _: Outcome(True)})
    monkeypatch.setattr(bootstrap, "ensure", lambda checkout, extras: sys.executable)
    assert check.main(str(CHECKOUT), []) == code
    told = capfd.readouterr().out
    assert told.index("== other ==") < told.index("== types ==") < told.index("looked")
    assert f"{2 - code} of 2 steps ok" in told
