"""The layout that `docs/decisions/0001-layout.md` describes: each test is one way to break it."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import runward

from .sources import CHECKOUT, ROOMS, source_files

PACKAGE = CHECKOUT / ".src" / "runward"
# The field's own word. The standard library's `mailbox` reads Unix mail; nothing that we use asks for it.
MAY_SHARE_A_NAME = {"mailbox"}
# Modules of the standard library's http: `python` started inside ours would find these first.
NAMES_OF_STDLIB_HTTP = {"server", "client", "cookies", "cookiejar"}


def wheel_table() -> dict[str, str]:
    """Where the wheel puts each folder, from pyproject.toml."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    sources = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"]
    assert isinstance(sources, dict)
    return sources


def run_python(*argv: str, cwd: Path = CHECKOUT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False
    )


def test_the_links_are_what_the_wheel_maps() -> None:
    links = {entry.name: os.readlink(entry) for entry in PACKAGE.iterdir() if entry.is_symlink()}
    assert links == {room: f"../../{room}" for room in ROOMS}
    assert wheel_table() == {room: f"runward/{room}" for room in ROOMS} | {".src": ""}


def test_the_package_itself_is_regular_and_small() -> None:
    files = {entry.name for entry in PACKAGE.iterdir() if not entry.is_symlink()} - {"__pycache__"}
    assert files == {"__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("room", ["http", "config", "bin"])
def test_a_room_named_like_something_else_has_no_init(room: str) -> None:
    assert not (CHECKOUT / room / "__init__.py").exists()


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    taken = sys.stdlib_module_names - MAY_SHARE_A_NAME - {"__init__"}
    assert not {name for room in ROOMS for name in names_in(room)} & taken
    assert not names_in("http") & NAMES_OF_STDLIB_HTTP


def names_in(room: str) -> set[str]:
    """Of its modules, and of the folders that they are in."""
    files = (file.relative_to(CHECKOUT).with_suffix("") for file in source_files())
    return {part for file in files if file.parts[0] == room for part in file.parts[1:]}


def test_no_module_in_the_root_hides_one_of_the_standard_library() -> None:
    roots = {file.stem for file in CHECKOUT.glob("*.py")} | {
        init.parent.name for init in CHECKOUT.glob("*/__init__.py")
    }
    assert not roots & sys.stdlib_module_names


def test_the_code_has_one_name_only() -> None:
    import runward.actors

    assert "actors" not in sys.modules
    assert Path(runward.actors.__file__ or "").parent.samefile(CHECKOUT / "actors")
    second = run_python("-c", "import actors")
    assert "import runward.actors, not actors" in second.stderr


def test_tests_know_the_code_by_its_one_name() -> None:
    files = sorted((CHECKOUT / "tests").rglob("*.py"))
    named = {file: {name.partition(".")[0] for name in absolute_names(file)} for file in files}
    assert not [str(file) for file, names in named.items() if names & {"actors", "config", "bin"}]


def absolute_names(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize(
    "argv",
    [
        ("-c", "import http.client, http.server"),
        ("-m", "http.server", "--help"),
        ("-m", "aiohttp.web", "--help"),
    ],
)
def test_the_standard_library_wins_with_the_checkout_on_the_path(argv: tuple[str, ...]) -> None:
    answer = run_python(*argv, PYTHONPATH=str(CHECKOUT))
    assert answer.returncode == 0, answer.stderr


def test_the_command_starts_inside_the_checkout() -> None:
    started = run_python("-m", "runward", "--version", PYTHONPATH=str(CHECKOUT))
    assert started.stdout == f"runward {runward.__version__}\n", started.stderr
