"""The commands that make a virtual environment and install into it.

By uv or virtualenv where they are at hand, else by what comes with Python.
"""

import importlib.util
import os
import shutil
import sys

from .interpreter import refuse


def making(folder: str) -> list[str]:
    """The command that makes an environment. Exits with 78 where Debian has split off what it needs."""
    if uv := shutil.which("uv"):
        return [uv, "venv", "--python", sys.executable, folder]
    if virtualenv := shutil.which("virtualenv"):
        return [virtualenv, "--python", sys.executable, folder]
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        refuse(f"this Python can't make an environment. On Debian and Ubuntu: apt install {package}")
    return [sys.executable, "-m", "venv", folder]


def pip(folder: str) -> list[str]:
    """The beginning of a command that installs into that environment; what to install is to follow."""
    python = os.path.join(folder, "bin", "python")
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", python]
    # -I: nothing that the user's shell or folder says about Python's path has a say in this.
    return [python, "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]


def needs() -> str:
    """The modules that an environment must have for `pip` to work on it, for an import statement."""
    return "sys" if shutil.which("uv") else "sys, pip"
