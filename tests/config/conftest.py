"""A home and a current folder that hold no configuration but what a test puts there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from runward.config.settings import Settings, load


class LoadText(Protocol):
    def __call__(
        self, text: str, environ: Mapping[str, str] = ..., flags: Mapping[str, object] = ...
    ) -> Settings: ...


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder, empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """Where `load_text` puts its file."""
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder / "server.toml"


@pytest.fixture
def load_text(config_file: Path, home: Path) -> LoadText:
    """Loads this text as the configuration file."""

    def load_it(
        text: str, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
    ) -> Settings:
        config_file.write_text(text)
        return load(config_file, {"HOME": str(home), **(environ or {})}, flags or {})

    return load_it
