"""Where commands look for the state folder: where `load` would."""

from pathlib import Path

import pytest

from runward.config.settings import load
from runward.config.where import state_dir


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, which is the home too."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "variables"),
    [
        (None, {}),
        (None, {"XDG_STATE_HOME": "/x"}),
        (None, {"RUNWARD_STATE_DIR": "a/b"}),
        ('[state]\ndir = "sub"\n', {}),
        ('[state]\ndir = "~/s"\n', {}),
        ('[state]\ndir = ""\n', {}),
        ("[runs]\nmax_live = 1\n", {}),
        ('[state]\ndir = "sub"\n', {"RUNWARD_STATE_DIR": "/other"}),
    ],
)
def test_it_is_where_load_has_it(file: str | None, variables: dict[str, str], here: Path) -> None:
    if file is not None:
        (here / "runward.toml").write_text(file)
    environ = {"HOME": str(here), **variables}
    assert state_dir(environ) == Path(load(environ=environ).state.dir)


def test_a_file_in_another_folder_that_the_environment_names_is_read(here: Path) -> None:
    (here / "etc").mkdir()
    (here / "etc" / "my.toml").write_text('[state]\ndir = "s"\n')
    environ = {"HOME": str(here), "RUNWARD_CONFIG": "etc/my.toml"}
    assert state_dir(environ) == Path(load(environ=environ).state.dir) == here / "etc" / "s"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[state]\ndir = "s"\n[runs]\nmax_live = -1\n', "s"),  # wrong elsewhere
        ("[state]\ndir = 5\n", ".local/state/runward"),
        ("state = 5\n", ".local/state/runward"),
        ("no toml", ".local/state/runward"),
    ],
)
def test_a_file_that_is_refused_is_good_for_what_it_says_of_it(text: str, found: str, here: Path) -> None:
    (here / "runward.toml").write_text(text)
    assert state_dir({"HOME": str(here)}) == here / found
