"""A Python that is the one that runs the tests but for one module of ours, which every process of a server imports
first: for what can't be brought about from outside, such as another time of day.

A virtual environment, because our processes clean their environment: PYTHONPATH would reach the first one only.
"""

import site
import sys
from pathlib import Path

import runward

SHIMS = Path(__file__).parent / "shims"


def overlaid(folder: Path, shim: str, **variables: object) -> str:
    """The path of such a Python, made in `folder`, which is absent. It imports `shims/SHIM.py`, whose capital names
    are set to `variables` first."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    python = folder / "bin" / version
    python.parent.mkdir()
    python.symlink_to(sys._base_executable)  # type: ignore[attr-defined]  # private: not in the stubs
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n")
    source = Path(runward.__path__[0]).parent
    paths = [str(source), *map(str, site.getsitepackages())]
    (packages / "overlay.pth").write_text("\n".join([*paths, f"import {shim}"]) + "\n")
    text = (SHIMS / f"{shim}.py").read_text()
    (packages / f"{shim}.py").write_text(
        text + "".join(f"{name} = {value!r}\n" for name, value in variables.items())
    )
    return str(python)
