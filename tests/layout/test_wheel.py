"""The wheel holds the rooms under `runward/` and nothing else; an sdist builds the same one; installed, it works."""

import os
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from runward.bin.checkout import environment

from .sources import CHECKOUT, ROOMS

CHECKOUT_ONLY = {Path("bin/runward"), Path("bin/check"), Path("bin/checkout")}


def files_of_rooms() -> Iterator[Path]:
    for file in sorted(file for room in ROOMS for file in (CHECKOUT / room).rglob("*")):
        name = file.relative_to(CHECKOUT)
        if file.is_file() and "__pycache__" not in name.parts and not CHECKOUT_ONLY & {name, *name.parents}:
            yield name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(WheelBuilder, CHECKOUT, tmp_path_factory.mktemp("wheel"))


def built(builder: type[WheelBuilder] | type[SdistBuilder], root: Path, folder: Path) -> Path:
    (artifact,) = builder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(artifact)


def package_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_is_the_rooms_under_one_name(wheel: Path) -> None:
    own = {f"runward/{name}" for name in ("__init__.py", "__main__.py", "py.typed")}
    assert package_files(wheel) == {f"runward/{name}" for name in files_of_rooms()} | own


def test_the_wheel_brings_the_command_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            Path(name).name: archive.read(name).decode()
            for name in archive.namelist()
            if ".dist-info/" in name
        }
    assert "runward = runward.bin.main:main" in texts["entry_points.txt"]
    assert "MIT License" in texts["LICENSE"]


def test_an_sdist_has_no_links_and_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = built(SdistBuilder, CHECKOUT, tmp_path)
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
    # Not by `extractall`: 3.12 warns without its `filter`, and Debian 12's 3.11.2 has none.
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)
    (unpacked,) = (folder for folder in tmp_path.iterdir() if folder.is_dir())
    assert package_files(built(WheelBuilder, unpacked, tmp_path)) == package_files(wheel)


# ── installed ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has nothing but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    ran(*environment.making(str(folder / "venv")), cwd=folder)
    ran(*environment.pip(str(folder / "venv")), str(wheel), cwd=folder)
    return folder / "venv" / "bin"


def ran(*command: str, cwd: Path) -> None:
    """It ended well, in a folder where there is nothing, and was told nothing about Python's path."""
    env = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"


@pytest.mark.timeout(300)  # most of it for the first, which installs
@pytest.mark.parametrize(
    "command",
    [
        ["runward", "--version"],
        ["runward", "--help"],
        ["python", "-c", "import runward.http.facade_process, runward.actors.supervisor"],
        ["python", "-c", "from runward.http import console; assert 'console.js' in console.assets()"],
        ["python", "-m", "runward", "demo", "--json"],
    ],
    ids=" ".join,
)
def test_installed_it_works_in_a_folder_where_there_is_nothing(
    installed: Path, command: list[str], tmp_path: Path
) -> None:
    ran(str(installed / command[0]), *command[1:], cwd=tmp_path)
